//! How much of what a schema lets through.

use super::{MAX_BYTES, Node, SHORTEST_ITEM, SHORTEST_MEMBER, Test};

pub(super) fn longest_text(node: &Node) -> u64 {
    let limit = node.tests.iter().find_map(|test| match test {
        Test::MaxLength(most) => Some(amount(*most)),
        _ => None,
    });
    // Four bytes a character, and what is too long is reported by its bytes.
    limit.map_or(size(), |most| {
        most.saturating_mul(4).saturating_add(3).min(size())
    })
}

pub(super) fn most_items(node: &Node) -> u64 {
    let limit = node.tests.iter().find_map(|test| match test {
        Test::MaxItems(most) => Some(amount(*most)),
        _ => None,
    });
    limit.unwrap_or(u64::MAX).min(size() / SHORTEST_ITEM)
}

pub(super) fn most_members(node: &Node) -> u64 {
    let limit = node.tests.iter().find_map(|test| match test {
        Test::MaxProperties(most) => Some(amount(*most)),
        _ => None,
    });
    limit.unwrap_or(u64::MAX).min(size() / SHORTEST_MEMBER)
}

/// The largest metadata, with a comma behind it.
pub(super) fn size() -> u64 {
    amount(MAX_BYTES).saturating_add(1)
}

pub(super) fn amount(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

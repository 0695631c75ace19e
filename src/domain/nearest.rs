//! "Did you mean": the nearest of the names that exist.

/// Longer texts are no misspelt names.
const MAX_CHARS: usize = 200;

/// The nearest candidate within `limit` edits (insertions, deletions, replacements of a character).
pub fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    limit: usize,
) -> Option<&'a str> {
    let chars = name.chars().take(MAX_CHARS + 1).count();
    if chars > MAX_CHARS {
        return None;
    }
    candidates
        .into_iter()
        .filter(|candidate| candidate.chars().count().abs_diff(chars) <= limit)
        .map(|candidate| (edits(name, candidate), candidate))
        .min()
        .filter(|(distance, _)| *distance <= limit)
        .map(|(_, candidate)| candidate)
}

/// All candidates: first those that `name` may have meant, the nearest first, then the others as they come.
pub fn nearest_first<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Vec<&'a str> {
    let mut sorted: Vec<&str> = candidates.into_iter().collect();
    let chars = name.chars().take(MAX_CHARS + 1).count();
    if chars <= MAX_CHARS {
        // Farther than half its length, a name has little of it left.
        let far = chars / 2 + 1;
        sorted.sort_by_cached_key(|candidate| edits(name, candidate).min(far));
    }
    sorted
}

/// Levenshtein's distance, row by row.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.chars().enumerate() {
        let mut left = line + 1;
        let mut next = vec![left];
        for (pair, b) in row.windows(2).zip(&to) {
            let [corner, above] = *pair else { continue };
            left = (left + 1).min(above + 1).min(corner + usize::from(a != *b));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{edits, nearest, nearest_first};

    #[test]
    fn the_distance_counts_single_edits() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", ""), 3);
        assert_eq!(edits("same", "same"), 0);
    }

    #[test]
    fn only_near_names_are_suggested() {
        let names = ["server.port", "server.host"];
        assert_eq!(nearest("server.prot", names, 3), Some("server.port"));
        assert_eq!(nearest("database", names, 3), None);
    }

    #[test]
    fn names_that_may_be_meant_come_first_and_the_others_keep_their_order() {
        let names = ["content", "note", "liveFrom", "percent", "dryRun"];
        assert_eq!(
            nearest_first("livefrom", names),
            ["liveFrom", "content", "note", "percent", "dryRun"]
        );
        assert_eq!(nearest_first("x", names), names);
        assert_eq!(nearest_first(&"x".repeat(100_000), names), names);
    }
}

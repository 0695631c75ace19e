//! What a schema could cost at most, with the largest metadata that is taken. Every price here mirrors a payment in [`super::run`].
//!
//! A value of `n` bytes (with the comma behind it) is paid for by its bytes: `n` times a rate for each kind of value, found by looking
//! at which part of those bytes each step needs at least. Where a schema says how much there can be (`maxItems`, `maxLength`,
//! `additionalProperties: false`), the sum of all there can be is the other bound, and the smaller one holds. Both are computed level
//! by level, from values without content up to the deepest that is read, so that a schema that holds itself is followed down.

mod amounts;

use self::amounts::{amount, longest_text, most_items, most_members, size};
use super::program::{Id, Kinds, Node, Program, Test};
use super::run::{
    BUDGET, DIVISION, DIVISION_OF_FRACTION, ENTRY, HASH, LOOKUP, MARK, MAX_DEPTH, PATTERN, TEST,
};
use crate::domain::fault::Fault;
use crate::domain::json;
use crate::domain::wrong::Wrong;

/// The largest metadata that schemas are judged with, in bytes of JSON: a request's body by default.
pub(super) const MAX_BYTES: usize = 64 * 1024;
/// The shortest item with its comma, and the shortest member.
const SHORTEST_ITEM: u64 = 2;
const SHORTEST_MEMBER: u64 = 5;
/// `0.5,`; what is written with an exponent is an integer, or longer.
const SHORTEST_FRACTION: u64 = 4;
/// A byte of a tree that is hashed.
const HASHED_BYTE: u64 = HASH.div_ceil(SHORTEST_ITEM);

/// Everything in a schema that could cost more than the budget.
pub(super) fn judge(program: &Program, places: &[String]) -> Vec<Fault> {
    let mut judge = Judge {
        program,
        levels: Vec::new(),
        now: Vec::new(),
        open: Vec::new(),
        circle: None,
    };
    for _ in 0..=json::MAX_DEPTH {
        judge.level();
        if judge.circle.is_some() {
            break;
        }
    }
    let at = |id: Id| places.get(id).cloned().unwrap_or_default();
    if let Some((id, wrong)) = judge.circle {
        return vec![Fault::new(at(id), wrong)];
    }
    let whole = judge.at(judge.levels.len(), 0);
    if whole.depth > MAX_DEPTH {
        let deepest = judge.blame(|known| u64::try_from(known.depth).unwrap_or(u64::MAX), 0);
        return vec![Fault::new(at(deepest), Wrong::LongChain)];
    }
    if whole.bound <= BUDGET {
        return Vec::new();
    }
    let id = judge.blame(|known| known.bound, BUDGET);
    let times = whole.bound.div_ceil(BUDGET);
    let times = if times > 1_000 {
        "over 1000".to_owned()
    } else {
        times.to_string()
    };
    let advice = program.nodes.get(id).map_or("", advice);
    vec![Fault::new(at(id), Wrong::Costly { times, advice })]
}

/// The largest that any metadata could cost.
#[cfg(test)]
pub(super) fn bound(program: &Program) -> u64 {
    let mut judge = Judge {
        program,
        levels: Vec::new(),
        now: Vec::new(),
        open: Vec::new(),
        circle: None,
    };
    (0..=json::MAX_DEPTH).for_each(|_| judge.level());
    judge.at(judge.levels.len(), 0).bound
}

/// What would make a node cheaper.
fn advice(node: &Node) -> &'static str {
    let branches = |test: &Test| test.in_place().len() > 1;
    let has = |of: fn(&Test) -> bool| node.tests.iter().any(of);
    if node.tests.iter().any(branches) {
        "let each alternative require a tag with a const of its own, so that one is looked at, or put them into one type with optional properties"
    } else if has(|test| matches!(test, Test::Unique)) {
        "give the list maxItems, or use an object whose names are the keys"
    } else if has(|test| matches!(test, Test::Allowed(values) if values.deep)) {
        "let const and enum list texts and numbers instead of objects and lists"
    } else if has(|test| matches!(test, Test::OtherItems(_) | Test::OtherMembers(_))) {
        "write additionalProperties or items beside the properties instead of unevaluatedProperties or unevaluatedItems"
    } else if has(|test| matches!(test, Test::Pattern(_) | Test::Names(_))) || has(is_patterned) {
        "use fewer patterns, or give the texts maxLength and the object maxProperties"
    } else {
        "lower maxItems and maxLength, or let fewer subschemas judge the same value"
    }
}

fn is_patterned(test: &Test) -> bool {
    matches!(test, Test::Members { patterns, .. } if !patterns.is_empty())
}

/// What one node costs with everything that judges the same value, by the value's kind.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    flag: u64,
    number: u64,
    /// Of a number that is no integer.
    fraction: u64,
    text: u64,
    text_byte: u64,
    list: u64,
    item: u64,
    object: u64,
    member: u64,
    name_byte: u64,
    /// A byte of what is inside.
    inside_list: u64,
    inside_object: u64,
    /// A byte of the whole value.
    whole_list: u64,
    whole_object: u64,
    /// All there can be.
    most_text: u64,
    most_list: u64,
    most_object: u64,
    /// Subschemas inside of each other.
    depth: usize,
}

/// What is known of a node at a level.
#[derive(Debug, Clone, Copy, Default)]
struct NodeCost {
    /// A byte of any value.
    rate: u64,
    /// Any value.
    bound: u64,
    /// As the judge of a name: beside its bytes, and a byte.
    name: u64,
    name_byte: u64,
    depth: usize,
}

impl Cost {
    /// Both, one after the other.
    fn plus(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    /// The dearer one of both.
    fn max(self, other: Self) -> Self {
        self.with(other, u64::max)
    }

    fn with(self, other: Self, both: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            flag: both(self.flag, other.flag),
            number: both(self.number, other.number),
            fraction: both(self.fraction, other.fraction),
            text: both(self.text, other.text),
            text_byte: both(self.text_byte, other.text_byte),
            list: both(self.list, other.list),
            item: both(self.item, other.item),
            object: both(self.object, other.object),
            member: both(self.member, other.member),
            name_byte: both(self.name_byte, other.name_byte),
            inside_list: both(self.inside_list, other.inside_list),
            inside_object: both(self.inside_object, other.inside_object),
            whole_list: both(self.whole_list, other.whole_list),
            whole_object: both(self.whole_object, other.whole_object),
            most_text: both(self.most_text, other.most_text),
            most_list: both(self.most_list, other.most_list),
            most_object: both(self.most_object, other.most_object),
            depth: self.depth.max(other.depth),
        }
    }

    /// Paid for a value of any kind.
    fn any(units: u64) -> Self {
        Self {
            flag: units,
            number: units,
            fraction: units,
            ..Self::text(units, 0, 0)
                .plus(Self::list(units, 0))
                .plus(Self::object(units, 0))
        }
    }

    /// Paid for a text, and for each of `most` bytes.
    fn text(units: u64, byte: u64, most: u64) -> Self {
        Self {
            text: units,
            text_byte: byte,
            most_text: units.saturating_add(byte.saturating_mul(most)),
            ..Self::default()
        }
    }

    /// Paid for a list, and for everything else there can be of it.
    fn list(units: u64, rest: u64) -> Self {
        Self {
            list: units,
            most_list: units.saturating_add(rest),
            ..Self::default()
        }
    }

    /// Paid for an object, and for everything else there can be of it.
    fn object(units: u64, rest: u64) -> Self {
        Self {
            object: units,
            most_object: units.saturating_add(rest),
            ..Self::default()
        }
    }

    /// Paid for each of at most `members` members, and for each byte of a name.
    fn names(member: u64, byte: u64, members: u64) -> Self {
        let most = member.saturating_mul(members);
        Self {
            member,
            name_byte: byte,
            ..Self::object(0, most.saturating_add(byte.saturating_mul(size())))
        }
    }

    /// Values of other kinds go no further than the door.
    fn only(self, kinds: Kinds) -> Self {
        let door = Self::any(ENTRY);
        let mut cost = self;
        if !kinds.has(Kinds::NULL.and(Kinds::FLAG)) {
            cost.flag = door.flag;
        }
        if !kinds.has(Kinds::NUMBER) {
            (cost.number, cost.fraction) = (door.number, door.fraction);
        }
        if !kinds.has(Kinds::TEXT) {
            (cost.text, cost.text_byte, cost.most_text) = (door.text, 0, door.most_text);
        }
        if !kinds.has(Kinds::LIST) {
            (cost.list, cost.item, cost.inside_list, cost.whole_list) = (door.list, 0, 0, 0);
            cost.most_list = door.most_list;
        }
        if !kinds.has(Kinds::OBJECT) {
            (cost.object, cost.member, cost.name_byte) = (door.object, 0, 0);
            (cost.inside_object, cost.whole_object) = (0, 0);
            cost.most_object = door.most_object;
        }
        cost
    }

    fn to_node_cost(self) -> NodeCost {
        // The bytes that pay: `1,` `"",` `true,` `[]` `{}` and `"":` before a member's value.
        let flag = self.flag.div_ceil(5);
        let number = self.number.div_ceil(SHORTEST_ITEM);
        let number = number.max(self.fraction.div_ceil(SHORTEST_FRACTION));
        let text = self.text.div_ceil(3).max(self.text_byte);
        let items = self.item.div_ceil(SHORTEST_ITEM);
        let list = self
            .list
            .div_ceil(2)
            .max(self.inside_list.saturating_add(items))
            .saturating_add(self.whole_list);
        let names = self.member.div_ceil(3).max(self.name_byte);
        let object = self
            .object
            .div_ceil(2)
            .max(names)
            .max(self.inside_object)
            .saturating_add(self.whole_object);
        let bounds = [
            self.flag,
            self.number,
            self.fraction,
            self.most_text.min(text.saturating_mul(size())),
            self.most_list.min(list.saturating_mul(size())),
            self.most_object.min(object.saturating_mul(size())),
        ];
        NodeCost {
            rate: flag.max(number).max(text).max(list).max(object),
            bound: bounds.into_iter().fold(0, u64::max),
            name: self.text,
            name_byte: self.text_byte,
            depth: self.depth,
        }
    }
}

struct Judge<'p> {
    program: &'p Program,
    /// What is known of all nodes, for values with as many levels inside.
    levels: Vec<Vec<NodeCost>>,
    now: Vec<Option<Cost>>,
    /// Nodes that are being followed.
    open: Vec<Id>,
    /// A node that judges a value by judging it, and the message for it.
    circle: Option<(Id, Wrong)>,
}

impl Judge<'_> {
    /// Goes one level up.
    fn level(&mut self) {
        let nodes = self.program.nodes.len();
        self.now = vec![None; nodes];
        let known = (0..nodes).map(|id| self.cost(id).to_node_cost()).collect();
        self.levels.push(known);
    }

    /// What is known of a node below this many levels.
    fn at(&self, levels: usize, id: Id) -> NodeCost {
        let level = levels.checked_sub(1).and_then(|top| self.levels.get(top));
        level
            .and_then(|level| level.get(id))
            .copied()
            .unwrap_or_default()
    }

    /// What is known of a node that judges something inside.
    fn inside(&self, id: Id) -> NodeCost {
        self.at(self.levels.len(), id)
    }

    fn cost(&mut self, id: Id) -> Cost {
        if let Some(Some(cost)) = self.now.get(id) {
            return *cost;
        }
        let Some(node) = self.program.nodes.get(id) else {
            return Cost::default();
        };
        if self.open.contains(&id) {
            self.circle.get_or_insert((id, Wrong::Circle));
        } else if self.open.len() > MAX_DEPTH {
            self.circle.get_or_insert((id, Wrong::LongChain));
        }
        if self.circle.is_some() {
            return Cost::default();
        }
        self.open.push(id);
        let tests = u64::try_from(node.tests.len()).unwrap_or(u64::MAX);
        let mut cost = Cost::any(ENTRY.saturating_add(TEST.saturating_mul(tests)));
        for test in &node.tests {
            cost = cost.plus(self.test(test, node));
        }
        if node.asks_for_marks() {
            cost = cost.plus(marks(1, node));
        }
        let inside = node.tests.iter().flat_map(Test::inside);
        let inside = inside.map(|id| self.inside(id).depth).max().unwrap_or(0);
        cost.depth = cost.depth.max(inside).saturating_add(1);
        let cost = cost.only(node.kinds);
        self.open.pop();
        if let Some(slot) = self.now.get_mut(id) {
            *slot = Some(cost);
        }
        cost
    }

    fn test(&mut self, test: &Test, node: &Node) -> Cost {
        let (items, members) = (most_items(node), most_members(node));
        match test {
            Test::Allowed(values) => {
                let longest = amount(values.longest).min(longest_text(node));
                let mut cost = Cost {
                    flag: HASH,
                    number: HASH,
                    fraction: HASH,
                    ..Cost::text(HASH, 1, longest)
                };
                if values.deep {
                    cost.whole_list = HASHED_BYTE;
                    cost.whole_object = HASHED_BYTE;
                    cost.most_list = HASHED_BYTE.saturating_mul(size());
                    cost.most_object = cost.most_list;
                }
                cost
            }
            Test::Bound(..) => Cost {
                number: TEST,
                fraction: TEST,
                ..Cost::default()
            },
            Test::MultipleOf(_) => Cost {
                number: DIVISION,
                fraction: DIVISION_OF_FRACTION,
                ..Cost::default()
            },
            Test::MinLength(_) | Test::MaxLength(_) => Cost::text(0, 1, longest_text(node)),
            Test::Pattern(_) => Cost::text(PATTERN, 2, longest_text(node)),
            Test::Unique => Cost {
                whole_list: HASHED_BYTE,
                ..Cost::list(0, HASHED_BYTE.saturating_mul(size()))
            },
            Test::Items { first, rest } => {
                let judges = first.iter().chain(rest);
                let dearest = judges.map(|id| self.inside(*id).rate).max();
                let most = first.iter().map(|id| self.inside(*id).bound);
                let most = most.fold(0, u64::saturating_add);
                let others = rest.map_or(0, |id| self.inside(id).bound.saturating_mul(items));
                Cost {
                    inside_list: dearest.unwrap_or(0),
                    ..Cost::list(0, most.saturating_add(others))
                }
            }
            Test::Contains { item: id, .. } | Test::OtherItems(id) => self.items(*id, items),
            Test::MinItems(_)
            | Test::MaxItems(_)
            | Test::MinProperties(_)
            | Test::MaxProperties(_) => Cost::default(),
            Test::Required(names) => required(names),
            Test::Wants(wants) => {
                let each = wants.values().map(|names| required(names).most_object);
                let dearest = each.max().unwrap_or(0);
                Cost::names(LOOKUP.saturating_add(dearest), 1, members)
            }
            Test::Names(judge) => {
                let judge = self.inside(*judge);
                let member = LOOKUP.saturating_add(judge.name);
                Cost::names(member, judge.name_byte.saturating_add(1), members)
            }
            Test::Members { .. } => self.members(test, members),
            Test::OtherMembers(id) => {
                let judge = self.inside(*id);
                // The first that is never taken ends the check.
                let times = if self.is_never(*id) { 1 } else { members };
                Cost {
                    inside_object: judge.rate,
                    ..Cost::object(0, judge.bound.saturating_mul(times))
                }
            }
            Test::Parts(_) => self.in_place(test).plus(Cost::names(LOOKUP, 1, members)),
            Test::All(_) | Test::Not(_) => self.in_place(test),
            Test::Any(choice) | Test::One(choice) => match &choice.tag {
                Some(tag) => {
                    let parts = choice.parts.iter();
                    let dearest =
                        parts.fold(Cost::default(), |most, part| most.max(self.cost(*part)));
                    let names = tag.name.len().saturating_add(tag.longest);
                    let found = LOOKUP.saturating_mul(2).saturating_add(amount(names));
                    dearest.plus(Cost::object(found, 0))
                }
                None => self
                    .in_place(test)
                    .plus(self.trials(choice.parts.len(), node)),
            },
            Test::If {
                condition,
                then,
                otherwise,
            } => {
                let then = then.map_or_else(Cost::default, |id| self.cost(id));
                let otherwise = otherwise.map_or_else(Cost::default, |id| self.cost(id));
                self.cost(*condition)
                    .plus(then.max(otherwise))
                    .plus(self.trials(1, node))
            }
        }
    }

    fn in_place(&mut self, test: &Test) -> Cost {
        let parts = test.in_place().into_iter();
        parts.fold(Cost::default(), |sum, part| sum.plus(self.cost(part)))
    }

    fn items(&self, judge: Id, items: u64) -> Cost {
        let judge = self.inside(judge);
        Cost {
            inside_list: judge.rate,
            ..Cost::list(0, judge.bound.saturating_mul(items))
        }
    }

    fn members(&self, test: &Test, members: u64) -> Cost {
        let Test::Members {
            named,
            patterns,
            rest,
            longest,
        } = test
        else {
            return Cost::default();
        };
        let sum = |of: fn(NodeCost) -> u64, ids: &mut dyn Iterator<Item = Id>| {
            ids.map(|id| of(self.inside(id)))
                .fold(0, u64::saturating_add)
        };
        let rates = named.values().map(|id| self.inside(*id).rate).max();
        let of_patterns = sum(|known| known.rate, &mut patterns.iter().map(|(_, id)| *id));
        let of_rest = rest.map_or(0, |id| self.inside(id).rate);
        let closed = patterns.is_empty() && rest.is_some_and(|id| self.is_never(id));
        // The first member that is never taken ends the check.
        let members = if closed {
            members.min(amount(named.len()).saturating_add(1))
        } else {
            members
        };
        let tries = amount(patterns.len());
        let member = LOOKUP.saturating_add(PATTERN.saturating_mul(tries));
        let read = amount(*longest).saturating_mul(members).min(size());
        let read = read.saturating_add(tries.saturating_mul(2).saturating_mul(size()));
        let many = sum(|known| known.bound, &mut patterns.iter().map(|(_, id)| *id))
            .saturating_add(rest.map_or(0, |id| self.inside(id).bound));
        let most = member
            .saturating_add(many)
            .saturating_mul(members)
            .saturating_add(read)
            .saturating_add(sum(|known| known.bound, &mut named.values().copied()));
        Cost {
            member,
            name_byte: tries.saturating_mul(2).saturating_add(1),
            inside_object: rates.unwrap_or(0).saturating_add(of_patterns).max(of_rest),
            ..Cost::object(0, most)
        }
    }

    /// What the marks of parts cost that may fail.
    fn trials(&self, parts: usize, node: &Node) -> Cost {
        if self.program.marks {
            marks(amount(parts), node)
        } else {
            Cost::default()
        }
    }

    fn is_never(&self, id: Id) -> bool {
        self.program.nodes.get(id).is_some_and(Node::is_never)
    }

    /// The innermost node that is over `limit` although nothing in it is.
    fn blame(&self, of: impl Fn(&NodeCost) -> u64, limit: u64) -> Id {
        let (mut id, mut levels) = (0, self.levels.len());
        loop {
            let Some(node) = self.program.nodes.get(id) else {
                return id;
            };
            let beside = node.tests.iter().flat_map(Test::in_place);
            let inside = node.tests.iter().flat_map(Test::inside);
            let below = levels.saturating_sub(1);
            let next = beside
                .map(|id| (id, levels))
                .chain(inside.map(|id| (id, below)))
                .map(|(id, levels)| (of(&self.at(levels, id)), id, levels))
                .max();
            match next {
                Some((cost, next, at)) if cost > limit && (next, at) != (id, levels) => {
                    (id, levels) = (next, at);
                }
                _ => return id,
            }
        }
    }
}

/// Marks for each item or member.
fn marks(number: u64, node: &Node) -> Cost {
    let each = MARK.saturating_mul(number);
    Cost {
        item: each,
        ..Cost::list(0, each.saturating_mul(most_items(node)))
    }
    .plus(Cost::names(each, 0, most_members(node)))
}

/// Up to the first that is missing, each name is one of the members.
fn required(names: &[String]) -> Cost {
    let bytes = |name: &String| amount(name.len());
    let longest = names.iter().map(bytes).max().unwrap_or(0);
    let all = names.iter().map(|name| LOOKUP.saturating_add(bytes(name)));
    Cost {
        object: LOOKUP.saturating_add(longest),
        member: LOOKUP,
        name_byte: 1,
        ..Cost::object(0, all.fold(0, u64::saturating_add))
    }
}

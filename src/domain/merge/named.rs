//! Lists of named things, such as a context's rules and its tests: two people who change different ones do not meet. A thing is known by its
//! `name`, and one that was renamed by its place between the others. It is taken whole, since half a rule of one and half of another is a rule
//! that nobody wrote.
//!
//! In pointers a thing's name, as it was before the change, stands where other lists have a number: numbers differ between the sides.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{Merger, ThreeWay};
use crate::domain::fault::step;

/// Longer lists are taken whole, to bound the time that a merge takes.
const MOST: usize = 500;

/// The things of a list by identity, in order.
type List<'a> = Vec<(&'a str, &'a Value)>;

/// A list as the three documents have it. Names of `theirs` and `ours` are those of `base` where they are about the same thing.
#[derive(Debug)]
pub(super) struct Lists<'a> {
    base: List<'a>,
    theirs: List<'a>,
    ours: List<'a>,
    /// Whether one side has no such list any more.
    is_dropped: bool,
}

/// The lists, if all three are lists of named things. A list that is not there has nothing in it.
pub(super) fn lists(sides: ThreeWay<'_>) -> Option<Lists<'_>> {
    let base = of(sides.base)?;
    let theirs = of(sides.theirs)?;
    let ours = of(sides.ours)?;
    if theirs.is_empty() && ours.is_empty() {
        return None;
    }
    Some(Lists {
        theirs: renamed(&base, theirs),
        ours: renamed(&base, ours),
        base,
        is_dropped: sides.theirs.is_none() || sides.ours.is_none(),
    })
}

fn of(value: Option<&Value>) -> Option<List<'_>> {
    let things = match value {
        None => &[],
        Some(value) => value.as_array()?.as_slice(),
    };
    if things.len() > MOST {
        return None;
    }
    let mut names = HashSet::new();
    let list = things.iter().map(|thing| {
        let name = thing.as_object()?.get("name")?.as_str()?;
        names.insert(name).then_some((name, thing))
    });
    list.collect()
}

/// With the base's names for things that were renamed where they stood: between the same two neighbours, the first whose name went is the first whose
/// name came.
fn renamed<'a>(base: &List<'a>, mut list: List<'a>) -> List<'a> {
    let before: HashSet<&str> = base.iter().map(|(name, _)| *name).collect();
    let now: HashSet<&str> = list.iter().map(|(name, _)| *name).collect();
    // Names that went, by the name before them.
    let mut gone: HashMap<Option<&str>, Vec<&str>> = HashMap::new();
    let mut neighbour = None;
    for (name, _) in base {
        if now.contains(name) {
            neighbour = Some(*name);
        } else {
            gone.entry(neighbour).or_default().push(name);
        }
    }
    for names in gone.values_mut() {
        names.reverse();
    }
    let mut neighbour = None;
    for (name, _) in &mut list {
        if before.contains(name) {
            neighbour = Some(*name);
        } else if let Some(old) = gone.get_mut(&neighbour).and_then(Vec::pop) {
            *name = old;
        }
    }
    list
}

impl Merger<'_> {
    /// Both sides' changes of a list; nothing where a conflict was noted.
    pub(super) fn named(&mut self, at: &str, lists: &Lists<'_>) -> Option<Value> {
        let noted = self.conflicts.len();
        let by_name = |list: &List<'_>| -> HashMap<String, Value> {
            let pairs = list.iter();
            pairs
                .map(|(name, thing)| ((*name).to_owned(), (*thing).clone()))
                .collect()
        };
        let (base, theirs, ours) = (
            by_name(&lists.base),
            by_name(&lists.theirs),
            by_name(&lists.ours),
        );
        let order = self.order(at, lists);
        let mut merged = Vec::new();
        for name in order {
            let sides = ThreeWay {
                base: base.get(name),
                theirs: theirs.get(name),
                ours: ours.get(name),
            };
            merged.extend(self.thing(&format!("{at}{}", step(name)), sides));
        }
        let is_whole = self.conflicts.len() == noted;
        (is_whole && !(merged.is_empty() && lists.is_dropped)).then_some(Value::Array(merged))
    }

    fn thing(&mut self, at: &str, sides: ThreeWay<'_>) -> Option<Value> {
        if sides.ours == sides.theirs || sides.ours == sides.base {
            return sides.theirs.cloned();
        }
        if sides.theirs == sides.base {
            return sides.ours.cloned();
        }
        self.chosen(at, sides)
    }

    /// The names of both sides in one order, in which every two that a side turned round are turned round. Where there is none, the conflict is at
    /// the list, with the names in each side's order.
    fn order<'a>(&mut self, at: &str, lists: &Lists<'a>) -> Vec<&'a str> {
        let names =
            |list: &List<'a>| -> Vec<&'a str> { list.iter().map(|(name, _)| *name).collect() };
        let (base, theirs, ours) = (names(&lists.base), names(&lists.theirs), names(&lists.ours));
        let (away, here) = (moved(&base, &theirs), moved(&base, &ours));
        for merged in [placed(&theirs, &ours, &here), placed(&ours, &theirs, &away)] {
            if keeps(&merged, &base, &theirs) && keeps(&merged, &base, &ours) {
                return merged;
            }
        }
        let [base, in_theirs, in_ours] =
            [&base, &theirs, &ours].map(|names| Value::from(names.clone()));
        let sides = ThreeWay {
            base: Some(&base),
            theirs: Some(&in_theirs),
            ours: Some(&in_ours),
        };
        if self.chosen(at, sides).as_ref() == Some(&in_ours) {
            placed(&ours, &theirs, &HashSet::new())
        } else {
            placed(&theirs, &ours, &HashSet::new())
        }
    }
}

/// Whether any two names that a side turned round are in that side's order.
fn keeps(merged: &[&str], base: &[&str], side: &[&str]) -> bool {
    let places = |names: &[&str]| -> HashMap<String, usize> {
        let places = names.iter().enumerate();
        places.map(|(at, name)| ((*name).to_owned(), at)).collect()
    };
    let (merged, side) = (places(merged), places(side));
    // Where those that all have are, in the base's order.
    let all: Vec<(usize, usize)> = base
        .iter()
        .filter_map(|name| Some((*merged.get(*name)?, *side.get(*name)?)))
        .collect();
    all.iter().enumerate().all(|(at, (merged, side))| {
        let later = all.iter().skip(at.saturating_add(1));
        let mut turned = later.filter(|(_, other)| other < side);
        turned.all(|(other, _)| other < merged)
    })
}

/// What somebody moved: the fewest names without which the others are in the same order as before.
fn moved<'a>(base: &[&'a str], list: &[&'a str]) -> HashSet<&'a str> {
    let places: HashMap<&str, usize> = base
        .iter()
        .enumerate()
        .map(|(at, name)| (*name, at))
        .collect();
    let known: Vec<(&str, usize)> = list
        .iter()
        .filter_map(|name| Some((*name, *places.get(name)?)))
        .collect();
    // The longest run of rising places: for each length the lowest end so far, and what comes before each in its run.
    let mut ends: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = Vec::new();
    for (at, (_, place)) in known.iter().enumerate() {
        let length =
            ends.partition_point(|end| known.get(*end).is_some_and(|(_, low)| low < place));
        previous.push(
            length
                .checked_sub(1)
                .and_then(|shorter| ends.get(shorter).copied()),
        );
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut stays = HashSet::new();
    let mut next = ends.last().copied();
    while let Some(at) = next {
        stays.extend(known.get(at).map(|(name, _)| *name));
        next = previous.get(at).copied().flatten();
    }
    let moved = known.iter().map(|(name, _)| *name);
    moved.filter(|name| !stays.contains(name)).collect()
}

/// The names of one order, and those of another that it lacks or that are among the moved ones: what is new comes right after whatever it comes right
/// after there, what was moved after all that it comes after there.
fn placed<'a>(order: &[&'a str], other: &[&'a str], moved: &HashSet<&str>) -> Vec<&'a str> {
    let known: HashSet<&str> = order.iter().copied().collect();
    let mut names: Vec<&'a str> = order.to_vec();
    names.retain(|name| !moved.contains(name));
    let mut before: HashSet<&str> = HashSet::new();
    let mut right_before = None;
    for name in other {
        let at = if moved.contains(name) {
            Some(names.iter().rposition(|one| before.contains(one)))
        } else if !known.contains(name) {
            Some(right_before.and_then(|before| names.iter().position(|one| one == before)))
        } else {
            None
        };
        if let Some(at) = at {
            names.insert(at.map_or(0, |at| at.saturating_add(1)), name);
        }
        before.insert(name);
        right_before = Some(name);
    }
    names
}

//! Checks a value, and pays for every step out of one budget.

mod containers;

use std::cmp::Ordering;
use std::collections::HashMap;

use serde_json::{Map, Number, Value};

use super::equality;
use super::pattern::Pattern;
use super::program::{Allowed, Bound, Choice, Id, Kinds, Program, Tag, Test};
use crate::domain::decimal::Decimal;
use crate::domain::fault::{Fault, Faults, step};
use crate::domain::wrong::{Words, Wrong};

/// What a check may cost, in units of about a nanosecond. [`super::cost`] holds schemas to it before they are sealed.
pub(super) const BUDGET: u64 = 8_000_000;
/// What finding the faults may cost, once it is known that there is one.
const TELLING: u64 = 2_000_000;
/// Most subschemas that are inside of each other while a value is checked: each takes a part of the thread's stack.
pub(super) const MAX_DEPTH: usize = 256;
/// Most faults that are reported of one value.
pub(super) const MAX_TOLD: usize = 20;

/// Entering a subschema.
pub(super) const ENTRY: u64 = 12;
/// Looking at one keyword.
pub(super) const TEST: u64 = 4;
/// Finding a member by its name, or a value in a set, beside its bytes.
pub(super) const LOOKUP: u64 = 24;
/// Starting a pattern, beside the bytes it reads.
pub(super) const PATTERN: u64 = 40;
/// Dividing a whole number, and one that has to be written out for it.
pub(super) const DIVISION: u64 = 40;
pub(super) const DIVISION_OF_FRACTION: u64 = 250;
/// A value of a tree that is hashed and compared, beside the bytes of its texts.
pub(super) const HASH: u64 = 60;
/// A mark whether an item or a member was looked at: made, set, read, and merged into another.
pub(super) const MARK: u64 = 20;

/// The budget is gone, or nothing can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooCostly;

pub(super) type Verdict = Result<bool, TooCostly>;
/// Which items or members were looked at, where somebody asks.
type Marks<'m> = Option<&'m mut Vec<bool>>;

/// Where a value is in the whole.
#[derive(Debug, Clone, Copy)]
enum InstanceLocation<'p> {
    Root,
    Member(&'p InstanceLocation<'p>, &'p str),
    Item(&'p InstanceLocation<'p>, usize),
}

impl InstanceLocation<'_> {
    fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Member(outer, name) => outer.pointer() + &step(name),
            Self::Item(outer, index) => format!("{}/{index}", outer.pointer()),
        }
    }
}

/// One check.
#[derive(Debug)]
pub(super) struct Run<'p> {
    program: &'p Program,
    left: u64,
    depth: usize,
    /// Whether faults are noted; without, the first one ends the check.
    telling: bool,
    faults: Faults,
}

/// Whether `value` fits, as cheaply as can be.
pub(super) fn check(program: &Program, value: &Value) -> Verdict {
    Run::new(program, BUDGET, false).node(0, value, &InstanceLocation::Root, None)
}

/// The same, and what it cost.
#[cfg(test)]
pub(super) fn metered(program: &Program, value: &Value) -> (Verdict, u64) {
    let mut run = Run::new(program, BUDGET, false);
    let fits = run.node(0, value, &InstanceLocation::Root, None);
    (fits, BUDGET - run.left)
}

/// What is wrong with a value that does not fit: all of it, or as much as the budget and [`MAX_TOLD`] let it find.
pub(super) fn list_faults(program: &Program, value: &Value) -> Vec<Fault> {
    let mut run = Run::new(program, TELLING, true);
    // What was found when the budget ended is reported all the same.
    let _ended = run.node(0, value, &InstanceLocation::Root, None);
    run.faults.into_vec()
}

impl<'p> Run<'p> {
    fn new(program: &'p Program, budget: u64, telling: bool) -> Self {
        Self {
            program,
            left: budget,
            depth: 0,
            telling,
            faults: Faults::new(),
        }
    }

    fn pay(&mut self, units: u64) -> Result<(), TooCostly> {
        let left = self.left.checked_sub(units);
        self.left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(TooCostly)
    }

    /// Notes a fault, where faults are noted; `false`, as the verdict of whoever found it.
    fn fail<W: Into<Words>>(
        &mut self,
        at: &InstanceLocation<'_>,
        message: impl FnOnce() -> W,
    ) -> bool {
        if !self.is_done() {
            self.faults.add(at.pointer(), message());
        }
        false
    }

    /// Whether nothing is gained by looking on after a fault.
    fn is_done(&mut self) -> bool {
        !self.telling || self.faults.len() >= MAX_TOLD || self.faults.is_full()
    }

    fn node(
        &mut self,
        id: Id,
        value: &Value,
        at: &InstanceLocation<'_>,
        marks: Marks<'_>,
    ) -> Verdict {
        self.pay(ENTRY)?;
        if self.depth >= MAX_DEPTH {
            return Err(TooCostly);
        }
        self.depth += 1;
        let fits = self.tests(id, value, at, marks);
        self.depth -= 1;
        fits
    }

    fn tests(
        &mut self,
        id: Id,
        value: &Value,
        at: &InstanceLocation<'_>,
        marks: Marks<'_>,
    ) -> Verdict {
        let program = self.program;
        let node = program.nodes.get(id).ok_or(TooCostly)?;
        if !node.kinds.has(Kinds::of_value(value)) {
            return Ok(self.fail(at, || node.kinds.expected()));
        }
        if !node.asks_for_marks() {
            return self.all(&node.tests, value, at, marks);
        }
        let mut own = self.no_marks(value)?;
        let fits = self.all(&node.tests, value, at, Some(&mut own))?;
        merge(&own, marks);
        Ok(fits)
    }

    fn all(
        &mut self,
        tests: &[Test],
        value: &Value,
        at: &InstanceLocation<'_>,
        mut marks: Marks<'_>,
    ) -> Verdict {
        let mut fits = true;
        for test in tests {
            self.pay(TEST)?;
            // After a fault nobody knows what the failed part would have looked at.
            let blind = !fits && matches!(test, Test::OtherItems(_) | Test::OtherMembers(_));
            if blind || self.test(test, value, at, marks.as_deref_mut())? {
                continue;
            }
            fits = false;
            if self.is_done() {
                break;
            }
        }
        Ok(fits)
    }

    fn test(
        &mut self,
        test: &Test,
        value: &Value,
        at: &InstanceLocation<'_>,
        marks: Marks<'_>,
    ) -> Verdict {
        match (test, value) {
            (Test::Allowed(allowed), _) => self.allowed(allowed, value, at),
            (Test::Bound(..) | Test::MultipleOf(_), Value::Number(number)) => {
                self.number(test, number, at)
            }
            (Test::MinLength(_) | Test::MaxLength(_) | Test::Pattern(_), Value::String(words)) => {
                self.text(test, words, at)
            }
            (
                Test::MinItems(_)
                | Test::MaxItems(_)
                | Test::Unique
                | Test::Items { .. }
                | Test::Contains { .. }
                | Test::OtherItems(_),
                Value::Array(items),
            ) => self.list(test, items, at, marks),
            (
                Test::MinProperties(_)
                | Test::MaxProperties(_)
                | Test::Required(_)
                | Test::Wants(_)
                | Test::Names(_),
                Value::Object(members),
            ) => self.object(test, members, at),
            (Test::Members { .. } | Test::OtherMembers(_), Value::Object(members)) => {
                self.members(test, members, at, marks)
            }
            (Test::Parts(parts), Value::Object(members)) => {
                self.parts(parts, members, value, at, marks)
            }
            (Test::All(_) | Test::Any(_) | Test::One(_) | Test::Not(_) | Test::If { .. }, _) => {
                self.in_place(test, value, at, marks)
            }
            _ => Ok(true),
        }
    }

    fn allowed(&mut self, allowed: &Allowed, value: &Value, at: &InstanceLocation<'_>) -> Verdict {
        let may_be = match value {
            Value::String(text) => {
                let short = text.len() <= allowed.longest;
                self.pay(HASH + if short { bytes(text) } else { 0 })?;
                short
            }
            Value::Array(_) | Value::Object(_) if !allowed.deep => false,
            _ => {
                self.weigh(value)?;
                true
            }
        };
        if may_be && allowed.values.has(value) {
            Ok(true)
        } else {
            Ok(self.fail(at, || allowed.message.clone()))
        }
    }

    /// Pays for hashing a value and comparing it with another.
    fn weigh(&mut self, value: &Value) -> Result<(), TooCostly> {
        self.pay(HASH)?;
        match value {
            Value::String(text) => self.pay(bytes(text)),
            Value::Array(items) => items.iter().try_for_each(|item| self.weigh(item)),
            Value::Object(members) => members.iter().try_for_each(|(name, value)| {
                self.pay(HASH + bytes(name))?;
                self.weigh(value)
            }),
            _ => Ok(()),
        }
    }

    fn number(&mut self, test: &Test, number: &Number, at: &InstanceLocation<'_>) -> Verdict {
        let Some(number) = Decimal::from_number(number) else {
            return Ok(self.fail(at, || Wrong::Exact));
        };
        match test {
            Test::Bound(bound, limit) => {
                self.pay(TEST)?;
                let order = number.cmp(limit);
                let (fits, wrong): (_, fn(String) -> Wrong) = match bound {
                    Bound::AtLeast => (order != Ordering::Less, Wrong::AtLeast),
                    Bound::AtMost => (order != Ordering::Greater, Wrong::AtMost),
                    Bound::Above => (order == Ordering::Greater, Wrong::MoreThan),
                    Bound::Below => (order == Ordering::Less, Wrong::LessThan),
                };
                self.fits(fits, at, || wrong(limit.to_string()))
            }
            Test::MultipleOf(divisor) => {
                let is_fraction = !number.is_whole();
                self.pay(if is_fraction {
                    DIVISION_OF_FRACTION
                } else {
                    DIVISION
                })?;
                self.fits(divisor.divides(number), at, || {
                    Wrong::Multiple(divisor.to_string())
                })
            }
            _ => Ok(true),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "the verdict of most tests")]
    fn fits<W: Into<Words>>(
        &mut self,
        fits: bool,
        at: &InstanceLocation<'_>,
        message: impl FnOnce() -> W,
    ) -> Verdict {
        if fits {
            Ok(true)
        } else {
            Ok(self.fail(at, message))
        }
    }

    fn text(&mut self, test: &Test, words: &str, at: &InstanceLocation<'_>) -> Verdict {
        match test {
            Test::MinLength(least) => {
                let fits = words.len() >= *least && self.chars(words)? >= *least;
                self.fits(fits, at, || {
                    let message = format!("must have at least {}", counted(*least, "character"));
                    Wrong::LeastCharacters { least: *least }.worded(message)
                })
            }
            Test::MaxLength(most) => {
                // A character takes four bytes at most.
                let fits =
                    words.len() <= *most || words.len() / 4 <= *most && self.chars(words)? <= *most;
                self.fits(fits, at, || {
                    let message = format!("must have at most {}", counted(*most, "character"));
                    Wrong::MostCharacters { most: *most }.worded(message)
                })
            }
            Test::Pattern(pattern) => {
                let fits = self.matches(pattern, words)?;
                self.fits(fits, at, || Wrong::Unmatched(pattern.source.to_string()))
            }
            _ => Ok(true),
        }
    }

    fn chars(&mut self, text: &str) -> Result<usize, TooCostly> {
        self.pay(bytes(text))?;
        Ok(text.chars().count())
    }

    fn matches(&mut self, pattern: &Pattern, text: &str) -> Verdict {
        self.pay(PATTERN + 2 * bytes(text))?;
        pattern.fits(text).ok_or(TooCostly)
    }

    fn parts(
        &mut self,
        parts: &HashMap<String, Id>,
        members: &Map<String, Value>,
        value: &Value,
        at: &InstanceLocation<'_>,
        mut marks: Marks<'_>,
    ) -> Verdict {
        let mut fits = true;
        for name in members.keys() {
            self.pay(LOOKUP + bytes(name))?;
            if let Some(part) = parts.get(name) {
                fits &= self.node(*part, value, at, marks.as_deref_mut())?;
            }
            if !fits && self.is_done() {
                break;
            }
        }
        Ok(fits)
    }

    fn in_place(
        &mut self,
        test: &Test,
        value: &Value,
        at: &InstanceLocation<'_>,
        mut marks: Marks<'_>,
    ) -> Verdict {
        match test {
            Test::All(parts) => {
                let mut fits = true;
                for part in parts {
                    fits &= self.node(*part, value, at, marks.as_deref_mut())?;
                    if !fits && self.is_done() {
                        break;
                    }
                }
                Ok(fits)
            }
            Test::Any(Choice { tag: Some(tag), .. }) | Test::One(Choice { tag: Some(tag), .. }) => {
                self.tagged(tag, value, at, marks)
            }
            Test::Any(choice) => {
                let mut fits = false;
                for part in &choice.parts {
                    fits |= self.trial(*part, value, at, marks.as_deref_mut())?;
                    // All of them must run where somebody asks what they look at.
                    if fits && marks.is_none() {
                        break;
                    }
                }
                self.fits(fits, at, || Wrong::NoAlternative)
            }
            Test::One(choice) => {
                let mut found = 0_usize;
                for part in &choice.parts {
                    found += usize::from(self.trial(*part, value, at, marks.as_deref_mut())?);
                    if found > 1 {
                        break;
                    }
                }
                self.fits(found == 1, at, || match found {
                    0 => Wrong::NoAlternative,
                    _ => Wrong::Alternatives,
                })
            }
            Test::Not(part) => {
                let fits = !self.quietly(*part, value, at, None)?;
                self.fits(fits, at, || Wrong::Excluded)
            }
            Test::If {
                condition,
                then,
                otherwise,
            } => {
                let holds = self.trial(*condition, value, at, marks.as_deref_mut())?;
                match if holds { then } else { otherwise } {
                    Some(branch) => self.node(*branch, value, at, marks),
                    None => Ok(true),
                }
            }
            _ => Ok(true),
        }
    }

    /// The one alternative that a value says it is.
    fn tagged(
        &mut self,
        tag: &Tag,
        value: &Value,
        at: &InstanceLocation<'_>,
        marks: Marks<'_>,
    ) -> Verdict {
        let Value::Object(members) = value else {
            return Ok(self.fail(at, || Kinds::OBJECT.expected()));
        };
        self.pay(LOOKUP + bytes(&tag.name))?;
        let value_of_tag = members.get(&tag.name).and_then(Value::as_str);
        let value_of_tag = value_of_tag.filter(|text| text.len() <= tag.longest);
        self.pay(LOOKUP + value_of_tag.map_or(0, bytes))?;
        let Some(part) = value_of_tag.and_then(|text| tag.parts.get(text)) else {
            return Ok(self.fail(&InstanceLocation::Member(at, &tag.name), || {
                let mut texts: Vec<String> = tag
                    .parts
                    .keys()
                    .map(|text| Value::from(text.as_str()).to_string())
                    .collect();
                texts.sort_unstable();
                texts.truncate(MAX_TOLD);
                Wrong::one_of(&texts)
            }));
        };
        self.node(*part, value, at, marks)
    }

    /// A part whose failing is no fault.
    fn quietly(
        &mut self,
        id: Id,
        value: &Value,
        at: &InstanceLocation<'_>,
        marks: Marks<'_>,
    ) -> Verdict {
        let telling = std::mem::replace(&mut self.telling, false);
        let fits = self.node(id, value, at, marks);
        self.telling = telling;
        fits
    }

    /// The same, where what it looked at counts only if it fits.
    fn trial(
        &mut self,
        id: Id,
        value: &Value,
        at: &InstanceLocation<'_>,
        marks: Marks<'_>,
    ) -> Verdict {
        if marks.is_none() {
            return self.quietly(id, value, at, None);
        }
        let mut own = self.no_marks(value)?;
        let fits = self.quietly(id, value, at, Some(&mut own))?;
        if fits {
            merge(&own, marks);
        }
        Ok(fits)
    }

    fn no_marks(&mut self, value: &Value) -> Result<Vec<bool>, TooCostly> {
        let length = match value {
            Value::Array(items) => items.len(),
            Value::Object(members) => members.len(),
            _ => 0,
        };
        self.pay(MARK * count(length))?;
        Ok(vec![false; length])
    }
}

fn merge(own: &[bool], marks: Marks<'_>) {
    for (mark, own) in marks.into_iter().flatten().zip(own) {
        *mark |= own;
    }
}

fn is_marked(marks: Option<&Vec<bool>>, index: usize) -> bool {
    marks
        .and_then(|marks| marks.get(index))
        .is_some_and(|mark| *mark)
}

fn mark(marks: Marks<'_>, index: usize) {
    if let Some(mark) = marks.and_then(|marks| marks.get_mut(index)) {
        *mark = true;
    }
}

fn counted(number: usize, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {word}{plural}")
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The price of reading a text.
pub(super) fn bytes(text: &str) -> u64 {
    count(text.len())
}

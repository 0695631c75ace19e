//! Values while a template runs. Every text knows whose words it is, through every filter.
//!
//! A value is a handle: what it stands for is borrowed from program or input, or shared. Whatever takes longer the larger a value
//! is takes a [`Budget`] and pays first.

mod print;
mod text;

use std::{cmp::Ordering, rc::Rc};

use serde_json::{Map as JsonMap, Value as Json};

pub(super) use self::text::Text;
use super::{budget::Budget, fault::RenderFault, input::Trust};

/// No list has more entries than this when it is taken apart.
pub(super) const MAX_ITEMS: usize = 100;

use crate::domain::{
    caller::{Fact, Facts, MAX_SHOWN},
    decimal::Decimal,
    text::blank_start,
};

#[derive(Debug, Clone)]
pub(super) enum Val<'a> {
    /// Not there. Prints as nothing, is false, equals nothing.
    Absent,
    /// JSON null.
    Null,
    Bool(bool),
    Number(Decimal),
    Text(Text<'a>, Trust),
    Array(&'a [Json], Trust),
    Object(&'a JsonMap<String, Json>, Trust),
    Facts(&'a Facts),
    FactList(&'a [Fact]),
    List(Rc<List<'a>>),
    Map(Rc<Map<'a>>),
}

/// A list that the template made.
#[derive(Debug)]
pub(super) struct List<'a> {
    items: Vec<Val<'a>>,
    trust: Trust,
}

/// A map that the template made.
#[derive(Debug)]
pub(super) struct Map<'a> {
    entries: Vec<(&'a str, Val<'a>)>,
    trust: Trust,
}

impl<'a> Val<'a> {
    /// A list whose memory was paid for.
    pub(super) fn list(items: Vec<Self>) -> Self {
        let trust = least_trusted(items.iter());
        Self::List(Rc::new(List { items, trust }))
    }

    /// A map whose memory was paid for.
    pub(super) fn map(entries: Vec<(&'a str, Self)>) -> Self {
        let trust = least_trusted(entries.iter().map(|(_, value)| value));
        Self::Map(Rc::new(Map { entries, trust }))
    }

    pub(super) fn from_json(json: &'a Json, trust: Trust) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(flag) => Self::Bool(*flag),
            Json::Number(number) => Decimal::from_number(number).map_or(Self::Absent, Self::Number),
            Json::String(text) => Self::Text(Text::Borrowed(text), trust),
            Json::Array(items) => Self::Array(items, trust),
            Json::Object(entries) => Self::Object(entries, trust),
        }
    }

    fn from_fact(fact: &'a Fact) -> Self {
        match fact {
            Fact::Flag(flag) => Self::Bool(*flag),
            Fact::Number(number) => Self::Number(*number),
            Fact::Text(text) => Self::Text(Text::Borrowed(text), Trust::Issuer),
            Fact::List(items) => Self::FactList(items.get(..MAX_SHOWN).unwrap_or(items)),
        }
    }

    /// Absent where somebody outside sent a text of which nothing can be seen: it would print as nothing.
    fn unless_blank(self, budget: &mut Budget) -> Result<Self, RenderFault> {
        if let Self::Text(text, Trust::Issuer | Trust::Caller) = &self {
            let blank = blank_start(text);
            budget.scan(blank)?;
            if blank == text.len() {
                return Ok(Self::Absent);
            }
        }
        Ok(self)
    }

    /// Whether an item has no place where this list is written out: somebody outside sent it, and nothing of it can be seen. A list that
    /// the template made keeps its places.
    pub(super) fn leaves_out(&self, item: &Self) -> bool {
        matches!(item, Self::Absent) && !matches!(self, Self::List(_))
    }

    pub(super) fn of_count(count: usize) -> Self {
        i64::try_from(count).map_or(Self::Absent, |count| Self::Number(count.into()))
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Absent | Self::Null => false,
            Self::Bool(flag) => *flag,
            Self::Number(number) => !number.is_zero(),
            Self::Text(text, _) => !text.is_empty(),
            _ => self.entries().is_some_and(|entries| entries > 0),
        }
    }

    /// Whose words are in there.
    pub(super) fn trust(&self) -> Trust {
        match self {
            Self::Text(_, trust) | Self::Array(_, trust) | Self::Object(_, trust) => *trust,
            Self::Facts(_) | Self::FactList(_) => Trust::Issuer,
            Self::List(list) => list.trust,
            Self::Map(map) => map.trust,
            Self::Absent | Self::Null | Self::Bool(_) | Self::Number(_) => Trust::Tenant,
        }
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self, Self::Object(..) | Self::Facts(_) | Self::Map(_))
    }

    pub(super) fn is_list_or_map(&self) -> bool {
        self.entries().is_some()
    }

    /// Entries of a list.
    pub(super) fn items(&self) -> Option<usize> {
        self.entries().filter(|_| !self.is_map())
    }

    /// Entries of a list or map.
    pub(super) fn entries(&self) -> Option<usize> {
        Some(match self {
            Self::Array(items, _) => items.len(),
            Self::Object(entries, _) => entries.len(),
            Self::Facts(facts) => facts.len(),
            Self::FactList(items) => items.len(),
            Self::List(list) => list.items.len(),
            Self::Map(map) => map.entries.len(),
            _ => return None,
        })
    }

    /// Characters of a text, as people see them; entries of a list or map.
    pub(super) fn len(&self, budget: &mut Budget) -> Result<Option<usize>, RenderFault> {
        match self {
            Self::Text(text, _) => text.count(budget).map(Some),
            _ => Ok(self.entries()),
        }
    }

    pub(super) fn attr(&self, name: &str, budget: &mut Budget) -> Result<Self, RenderFault> {
        budget.look_up(name)?;
        Ok(match self {
            Self::Object(entries, trust) => entries
                .get(name)
                .map_or(Self::Absent, |json| Self::from_json(json, *trust))
                .unless_blank(budget)?,
            Self::Facts(facts) => facts
                .get(name)
                .map_or(Self::Absent, Self::from_fact)
                .unless_blank(budget)?,
            Self::Map(map) => map
                .find(name, budget)?
                .map_or(Self::Absent, |(_, value)| value.clone()),
            _ => Self::Absent,
        })
    }

    pub(super) fn item(&self, key: &Self, budget: &mut Budget) -> Result<Self, RenderFault> {
        match key {
            Self::Text(name, _) => self.attr(name, budget),
            Self::Number(index) => {
                let len = self.len(budget)?;
                match len
                    .zip(index.as_i64())
                    .and_then(|(len, index)| position(index, len))
                {
                    Some(at) => self.at(at, budget),
                    None => Ok(Self::Absent),
                }
            }
            _ => Ok(Self::Absent),
        }
    }

    /// The entry of a list, or the character of a text, at a position.
    pub(super) fn at(&self, at: usize, budget: &mut Budget) -> Result<Self, RenderFault> {
        let Self::Text(text, trust) = self else {
            return self.entry(at).unless_blank(budget);
        };
        let start = text.offset(at, budget)?;
        if start == text.len() {
            return Ok(Self::Absent);
        }
        let end = text.offset(at.saturating_add(1), budget)?;
        Ok(Self::Text(text.part(start, end, budget)?, *trust))
    }

    /// The entry of a list at a position.
    pub(super) fn entry(&self, at: usize) -> Self {
        match self {
            Self::Array(items, trust) => items
                .get(at)
                .map_or(Self::Absent, |json| Self::from_json(json, *trust)),
            Self::FactList(items) => items.get(at).map_or(Self::Absent, Self::from_fact),
            Self::List(list) => list.items.get(at).cloned().unwrap_or(Self::Absent),
            _ => Self::Absent,
        }
    }

    /// The part of a text or list between two indices, which count from the end where they are negative.
    pub(super) fn slice(
        &self,
        start: Option<i64>,
        stop: Option<i64>,
        budget: &mut Budget,
    ) -> Result<Self, RenderFault> {
        if self.is_map() {
            return Ok(Self::Absent);
        }
        let from_end = [start, stop].into_iter().flatten().any(|index| index < 0);
        let len = match self {
            // From the start on, nothing past the end of the part is looked at.
            Self::Text(..) if !from_end => Some(usize::MAX),
            _ => self.len(budget)?,
        };
        let Some(len) = len else {
            return Ok(Self::Absent);
        };
        let bound = |index: Option<i64>, otherwise: usize| match index {
            None => otherwise,
            Some(index) => position(index, len).unwrap_or(if index < 0 { 0 } else { len }),
        };
        let (start, stop) = (bound(start, 0), bound(stop, len));
        let stop = stop.max(start);
        Ok(match self {
            Self::Text(text, trust) => {
                let (start, stop) = (text.offset(start, budget)?, text.offset(stop, budget)?);
                Self::Text(text.part(start, stop, budget)?, *trust)
            }
            Self::Array(items, trust) => {
                Self::Array(items.get(start..stop).unwrap_or_default(), *trust)
            }
            Self::FactList(items) => Self::FactList(items.get(start..stop).unwrap_or_default()),
            Self::List(list) => {
                let items = list.items.get(start..stop).unwrap_or_default();
                budget.build_list::<Self>(items.len())?;
                Self::list(items.to_vec())
            }
            _ => Self::Absent,
        })
    }

    /// What a loop goes over: entries of a list, keys of a map; at most [`MAX_ITEMS`] of them.
    pub(super) fn iterate(&self, budget: &mut Budget) -> Result<Vec<Self>, RenderFault> {
        let most = self.entries().unwrap_or_default().min(MAX_ITEMS);
        budget.build_list::<Self>(most)?;
        Ok(match self {
            Self::Object(entries, trust) => entries
                .keys()
                .take(most)
                .map(|key| Self::Text(Text::Borrowed(key), *trust))
                .collect(),
            Self::Facts(facts) => facts
                .keys()
                .take(most)
                .map(|key| Self::Text(Text::Borrowed(key), Trust::Tenant))
                .collect(),
            Self::Map(map) => map
                .entries
                .iter()
                .take(most)
                .map(|(key, _)| Self::Text(Text::Borrowed(key), Trust::Tenant))
                .collect(),
            _ => (0..most)
                .map(|at| self.entry(at).unless_blank(budget))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Key and value of each of the first entries of a map.
    pub(super) fn pairs(&self, budget: &mut Budget) -> Result<Self, RenderFault> {
        if !self.is_map() {
            return Ok(Self::Absent);
        }
        let mut pairs = self.iterate(budget)?;
        for pair in &mut pairs {
            budget.build_list::<Self>(2)?;
            let value = self.item(pair, budget)?;
            let key = std::mem::replace(pair, Self::Absent);
            *pair = Self::list(vec![key, value]);
        }
        Ok(Self::list(pairs))
    }

    /// Equality of scalars. Lists and maps equal nothing.
    pub(super) fn equals(&self, other: &Self, budget: &mut Budget) -> Result<bool, RenderFault> {
        Ok(match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a, _), Self::Text(b, _)) => is_same_text(a, b, budget)?,
            _ => self.order(other, budget)? == Some(Ordering::Equal),
        })
    }

    /// Order of two numbers or two texts.
    pub(super) fn order(
        &self,
        other: &Self,
        budget: &mut Budget,
    ) -> Result<Option<Ordering>, RenderFault> {
        Ok(match (self, other) {
            (Self::Number(a), Self::Number(b)) => Some(a.cmp(b)),
            (Self::Text(a, _), Self::Text(b, _)) => {
                budget.read(a.len().min(b.len()))?;
                Some(a.as_bytes().cmp(b.as_bytes()))
            }
            _ => None,
        })
    }

    /// `needle in self`: part of a text, entry of a list, key of a map.
    pub(super) fn contains(&self, needle: &Self, budget: &mut Budget) -> Result<bool, RenderFault> {
        match (self, needle) {
            (Self::Text(text, _), Self::Text(part, _)) => text.holds(part, budget),
            (Self::Object(entries, _), Self::Text(key, _)) => {
                budget.look_up(key)?;
                Ok(entries.contains_key(&**key))
            }
            (Self::Facts(facts), Self::Text(key, _)) => {
                budget.look_up(key)?;
                Ok(facts.contains_key(&**key))
            }
            (Self::Map(map), Self::Text(key, _)) => Ok(map.find(key, budget)?.is_some()),
            _ => {
                for at in 0..self.items().unwrap_or_default() {
                    budget.step()?;
                    if self.entry(at).equals(needle, budget)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

impl<'a> Map<'a> {
    fn find(
        &self,
        name: &str,
        budget: &mut Budget,
    ) -> Result<Option<&(&'a str, Val<'a>)>, RenderFault> {
        budget.spend(self.entries.len())?;
        for entry in &self.entries {
            if is_same_text(entry.0, name, budget)? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }
}

fn least_trusted<'v, 'a: 'v>(values: impl Iterator<Item = &'v Val<'a>>) -> Trust {
    values.map(Val::trust).max().unwrap_or(Trust::Tenant)
}

/// Texts of different lengths are never compared.
fn is_same_text(a: &str, b: &str, budget: &mut Budget) -> Result<bool, RenderFault> {
    if a.len() != b.len() {
        return Ok(false);
    }
    budget.read(a.len())?;
    Ok(a == b)
}

/// A position from an index that counts from the end where it is negative.
fn position(index: i64, len: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(at) => (at < len).then_some(at),
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

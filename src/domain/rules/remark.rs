//! What an admin should know of a comparison that could not fit: a text was compared with a number, a claim is not there.

use std::fmt;

use super::attribute::{Actual, Item};
use super::compare::ReadAs;
use super::{Clause, Operator};
use crate::domain::caller::Fact;

/// Most items of a list that are looked at.
const MAX_ITEMS: usize = 100;

/// Why nothing could fit, whatever the values are. Holds no value itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remark {
    /// There is no value.
    Absent,
    /// One kind was compared with another.
    Kinds { actual: Kind, value: Kind },
    /// A list has items of one kind only, and was searched for another.
    ItemKinds { items: Kind, value: Kind },
    /// It can't be read as the clause wants.
    Unreadable(ReadAs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Flag,
    Number,
    Text,
    List,
}

impl Clause {
    pub(super) fn remark(&self, actual: Option<&Actual<'_>>) -> Option<Remark> {
        if matches!(self.operator, Operator::IsPresent | Operator::IsAbsent) {
            return None;
        }
        let Some(actual) = actual else {
            return Some(Remark::Absent);
        };
        let mut kinds = self.values.iter().filter_map(Kind::of_fact);
        let value = kinds.clone().next()?;
        let mut is_wanted = |kind: Kind| kinds.any(|wanted| wanted == kind);
        match (actual, self.read_as) {
            (Actual::List(items), _) if self.operator.searches() => {
                let mut found = items
                    .iter()
                    .take(MAX_ITEMS)
                    .map(|item| Kind::of_item(&item));
                let first = found.next()?;
                (!is_wanted(first) && found.all(|kind| kind == first)).then_some(
                    Remark::ItemKinds {
                        items: first,
                        value,
                    },
                )
            }
            (Actual::Text(text), Some(read_as)) if !read_as.can_read(text) => {
                Some(Remark::Unreadable(read_as))
            }
            // Read as dates, numbers and texts can be compared.
            (Actual::Number(_), Some(ReadAs::Date)) => None,
            _ => {
                let actual = actual
                    .single()
                    .map_or(Kind::List, |single| Kind::of_item(&single));
                (!is_wanted(actual)).then_some(Remark::Kinds { actual, value })
            }
        }
    }
}

impl Kind {
    fn of_item(item: &Item<'_>) -> Self {
        match item {
            Item::Flag(_) => Self::Flag,
            Item::Number(_) => Self::Number,
            Item::Text(_) => Self::Text,
        }
    }

    fn of_fact(fact: &Fact) -> Option<Self> {
        Item::of_fact(fact).map(|item| Self::of_item(&item))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "true or false",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::List => "a list",
        })
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("it is absent"),
            Self::Kinds {
                actual: Kind::List,
                value,
            } => write!(
                f,
                "a list was compared with {value}: `contains` looks into lists"
            ),
            Self::Kinds { actual, value } => write!(f, "{actual} was compared with {value}"),
            Self::ItemKinds { items, value } => {
                let items = match items {
                    Kind::Flag => "true and false",
                    Kind::Number => "numbers",
                    Kind::Text | Kind::List => "texts",
                };
                write!(f, "a list of {items} was searched for {value}")
            }
            Self::Unreadable(ReadAs::Version) => f.write_str("it is no version"),
            Self::Unreadable(_) => f.write_str("it is no date"),
        }
    }
}

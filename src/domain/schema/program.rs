//! A schema in the form that runs: every subschema a node, every reference its number.

use std::collections::HashMap;

use serde_json::Value;

use super::equality::Values;
use super::number::Divisor;
use super::pattern::Pattern;
use crate::domain::decimal::Decimal;
use crate::domain::wrong::{Words, Wrong};

/// The number of a node. The whole schema is node 0.
pub(super) type Id = usize;

/// What a schema says, references resolved.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) nodes: Vec<Node>,
    /// Whether any node asks what its parts have looked at (`unevaluatedItems`, `unevaluatedProperties`).
    pub(super) marks: bool,
}

/// One subschema.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Looked at first: a value of another kind goes no further.
    pub(super) kinds: Kinds,
    /// In the order in which they run: what is cheap and decides much comes first.
    pub(super) tests: Vec<Test>,
}

impl Node {
    /// Whether it asks what its parts have looked at.
    pub(super) fn asks_for_marks(&self) -> bool {
        let asks = |test: &Test| matches!(test, Test::OtherItems(_) | Test::OtherMembers(_));
        self.tests.iter().any(asks)
    }

    /// Whether it takes nothing at all.
    pub(super) fn is_never(&self) -> bool {
        self.kinds == Kinds::NONE
    }
}

/// One keyword, or a few that only make sense together.
#[derive(Debug)]
pub(super) enum Test {
    /// `const` and `enum`.
    Allowed(Allowed),
    Bound(Bound, Decimal),
    MultipleOf(Divisor),
    MinLength(usize),
    MaxLength(usize),
    Pattern(Pattern),
    MinItems(usize),
    MaxItems(usize),
    Unique,
    /// `prefixItems` and `items`.
    Items {
        first: Vec<Id>,
        rest: Option<Id>,
    },
    Contains {
        item: Id,
        least: usize,
        most: Option<usize>,
        /// From 2020-12 on, what it finds counts as looked at.
        marks: bool,
    },
    MinProperties(usize),
    MaxProperties(usize),
    Required(Vec<String>),
    /// `dependentRequired`.
    Wants(HashMap<String, Vec<String>>),
    /// `properties`, `patternProperties` and `additionalProperties`.
    Members {
        named: HashMap<String, Id>,
        patterns: Vec<(Pattern, Id)>,
        rest: Option<Id>,
        /// The longest of `named`, in bytes.
        longest: usize,
    },
    /// `propertyNames`.
    Names(Id),
    /// `dependentSchemas`.
    Parts(HashMap<String, Id>),
    /// `allOf`, and `$ref` as the only one of its kind.
    All(Vec<Id>),
    Any(Choice),
    One(Choice),
    Not(Id),
    If {
        condition: Id,
        then: Option<Id>,
        otherwise: Option<Id>,
    },
    /// `unevaluatedItems`.
    OtherItems(Id),
    /// `unevaluatedProperties`.
    OtherMembers(Id),
}

impl Test {
    /// When it runs.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::MaxLength(_) | Self::MaxItems(_) | Self::MaxProperties(_) => 0,
            Self::Bound(..)
            | Self::MultipleOf(_)
            | Self::MinLength(_)
            | Self::MinItems(_)
            | Self::MinProperties(_)
            | Self::Required(_)
            | Self::Allowed(_) => 1,
            Self::Pattern(_) | Self::Wants(_) => 2,
            Self::Items { .. } | Self::Members { .. } | Self::Names(_) => 3,
            Self::Contains { .. } | Self::Unique => 4,
            Self::Parts(_)
            | Self::All(_)
            | Self::Any(_)
            | Self::One(_)
            | Self::Not(_)
            | Self::If { .. } => 5,
            Self::OtherItems(_) | Self::OtherMembers(_) => 6,
        }
    }

    /// The nodes that judge the same value.
    pub(super) fn in_place(&self) -> Vec<Id> {
        match self {
            Self::All(ids) => ids.clone(),
            Self::Any(choice) | Self::One(choice) => choice.parts.clone(),
            Self::Not(id) => vec![*id],
            Self::Parts(parts) => parts.values().copied().collect(),
            Self::If {
                condition,
                then,
                otherwise,
            } => [Some(*condition), *then, *otherwise]
                .into_iter()
                .flatten()
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The nodes that judge items, members, or names of members.
    pub(super) fn inside(&self) -> Vec<Id> {
        match self {
            Self::Items { first, rest } => first.iter().chain(rest).copied().collect(),
            Self::Members {
                named,
                patterns,
                rest,
                ..
            } => {
                let patterns = patterns.iter().map(|(_, id)| id);
                named
                    .values()
                    .chain(patterns)
                    .chain(rest)
                    .copied()
                    .collect()
            }
            Self::Contains { item: id, .. }
            | Self::Names(id)
            | Self::OtherItems(id)
            | Self::OtherMembers(id) => vec![*id],
            _ => Vec::new(),
        }
    }
}

/// `anyOf` or `oneOf`.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) parts: Vec<Id>,
    pub(super) tag: Option<Tag>,
}

/// Which side of a number is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    AtLeast,
    AtMost,
    Above,
    Below,
}

/// A member that each alternative requires, with texts that no other one takes.
#[derive(Debug)]
pub(super) struct Tag {
    pub(super) name: String,
    /// The alternative of each text.
    pub(super) parts: HashMap<String, Id>,
    /// The longest text, in bytes.
    pub(super) longest: usize,
}

/// The values that a place may hold.
#[derive(Debug)]
pub(super) struct Allowed {
    pub(super) values: Values,
    pub(super) message: Words,
    /// The longest text among them, in bytes.
    pub(super) longest: usize,
    /// Whether a list or an object is among them.
    pub(super) deep: bool,
}

/// What a value is; a set of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const NONE: Self = Self(0);
    pub(super) const NULL: Self = Self(1);
    pub(super) const FLAG: Self = Self(2);
    pub(super) const INTEGER: Self = Self(4);
    pub(super) const FRACTION: Self = Self(8);
    pub(super) const TEXT: Self = Self(16);
    pub(super) const LIST: Self = Self(32);
    pub(super) const OBJECT: Self = Self(64);
    pub(super) const NUMBER: Self = Self(Self::INTEGER.0 | Self::FRACTION.0);
    pub(super) const ALL: Self = Self(127);

    /// What JSON Schema calls `name`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::NULL,
            "boolean" => Self::FLAG,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER,
            "string" => Self::TEXT,
            "array" => Self::LIST,
            "object" => Self::OBJECT,
            _ => return None,
        })
    }

    pub(super) fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::FLAG,
            Value::Number(number)
                if Decimal::from_number(number).is_some_and(Decimal::is_whole) =>
            {
                Self::INTEGER
            }
            Value::Number(_) => Self::FRACTION,
            Value::String(_) => Self::TEXT,
            Value::Array(_) => Self::LIST,
            Value::Object(_) => Self::OBJECT,
        }
    }

    /// Both sets together.
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the two have a kind in common.
    pub(super) fn has(self, kind: Self) -> bool {
        self.0 & kind.0 != 0
    }

    /// The message for a value of another kind.
    pub(super) fn expected(self) -> Words {
        let wrong = [
            (Self::TEXT, Wrong::Text),
            (Self::OBJECT, Wrong::Object),
            (Self::LIST, Wrong::List),
            (Self::FLAG, Wrong::Flag),
            (Self::INTEGER, Wrong::Whole),
            (Self::NUMBER, Wrong::Number),
            (Self::FRACTION, Wrong::Number),
            (Self::NONE, Wrong::NotAllowed),
        ];
        let wrong = wrong.into_iter().find(|(kinds, _)| *kinds == self);
        let wrong = wrong.map_or_else(|| Wrong::Types(self.names()), |(_, wrong)| wrong);
        wrong.worded(self.in_words())
    }

    /// What JSON Schema calls them.
    fn names(self) -> String {
        let names = [
            (Self::FRACTION, "number"),
            (Self::TEXT, "string"),
            (Self::OBJECT, "object"),
            (Self::LIST, "array"),
            (Self::FLAG, "boolean"),
            (Self::NULL, "null"),
        ];
        let whole = self.has(Self::INTEGER) && !self.has(Self::FRACTION);
        let held = names.into_iter().filter(|(kind, _)| self.has(*kind));
        let names = whole.then_some("integer").into_iter();
        let names: Vec<&str> = names.chain(held.map(|(_, name)| name)).collect();
        names.join(", ")
    }

    fn in_words(self) -> String {
        let words = [
            (Self::TEXT, "a text"),
            (Self::OBJECT, "an object"),
            (Self::LIST, "a list"),
            (Self::FLAG, "true or false"),
            (Self::NULL, "null"),
        ];
        let number = match (self.has(Self::FRACTION), self.has(Self::INTEGER)) {
            (true, _) => Some("a number"),
            (false, true) => Some("a whole number"),
            (false, false) => None,
        };
        let held = words.into_iter().filter(|(kind, _)| self.has(*kind));
        let words: Vec<&str> = number
            .into_iter()
            .chain(held.map(|(_, word)| word))
            .collect();
        match words.split_last() {
            None => "is not allowed here".to_owned(),
            Some((last, [])) => format!("must be {last}"),
            Some((last, before)) => format!("must be {} or {last}", before.join(", ")),
        }
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Self::ALL
    }
}

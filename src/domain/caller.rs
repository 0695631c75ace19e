//! Who is calling: the claims of a verified JWT.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decimal::Decimal;
use super::ids::{IssuerId, TenantId};

/// A user whose JWT was verified.
#[derive(Debug, Clone)]
pub struct Caller {
    /// From the verified (issuer, audience) pair, never from a header, path or body.
    pub tenant: TenantId,
    /// The issuer of the user's token.
    pub issuer: IssuerId,
    /// The `sub` claim, byte for byte.
    pub subject: Subject,
    /// User facts that the issuer's claim map took from the claims.
    pub facts: Facts,
    /// What it left out, by the fact's name.
    pub left_out: BTreeMap<String, LeftOut>,
}

impl Caller {
    /// What of the claims rules or prompts don't see, for the trace.
    pub fn notes(&self) -> Vec<String> {
        let left_out = self.left_out.iter();
        let left_out = left_out.map(|(name, what)| format!("user.{name}: {what}"));
        let long = self.facts.iter().filter_map(|(name, fact)| match fact {
            Fact::List(items) if items.len() > MAX_SHOWN => Some(format!(
                "user.{name} has {} items: rules see them all, prompts the first {MAX_SHOWN}",
                items.len()
            )),
            _ => None,
        });
        left_out.chain(long).collect()
    }
}

/// What a claim map did not take of a claim: the value, or items of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LeftOut {
    Whole,
    Items(usize),
    /// All of it, by the issuer: too much for a token, and to be fetched elsewhere (`_claim_names`).
    Elsewhere,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str(
                "the claim was left out, since it is too long or neither a text, a number, true, false nor a list of these",
            ),
            Self::Items(count) => write!(
                f,
                "{count} items were left out, since they are too long or neither texts, numbers, true nor false"
            ),
            Self::Elsewhere => f.write_str(
                "the issuer left the claim out, since it is too long for a token (`_claim_names`): let it give fewer values",
            ),
        }
    }
}

/// The `sub` of a verified token: 1 to 255 characters, none of them a control character or a mark
/// that turns the direction of text. Never normalised: two spellings are two users.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Subject(String);

impl Subject {
    /// Longest subject, in characters.
    pub const MAX_CHARS: usize = 255;

    /// `None` where the text is empty, too long, or holds a control character (Unicode's Cc, or
    /// the marks that turn the direction of text: two subjects must not look the same by them).
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.chars().count() <= Self::MAX_CHARS;
        let refused = |c: char| c.is_control() || turns_direction(c);
        (fits && !text.chars().any(refused)).then(|| Self(text.to_owned()))
    }

    /// Stands for a user whom an admin made up without naming a subject.
    pub fn made_up() -> Self {
        Self("sample-user".to_owned())
    }

    /// The text as the issuer wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Unicode's `Bidi_Control` characters.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Templates see this many first items of a list of facts; rules see all.
pub const MAX_SHOWN: usize = 100;

/// User facts by name (`name`, `plan`, `locale`, `roles`, ...).
pub type Facts = BTreeMap<String, Fact>;

/// One value that rules compare and templates print.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, try_from = "Value")]
pub enum Fact {
    /// `true` or `false`.
    Flag(bool),
    /// Any JSON number, exactly.
    Number(Decimal),
    Text(String),
    /// A list, such as roles; no lists are in it.
    List(Vec<Self>),
}

/// Through [`Value`]: what serde keeps while it tries one variant after the other is a float, or too short for a long integer.
impl TryFrom<Value> for Fact {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        const NONE: &str = "a value is a text, a number, true, false or a list of those";
        match value {
            Value::Array(items) => items
                .into_iter()
                .map(Self::single)
                .collect::<Option<_>>()
                .map(Self::List),
            single => Self::single(single),
        }
        .ok_or(NONE)
    }
}

impl Fact {
    fn single(value: Value) -> Option<Self> {
        match value {
            Value::Bool(flag) => Some(Self::Flag(flag)),
            Value::Number(number) => Decimal::from_number(&number).map(Self::Number),
            Value::String(text) => Some(Self::Text(text)),
            Value::Array(_) | Value::Null | Value::Object(_) => None,
        }
    }
}

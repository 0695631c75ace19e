//! From verified claims to [`Facts`].

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::domain::caller::{Fact, Facts, LeftOut};
use crate::domain::decimal::Decimal;
use crate::domain::wrong::Wrong;

/// Where a value is among a token's claims: a claim's exact name (`plan`,
/// `https://example.com/roles`), or, with a leading slash, a JSON pointer (RFC 6901) into nested
/// claims (`/app_metadata/plan`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimPath {
    /// The exact name of a top-level claim.
    Name(String),
    /// The unescaped steps of a JSON pointer; never empty.
    Pointer(Vec<String>),
}

impl ClaimPath {
    /// Longest path, in characters.
    pub const MAX_CHARS: usize = 256;

    /// `Err` says what a path must look like.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let chars = text.chars().count();
        if chars == 0 || chars > Self::MAX_CHARS || text.chars().any(char::is_control) {
            return Err(Wrong::ClaimPath {
                most: Self::MAX_CHARS,
            });
        }
        let Some(steps) = text.strip_prefix('/') else {
            return Ok(Self::Name(text.to_owned()));
        };
        let steps: Option<Vec<String>> = steps.split('/').map(unescape).collect();
        steps.map(Self::Pointer).ok_or(Wrong::Pointer)
    }

    pub fn find<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        match self {
            Self::Name(name) => claims.get(name),
            Self::Pointer(steps) => {
                let (first, rest) = steps.split_first()?;
                rest.iter()
                    .try_fold(claims.get(first)?, |at, step| match at {
                        Value::Object(members) => members.get(step),
                        Value::Array(items) => items.get(array_index(step)?),
                        _ => None,
                    })
            }
        }
    }
}

impl ClaimPath {
    /// Whether the token says that this claim is too long for it: `_claim_names`, `hasgroups` of Entra.
    fn is_elsewhere(&self, claims: &Map<String, Value>) -> bool {
        let name = match self {
            Self::Name(name) => Some(name),
            Self::Pointer(steps) => steps.first(),
        };
        let names = claims.get("_claim_names").and_then(Value::as_object);
        name.is_some_and(|name| {
            names.is_some_and(|names| names.contains_key(name))
                || (name == "groups" && claims.get("hasgroups") == Some(&Value::Bool(true)))
        })
    }
}

impl std::fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Pointer(steps) => steps
                .iter()
                .try_for_each(|step| write!(f, "/{}", step.replace('~', "~0").replace('/', "~1"))),
        }
    }
}

impl Serialize for ClaimPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClaimPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

fn unescape(step: &str) -> Option<String> {
    let mut parts = step.split('~');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let mut chars = part.chars();
        out.push(match chars.next()? {
            '0' => '~',
            '1' => '/',
            _ => return None,
        });
        out.push_str(chars.as_str());
    }
    Some(out)
}

/// RFC 6901, section 4: no leading zeros, digits only.
fn array_index(step: &str) -> Option<usize> {
    let canonical = step == "0" || !step.starts_with('0');
    (canonical && step.bytes().all(|b| b.is_ascii_digit())).then(|| step.parse().ok())?
}

/// Fact name -> claim path. What a configuration lists replaces the default map whole, so that the
/// configuration alone says which personal data the gateway takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ClaimMap(BTreeMap<String, ClaimPath>);

impl Default for ClaimMap {
    /// `name`, `locale`, `plan` and `roles`, each from the claim of the same name. An e-mail
    /// address is taken only where a tenant lists it.
    fn default() -> Self {
        let same_name = |name: &str| (name.to_owned(), ClaimPath::Name(name.to_owned()));
        Self(["name", "locale", "plan", "roles"].map(same_name).into())
    }
}

impl ClaimMap {
    /// Most facts of one issuer.
    pub const MAX_FACTS: usize = 50;
    /// Longest text, alone or in a list, in characters.
    pub const MAX_TEXT_CHARS: usize = 500;
    /// Most items of a list: more than a token has room for.
    pub const MAX_LIST_ITEMS: usize = 4_000;

    /// `None` with too many facts; names are checked by [`ClaimMap::is_fact_name`].
    pub(super) fn new(paths: BTreeMap<String, ClaimPath>) -> Option<Self> {
        (paths.len() <= Self::MAX_FACTS).then_some(Self(paths))
    }

    /// A fact's name is an identifier, so that templates can say `user.plan`: a lower-case letter,
    /// then up to 63 letters, digits and underscores.
    pub(in crate::domain) fn is_fact_name(name: &str) -> bool {
        let mut chars = name.chars();
        chars.next().is_some_and(|c| c.is_ascii_lowercase())
            && name.len() <= 64
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
    }

    /// The pairs, by fact name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ClaimPath)> {
        self.0.iter().map(|(name, path)| (name.as_str(), path))
    }

    /// Takes the facts out of verified claims, and tells what was left out.
    ///
    /// A missing or null claim gives no fact. Booleans, numbers, strings and lists of these are taken as they are. Of a list, items that are
    /// something else, texts beyond the cap and texts with control characters are left out, which no rule could ask for; everything else
    /// of that kind is left out whole: never cut, since a cut value is another value to the rules that compare it. What is left out never
    /// refuses the token.
    pub fn facts(&self, claims: &Map<String, Value>) -> (Facts, BTreeMap<String, LeftOut>) {
        let mut facts = Facts::new();
        let mut left_out = BTreeMap::new();
        for (name, path) in &self.0 {
            let taken = match path.find(claims) {
                None if path.is_elsewhere(claims) => {
                    left_out.insert(name.clone(), LeftOut::Elsewhere);
                    continue;
                }
                None | Some(Value::Null) => continue,
                Some(Value::Array(items)) => items_of(items),
                Some(value) => fact(value).map(|fact| (fact, 0)),
            };
            match taken {
                None => _ = left_out.insert(name.clone(), LeftOut::Whole),
                Some((fact, left)) => {
                    facts.insert(name.clone(), fact);
                    if left > 0 {
                        left_out.insert(name.clone(), LeftOut::Items(left));
                    }
                }
            }
        }
        (facts, left_out)
    }
}

/// The list of the items that can be taken, and how many can't; `None` where none can.
fn items_of(items: &[Value]) -> Option<(Fact, usize)> {
    let taken: Vec<Fact> = items
        .iter()
        .filter_map(single)
        .take(ClaimMap::MAX_LIST_ITEMS)
        .collect();
    let left = items.len().saturating_sub(taken.len());
    (items.is_empty() || !taken.is_empty()).then_some((Fact::List(taken), left))
}

/// The fact that a JSON value is, within the bounds of [`ClaimMap::facts`].
pub(in crate::domain) fn fact(value: &Value) -> Option<Fact> {
    match value {
        Value::Array(items) if items.len() <= ClaimMap::MAX_LIST_ITEMS => items
            .iter()
            .map(single)
            .collect::<Option<_>>()
            .map(Fact::List),
        value => single(value),
    }
}

fn single(value: &Value) -> Option<Fact> {
    match value {
        Value::Bool(flag) => Some(Fact::Flag(*flag)),
        Value::Number(number) => Decimal::from_number(number).map(Fact::Number),
        Value::String(text) => text_in_bounds(text).map(Fact::Text),
        Value::Array(_) | Value::Object(_) | Value::Null => None,
    }
}

fn text_in_bounds(text: &str) -> Option<String> {
    let fits = text.chars().count() <= ClaimMap::MAX_TEXT_CHARS;
    (fits && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

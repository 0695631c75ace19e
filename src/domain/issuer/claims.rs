//! From verified claims to [`Facts`].

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::domain::caller::{Fact, Facts};
use crate::domain::decimal::Decimal;

/// Where a value stands among a token's claims: a claim's exact name (`plan`,
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
    pub fn parse(text: &str) -> Result<Self, String> {
        let chars = text.chars().count();
        if chars == 0 || chars > Self::MAX_CHARS || text.chars().any(char::is_control) {
            return Err(format!(
                "must be a claim name or a JSON pointer of 1 to {} printable characters",
                Self::MAX_CHARS
            ));
        }
        let Some(steps) = text.strip_prefix('/') else {
            return Ok(Self::Name(text.to_owned()));
        };
        let steps: Option<Vec<String>> = steps.split('/').map(unescape).collect();
        steps.map(Self::Pointer).ok_or_else(|| {
            "is no JSON pointer: `~` must be written `~0`, and a slash inside a name `~1`"
                .to_owned()
        })
    }

    /// The value at this path.
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
    /// Most items of a list.
    pub const MAX_LIST_ITEMS: usize = 100;

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

    /// Takes the facts out of verified claims, and names those that were passed over.
    ///
    /// A missing or null claim gives no fact. Booleans, numbers, strings and lists of strings are
    /// taken as they are. Anything else (objects, mixed lists, texts or lists beyond the caps, texts
    /// with control characters) is passed over whole: never cut, since a cut value is another value
    /// to the rules that compare it. A fact that is passed over never refuses the token.
    pub fn facts(&self, claims: &Map<String, Value>) -> (Facts, Vec<String>) {
        let mut facts = Facts::new();
        let mut passed_over = Vec::new();
        for (name, path) in &self.0 {
            match path.find(claims) {
                None | Some(Value::Null) => {}
                Some(value) => match fact(value) {
                    Some(fact) => {
                        facts.insert(name.clone(), fact);
                    }
                    None => passed_over.push(name.clone()),
                },
            }
        }
        (facts, passed_over)
    }
}

/// The fact that a JSON value is, within the bounds of [`ClaimMap::facts`].
pub(in crate::domain) fn fact(value: &Value) -> Option<Fact> {
    match value {
        Value::Bool(flag) => Some(Fact::Flag(*flag)),
        Value::Number(number) => Decimal::of(number).map(Fact::Number),
        Value::String(text) => text_in_bounds(text).map(Fact::Text),
        Value::Array(items) if items.len() <= ClaimMap::MAX_LIST_ITEMS => {
            let texts = items.iter().map(|item| text_in_bounds(item.as_str()?));
            texts.collect::<Option<_>>().map(Fact::List)
        }
        Value::Array(_) | Value::Object(_) | Value::Null => None,
    }
}

fn text_in_bounds(text: &str) -> Option<String> {
    let fits = text.chars().count() <= ClaimMap::MAX_TEXT_CHARS;
    (fits && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

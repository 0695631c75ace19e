//! The keys of one issuer, as they are published or shared.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::kind::Kind;
use super::material::Material;
use super::{Key, MAX_KEYS, SetRefusal, Skip, admit};
use crate::crypto::shared_secret;
use crate::domain::issuer::Algorithm;
use crate::domain::json;
use crate::domain::text::clean_line;

/// Longest key id that is shown, in characters.
const MAX_TOLD_CHARS: usize = 100;

/// The admitted keys of one issuer. Never empty.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<SkippedKey>,
    /// A shared secret has no id: a token's `kid` means nothing to it.
    ids_matter: bool,
}

/// A member of a set that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its place in the set, from 0.
    pub index: usize,
    /// Its id, one clean line; as it is written, however odd.
    pub kid: Option<String>,
    pub reason: Skip,
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kid {
            Some(kid) => write!(f, "the key {kid:?} {}", self.reason),
            None => write!(f, "the key at /keys/{} {}", self.index, self.reason),
        }
    }
}

/// What a set has for a token.
#[derive(Debug)]
pub(in crate::auth) enum Match<'k> {
    /// The keys to try; never empty.
    Keys(Vec<&'k Key>),
    /// The keys to try, none of which has an id; never empty. Where no key fits, the set may have
    /// changed at the issuer, and only another look can tell.
    Nameless(Vec<&'k Key>),
    /// The key id is known, but belongs to another algorithm.
    OtherAlgorithm,
    /// No such key: the set may have changed at the issuer.
    None,
}

impl KeySet {
    /// Reads a fetched JWK set. Each member is read alone, so that an odd one spoils no other.
    pub fn parse(bytes: &[u8]) -> Result<Self, SetRefusal> {
        let Members(members) =
            serde_json::from_slice(bytes).map_err(|_told_by_name| no_set(bytes))?;
        Self::admit_members(members.iter().map(|member| {
            let strict = json::object(member.get().as_bytes()).map(Value::Object);
            strict.ok_or_else(|| serde_json::from_str(member.get()).unwrap_or(Value::Null))
        }))
    }

    /// Admits a JWK set that is in a configuration.
    pub fn admit(document: &Value) -> Result<Self, SetRefusal> {
        let members = document.get("keys").and_then(Value::as_array);
        let members = members.ok_or(SetRefusal::Malformed)?;
        Self::admit_members(members.iter().cloned().map(Ok))
    }

    /// The set of a shared secret, or of two while one replaces the other.
    pub fn shared_secrets<'s>(
        secrets: impl IntoIterator<Item = &'s [u8]>,
    ) -> Result<Self, SetRefusal> {
        let mut keys = Vec::new();
        for secret in secrets {
            if secret.len() < shared_secret::MIN_BYTES {
                return Err(SetRefusal::ShortSecret);
            }
            keys.push(Key {
                kid: None,
                kind: Kind::Secret(secret.len()),
                named: None,
                issuer: None,
                public: Vec::new(),
                material: Material::secret(secret),
            });
        }
        if keys.is_empty() {
            return Err(SetRefusal::Empty);
        }
        Ok(Self {
            keys,
            skipped: Vec::new(),
            ids_matter: false,
        })
    }

    /// `Err` is a member that was read leniently, for its id alone.
    fn admit_members(
        members: impl Iterator<Item = Result<Value, Value>>,
    ) -> Result<Self, SetRefusal> {
        let mut admitted: Vec<(usize, Key)> = Vec::new();
        let mut skipped = Vec::new();
        for (index, member) in members.enumerate() {
            let judged = member.as_ref().map_or(Err(Skip::Malformed), admit);
            match judged {
                // Key sets that name the same key twice are common enough.
                Ok(key) if admitted.iter().any(|(_, other)| is_same_key(other, &key)) => {}
                Ok(key) => admitted.push((index, key)),
                Err(reason) => {
                    let (Ok(member) | Err(member)) = member;
                    let kid = member.get("kid").and_then(Value::as_str).map(displayed_kid);
                    skipped.push(SkippedKey { index, kid, reason });
                }
            }
        }
        let ambiguous: Vec<bool> = admitted
            .iter()
            .map(|(index, key)| {
                let mut others = admitted.iter().filter(|(other, _)| other != index);
                key.kid.is_some() && others.any(|(_, other)| are_confused(key, other))
            })
            .collect();
        let mut keys = Vec::new();
        for ((index, key), is_ambiguous) in admitted.into_iter().zip(ambiguous) {
            let reason = if is_ambiguous {
                Skip::Ambiguous
            } else if keys.len() == MAX_KEYS {
                Skip::TooMany
            } else {
                keys.push(key);
                continue;
            };
            let kid = key.kid.as_deref().map(displayed_kid);
            skipped.push(SkippedKey { index, kid, reason });
        }
        skipped.sort_unstable_by_key(|skipped| skipped.index);
        if keys.is_empty() {
            return Err(if skipped.is_empty() {
                SetRefusal::Empty
            } else {
                SetRefusal::NoUsableKey(skipped)
            });
        }
        Ok(Self {
            keys,
            skipped,
            ids_matter: true,
        })
    }

    /// The keys to try for a token: with a key id, that key; without one, all of its algorithm.
    pub(in crate::auth) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Match<'_> {
        let fits = |key: &&Key| key.serves(algorithm);
        let kid = kid.filter(|_| self.ids_matter);
        let named = |key: &&Key| kid.is_none() || key.kid.as_deref() == kid;
        let keys: Vec<&Key> = self.keys.iter().filter(named).filter(fits).collect();
        if !keys.is_empty() {
            let nameless = self.ids_matter && keys.iter().all(|key| key.kid.is_none());
            if nameless {
                Match::Nameless(keys)
            } else {
                Match::Keys(keys)
            }
        } else if kid.is_some() && self.keys.iter().any(|key| named(&key)) {
            Match::OtherAlgorithm
        } else {
            Match::None
        }
    }

    /// The admitted keys.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Members that are not used, by their place in the set.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }
}

/// What came instead of a key set.
fn no_set(bytes: &[u8]) -> SetRefusal {
    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start();
    if text.starts_with('<') {
        return SetRefusal::Html;
    }
    if text.starts_with(CERTIFICATE) {
        return SetRefusal::Certificates;
    }
    let Some(members) = json::object(bytes) else {
        return SetRefusal::Malformed;
    };
    let is_certificate = |value: &Value| {
        let text = value.as_str().map(str::trim_start);
        text.is_some_and(|text| text.starts_with(CERTIFICATE))
    };
    if !members.is_empty() && members.values().all(is_certificate) {
        SetRefusal::Certificates
    } else if members.contains_key("jwks_uri") {
        SetRefusal::Document
    } else {
        SetRefusal::Malformed
    }
}

fn displayed_kid(kid: &str) -> String {
    clean_line(kid, MAX_TOLD_CHARS).into_owned()
}

fn is_same_key(a: &Key, b: &Key) -> bool {
    a.kid == b.kid && a.kind == b.kind && a.named == b.named && a.public == b.public
}

/// Whether a token could mean either of two keys of one id.
fn are_confused(a: &Key, b: &Key) -> bool {
    let share = |algorithm: &Algorithm| a.serves(*algorithm) && b.serves(*algorithm);
    a.kid == b.kid && a.public != b.public && Algorithm::ALL.iter().any(share)
}

/// The members of a set, each unread.
struct Members(Vec<Box<RawValue>>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Set;
        impl<'de> Visitor<'de> for Set {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JWK set")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut set: A) -> Result<Members, A::Error> {
                let mut keys = None;
                while let Some(name) = set.next_key::<String>()? {
                    if name != "keys" {
                        set.next_value::<IgnoredAny>()?;
                    } else if keys.replace(set.next_value()?).is_some() {
                        return Err(A::Error::custom("keys twice"));
                    }
                }
                keys.map(Members).ok_or_else(|| A::Error::custom("no keys"))
            }
        }
        deserializer.deserialize_map(Set)
    }
}

//! A bundle: a whole tenant as one reviewable file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::domain::catalogue::CatalogueEntry;
use crate::domain::catalogue_kind::CatalogueKind;
use crate::domain::context::Context;
use crate::domain::document::DocumentKind;
use crate::domain::fault::{Fault, Faults, step};
use crate::domain::issuer::IssuerConfig;
use crate::domain::key::{Key, is_slug};
use crate::domain::persona::{Persona, parse_snippet};
use crate::domain::policy::Policy;
use crate::domain::sample_user::SampleUser;
use crate::domain::template::{Template, TemplateKind};
use crate::domain::wrong::Wrong;

/// A bundle, read and checked as far as that goes without the database. A section that is absent is left as it is.
#[derive(Debug, Default)]
pub struct Bundle {
    /// The tenant's name in URLs.
    pub tenant: String,
    pub name: Option<String>,
    pub policy: Option<Policy>,
    /// Issuers of its users' JWTs.
    pub issuers: Option<Vec<BundleIssuer>>,
    pub provider_key: Option<SecretRef>,
    /// What its webhook tools refer to, by name.
    pub secrets: Option<BTreeMap<Key, SecretRef>>,
    /// What may be chosen, kind by kind.
    pub catalogue: BTreeMap<CatalogueKind, Vec<CatalogueEntry>>,
    /// Its documents; of the kinds that it speaks of, be it to say that there are none. Snippet versions that personas do not pin themselves
    /// are pinned when they are applied.
    pub documents: BTreeMap<DocumentKind, Documents>,
    /// Older versions of snippets, by the numbers under which the bundle's personas pin them.
    pub older_snippets: BTreeMap<Key, BTreeMap<i32, Map<String, Value>>>,
    /// Users whom the tenant's admins made up, where the bundle speaks of them.
    pub sample_users: Option<BTreeMap<Key, BundleSampleUser>>,
    /// What is wrong with it: with any, it is never applied, only looked at further.
    pub faults: Vec<Fault>,
    /// What is wrong within its documents. Whoever examines them finds the same, with lines and advice.
    pub document_faults: Vec<Fault>,
}

/// Documents of one kind, by key.
pub type Documents = BTreeMap<Key, Map<String, Value>>;

#[derive(Debug)]
pub struct BundleIssuer {
    /// Its configuration, as stored.
    pub config: Map<String, Value>,
    /// The same, parsed.
    pub parsed: IssuerConfig,
    /// Where its shared secret is, for HS256.
    pub secret: Option<SecretRef>,
}

/// One user whom admins made up.
#[derive(Debug, Clone, PartialEq)]
pub struct BundleSampleUser {
    pub description: String,
    pub user: SampleUser,
}

/// Where a secret is: never in the bundle itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// In an environment variable of whoever applies the bundle.
    Env(String),
    File(String),
    /// In the database already; an export says so.
    Stored,
    /// Sent beside the bundle, under this pointer. No bundle can say so: whoever takes a sent bundle puts it there.
    Sent(String),
}

impl SecretRef {
    /// Reads `{"env": NAME}`, `{"file": PATH}` or `{"stored": true}`.
    fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        let members: Vec<(&str, &Value)> = value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), value))
            .collect();
        match members.as_slice() {
            [("env", Value::String(name))] if !name.is_empty() => Ok(Self::Env(name.clone())),
            [("file", Value::String(path))] if !path.is_empty() => Ok(Self::File(path.clone())),
            [("stored", Value::Bool(true))] => Ok(Self::Stored),
            _ => Err(vec![Fault::new("", Wrong::SecretReference)]),
        }
    }
}

/// The sections of a catalogue, by their names in bundles.
pub const CATALOGUE_SECTIONS: [(&str, CatalogueKind); 5] = [
    ("avatars", CatalogueKind::Avatar),
    ("voices", CatalogueKind::Voice),
    ("llms", CatalogueKind::Llm),
    ("languages", CatalogueKind::Language),
    ("tools", CatalogueKind::Tool),
];

/// What a bundle may hold.
const MEMBERS: &str = "tenant, name, policy, issuers, providerKey, secrets, catalogue, snippets, personas, contexts, sampleUsers";
/// Longest name of a tenant, or of a catalogue's entry, in characters.
pub const MAX_NAME_CHARS: usize = 200;
/// Longest description of a sample user, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 200;
/// Longest id of a catalogue's entry, in bytes.
pub const MAX_ID_BYTES: usize = 100;

impl Bundle {
    /// The references to secrets that somebody must find before the bundle can be applied, each with its pointer.
    pub fn wanted_secrets(&mut self) -> Vec<(String, &mut SecretRef)> {
        let issuers = self.issuers.iter_mut().flatten().enumerate();
        let of_issuers = issuers.filter_map(|(index, issuer)| {
            Some((format!("/issuers/{index}/secret"), issuer.secret.as_mut()?))
        });
        let own = self.provider_key.as_mut();
        let own = own.map(|reference| ("/providerKey".to_owned(), reference));
        let named = self.secrets.iter_mut().flatten();
        let named =
            named.map(|(name, reference)| (format!("/secrets{}", step(name.as_str())), reference));
        let all = own.into_iter().chain(of_issuers).chain(named);
        all.filter(|(_, reference)| **reference != SecretRef::Stored)
            .collect()
    }

    /// How much it speaks of: the tenant, secrets, issuers, documents, sample users, kinds of the catalogue.
    pub fn items(&self) -> usize {
        let older = self.older_snippets.keys();
        let older = older.filter(|key| !self.has(DocumentKind::Snippet, key));
        [
            1,
            self.issuers.as_ref().map_or(0, Vec::len),
            usize::from(self.provider_key.is_some()),
            self.secrets.as_ref().map_or(0, BTreeMap::len),
            self.catalogue.len(),
            self.documents.values().map(BTreeMap::len).sum(),
            older.count(),
            self.sample_users.as_ref().map_or(0, BTreeMap::len),
        ]
        .iter()
        .sum()
    }

    pub fn has(&self, kind: DocumentKind, key: &Key) -> bool {
        let documents = self.documents.get(&kind);
        documents.is_some_and(|documents| documents.contains_key(key))
    }

    /// Whether it speaks of this kind of documents, and not of this one.
    pub fn leaves_out(&self, kind: DocumentKind, key: &Key) -> bool {
        self.documents.contains_key(&kind) && !self.has(kind, key)
    }

    /// Reads a bundle; every fault at once.
    pub fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        let mut bundle = Self::read(value)?;
        bundle.faults.append(&mut bundle.document_faults);
        if bundle.faults.is_empty() {
            Ok(bundle)
        } else {
            Err(bundle.faults)
        }
    }

    /// Reads as much as can be read, so that what is wrong beside the database is found together with the rest; an error where
    /// it is not even clear whose bundle it is.
    pub fn read(value: &Value) -> Result<Self, Vec<Fault>> {
        let Value::Object(members) = value else {
            let words = Wrong::Object.worded("a bundle is an object with at least `tenant`");
            return Err(vec![Fault::new("", words)]);
        };
        let mut faults = Faults::new();
        let mut within = Faults::new();
        let mut contexts = BTreeMap::new();
        let mut bundle = Self::default();
        for (name, value) in members {
            let at = step(name);
            let mut kinds = DocumentKind::ALL.into_iter();
            if let Some(kind) = kinds.find(|kind| kind.section() == name) {
                match value {
                    Value::Object(documents) => {
                        bundle.read_documents(
                            kind,
                            documents,
                            &mut contexts,
                            &mut faults,
                            &mut within,
                        );
                    }
                    _ => faults.add(at, Wrong::Object),
                }
                continue;
            }
            match (name.as_str(), value) {
                ("tenant", Value::String(slug)) if is_slug(slug) => bundle.tenant.clone_from(slug),
                ("tenant", _) => faults.add(at, Wrong::Slug),
                ("name", Value::String(name))
                    if (1..=MAX_NAME_CHARS).contains(&name.chars().count()) =>
                {
                    bundle.name = Some(name.clone());
                }
                // Where an editor finds the schema.
                ("$schema", Value::String(_)) => {}
                ("name", _) => faults.add(
                    at,
                    Wrong::Length {
                        least: 1,
                        most: 200,
                    }
                    .worded("must be a text of 1 to 200 characters"),
                ),
                ("policy", Value::Object(policy)) => {
                    bundle.policy = faults.take(&at, Policy::parse(policy));
                }
                ("issuers", Value::Array(issuers)) => {
                    let read = issuers.iter().enumerate().filter_map(|(index, issuer)| {
                        faults.take(&format!("{at}/{index}"), BundleIssuer::parse(issuer))
                    });
                    let read = read.collect::<Vec<_>>();
                    check_pairs(&read, &mut faults);
                    bundle.issuers = Some(read);
                }
                ("providerKey", reference) => {
                    bundle.provider_key = faults.take(&at, SecretRef::parse(reference));
                }
                ("secrets", Value::Object(secrets)) => {
                    bundle.secrets = Some(secrets_of(secrets, &mut faults));
                }
                ("catalogue", Value::Object(kinds)) => {
                    bundle.catalogue = catalogue(kinds, &mut faults);
                }
                ("sampleUsers", Value::Object(users)) => {
                    bundle.sample_users = Some(sample_users(users, &mut faults));
                }
                ("policy" | "secrets" | "catalogue" | "sampleUsers", _) => {
                    faults.add(at, Wrong::Object);
                }
                ("issuers", _) => faults.add(at, Wrong::List),
                _ => faults.add(
                    at,
                    Wrong::Unknown(MEMBERS.to_owned())
                        .worded(format!("is unknown; a bundle has {MEMBERS}")),
                ),
            }
        }
        if !members.contains_key("tenant") {
            faults.add(
                "/tenant",
                Wrong::Missing.worded("is missing: whose bundle is this?"),
            );
        }
        bundle.check_aliases(&contexts, &mut within);
        bundle.faults = faults.into_vec();
        bundle.document_faults = within.into_vec();
        if bundle.tenant.is_empty() {
            bundle.faults.append(&mut bundle.document_faults);
            return Err(bundle.faults);
        }
        Ok(bundle)
    }

    /// Reads the documents of a kind. Of those that are in the way the faults go to `faults`, of what is wrong inside of them to `within`.
    fn read_documents(
        &mut self,
        kind: DocumentKind,
        documents: &Map<String, Value>,
        contexts: &mut BTreeMap<Key, Context>,
        faults: &mut Faults,
        within: &mut Faults,
    ) {
        let section = step(kind.section());
        let mut read = Documents::new();
        for (key, mut document) in documents_of(&section, documents, faults) {
            let at = format!("{section}{}", step(key.as_str()));
            match kind {
                DocumentKind::Snippet => {
                    let versions = document.remove("versions");
                    let is_live = versions.is_none() || !document.is_empty();
                    if let Some(versions) = versions {
                        let read = older(&format!("{at}/versions"), &versions, faults);
                        self.older_snippets.insert(key.clone(), read);
                    }
                    // A snippet that only has older versions is not live; personas may pin those all the same.
                    if !is_live {
                        continue;
                    }
                    within.take(&at, parse_snippet(&document));
                }
                // Any version will do here: which one it is, and whether there is one, shows when it is applied.
                DocumentKind::Persona => {
                    within.take(&at, Persona::parse(&pinned(&document, |_| Some(1))));
                }
                DocumentKind::Context => {
                    let context = within.take(&at, Context::parse(&document));
                    contexts.extend(context.map(|context| (key.clone(), context)));
                }
            }
            read.insert(key, document);
        }
        self.documents.insert(kind, read);
    }

    fn check_aliases(&self, contexts: &BTreeMap<Key, Context>, faults: &mut Faults) {
        let mut seen: BTreeMap<&Key, &Key> = BTreeMap::new();
        for (key, context) in contexts {
            for (index, alias) in context.aliases.iter().enumerate() {
                let at = format!("/contexts{}/aliases/{index}", step(key.as_str()));
                if self.has(DocumentKind::Context, alias) {
                    faults.add(
                        at,
                        Wrong::KeyTaken(alias.to_string()).worded("is the key of a context"),
                    );
                } else if let Some(other) = seen.insert(alias, key) {
                    let taken = Wrong::AliasTaken(other.to_string());
                    faults.add(
                        at,
                        taken.worded(format!("is an alias of `{other}` already")),
                    );
                }
            }
        }
    }
}

impl BundleIssuer {
    fn parse(value: &Value) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::new();
        let mut config = value.as_object().cloned().unwrap_or_default();
        let secret = config
            .remove("secret")
            .and_then(|reference| faults.take("/secret", SecretRef::parse(&reference)));
        let parsed = IssuerConfig::parse(&if value.is_object() {
            Value::Object(config.clone())
        } else {
            value.clone()
        });
        match parsed {
            Ok(parsed) => {
                if parsed.takes_secret() != secret.is_some() {
                    faults.add("/secret", Wrong::SecretWithKeys);
                }
                faults.into_result(Self {
                    config,
                    parsed,
                    secret,
                })
            }
            Err(found) => {
                faults.extend_under("", found);
                Err(faults.into_vec())
            }
        }
    }
}

/// Versions by number.
fn older(at: &str, versions: &Value, faults: &mut Faults) -> BTreeMap<i32, Map<String, Value>> {
    let mut read = BTreeMap::new();
    let Value::Object(versions) = versions else {
        let words = Wrong::Object.worded("must be an object of version number and content");
        faults.add(at, words);
        return read;
    };
    for (name, content) in versions {
        let at = format!("{at}{}", step(name));
        // One spelling a number: 01 would be 1 again.
        let number = name
            .parse()
            .ok()
            .filter(|n: &i32| *n > 0 && n.to_string() == *name);
        match (number, content) {
            (Some(number), Value::Object(content)) => {
                faults.take(&at, parse_snippet(content));
                read.insert(number, content.clone());
            }
            (None, _) => faults.add(at, Wrong::VersionName),
            (Some(_), _) => faults.add(at, Wrong::Object),
        }
    }
    read
}

fn sample_users(
    users: &Map<String, Value>,
    faults: &mut Faults,
) -> BTreeMap<Key, BundleSampleUser> {
    let mut read = BTreeMap::new();
    for (key, mut members) in documents_of("/sampleUsers", users, faults) {
        let at = format!("/sampleUsers{}", step(key.as_str()));
        let description = match members.remove("description") {
            None => String::new(),
            Some(Value::String(text)) if text.chars().count() <= MAX_DESCRIPTION_CHARS => text,
            Some(_) => {
                faults.add(
                    format!("{at}/description"),
                    Wrong::Length {
                        least: 0,
                        most: 200,
                    }
                    .worded("must be a text of 200 characters at most"),
                );
                continue;
            }
        };
        if let Some(user) = faults.take(&at, SampleUser::parse(&members)) {
            read.insert(key, BundleSampleUser { description, user });
        }
    }
    read
}

fn secrets_of(secrets: &Map<String, Value>, faults: &mut Faults) -> BTreeMap<Key, SecretRef> {
    let mut read = BTreeMap::new();
    for (name, reference) in secrets {
        let at = format!("/secrets{}", step(name));
        match Key::parse(name) {
            Ok(name) => {
                let reference = faults.take(&at, SecretRef::parse(reference));
                read.extend(reference.map(|reference| (name, reference)));
            }
            Err(bad) => faults.add(at, Wrong::Key.worded(bad.to_string())),
        }
    }
    read
}

fn documents_of(at: &str, documents: &Map<String, Value>, faults: &mut Faults) -> Documents {
    let mut read = Documents::new();
    for (name, document) in documents {
        let at = format!("{at}{}", step(name));
        match (Key::parse(name), document) {
            (Ok(key), Value::Object(members)) => {
                read.insert(key, members.clone());
            }
            (Err(bad), _) => faults.add(at, Wrong::Key.worded(bad.to_string())),
            (_, _) => faults.add(at, Wrong::Object),
        }
    }
    read
}

fn catalogue(
    kinds: &Map<String, Value>,
    faults: &mut Faults,
) -> BTreeMap<CatalogueKind, Vec<CatalogueEntry>> {
    let mut read = BTreeMap::new();
    for (name, entries) in kinds {
        let at = format!("/catalogue{}", step(name));
        let Some((_, kind)) = CATALOGUE_SECTIONS
            .iter()
            .find(|(section, _)| section == name)
        else {
            let known = CATALOGUE_SECTIONS.map(|(section, _)| section).join(", ");
            let words = format!("is unknown; a catalogue has {known}");
            faults.add(at, Wrong::Unknown(known).worded(words));
            continue;
        };
        let Value::Array(entries) = entries else {
            faults.add(
                at,
                Wrong::List.worded("must be a list of {id, name, attributes}"),
            );
            continue;
        };
        let mut good: Vec<CatalogueEntry> = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let at = format!("{at}/{index}");
            match serde_json::from_value::<CatalogueEntry>(entry.clone()) {
                _ if !entry.is_object() => {
                    faults.add(at, Wrong::Object.worded("must be {id, name, attributes}"));
                }
                Ok(entry) if entry.id.is_empty() || entry.id.len() > MAX_ID_BYTES => {
                    faults.add(
                        format!("{at}/id"),
                        Wrong::Length {
                            least: 1,
                            most: 100,
                        },
                    );
                }
                Ok(entry) if !(1..=MAX_NAME_CHARS).contains(&entry.name.chars().count()) => {
                    faults.add(
                        format!("{at}/name"),
                        Wrong::Length {
                            least: 1,
                            most: 200,
                        },
                    );
                }
                Ok(entry) if good.iter().any(|other| other.id == entry.id) => {
                    faults.add(
                        format!("{at}/id"),
                        Wrong::Twice.worded("is in this list twice"),
                    );
                }
                Ok(entry) => good.push(entry),
                Err(error) => faults.add(at, Wrong::CatalogueEntry(error.to_string())),
            }
        }
        read.insert(*kind, good);
    }
    read
}

/// A JWT names its issuer by (issuer, audience), so no pair may stand for two; an opaque token names nothing.
fn check_pairs(issuers: &[BundleIssuer], faults: &mut Faults) {
    let is_opaque = |issuer: &&BundleIssuer| issuer.parsed.introspection().is_some();
    if issuers.iter().filter(is_opaque).count() > 1 {
        faults.add("/issuers", Wrong::OneOpaque);
    }
    let mut seen = BTreeSet::new();
    for issuer in issuers.iter().filter(|issuer| !is_opaque(issuer)) {
        let url = issuer.parsed.issuer();
        for audience in issuer.parsed.audiences() {
            if !seen.insert((url, audience)) {
                faults.add(
                    "/issuers",
                    Wrong::PairTwice {
                        issuer: url.to_owned(),
                        audience: audience.clone(),
                    },
                );
            }
        }
    }
}

/// The persona with a version for each snippet that its prompt includes; pins that the document gives stay.
pub(super) fn pinned(
    content: &Map<String, Value>,
    version_of: impl Fn(&str) -> Option<i32>,
) -> Map<String, Value> {
    let used = content
        .get("systemPrompt")
        .and_then(Value::as_str)
        .and_then(|source| Template::compile(source, TemplateKind::Prompt).ok())
        .map(|prompt| prompt.snippets().to_vec())
        .unwrap_or_default();
    if used.is_empty() {
        return content.clone();
    }
    let mut content = content.clone();
    let pins = content.entry("snippets").or_insert_with(|| json!({}));
    if let Value::Object(pins) = pins {
        for key in used {
            if !pins.contains_key(&key)
                && let Some(number) = version_of(&key)
            {
                pins.insert(key, number.into());
            }
        }
    }
    content
}

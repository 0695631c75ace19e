//! A user's preferences as a form: its fields follow from the catalogue and the policy.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::console::api::{Refused, encode};
use crate::console::parts::{Faults, Listed, number, query_of, words_of};
use crate::console::visit::{Form, Signed};

/// How a preference is entered.
#[derive(Debug, Clone)]
pub enum Kind {
    /// One of these: value, and name for people.
    Choice(Vec<(String, String)>),
    Line,
    Prompt,
    Flag,
    Number {
        min: String,
        max: String,
    },
}

/// A preference.
#[derive(Debug)]
pub struct Field {
    pub name: String,
    pub kind: Kind,
    pub value: String,
    /// What is stored now, where somebody changed it meanwhile.
    pub theirs: Option<String>,
    pub fault: Option<String>,
}

impl Field {
    /// Its id in the page.
    pub fn id(&self) -> String {
        format!("p-{}", self.name)
    }

    /// Whether a choice is not offered any more.
    pub fn is_gone(&self) -> bool {
        match &self.kind {
            Kind::Choice(values) => {
                !self.value.is_empty() && values.iter().all(|(value, _)| *value != self.value)
            }
            _ => false,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Entry {
    id: String,
    name: String,
    enabled: bool,
    #[serde(default, rename = "retiredAt")]
    retired_at: Option<String>,
}

/// Those of a kind that users may choose: id and name.
pub async fn choices(signed: &Signed, kind: &str) -> Result<Vec<(String, String)>, Refused> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let query = query_of(&[("limit", "100"), ("cursor", &cursor)]);
        let path = format!("/v1/admin/catalogue/{}?{query}", encode(kind));
        let listed: Listed<Entry> = signed.api.get(&path).await?;
        let entries = listed.items.into_iter();
        let allowed = entries.filter(|entry| entry.enabled && entry.retired_at.is_none());
        found.extend(allowed.map(|entry| (entry.id, entry.name)));
        match listed.next {
            Some(next) if found.len() < 2_000 => cursor = next,
            _ => return Ok(found),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Policy {
    preferences: BTreeMap<String, Definition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Definition {
    values: Option<Vec<String>>,
    max_length: Option<u64>,
    r#type: Option<String>,
    minimum: Option<Value>,
    maximum: Option<Value>,
}

impl Definition {
    fn kind(&self) -> Kind {
        if let Some(values) = &self.values {
            let same = |value: &String| (value.clone(), value.clone());
            return Kind::Choice(values.iter().map(same).collect());
        }
        if self.r#type.is_some() {
            return Kind::Flag;
        }
        match (&self.minimum, &self.maximum) {
            (Some(min), Some(max)) => Kind::Number {
                min: words_of(min),
                max: words_of(max),
            },
            _ => Kind::Line,
        }
    }
}

/// What there is to choose: names and kinds, in the page's order.
pub async fn kinds(signed: &Signed) -> Result<Vec<(String, Kind)>, Refused> {
    let mut kinds = vec![
        ("displayName".to_owned(), Kind::Line),
        ("tone".to_owned(), Kind::Line),
    ];
    for (name, kind) in [
        ("languageCode", "language"),
        ("avatarId", "avatar"),
        ("voiceId", "voice"),
        ("llmId", "llm"),
    ] {
        let choices = choices(signed, kind).await?;
        // A kind without entries limits nothing.
        let kind = if choices.is_empty() {
            Kind::Line
        } else {
            Kind::Choice(choices)
        };
        kinds.push((name.to_owned(), kind));
    }
    let policy: Policy = signed.api.get("/v1/admin/policy").await?;
    let own = policy.preferences.iter();
    kinds.extend(own.map(|(name, definition)| (name.clone(), definition.kind())));
    kinds.push(("systemPrompt".to_owned(), Kind::Prompt));
    Ok(kinds)
}

/// The form with what is stored.
pub fn stored(kinds: Vec<(String, Kind)>, stored: &Map<String, Value>) -> Vec<Field> {
    let fields = kinds.into_iter().map(|(name, kind)| Field {
        value: stored.get(&name).map(words_of).unwrap_or_default(),
        name,
        kind,
        theirs: None,
        fault: None,
    });
    fields.collect()
}

/// The form with what somebody typed, why it was refused, and what is stored now.
pub fn typed(
    kinds: Vec<(String, Kind)>,
    form: &Form,
    faults: &Faults,
    now: Option<&Map<String, Value>>,
) -> Vec<Field> {
    let fields = kinds.into_iter().map(|(name, kind)| {
        let value = form.get(&format!("p.{name}")).to_owned();
        let stored = now.map(|now| now.get(&name).map(words_of).unwrap_or_default());
        Field {
            theirs: stored.filter(|stored| *stored != value),
            fault: faults.at(&format!("/{name}")).map(|said| said.text),
            name,
            kind,
            value,
        }
    });
    fields.collect()
}

/// The change that a form asks for: an empty field takes the preference away.
pub fn patch(kinds: &[(String, Kind)], form: &Form) -> Value {
    let members = kinds.iter().map(|(name, kind)| {
        let typed = form.get(&format!("p.{name}"));
        let value = match kind {
            _ if typed.is_empty() => Value::Null,
            Kind::Flag => match typed {
                "true" => true.into(),
                "false" => false.into(),
                other => other.into(),
            },
            Kind::Number { .. } => number(typed),
            Kind::Choice(_) | Kind::Line | Kind::Prompt => typed.into(),
        };
        (name.clone(), value)
    });
    Value::Object(members.collect())
}

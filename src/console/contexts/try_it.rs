//! "Try it": what a user would get by the form as it stands, and why. Nothing is saved for it.

use chrono::{DateTime, Datelike, Timelike, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::known::KnownAttribute;
use super::model::Model;
use super::rule::{ClauseForm, Reading};
use super::schema::value_of;
use super::words;
use crate::console::api::{Api, Refused, encode};
use crate::console::choices::Sample;
use crate::console::parts::local_moment;
use crate::console::place_names::place_name;
use crate::console::texts::Texts;
use crate::console::visit::Signed;
use crate::domain::rules::WEEKDAYS;

/// What somebody wants to try.
#[derive(Debug, Default)]
pub struct Asked {
    /// `sample:KEY`, `session:ID`, or nobody in particular.
    pub user: String,
    /// What was typed in of the user, by attribute.
    pub facts: Vec<(String, String)>,
    /// What was typed in of the metadata, by field.
    pub metadata: Vec<(String, String)>,
    /// A moment in the tenant's zone.
    pub at: String,
    /// The user of a session, as it was found.
    pub found: Option<Person>,
}

/// Whoever is tried.
#[derive(Debug, Clone, Default, serde::Serialize, Deserialize)]
pub struct Person {
    /// As `user`.
    pub id: String,
    #[serde(default)]
    pub subject: Option<Value>,
    #[serde(default)]
    pub facts: Map<String, Value>,
    #[serde(default)]
    pub preferences: Map<String, Value>,
}

/// A field of the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Holds,
    Fails,
    Untried,
}

#[derive(Debug)]
pub struct Tried {
    pub state: State,
    pub number: usize,
    pub when: String,
    /// The clause that failed, and the value that it saw.
    pub why: String,
}

/// What came out.
#[derive(Debug, Default)]
pub struct Outcome {
    pub persona: Option<String>,
    /// What decided.
    pub by: String,
    /// The arm's share, where a split decided.
    pub arm: Option<String>,
    pub rules: Vec<Tried>,
    pub greeting: Option<String>,
    /// Why nobody answers, or why it can't be tried.
    pub troubles: Vec<String>,
    /// The user of a session, for the next time.
    pub found: String,
}

#[derive(Debug, Deserialize)]
struct Previewed {
    greeting: Option<String>,
    trace: Option<Trace>,
    undecided: Option<Undecided>,
}

#[derive(Debug, Deserialize)]
struct Trace {
    rules: Vec<RuleTried>,
    split: Option<Split>,
    persona: Key,
}

#[derive(Debug, Deserialize)]
struct Key {
    key: String,
}

#[derive(Debug, Deserialize)]
struct Split {
    arm: usize,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuleTried {
    failed_clause: Option<usize>,
    #[serde(default)]
    remarks: std::collections::BTreeMap<usize, String>,
}

#[derive(Debug, Deserialize)]
struct Undecided {
    message: String,
    #[serde(default)]
    errors: Vec<crate::console::api::Fault>,
}

impl Asked {
    pub fn read(fields: &Fields<'_>) -> Self {
        let under = |start: &str| {
            let mut typed: Vec<_> = fields
                .under(start)
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            typed.sort();
            typed
        };
        Self {
            user: fields.get("try.user").to_owned(),
            facts: under("try.fact."),
            metadata: under("try.meta."),
            at: fields.get("try.at").to_owned(),
            found: serde_json::from_str(fields.raw("try.found")).ok(),
        }
    }

    /// The same on the page for test calls: its fields. Preferences have none there.
    pub fn talking(&self) -> Vec<(String, String)> {
        let facts = self.facts.iter().filter_map(|(attribute, value)| {
            let name = attribute.strip_prefix("user.")?;
            Some(format!("{name} = {value}"))
        });
        let facts: Vec<String> = facts.collect();
        let mut fields = vec![
            ("try.user".to_owned(), self.user.clone()),
            ("try.at".to_owned(), self.at.clone()),
            ("facts".to_owned(), facts.join("\n")),
        ];
        let metadata = self.metadata.iter();
        fields.extend(metadata.map(|(name, value)| (format!("try.meta.{name}"), value.clone())));
        fields.retain(|(_, value)| !value.is_empty());
        fields
    }

    /// The person whom the list names.
    pub async fn person(&self, api: &Api) -> Result<Person, Refused> {
        let mut person = match self.user.split_once(':') {
            Some(("sample", key)) => {
                let sample: Sample = api
                    .get(&format!("/v1/admin/sample-users/{}", encode(key)))
                    .await?;
                Person {
                    id: self.user.clone(),
                    subject: sample.subject,
                    facts: sample.facts,
                    preferences: sample.preferences,
                }
            }
            Some(("session", id)) => match &self.found {
                Some(found) if found.id == self.user => found.clone(),
                _ => {
                    let session: Value = api
                        .get(&format!("/v1/admin/sessions/{}", encode(id)))
                        .await?;
                    let object = |at: &str| {
                        session
                            .pointer(at)
                            .and_then(Value::as_object)
                            .cloned()
                            .unwrap_or_default()
                    };
                    Person {
                        id: self.user.clone(),
                        subject: session.pointer("/user/subject").cloned(),
                        facts: object("/inputs/values/facts"),
                        preferences: object("/inputs/values/preferences"),
                    }
                }
            },
            _ => Person::default(),
        };
        person.subject = person.subject.filter(Value::is_string);
        Ok(person)
    }

    /// The person with what was typed in.
    fn user(&self, mut person: Person, model: &Model, known: &[KnownAttribute]) -> Person {
        for (attribute, text) in &self.facts {
            let Some((source, name)) = attribute.split_once('.') else {
                continue;
            };
            let value = fact(model, known, attribute, text);
            let members = if source == "preferences" {
                &mut person.preferences
            } else {
                &mut person.facts
            };
            members.insert(name.to_owned(), value);
        }
        person
    }

    /// The metadata, each value of its field's type.
    pub fn sent(&self, model: &Model) -> Map<String, Value> {
        let fields = &model.schema.fields;
        let kind_of = |name: &str| {
            fields
                .iter()
                .find(|field| field.name == name)
                .map_or(super::schema::UNSHOWN, |field| field.kind.as_str())
        };
        let metadata = self.metadata.iter().filter(|(name, _)| {
            fields.is_empty() || fields.iter().any(|field| field.name == *name)
        });
        metadata
            .map(|(name, text)| (name.clone(), value_of(kind_of(name), text)))
            .collect()
    }

    /// What was tried, as a test that expects this persona, and a name for it.
    pub fn test(
        &self,
        outcome: &Outcome,
        model: &Model,
        known: &[KnownAttribute],
        zone: &str,
    ) -> Option<(String, Map<String, Value>)> {
        let persona = outcome.persona.as_ref()?;
        let sample = self
            .user
            .strip_prefix("sample:")
            .filter(|_| self.facts.is_empty());
        let user = if let Some(key) = sample {
            json!({ "sample": key })
        } else {
            let person = serde_json::from_str::<Person>(&outcome.found).unwrap_or_default();
            let person = self.user(person, model, known);
            let mut user = json!({ "facts": person.facts, "preferences": person.preferences });
            if let (Some(members), Some(subject)) = (user.as_object_mut(), person.subject) {
                members.insert("subject".to_owned(), subject);
            }
            user
        };
        let typed = self
            .facts
            .iter()
            .chain(&self.metadata)
            .map(|(name, value)| {
                let name = name.rsplit('.').next().unwrap_or_default();
                format!("{name} {value}")
            });
        let who = self.user.split_once(':').map(|(_, key)| key.to_owned());
        let mut words: Vec<String> = who.into_iter().chain(typed).collect();
        words.extend((!self.at.is_empty()).then(|| self.at.replace('T', " ")));
        let mut test = Map::new();
        test.insert("user".to_owned(), user);
        test.insert("metadata".to_owned(), Value::Object(self.sent(model)));
        if let Some(at) = self.moment(zone) {
            test.insert("at".to_owned(), json!(at));
        }
        test.insert("expect".to_owned(), json!({ "persona": persona }));
        if words.is_empty() {
            words.push(persona.clone());
        }
        Some((words.join(", "), test))
    }

    /// The moment, which was typed in the tenant's zone; UTC where that is unknown.
    pub fn moment(&self, zone: &str) -> Option<DateTime<Utc>> {
        local_moment(&self.at, zone)
    }
}

/// A typed fact as a value: what it is known to be, or what clauses compare it with.
fn fact(model: &Model, known: &[KnownAttribute], attribute: &str, text: &str) -> Value {
    let known = known.iter().find(|known| known.attribute == attribute);
    let mut clauses = model.rules.iter().flat_map(|rule| &rule.clauses);
    let compared = clauses.find(|clause| clause.attribute == attribute && clause.takes_values());
    let compared = compared.map(|clause| clause.reading);
    match known.and_then(|known| known.reading).or(compared) {
        _ if known.is_some_and(|known| known.is_list) => value_of("array", text),
        Some(Reading::Number) => value_of("number", text),
        Some(Reading::Flag) => value_of("boolean", text),
        _ => json!(text),
    }
}

/// Tries the form.
pub async fn try_out(
    signed: &Signed,
    key: &str,
    (model, content): (&Model, &Map<String, Value>),
    known: &[KnownAttribute],
    asked: &Asked,
    zone: &str,
) -> Result<Outcome, Refused> {
    let (api, texts) = (&signed.api, signed.texts);
    let person = asked.person(api).await?;
    let found = serde_json::to_string(&person).unwrap_or_default();
    let person = asked.user(person, model, known);
    let metadata = asked.sent(model);
    let at = asked.moment(zone);
    let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
    let mut body = json!({
        "use": [{ "kind": "context", "key": key, "content": content }],
        "context": key,
        "metadata": metadata,
        "user": { "facts": person.facts, "preferences": person.preferences },
    });
    if let (Some(user), Some(subject)) = (
        body.get_mut("user").and_then(Value::as_object_mut),
        &person.subject,
    ) {
        user.insert("subject".to_owned(), subject.clone());
    }
    if let (Some(members), Some(at)) = (body.as_object_mut(), at) {
        members.insert("at".to_owned(), json!(at));
    }
    let told: Previewed = match api.post("/v1/admin/preview", &body).await {
        Ok(told) => told,
        Err(refused) if refused.status == 422 => {
            let troubles = refused
                .errors
                .iter()
                .map(|fault| fault_in_words(texts, &fault.pointer, &fault.said(texts).text));
            return Ok(Outcome {
                troubles: troubles.collect(),
                found,
                ..Outcome::default()
            });
        }
        Err(refused) => return Err(refused),
    };
    let sees = ClauseSubject {
        texts,
        person: &person,
        metadata: &metadata,
        at: at.unwrap_or(signed.now).with_timezone(&zone),
    };
    let mut outcome = Outcome {
        found,
        greeting: told.greeting,
        ..Outcome::default()
    };
    if told.undecided.is_some() && at.is_some_and(|at| at < signed.now) {
        outcome.troubles.push(texts.say("cx-tried-past"));
    }
    if let Some(undecided) = told.undecided {
        outcome.troubles.push(undecided.message);
        outcome.troubles.extend(
            undecided
                .errors
                .into_iter()
                .map(|fault| fault_in_words(texts, &fault.pointer, &fault.said(texts).text)),
        );
    }
    if let Some(trace) = told.trace {
        explain(&mut outcome, &trace, model, &sees);
    }
    Ok(outcome)
}

fn explain(outcome: &mut Outcome, trace: &Trace, model: &Model, sees: &ClauseSubject<'_>) {
    let texts = sees.texts;
    outcome.persona = Some(trace.persona.key.clone());
    let holds = trace
        .rules
        .iter()
        .position(|tried| tried.failed_clause.is_none());
    outcome.by = match holds {
        Some(at) => texts.with("cx-tried-by-rule", "number", at.saturating_add(1)),
        None => texts.say("cx-tried-by-default"),
    };
    let target = holds
        .and_then(|at| model.rules.get(at))
        .map_or(&model.default, |rule| &rule.then);
    outcome.arm = trace.split.as_ref().and_then(|split| {
        target
            .shares()
            .get(split.arm)
            .map(|share| format!("{share:.0} %"))
    });
    for (at, rule) in model.rules.iter().enumerate() {
        let tried = trace.rules.get(at);
        let (state, why) = match tried {
            None => (State::Untried, String::new()),
            Some(tried) => match tried.failed_clause {
                None => (State::Holds, String::new()),
                Some(failed) => {
                    let clause = rule.clauses.get(failed);
                    let why = clause.map(|clause| {
                        sees.why(clause, tried.remarks.get(&failed).map(String::as_str))
                    });
                    (State::Fails, why.unwrap_or_default())
                }
            },
        };
        outcome.rules.push(Tried {
            state,
            number: at.saturating_add(1),
            when: words::when(texts, rule),
            why,
        });
    }
}

/// What clauses see.
struct ClauseSubject<'a> {
    texts: Texts,
    person: &'a Person,
    metadata: &'a Map<String, Value>,
    at: DateTime<Tz>,
}

impl ClauseSubject<'_> {
    fn value(&self, attribute: &str) -> Option<Value> {
        let (source, name) = attribute.split_once('.')?;
        match source {
            "user" => self.person.facts.get(name).cloned(),
            "preferences" => self.person.preferences.get(name).cloned(),
            "metadata" => {
                let mut value = self.metadata.get(name.split('.').next()?)?;
                for step in name.split('.').skip(1) {
                    value = value.get(step)?;
                }
                Some(value.clone())
            }
            _ => Some(match name {
                "hour" => json!(self.at.hour()),
                "weekday" => {
                    let day = usize::try_from(self.at.weekday().num_days_from_monday()).ok()?;
                    json!(WEEKDAYS.get(day)?)
                }
                "date" => json!(self.at.format("%Y-%m-%d").to_string()),
                _ => json!(self.at.format("%H:%M").to_string()),
            }),
        }
    }

    /// Why a clause failed.
    fn why(&self, clause: &ClauseForm, remark: Option<&str>) -> String {
        let wanted = words::clause(self.texts, clause);
        let seen = match self.value(&clause.attribute) {
            Some(Value::String(text)) => words::value(self.texts, &clause.attribute, &text),
            Some(value @ Value::Number(_)) => {
                words::value(self.texts, &clause.attribute, &value.to_string())
            }
            Some(value) => value_in_words(self.texts, &value),
            None => return self.texts.with("cx-tried-absent", "wanted", wanted),
        };
        let why = self
            .texts
            .with_all("cx-tried-fails", &[("wanted", &wanted), ("seen", &seen)]);
        match remark {
            Some(remark) if remark != "it is absent" => format!("{why} ({remark})"),
            _ => why,
        }
    }
}

/// A value as people read it.
pub fn value_in_words(texts: Texts, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => texts.say("cx-yes"),
        Value::Bool(false) => texts.say("cx-no"),
        Value::Array(items) => items
            .iter()
            .map(|item| value_in_words(texts, item))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

/// A fault with its place in words.
pub fn fault_in_words(texts: Texts, pointer: &str, message: &str) -> String {
    let inside = pointer.strip_prefix("/use/0").unwrap_or(pointer);
    let place = match (place_name(texts, inside), inside.split('/').nth(1)) {
        (Some(name), _) => name,
        (None, Some("metadata")) => inside.trim_start_matches('/').replace('/', "."),
        (None, Some(other)) if !other.is_empty() => other.to_owned(),
        _ => return message.to_owned(),
    };
    format!("{place}: {message}")
}

//! With whom, as whom, and about what: what somebody chose on the page, and the test call that it makes.

use futures_util::join;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::console::api::{Api, Refused, encode};
use crate::console::choices::{RecentUser, Sample, keys, recent_users, samples};
use crate::console::contexts::fields::Fields;
use crate::console::contexts::model::Model;
use crate::console::contexts::try_it::Asked;
use crate::console::lines::lenient;
use crate::console::parts::Listed;
use crate::console::writing::{Draft, address};

/// The key of the made-up situation in which a persona is tried without a context.
const NOWHERE: &str = "test-call";
/// Versions that are offered.
const VERSIONS: usize = 20;

/// What somebody chose.
#[derive(Debug, Default)]
pub struct Choice {
    /// `persona` or `context`; empty where nothing is chosen yet.
    pub kind: String,
    pub key: String,
    /// `draft:ID`, `version:NUMBER`, or empty: what is live.
    pub state: String,
    /// The context whose metadata a persona gets; empty for none. Nothing where nobody chose yet.
    pub place: Option<String>,
    /// Lines of `name = value`: what is known of the user, over what is known of the one who is chosen.
    pub facts: String,
    /// The user, the metadata and the moment.
    pub asked: Asked,
}

impl Choice {
    /// As a form or a query says.
    pub fn read(fields: &Fields<'_>) -> Self {
        let (kind, key) = fields.get("what").split_once(':').unwrap_or_default();
        let is_known = matches!(kind, "persona" | "context");
        Self {
            kind: if is_known {
                kind.to_owned()
            } else {
                String::new()
            },
            key: if is_known {
                key.to_owned()
            } else {
                String::new()
            },
            state: fields.get("state").to_owned(),
            place: fields.has("place").then(|| fields.get("place").to_owned()),
            facts: fields.raw("facts").to_owned(),
            asked: Asked::read(fields),
        }
    }

    /// As the list of whom to talk with names it.
    pub fn document(&self) -> String {
        format!("{}:{}", self.kind, self.key)
    }

    /// The context that is chosen for a persona.
    pub fn context(&self) -> Option<&str> {
        self.place.as_deref().filter(|place| !place.is_empty())
    }

    pub fn is_persona(&self) -> bool {
        self.kind == "persona"
    }

    /// The draft or version that is put in place, as the API takes it.
    fn used(&self) -> Option<Value> {
        match self.state.split_once(':') {
            Some(("draft", id)) => Some(json!({ "draft": id })),
            Some(("version", number)) => Some(json!({
                "kind": self.kind,
                "key": self.key,
                "version": number.parse::<i32>().ok()?,
            })),
            _ => None,
        }
    }

    /// The test call.
    pub async fn body(&self, api: &Api, desk: &Desk) -> Result<Value, Refused> {
        let person = self.asked.person(api).await?;
        let mut facts = person.facts;
        facts.extend(lenient(&self.facts));
        let mut user = Map::new();
        user.insert("facts".to_owned(), Value::Object(facts));
        user.insert("preferences".to_owned(), Value::Object(person.preferences));
        user.extend(
            person
                .subject
                .map(|subject| ("subject".to_owned(), subject)),
        );
        let mut placed: Vec<Value> = self.used().into_iter().collect();
        let mut context = self.key.as_str();
        if self.is_persona() {
            // The persona is given whatever rules say: the context is there without them.
            context = self.context().unwrap_or(NOWHERE);
            let mut around = desk.context.clone();
            around.retain(|name, _| name == "metadata");
            around.insert("default".to_owned(), json!(self.key));
            placed.push(json!({ "kind": "context", "key": context, "content": around }));
        }
        let mut body = json!({
            "use": placed,
            "context": context,
            "metadata": self.asked.sent(&desk.model),
            "user": user,
        });
        if let (Some(members), Some(at)) = (body.as_object_mut(), self.asked.moment(desk.zone())) {
            members.insert("at".to_owned(), json!(at));
        }
        Ok(body)
    }
}

/// A sealed version.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    pub number: i32,
    #[serde(default)]
    pub message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Document {
    live_version: Option<i32>,
    content: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Content {
    content: Map<String, Value>,
}

/// What the page offers.
#[derive(Debug, Default)]
pub struct Desk {
    pub personas: Vec<String>,
    pub contexts: Vec<String>,
    pub samples: Vec<Sample>,
    pub recent: Vec<RecentUser>,
    pub drafts: Vec<Draft>,
    pub versions: Vec<Version>,
    /// The version that is live of what is chosen.
    pub live: Option<i32>,
    /// The context's content, with the form of its metadata and rules.
    context: Map<String, Value>,
    pub model: Model,
    policy: Value,
}

impl Desk {
    /// Asks for everything. Where nobody chose yet, chooses the first persona, and the newest draft of what is chosen.
    pub async fn open(api: &Api, choice: &mut Choice, is_first: bool) -> Result<Self, Refused> {
        let (personas, contexts, samples, recent, policy) = join!(
            keys(api, "persona"),
            keys(api, "context"),
            samples(api),
            recent_users(api, "outcome=issued&limit=30"),
            api.get::<Value>("/v1/admin/policy"),
        );
        let mut desk = Self {
            personas: personas?,
            contexts: contexts?,
            samples: samples?,
            recent: recent?,
            policy: policy?,
            ..Self::default()
        };
        if let (true, Some(first)) = (is_first && choice.kind.is_empty(), desk.personas.first()) {
            "persona".clone_into(&mut choice.kind);
            choice.key.clone_from(first);
        }
        if choice.kind.is_empty() {
            return Ok(desk);
        }
        desk.look_at(api, choice, is_first).await?;
        Ok(desk)
    }

    async fn look_at(
        &mut self,
        api: &Api,
        choice: &mut Choice,
        is_first: bool,
    ) -> Result<(), Refused> {
        let path = address(&choice.kind, &choice.key);
        let (drafts, versions) = (
            format!("{path}/drafts"),
            format!("{path}/versions?limit={VERSIONS}"),
        );
        let (document, drafts, versions) = join!(
            api.get::<Document>(&path),
            api.get::<Listed<Draft>>(&drafts),
            api.get::<Listed<Version>>(&versions),
        );
        let document = document?;
        self.live = document.live_version;
        self.drafts = drafts?.items;
        self.versions = versions?.items;
        self.drafts
            .sort_by(|one, other| other.updated_at.cmp(&one.updated_at));
        if is_first && choice.state.is_empty() {
            choice.state = match (self.drafts.first(), self.live, self.versions.first()) {
                (Some(draft), ..) => format!("draft:{}", draft.id),
                (None, None, Some(version)) => format!("version:{}", version.number),
                _ => String::new(),
            };
        }
        if !self.has(&choice.state) {
            choice.state.clear();
        }
        self.context = if choice.is_persona() {
            if is_first && choice.place.is_none() {
                choice.place = Some(self.place_of(api, &choice.key).await?);
            }
            match choice.context() {
                None => Map::new(),
                Some(place) => {
                    let context: Document = api.get(&address("context", place)).await?;
                    context.content
                }
            }
        } else {
            match choice.state.split_once(':') {
                Some(("draft", id)) => {
                    let draft = self.drafts.iter().find(|draft| draft.id == id);
                    draft.map(|draft| draft.content.clone()).unwrap_or_default()
                }
                Some(("version", number)) => {
                    let path = format!("{path}/versions/{}", encode(number));
                    api.get::<Content>(&path).await?.content
                }
                _ => document.content,
            }
        };
        self.model = Model::of(&self.context);
        Ok(())
    }

    /// Whether something is offered, as `state` names it.
    fn has(&self, state: &str) -> bool {
        match state.split_once(':') {
            Some(("draft", id)) => self.drafts.iter().any(|draft| draft.id == id),
            Some(("version", number)) => self
                .versions
                .iter()
                .any(|version| version.number.to_string() == number),
            _ => true,
        }
    }

    /// A context that gives the persona to everybody: its metadata suit it.
    async fn place_of(&self, api: &Api, persona: &str) -> Result<String, Refused> {
        for key in &self.contexts {
            let context: Document = api.get(&address("context", key)).await?;
            if context.content.get("default").and_then(Value::as_str) == Some(persona) {
                return Ok(key.clone());
            }
        }
        Ok(String::new())
    }

    /// The zone in which rules read the time.
    pub fn zone(&self) -> &str {
        let zone = self.policy.get("timeZone").and_then(Value::as_str);
        zone.unwrap_or("UTC")
    }
}

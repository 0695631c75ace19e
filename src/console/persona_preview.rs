//! What a user would meet, while somebody writes: the greeting, the prompt with what came from whom, and whose value each setting has.

use askama::Template;
use askama::filters::HtmlSafe;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::api::{Api, Fault, Refused};
use super::findings::in_document;
use super::lines::lenient;
use super::said::Said;
use super::texts::Texts;
use super::visit::Form;

/// Who is made up for a preview, and where.
#[derive(Debug, Clone, Default)]
pub struct TryAs {
    /// A sample user's key; empty where the user is typed in.
    pub sample: String,
    pub name: String,
    /// Claims as lines of `name = value`.
    pub facts: String,
    pub context: String,
    /// Metadata as lines of `name = value`.
    pub metadata: String,
}

impl TryAs {
    /// As the form says.
    pub fn sent(form: &Form) -> Self {
        let text = |name| form.get(name).to_owned();
        Self {
            sample: text("try-sample"),
            name: text("try-name"),
            facts: text("try-facts"),
            context: text("try-context"),
            metadata: text("try-metadata"),
        }
    }

    /// The same on the page for test calls: its fields.
    pub fn talking(&self) -> Vec<(String, String)> {
        let mut fields = vec![("place".to_owned(), self.context.clone())];
        if self.sample.is_empty() {
            fields.push(("facts".to_owned(), self.lines()));
        } else {
            fields.push(("try.user".to_owned(), format!("sample:{}", self.sample)));
        }
        let metadata = lenient(&self.metadata);
        fields.extend(metadata.into_iter().map(|(name, value)| {
            let text = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            (format!("try.meta.{name}"), text)
        }));
        fields
    }

    /// What is typed of the user as lines of `name = value`; a later line counts.
    fn lines(&self) -> String {
        let (facts, name) = (self.facts.trim(), self.name.trim());
        let name = if serde_json::from_str::<Value>(name).is_ok() {
            Value::from(name).to_string()
        } else {
            name.to_owned()
        };
        match (facts, name.as_str()) {
            (facts, "") => facts.to_owned(),
            ("", name) => format!("name = {name}"),
            (facts, name) => format!("{facts}\nname = {name}"),
        }
    }

    fn user(&self) -> Value {
        if !self.sample.is_empty() {
            return json!({ "sample": self.sample });
        }
        let mut facts = lenient(&self.facts);
        if !self.name.trim().is_empty() {
            facts.insert("name".to_owned(), self.name.trim().into());
        }
        json!({ "facts": facts })
    }
}

/// A piece of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    pub text: String,
    /// It is the user's own words, fenced off in the prompt.
    pub from_user: bool,
}

/// A setting, its value in words, and whose it is.
#[derive(Debug)]
pub struct Field {
    pub name: String,
    pub value: String,
    /// The name of a text.
    pub winner: String,
}

/// What was found out.
#[derive(Debug, Default, Template)]
#[template(path = "persona_preview.html")]
pub struct PersonaPreview {
    pub texts: Texts,
    pub greeting: Option<String>,
    pub prompt: Vec<Piece>,
    pub chars: usize,
    pub fields: Vec<Field>,
    pub snippets: Vec<(String, i64)>,
    /// Why there is nothing to show.
    pub refusal: Option<String>,
    /// What is wrong with the document, by place.
    pub faults: Vec<Fault>,
}

/// Everything in it is escaped already.
impl HtmlSafe for PersonaPreview {}

#[derive(Debug, Deserialize)]
struct Previewed {
    prompt: Option<String>,
    greeting: Option<String>,
    #[serde(default)]
    request: Map<String, Value>,
    #[serde(default)]
    trace: Map<String, Value>,
    undecided: Option<Undecided>,
}

#[derive(Debug, Deserialize)]
struct Undecided {
    message: String,
    #[serde(default)]
    errors: Vec<Fault>,
}

impl PersonaPreview {
    /// Tries a persona that is being written. It is given whatever rules say: the context is tried without them.
    pub async fn of(
        api: &Api,
        texts: Texts,
        key: &str,
        content: &Map<String, Value>,
        tried: &TryAs,
    ) -> Result<Self, Refused> {
        let place = if tried.context.is_empty() {
            "preview"
        } else {
            &tried.context
        };
        let mut around: Map<String, Value> = if tried.context.is_empty() {
            Map::new()
        } else {
            #[derive(Deserialize)]
            struct Context {
                #[serde(default)]
                content: Map<String, Value>,
            }
            let path = super::writing::address("context", place);
            api.get::<Context>(&path).await?.content
        };
        around.retain(|name, _| name == "metadata");
        around.insert("default".to_owned(), key.into());
        let asked = json!({
            "use": [
                { "kind": "persona", "key": key, "content": content },
                { "kind": "context", "key": place, "content": around },
            ],
            "context": place,
            "metadata": lenient(&tried.metadata),
            "user": tried.user(),
        });
        match api.post::<Previewed>("/v1/admin/preview", &asked).await {
            Ok(previewed) => Ok(Self::decided(texts, previewed)),
            Err(refused) if refused.status == 422 => Ok(Self::refused(texts, &refused)),
            Err(refused) => Err(refused),
        }
    }

    /// Where the document is not even one.
    pub fn unreadable(texts: Texts, fault: Fault) -> Self {
        Self {
            texts,
            refusal: Some(texts.say("preview-faults")),
            faults: vec![fault],
            ..Self::default()
        }
    }

    fn refused(texts: Texts, refused: &Refused) -> Self {
        let faults = refused.errors.iter().map(|fault| Fault {
            pointer: in_document(fault).to_owned(),
            ..fault.clone()
        });
        Self {
            texts,
            refusal: Some(texts.say("preview-faults")),
            faults: faults.collect(),
            ..Self::default()
        }
    }

    fn decided(texts: Texts, previewed: Previewed) -> Self {
        if let Some(undecided) = previewed.undecided {
            return Self {
                texts,
                refusal: Some(undecided.message),
                faults: undecided.errors,
                ..Self::default()
            };
        }
        let prompt = previewed.prompt.unwrap_or_default();
        let winners = previewed.trace.get("fields").and_then(Value::as_object);
        let fields = winners.into_iter().flatten().filter_map(|(name, winner)| {
            if matches!(name.as_str(), "systemPrompt" | "initialMessage") {
                return None;
            }
            let value = sent(&previewed.request, name)?;
            Some(Field {
                name: name.clone(),
                value: match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                },
                winner: format!("winner-{}", winner.as_str().unwrap_or("other")),
            })
        });
        let snippets = previewed.trace.get("snippets").and_then(Value::as_object);
        let snippets = snippets.into_iter().flatten();
        Self {
            texts,
            greeting: previewed.greeting,
            chars: prompt.chars().count(),
            fields: fields.collect(),
            snippets: snippets
                .map(|(key, version)| (key.clone(), version.as_i64().unwrap_or_default()))
                .collect(),
            prompt: pieces(&prompt),
            refusal: None,
            faults: Vec::new(),
        }
    }

    fn said_of(&self, fault: &Fault) -> Said {
        fault.said(self.texts)
    }

    fn t(&self, name: &str) -> String {
        self.texts.say(name)
    }
}

/// The value of a setting in what Anam is sent.
fn sent<'a>(request: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let (first, rest) = match name.strip_prefix("sessionOptions.") {
        Some(rest) => (request.get("sessionOptions")?, rest),
        None => (request.get("personaConfig")?, name),
    };
    rest.split('.').try_fold(first, |at, member| at.get(member))
}

/// A prompt, with the users' own words apart. They stand between `⟦tag: ` and ` :tag⟧`, where the tag can't be in them.
pub fn pieces(prompt: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = prompt;
    let own = |text: &str| Piece {
        text: text.to_owned(),
        from_user: false,
    };
    while let Some((before, after)) = rest.split_once('⟦') {
        let fenced = after.split_once(": ").and_then(|(tag, text)| {
            let end = format!(" :{tag}⟧");
            let known = tag.len() == 8 && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
            known.then(|| text.split_once(end.as_str())).flatten()
        });
        let Some((words, then)) = fenced else { break };
        if !before.is_empty() {
            pieces.push(own(before));
        }
        pieces.push(Piece {
            text: words.to_owned(),
            from_user: true,
        });
        rest = then;
    }
    if !rest.is_empty() {
        pieces.push(own(rest));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_say_stands_apart_in_a_prompt() {
        let parts: Vec<_> =
            pieces("Help ⟦374708ff: Kim ⟦x: y :x⟧ :374708ff⟧, kindly. ⟦ is no fence")
                .into_iter()
                .map(|piece| (piece.text, piece.from_user))
                .collect();
        assert_eq!(
            parts,
            [
                ("Help ".to_owned(), false),
                ("Kim ⟦x: y :x⟧".to_owned(), true),
                (", kindly. ⟦ is no fence".to_owned(), false),
            ]
        );
        assert!(pieces("").is_empty());
    }
}

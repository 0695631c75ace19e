//! What is wrong with a token, step by step; and what a check of an issuer found.

use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Issuer;
use crate::console::api::{Fault, encode};
use crate::console::frame::{Frame, page};
use crate::console::parts::{Faults, Listed, words_of};
use crate::console::said::{self, Said, Wrong};
use crate::console::texts::Texts;
use crate::console::visit::{Answer, Form, Signed};

/// What a check of an issuer found.
#[derive(Debug, Deserialize)]
pub struct Check {
    pub good: bool,
    #[serde(default)]
    pub keys: Vec<Key>,
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    #[serde(default)]
    pub offered: Vec<String>,
    #[serde(default)]
    problems: Vec<Fault>,
    #[serde(default)]
    pub notes: Vec<String>,
    #[serde(default)]
    pub token: Option<Judgement>,
}

impl Check {
    /// Problems that the steps of the token do not say.
    pub fn problems_beside_the_token(&self) -> Vec<&Fault> {
        let problems = self.problems.iter();
        problems
            .filter(|problem| self.token.is_none() || problem.pointer != "/sampleToken")
            .collect()
    }
}

#[derive(Debug, Deserialize)]
pub struct Key {
    #[serde(default)]
    pub kid: Option<String>,
    pub algorithm: String,
}

#[derive(Debug, Deserialize)]
pub struct Skipped {
    pub index: u64,
    #[serde(default)]
    pub kid: Option<String>,
    pub reason: String,
}

/// What would become of a token.
#[derive(Debug, Deserialize)]
pub struct Judgement {
    pub accepted: bool,
    #[serde(default)]
    pub steps: Vec<Step>,
    #[serde(default)]
    pub subject: Option<String>,
    #[serde(default)]
    facts: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
pub struct Step {
    pub name: String,
    #[serde(default)]
    pub passed: Option<bool>,
    message: String,
    #[serde(flatten)]
    wrong: Wrong,
}

impl Step {
    /// What was found, for people. Of what is right, the API says in English what it is; other languages say that it is right.
    pub fn said(&self, texts: Texts) -> Said {
        // Facts are judged only where the token is accepted, and stand below in any case.
        let is_right = self.passed.unwrap_or(self.name == "facts");
        let name = format!("step-{}-right", self.name);
        match texts.find(&name) {
            Some(text) if is_right && !texts.is_english() => Said {
                text,
                is_foreign: false,
            },
            _ => said::by_code(texts, &self.wrong, &self.message),
        }
    }
}

impl Judgement {
    /// What the gateway learns of the user.
    pub fn facts(&self) -> Vec<(&str, String)> {
        let facts = self.facts.iter().flatten();
        facts
            .map(|(name, value)| (name.as_str(), words_of(value)))
            .collect()
    }
}

#[derive(Debug, Template)]
#[template(path = "issuers/check.html")]
struct CheckPage {
    frame: Frame,
    issuers: Vec<Issuer>,
    chosen: String,
    token: String,
    check: Option<Check>,
    faults: Faults,
}

/// The form for a token.
pub async fn show(signed: Signed) -> Answer {
    let chosen = signed.parameter("issuer").unwrap_or_default();
    render(&signed, chosen, String::new(), None, Faults::default()).await
}

async fn render(
    signed: &Signed,
    chosen: String,
    token: String,
    check: Option<Check>,
    faults: Faults,
) -> Answer {
    let list: Listed<Issuer> = signed.api.get("/v1/admin/issuers").await?;
    Ok(page(&CheckPage {
        frame: Frame::new(signed, signed.texts.say("token-check")),
        issuers: list.items,
        chosen,
        token,
        check,
        faults,
    }))
}

/// Judges a token.
pub async fn judge(signed: Signed, form: Form) -> Answer {
    let (chosen, token) = (form.get("issuer").to_owned(), form.get("token").trim());
    let path = format!("/v1/admin/issuers/{}:check", encode(&chosen));
    let sample = json!({ "sampleToken": token });
    let (check, faults) = match signed.api.post(&path, &sample).await {
        Ok(check) => (Some(check), Faults::default()),
        Err(refused) if matches!(refused.status, 404 | 422 | 429) => (None, refused.into()),
        Err(refused) => return Err(refused),
    };
    render(&signed, chosen, token.to_owned(), check, faults).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_in_the_language_of_the_page() {
        let step = |found: Value| -> Step { serde_json::from_value(found).unwrap() };
        let right = step(json!({ "name": "time", "passed": true, "message": "is good now" }));
        let wrong = step(json!({
            "name": "subject", "passed": false, "message": "sub is missing, or no text", "code": "subject_missing",
        }));
        let untold = step(json!({ "name": "key", "passed": false, "message": "odd" }));
        let unjudged = step(json!({ "name": "introspection", "message": "could not be judged" }));
        let facts = step(json!({ "name": "facts", "message": "were it accepted: 4 taken" }));
        let german = Texts::tagged("de");
        for (step, text, is_foreign) in [
            (&right, "gilt gerade", false),
            (&wrong, "sub fehlt oder ist kein Text", false),
            (&untold, "odd", true),
            (&unjudged, "could not be judged", true),
            (&facts, "stehen unten", false),
        ] {
            let said = step.said(german);
            assert_eq!((said.text.as_str(), said.is_foreign), (text, is_foreign));
        }
        assert_eq!(right.said(Texts::default()).text, "is good now");
    }
}

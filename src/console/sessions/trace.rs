//! The explanation of a decision as the API gives it, and a rule's clauses in words.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Timelike};
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::Value;

use crate::console::contexts::words;
use crate::console::parts::words_of;
use crate::console::said::{Said, english};
use crate::console::texts::Texts;
use crate::domain::rules::WEEKDAYS;

/// Why a user got what they got.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Trace {
    pub context: Versioned,
    /// How the request named the context.
    pub context_found: String,
    pub rules: Vec<Rule>,
    pub split: Option<Split>,
    pub persona: Versioned,
    pub rollouts: Vec<Rollout>,
    /// For each field that was sent: who won.
    pub fields: BTreeMap<String, String>,
    pub passed_over: Vec<PassedOver>,
    pub notes: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Versioned {
    pub key: String,
    pub version: i32,
}

/// A rule that was tried.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    pub rule: String,
    #[serde(default)]
    pub failed_clause: Option<usize>,
    #[serde(default)]
    pub failed_attribute: Option<String>,
    #[serde(default)]
    remarks: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub struct Split {
    pub arm: usize,
    pub weights: u64,
}

#[derive(Debug, Deserialize)]
pub struct Rollout {
    pub kind: String,
    pub key: String,
    pub version: i32,
    pub percent: u8,
    pub included: bool,
}

#[derive(Debug, Deserialize)]
pub struct PassedOver {
    pub field: String,
    pub reason: String,
}

/// A rule, for people: what it wants, and where it failed.
#[derive(Debug)]
pub struct RuleExplained {
    pub name: String,
    pub held: bool,
    /// Of the clause that failed, where the context's version is still there.
    pub operator: Option<String>,
    /// What that clause wanted.
    pub wanted: String,
    pub attribute: String,
    /// The attribute's name for people.
    pub called: String,
    /// What this user, page or moment had in its place; `None` where that is not kept.
    pub had: Option<String>,
    pub remark: Option<Said>,
}

/// What is known of a session when its rules are told.
#[derive(Debug)]
pub struct SessionFacts<'a> {
    pub texts: Texts,
    /// What user and page brought along, where it is kept.
    pub inputs: Option<&'a Value>,
    /// When it began, in the zone of the tenant's rules.
    pub at: Option<DateTime<Tz>>,
}

/// One clause of a rule.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Clause {
    pub attribute: String,
    pub operator: String,
    values: Vec<Value>,
}

impl Clause {
    /// With what it compares.
    pub fn values(&self, texts: Texts) -> String {
        let values = self.values.iter().map(words_of);
        let values: Vec<String> = values
            .map(|value| words::value(texts, &self.attribute, &value))
            .collect();
        values.join(", ")
    }
}

/// What of a context's content a trace needs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ContextContent {
    rules: Vec<RuleContent>,
    /// The persona of those for whom no rule holds, or how it is drawn.
    default: Value,
}

impl ContextContent {
    /// Whether everybody gets this persona.
    pub fn gives_only(&self, persona: &str) -> bool {
        self.rules.is_empty() && self.default == persona
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RuleContent {
    name: String,
    when: Vec<Clause>,
}

impl Trace {
    /// The rules in the order in which they were tried, with what the context's version and the session's inputs say of them.
    pub fn explained(
        &self,
        content: &ContextContent,
        known: &SessionFacts<'_>,
    ) -> Vec<RuleExplained> {
        let rules = self.rules.iter().map(|rule| {
            let written = content.rules.iter().find(|one| one.name == rule.rule);
            let clause = rule
                .failed_clause
                .and_then(|at| written?.when.get(at).cloned());
            let attribute = rule.failed_attribute.clone().unwrap_or_default();
            let remark = rule
                .failed_clause
                .and_then(|at| rule.remarks.get(&at.to_string()));
            let texts = known.texts;
            RuleExplained {
                name: rule.rule.clone(),
                held: rule.failed_clause.is_none(),
                operator: clause.as_ref().map(|clause| clause.operator.clone()),
                wanted: clause.map_or_else(String::new, |clause| clause.values(texts)),
                had: known.had(&attribute),
                called: words::attribute(texts, &attribute),
                attribute,
                remark: remark.map(|remark| said_remark(texts, remark)),
            }
        });
        rules.collect()
    }

    /// Whether a rule decided, and not the context's default.
    pub fn by_rule(&self) -> Option<&str> {
        let rule = self.rules.last()?;
        rule.failed_clause.is_none().then_some(rule.rule.as_str())
    }
}

impl SessionFacts<'_> {
    /// What there was for an attribute. The empty text is for what is absent.
    fn had(&self, attribute: &str) -> Option<String> {
        let (root, path) = attribute.split_once('.')?;
        let text = match root {
            "time" => self.time(path)?,
            _ => self.brought(root, path)?,
        };
        Some(words::value(self.texts, attribute, &text))
    }

    fn brought(&self, root: &str, path: &str) -> Option<String> {
        let root = match root {
            "user" => "facts",
            "preferences" | "metadata" => root,
            _ => return None,
        };
        let found = path
            .split('.')
            .try_fold(self.inputs?.get(root)?, |value, name| value.get(name));
        Some(found.map_or_else(String::new, words_of))
    }

    /// What the clock of the tenant's rules showed.
    fn time(&self, part: &str) -> Option<String> {
        let at = self.at?;
        match part {
            "hour" => Some(at.hour().to_string()),
            "weekday" => {
                let since_monday = usize::try_from(at.weekday().num_days_from_monday()).ok()?;
                WEEKDAYS.get(since_monday).map(|day| (*day).to_owned())
            }
            "date" => Some(at.format("%Y-%m-%d").to_string()),
            "time" => Some(at.format("%H:%M").to_string()),
            _ => None,
        }
    }
}

/// What a remark of the rules says, which is kept in English.
fn said_remark(texts: Texts, remark: &str) -> Said {
    let own = |text: String| Said {
        text,
        is_foreign: false,
    };
    let kind = |words: &str| match words {
        "a text" => texts.find("remark-text"),
        "a number" => texts.find("remark-number"),
        "true or false" => texts.find("remark-flag"),
        "a list" => texts.find("remark-list"),
        _ => None,
    };
    let compared = remark.split_once(" was compared with ");
    let kinds = compared.and_then(|(actual, value)| Some((kind(actual)?, kind(value)?)));
    match (remark, kinds) {
        ("it is absent", _) => own(texts.say("remark-absent")),
        (_, Some((actual, value))) => {
            own(texts.with_all("remark-kinds", &[("actual", &actual), ("value", &value)]))
        }
        _ => english(texts, remark),
    }
}

/// A setting that Anam was sent.
#[derive(Debug)]
pub struct Field {
    pub name: String,
    pub value: String,
    /// The name that people know it by: an avatar's, a voice's.
    pub known_as: Option<String>,
    pub winner: String,
}

impl Field {
    /// The name of the text for it, if there is one.
    pub fn text(&self) -> String {
        format!("setting-{}", self.name.replace('.', "-"))
    }
}

/// The settings with their values, as far as what was sent can be made again.
pub fn fields(trace: &Trace, sent: Option<&Value>) -> Vec<Field> {
    // Prompt, greeting and name are shown as what they are.
    let own = ["systemPrompt", "initialMessage", "name"];
    let fields = trace
        .fields
        .iter()
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .map(|(name, winner)| Field {
            value: sent
                .and_then(|sent| sent_value(sent, name))
                .unwrap_or_default(),
            known_as: None,
            name: name.clone(),
            winner: winner.clone(),
        });
    fields.collect()
}

fn sent_value(sent: &Value, name: &str) -> Option<String> {
    let (root, path) = match name.strip_prefix("sessionOptions.") {
        Some(path) => ("sessionOptions", path),
        None => ("personaConfig", name),
    };
    let value = path
        .split('.')
        .try_fold(sent.get(root)?, |value, part| value.get(part))?;
    Some(words_of(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_that_failed_says_what_it_wanted_and_what_there_was() {
        let trace: Trace = serde_json::from_value(json!({
            "contextFound": "byKey",
            "rules": [
                {"rule": "vip", "failedClause": 1, "failedAttribute": "user.plan", "remarks": {"1": "it is absent"}},
                {"rule": "all"},
            ],
            "fields": {"avatarId": "preference", "sessionOptions.videoQuality": "lock", "systemPrompt": "persona"},
        }))
        .unwrap_or_default();
        let content: ContextContent = serde_json::from_value(json!({
            "rules": [{"name": "vip", "when": [
                {"attribute": "metadata.a.b", "operator": "is_present"},
                {"attribute": "user.plan", "operator": "equals", "values": ["pro", 2]},
            ]}],
        }))
        .unwrap_or_default();
        let inputs = json!({"facts": {"plan": "free"}, "metadata": {"a": {"b": 1}}});
        let known = |texts| SessionFacts {
            texts,
            inputs: Some(&inputs),
            at: DateTime::parse_from_rfc3339("2026-12-05T23:30:00Z")
                .ok()
                .map(|at| at.with_timezone(&Tz::Europe__Berlin)),
        };
        let (english, german) = (known(Texts::tagged("en")), known(Texts::tagged("de")));
        let told = trace.explained(&content, &english);
        let first = told.first();
        assert_eq!(first.map(|rule| rule.wanted.as_str()), Some("pro, 2"));
        assert_eq!(
            first.and_then(|rule| rule.had.clone()).as_deref(),
            Some("free")
        );
        let remarks = [&english, &german].map(|known| {
            let told = trace.explained(&content, known).into_iter().next();
            told.and_then(|rule| rule.remark).map(|remark| remark.text)
        });
        assert_eq!(
            remarks,
            ["it is absent", "nichts davon ist da"].map(|text| Some(text.to_owned()))
        );
        let kinds = said_remark(german.texts, "a text was compared with a number");
        assert_eq!(
            (kinds.text.as_str(), kinds.is_foreign),
            ("nicht vergleichbar: Text mit Zahl", false)
        );
        assert_eq!(trace.by_rule(), Some("all"));
        for (attribute, had) in [
            ("metadata.a.b", Some("1")),
            ("metadata.a.c", Some("")),
            // In the tenant's zone it is the next day.
            ("time.weekday", Some("Sonntag")),
            ("time.hour", Some("0:00")),
            ("time.date", Some("2026-12-06")),
            ("context", None),
        ] {
            assert_eq!(german.had(attribute).as_deref(), had, "{attribute}");
        }

        let sent =
            json!({"personaConfig": {"avatarId": "x"}, "sessionOptions": {"videoQuality": "high"}});
        let fields = fields(&trace, Some(&sent));
        let values: Vec<_> = fields.iter().map(|field| field.value.as_str()).collect();
        assert_eq!(values, ["x", "high"]);
    }
}

//! What recent sessions say of a context: which rules decide, what a draft would change, and whether the kept tests pass.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::model::Model;
use super::view::Found;
use super::words;
use crate::console::api::{Api, Refused};
use crate::console::texts::Texts;

/// How many sessions are looked at.
const SESSIONS: usize = 500;

/// What the API says of recent sessions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Impact {
    pub considered: usize,
    pub changed: usize,
    pub oldest: Option<String>,
    pub kinds: Vec<Kind>,
    pub before: Vec<Reached>,
    pub after: Vec<Reached>,
}

impl Impact {
    /// With one kind for each pair of personas, whatever else differs.
    fn grouped(mut self) -> Self {
        let mut grouped: Vec<Kind> = Vec::new();
        for kind in self.kinds {
            let same = |other: &&mut Kind| {
                (other.from.words(), other.to.words()) == (kind.from.words(), kind.to.words())
            };
            match grouped.iter_mut().find(same) {
                Some(other) => other.count = other.count.saturating_add(kind.count),
                None => grouped.push(kind),
            }
        }
        grouped.sort_by_key(|kind| std::cmp::Reverse(kind.count));
        self.kinds = grouped;
        self
    }
}

#[derive(Debug, Deserialize)]
pub struct Kind {
    pub from: Given,
    pub to: Given,
    pub count: usize,
    #[serde(default)]
    pub sessions: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Given {
    pub persona: Option<String>,
    pub undecided: Option<String>,
}

impl Given {
    /// The persona, or why there is none.
    pub fn words(&self) -> &str {
        self.persona
            .as_deref()
            .or(self.undecided.as_deref())
            .unwrap_or_default()
    }
}

#[derive(Debug, Deserialize)]
pub struct Reached {
    pub context: String,
    pub rule: Option<usize>,
    pub arm: Option<usize>,
    pub count: usize,
}

/// How often a rule decides.
#[derive(Debug)]
pub struct Use {
    pub text: String,
    pub persona: String,
    pub count: usize,
    pub share: String,
    /// Of a hundred, for the bar.
    pub width: String,
}

/// What recent sessions say.
#[derive(Debug)]
pub struct Watch {
    pub impact: Impact,
    pub uses: Vec<Use>,
    /// Rules that decided no session.
    pub idle: Vec<String>,
    /// Whether what is shown is not what is live.
    pub is_change: bool,
    /// How many sessions the change reaches, in words.
    pub changed: String,
}

/// Decides the recent sessions of a context again, with this content in place.
pub async fn ask(api: &Api, key: &str, content: &Map<String, Value>) -> Result<Impact, Refused> {
    let used = json!([{ "kind": "context", "key": key, "content": content }]);
    let asked = json!({ "use": used, "context": key, "sessions": SESSIONS });
    api.post("/v1/admin/impact", &asked).await
}

impl Watch {
    pub fn new(texts: Texts, key: &str, model: &Model, impact: Impact, is_change: bool) -> Self {
        let impact = impact.grouped();
        let own = |reached: &&Reached| reached.context == key;
        let part = |count: usize| {
            let whole = impact.considered.max(1);
            let thousandths = count
                .saturating_mul(1000)
                .saturating_add(whole / 2)
                .checked_div(whole)
                .unwrap_or_default();
            format!("{}.{}", thousandths / 10, thousandths % 10)
        };
        let count_of = |rule: Option<usize>, arm: Option<usize>| -> usize {
            let fits = |reached: &&Reached| (reached.rule, reached.arm) == (rule, arm);
            impact
                .after
                .iter()
                .filter(own)
                .filter(fits)
                .map(|reached| reached.count)
                .sum()
        };
        let mut uses = Vec::new();
        let mut idle = Vec::new();
        let rules = model
            .rules
            .iter()
            .enumerate()
            .map(|(at, rule)| (Some(at), words::when(texts, rule), &rule.then));
        for (rule, text, target) in
            rules.chain([(None, texts.say("cx-rule-nobody-else"), &model.default)])
        {
            let mut arms = vec![(None, &target.persona)];
            if !target.arms.is_empty() {
                let split = target.arms.iter().enumerate();
                arms = split.map(|(at, arm)| (Some(at), &arm.persona)).collect();
            }
            let total: usize = arms.iter().map(|(arm, _)| count_of(rule, *arm)).sum();
            if total == 0 && rule.is_some() {
                idle.push(text.clone());
            }
            for (arm, persona) in arms {
                let count = count_of(rule, arm);
                uses.push(Use {
                    text: text.clone(),
                    persona: persona.clone(),
                    count,
                    share: format!("{}\u{a0}%", part(count)),
                    width: part(count),
                });
            }
        }
        Self {
            uses,
            idle,
            is_change,
            changed: texts.with_all(
                "cx-watch-changed",
                &[
                    ("changed", &impact.changed.to_string()),
                    ("considered", &impact.considered.to_string()),
                ],
            ),
            impact,
        }
    }
}

/// A test that is kept with the context.
#[derive(Debug)]
pub struct KeptTest {
    pub name: String,
    /// Why it fails; empty where it passes.
    pub failures: Vec<String>,
    pub persona: String,
}

/// The kept tests with what was found in them, which is taken out of what was found. `None` for the results where nothing was run.
pub fn tests(content: &Map<String, Value>, found: &mut Vec<Found>) -> Vec<KeptTest> {
    let tests = content
        .get("tests")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate();
    let tests = tests.map(|(at, test)| {
        let place = format!("/tests/{at}");
        let own = |found: &mut Found| {
            found
                .pointer
                .strip_prefix(&place)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let text =
            |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        KeptTest {
            name: text(test.get("name")),
            persona: text(test.pointer("/expect/persona")),
            failures: found.extract_if(.., own).map(|found| found.text).collect(),
        }
    });
    tests.collect()
}

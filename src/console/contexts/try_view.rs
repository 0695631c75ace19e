//! The fields of "try it": a user, what is known of them, what the page sends, and when.

use super::known::KnownAttribute;
use super::model::Model;
use super::try_it::{Asked, value_in_words};
use super::view::{Choice, Group};
use super::words;
use crate::console::choices::{RecentUser, Sample};
use crate::console::texts::Texts;

#[derive(Debug)]
pub struct TryField {
    pub name: String,
    pub label: String,
    pub value: String,
    /// What is used where nothing is typed.
    pub hint: String,
    /// The only values; a list to choose from.
    pub choices: Vec<Choice>,
    pub suggestions: Vec<String>,
}

/// The panel.
#[derive(Debug)]
pub struct TryView {
    pub users: Vec<Group>,
    pub facts: Vec<TryField>,
    pub metadata: Vec<TryField>,
    pub at: String,
    pub zone: String,
}

/// How a rule came out.
impl TryView {
    pub fn new(
        texts: Texts,
        model: &Model,
        known: &[KnownAttribute],
        samples: &[Sample],
        recent: &[RecentUser],
        asked: &Asked,
        zone: &str,
    ) -> Self {
        let person = samples
            .iter()
            .find(|sample| asked.user == format!("sample:{}", sample.key));
        let mut looked_at: Vec<&str> = Vec::new();
        for clause in model.rules.iter().flat_map(|rule| &rule.clauses) {
            let is_of_user = clause.attribute.starts_with("user.")
                || clause.attribute.starts_with("preferences.");
            if is_of_user && !looked_at.contains(&clause.attribute.as_str()) {
                looked_at.push(&clause.attribute);
            }
        }
        let typed = |list: &[(String, String)], name: &str| {
            list.iter()
                .find(|(own, _)| own == name)
                .map(|(_, value)| value.clone())
                .unwrap_or_default()
        };
        let facts = looked_at.into_iter().map(|attribute| {
            let one = known.iter().find(|known| known.attribute == attribute);
            let (source, name) = attribute.split_once('.').unwrap_or_default();
            let own = person.and_then(|person| {
                if source == "preferences" {
                    person.preferences.get(name)
                } else {
                    person.facts.get(name)
                }
            });
            let used = model
                .rules
                .iter()
                .flat_map(|rule| &rule.clauses)
                .filter(|clause| clause.attribute == attribute)
                .flat_map(|clause| &clause.values);
            let mut suggestions = one.map(|known| known.values.clone()).unwrap_or_default();
            for value in used {
                if !suggestions.contains(value) {
                    suggestions.push(value.clone());
                }
            }
            TryField {
                name: format!("try.fact.{attribute}"),
                label: words::attribute(texts, attribute),
                value: typed(&asked.facts, attribute),
                hint: own
                    .map(|value| value_in_words(texts, value))
                    .unwrap_or_default(),
                choices: Vec::new(),
                suggestions,
            }
        });
        let facts = facts.collect();
        let rows = model
            .schema
            .fields
            .iter()
            .filter(|field| !field.name.is_empty());
        let metadata = rows.map(|field| {
            let value = typed(&asked.metadata, &field.name);
            let mut values = field.choices();
            if field.kind == "boolean" {
                values = vec!["true".to_owned(), "false".to_owned()];
            }
            TryField {
                name: format!("try.meta.{}", field.name),
                label: field.name.clone(),
                hint: field.sample.clone(),
                choices: values
                    .into_iter()
                    .map(|own| Choice {
                        text: words::value(texts, "", &own),
                        is_chosen: own == value,
                        value: own,
                    })
                    .collect(),
                value,
                suggestions: Vec::new(),
            }
        });
        Self {
            metadata: metadata.collect(),
            facts,
            users: users(texts, samples, recent, &asked.user),
            at: asked.at.clone(),
            zone: zone.to_owned(),
        }
    }
}

fn users(texts: Texts, samples: &[Sample], recent: &[RecentUser], chosen: &str) -> Vec<Group> {
    let choice = |value: String, text: String| Choice {
        is_chosen: value == chosen,
        value,
        text,
    };
    let samples = samples.iter().map(|sample| {
        let about = if sample.description.is_empty() {
            sample.key.clone()
        } else {
            format!("{} – {}", sample.key, sample.description)
        };
        choice(format!("sample:{}", sample.key), about)
    });
    let recent = recent.iter().map(|user| {
        choice(
            format!("session:{}", user.session),
            format!("{} – {}", user.called(), user.persona),
        )
    });
    let groups = [
        Group {
            text: texts.say("cx-try-samples"),
            choices: samples.collect(),
        },
        Group {
            text: texts.say("cx-try-recent"),
            choices: recent.take(15).collect(),
        },
    ];
    groups
        .into_iter()
        .filter(|group| !group.choices.is_empty())
        .collect()
}

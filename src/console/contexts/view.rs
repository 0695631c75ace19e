//! The form as its template shows it: what each field offers, and what was found beside it.

use serde_json::Value;

use super::fields::Slip;
use super::known::{KnownAttribute, Source, operators};
use super::model::Model;
use super::rule::{ClauseForm, OTHER, Reading, RuleForm};
use super::schema::{FieldForm, TYPES, UNSHOWN, state};
use super::target::TargetForm;
use super::words;
use crate::console::findings::Finding;
use crate::console::texts::Texts;
use crate::domain::fault::step;

/// Something found, beside the field that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub pointer: String,
    pub is_error: bool,
    pub text: String,
}

/// A choice of a list.
#[derive(Debug)]
pub struct Choice {
    pub value: String,
    pub text: String,
    pub is_chosen: bool,
}

#[derive(Debug)]
pub struct Group {
    pub text: String,
    pub choices: Vec<Choice>,
}

/// How the values of a clause are chosen.
#[derive(Debug, PartialEq, Eq)]
pub enum Values {
    None,
    /// Boxes to tick.
    Boxes,
    /// From and until.
    Between,
    /// Fields, with one more than there are values.
    Fields,
}

#[derive(Debug)]
pub struct ClauseView {
    pub id: String,
    pub number: usize,
    pub groups: Vec<Group>,
    /// What was typed in as another attribute; `None` where one of the list is chosen.
    pub other: Option<String>,
    pub was: String,
    pub operators: Vec<Choice>,
    /// How values may be read; empty where that is known.
    pub readings: Vec<Choice>,
    pub reading: &'static str,
    pub values: Values,
    /// Boxes, or suggestions.
    pub choices: Vec<Choice>,
    pub typed: Vec<String>,
    pub sentence: String,
    pub raw: Option<String>,
    pub found: Vec<Found>,
}

#[derive(Debug)]
pub struct ArmView {
    pub number: usize,
    pub personas: Vec<Choice>,
    pub weight: String,
    pub share: String,
    /// Where its part of the bar begins and how wide it is, of a hundred.
    pub bar: (String, String),
    pub persona: String,
}

#[derive(Debug)]
pub struct TargetView {
    pub id: String,
    /// What its buttons name it: `r0`, `d`.
    pub owner: String,
    /// Where the page goes after one.
    pub anchor: String,
    pub personas: Vec<Choice>,
    pub arms: Vec<ArmView>,
    pub is_plain: bool,
    pub raw: Option<String>,
    pub sentence: String,
    pub found: Vec<Found>,
}

#[derive(Debug)]
pub struct RuleView {
    pub at: usize,
    pub number: usize,
    pub is_open: bool,
    pub name: String,
    pub own_name: String,
    pub when: String,
    pub clauses: Vec<ClauseView>,
    pub then: TargetView,
    pub raw: Option<String>,
    pub found: Vec<Found>,
    /// Whether the worst that was found in it is an error; `None` where nothing was.
    pub worst: Option<bool>,
}

#[derive(Debug)]
pub struct FieldView {
    pub at: usize,
    pub form: FieldForm,
    pub kinds: Vec<Choice>,
    pub schema: String,
    pub found: Vec<Found>,
}

impl FieldView {
    pub fn is_unshown(&self) -> bool {
        self.form.kind == UNSHOWN
    }
}

#[derive(Debug)]
pub struct SchemaView {
    pub fields: Vec<FieldView>,
    pub is_open: bool,
    pub rest: String,
    pub text: String,
    pub state: String,
    pub is_text_only: bool,
    pub found: Vec<Found>,
}

/// The whole form.
#[derive(Debug)]
pub struct View {
    pub description: String,
    pub description_found: Vec<Found>,
    pub aliases: String,
    pub aliases_found: Vec<Found>,
    pub default: TargetView,
    pub schema: SchemaView,
    pub rules: Vec<RuleView>,
    pub was: String,
    /// What belongs to no field.
    pub found: Vec<Found>,
    pub errors: usize,
}

/// What fields need to know.
#[derive(Debug, Clone, Copy)]
pub struct Offers<'a> {
    pub texts: Texts,
    pub known: &'a [KnownAttribute],
    pub personas: &'a [String],
}

/// What was found, each handed to the first part that asks for its place.
struct Pool(Vec<Found>);

impl Pool {
    fn take(&mut self, place: &str) -> Vec<Found> {
        let inside = |found: &mut Found| {
            found
                .pointer
                .strip_prefix(place)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.0.extract_if(.., inside).collect()
    }
}

impl Found {
    /// What the API found, for people.
    pub fn new(texts: Texts, finding: Finding) -> Self {
        Self {
            is_error: finding.is_error(),
            text: finding.words(texts).text,
            pointer: finding.pointer,
        }
    }
}

/// What must be put right before it can be tried or saved, in words.
pub fn found_slips(texts: Texts, slips: &[Slip]) -> Vec<Found> {
    let found = slips.iter().map(|slip| Found {
        pointer: slip.pointer.clone(),
        is_error: true,
        text: texts.say(slip.text),
    });
    found.collect()
}

impl View {
    pub fn new(offers: Offers<'_>, model: &Model, found: Vec<Found>) -> Self {
        let errors = found.iter().filter(|found| found.is_error).count();
        let mut pool = Pool(found);
        let rules = model
            .rules
            .iter()
            .enumerate()
            .map(|(at, rule)| rule_view(offers, rule, at, &mut pool));
        let rules = rules.collect();
        Self {
            description: model.description.clone(),
            description_found: pool.take("/description"),
            aliases: model.aliases.clone(),
            aliases_found: pool.take("/aliases"),
            default: target_view(
                offers,
                &model.default,
                "d",
                "d",
                "default",
                pool.take("/default"),
            ),
            schema: schema_view(offers.texts, model, &mut pool),
            rules,
            was: Value::Object(model.was.clone()).to_string(),
            found: pool.0,
            errors,
        }
    }
}

fn schema_view(texts: Texts, model: &Model, pool: &mut Pool) -> SchemaView {
    let schema = &model.schema;
    let fields = schema
        .fields
        .iter()
        .enumerate()
        .map(|(at, form)| FieldView {
            at,
            kinds: TYPES
                .iter()
                .map(|&kind| {
                    choice(
                        kind,
                        texts.say(&format!("cx-type-{kind}")),
                        form.kind == kind,
                    )
                })
                .collect(),
            schema: form.was.to_string(),
            found: pool.take(&format!("/metadata/properties{}", step(&form.name))),
            form: form.clone(),
        });
    let fields = fields.collect();
    let text = schema.shown_text();
    SchemaView {
        fields,
        is_open: schema.is_open,
        rest: schema.rest.to_string(),
        state: state(&text),
        text,
        is_text_only: schema.text.is_some(),
        found: pool.take("/metadata"),
    }
}

fn rule_view(offers: Offers<'_>, rule: &RuleForm, at: usize, pool: &mut Pool) -> RuleView {
    let texts = offers.texts;
    let id = format!("r{at}");
    let inside = pool.take(&format!("/rules/{at}"));
    let worst = inside.iter().map(|found| found.is_error).max();
    let mut inside = Pool(inside);
    let clauses = rule.clauses.iter().enumerate().map(|(clause, form)| {
        let found = inside.take(&format!("/rules/{at}/when/{clause}"));
        clause_view(offers, form, format!("{id}.c{clause}"), clause, found)
    });
    let clauses = clauses.collect();
    let then = target_view(
        offers,
        &rule.then,
        &format!("{id}.t"),
        &id,
        &id,
        inside.take(&format!("/rules/{at}/then")),
    );
    RuleView {
        at,
        number: at.saturating_add(1),
        is_open: rule.is_open || worst == Some(true),
        own_name: words::condition(texts, rule),
        name: rule.name.clone(),
        when: words::when(texts, rule),
        clauses,
        then,
        raw: rule.raw.clone(),
        found: inside.0,
        worst,
    }
}

fn clause_view(
    offers: Offers<'_>,
    clause: &ClauseForm,
    id: String,
    at: usize,
    found: Vec<Found>,
) -> ClauseView {
    let texts = offers.texts;
    let known = offers
        .known
        .iter()
        .find(|known| known.attribute == clause.attribute);
    let mut suit = operators(known, clause.reading);
    if let Some(own) = super::rule::OPERATORS
        .iter()
        .find(|own| **own == clause.operator)
        && !suit.contains(own)
    {
        suit.push(own);
    }
    let values = match clause.operator.as_str() {
        _ if !clause.takes_values() => Values::None,
        "between" => Values::Between,
        "equals" | "not_equals" if known.is_some_and(KnownAttribute::has_boxes) => Values::Boxes,
        _ => Values::Fields,
    };
    let mut choices: Vec<Choice> = Vec::new();
    let mut offer = |value: &str| {
        let is_chosen = clause.values.iter().any(|own| own == value);
        if !choices.iter().any(|choice| choice.value == value) {
            choices.push(choice(
                value,
                words::value(texts, &clause.attribute, value),
                is_chosen,
            ));
        }
    };
    known
        .into_iter()
        .flat_map(|known| &known.values)
        .for_each(|value| offer(value));
    if clause.reading == Reading::Flag {
        offer("true");
        offer("false");
    }
    // Values that are there and that nobody knows keep their boxes.
    if values == Values::Boxes {
        clause.values.iter().for_each(|value| offer(value));
    }
    let is_fixed = known.is_some_and(|known| {
        known.source == Source::Time
            || known.is_closed
            || matches!(known.reading, Some(Reading::Number | Reading::Flag))
    });
    let fits_fixed = known.is_some_and(|known| known.reading == Some(clause.reading));
    let readings = Reading::ALL.into_iter().map(|reading| {
        choice(
            reading.name(),
            texts.say(&format!("cx-reading-{}", reading.name())),
            reading == clause.reading,
        )
    });
    ClauseView {
        id,
        number: at.saturating_add(1),
        groups: groups(offers, &clause.attribute),
        other: (known.is_none() && !clause.attribute.is_empty()).then(|| {
            if clause.attribute == OTHER {
                String::new()
            } else {
                clause.attribute.clone()
            }
        }),
        was: clause.was.clone(),
        operators: suit
            .into_iter()
            .map(|name| {
                choice(
                    name,
                    texts.say(&format!("cx-operator-{}", name.replace('_', "-"))),
                    name == clause.operator,
                )
            })
            .collect(),
        readings: if is_fixed && fits_fixed || !clause.takes_values() || clause.attribute.is_empty()
        {
            Vec::new()
        } else {
            readings.collect()
        },
        reading: clause.reading.name(),
        values,
        choices,
        typed: clause.values.clone(),
        sentence: words::clause(texts, clause),
        raw: clause.raw.clone(),
        found,
    }
}

fn groups(offers: Offers<'_>, chosen: &str) -> Vec<Group> {
    let of = |source: Source| {
        let known = offers
            .known
            .iter()
            .filter(move |known| known.source == source);
        known.map(|known| {
            choice(
                &known.attribute,
                words::attribute(offers.texts, &known.attribute),
                known.attribute == chosen,
            )
        })
    };
    let groups = Source::ALL.into_iter().map(|source| Group {
        text: offers.texts.say(&format!("cx-source-{}", source.name())),
        choices: of(source).collect(),
    });
    groups.filter(|group| !group.choices.is_empty()).collect()
}

fn target_view(
    offers: Offers<'_>,
    target: &TargetForm,
    id: &str,
    owner: &str,
    anchor: &str,
    found: Vec<Found>,
) -> TargetView {
    let mut begins = 0.0;
    let arms = target
        .arms
        .iter()
        .zip(target.shares())
        .enumerate()
        .map(|(at, (arm, share))| {
            let bar = (format!("{begins:.2}"), format!("{share:.2}"));
            begins += share;
            ArmView {
                number: at.saturating_add(1),
                personas: personas(offers, &arm.persona),
                weight: arm.weight.clone(),
                share: format!("{}\u{a0}%", offers.texts.decimal(share)),
                bar,
                persona: arm.persona.clone(),
            }
        });
    let arms = arms.collect();
    TargetView {
        id: id.to_owned(),
        owner: owner.to_owned(),
        anchor: anchor.to_owned(),
        personas: personas(offers, &target.persona),
        arms,
        is_plain: target.is_plain,
        raw: target.raw.clone(),
        sentence: words::target(offers.texts, target),
        found,
    }
}

/// The personas to choose from, with one that is chosen and not there.
fn personas(offers: Offers<'_>, chosen: &str) -> Vec<Choice> {
    let mut choices: Vec<Choice> = offers
        .personas
        .iter()
        .map(|key| choice(key, key.clone(), key == chosen))
        .collect();
    if !chosen.is_empty() && !choices.iter().any(|choice| choice.is_chosen) {
        choices.push(choice(
            chosen,
            offers
                .texts
                .with("cx-persona-not-there", "key", chosen.to_owned()),
            true,
        ));
    }
    choices
}

fn choice(value: &str, text: String, is_chosen: bool) -> Choice {
    Choice {
        value: value.to_owned(),
        text,
        is_chosen,
    }
}

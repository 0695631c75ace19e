//! Which values an attribute can have, as far as the clock, the policy, the catalogue and the schema of the metadata tell.

use serde_json::Value;

use super::clock::Clock;
use super::schema::{self, PathLookup};
use crate::domain::caller::Fact;
use crate::domain::catalogue::Catalogue;
use crate::domain::decimal::Decimal;
use crate::domain::policy::Policy;
use crate::domain::preferences::{PreferenceField, Standard, StandardForm};
use crate::domain::rules::WEEKDAYS;
use crate::domain::settings::Form;

/// Values listed in a message.
const MAX_LISTED: usize = 20;

/// The values that an attribute may have.
#[derive(Debug, Clone)]
pub(super) struct Values {
    /// There may be none.
    pub(super) absent: bool,
    pub(super) flags: Vec<bool>,
    pub(super) numbers: Numbers,
    pub(super) texts: Texts,
    pub(super) lists: Lists,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Numbers {
    None,
    /// Ends that are not there are open.
    Range {
        min: Option<Decimal>,
        max: Option<Decimal>,
        whole: bool,
    },
    OneOf(Vec<Decimal>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Texts {
    None,
    Any,
    /// Of the clock: days or times.
    Of(Clock),
    OneOf(Vec<String>),
}

#[derive(Debug, Clone)]
pub(super) enum Lists {
    None,
    /// Of anything.
    Any,
    /// Whose items are of these.
    Of(Box<Values>),
}

impl Values {
    /// Of an attribute about which nothing is known.
    pub(super) fn any() -> Self {
        Self {
            absent: true,
            flags: vec![false, true],
            numbers: Numbers::Range {
                min: None,
                max: None,
                whole: false,
            },
            texts: Texts::Any,
            lists: Lists::Any,
        }
    }

    pub(super) fn none() -> Self {
        Self {
            absent: false,
            flags: Vec::new(),
            numbers: Numbers::None,
            texts: Texts::None,
            lists: Lists::None,
        }
    }

    /// Of an attribute, as far as is known.
    pub(super) fn of_attribute(
        attribute: &str,
        policy: &Policy,
        catalogue: &Catalogue,
        metadata: Option<&Value>,
    ) -> Self {
        match attribute.split_once('.') {
            Some(("time", name)) => Self::of_time(name),
            Some(("preferences", name)) => Self::of_preference(name, policy, catalogue),
            Some(("metadata", path)) => metadata.map_or_else(Self::any, |root| {
                let steps: Vec<&str> = path.split('.').collect();
                match schema::lookup(root, &steps) {
                    PathLookup::Declared { schema, certain } => {
                        let mut values = Self::of_schema(root, schema);
                        values.absent |= !certain;
                        values
                    }
                    PathLookup::Open | PathLookup::Closed => Self::any(),
                }
            }),
            _ => Self::any(),
        }
    }

    fn of_time(name: &str) -> Self {
        let none = Self::none();
        match name {
            "hour" => Self {
                numbers: Numbers::Range {
                    min: Some(Decimal::ZERO),
                    max: Some(23_u32.into()),
                    whole: true,
                },
                ..none
            },
            "weekday" => Self {
                texts: Texts::OneOf(WEEKDAYS.map(str::to_owned).into()),
                ..none
            },
            "date" => Self {
                texts: Texts::Of(Clock::Days),
                ..none
            },
            "time" => Self {
                texts: Texts::Of(Clock::Minutes),
                ..none
            },
            _ => Self::any(),
        }
    }

    fn of_preference(name: &str, policy: &Policy, catalogue: &Catalogue) -> Self {
        let chosen = Self {
            absent: true,
            ..Self::none()
        };
        match policy.preference_fields.get(name) {
            Some(PreferenceField::Choice(choices)) => Self {
                texts: Texts::OneOf(choices.clone()),
                ..chosen
            },
            Some(PreferenceField::Text { .. }) => Self {
                texts: Texts::Any,
                ..chosen
            },
            Some(PreferenceField::Flag) => Self {
                flags: vec![false, true],
                ..chosen
            },
            Some(PreferenceField::Number { min, max }) => Self {
                numbers: Numbers::Range {
                    min: Some(*min),
                    max: Some(*max),
                    whole: false,
                },
                ..chosen
            },
            None => match Standard::named(name).map(|standard| standard.form) {
                Some(StandardForm::Setting(setting)) => match setting.catalogue {
                    Some(kind) => {
                        let ids = catalogue.entries(kind).iter().map(|entry| entry.id.clone());
                        Self {
                            texts: Texts::OneOf(ids.collect()),
                            ..chosen
                        }
                    }
                    None => Self::of_form(&setting.form, chosen),
                },
                Some(StandardForm::Prompt(_) | StandardForm::Line(_)) => Self {
                    texts: Texts::Any,
                    ..chosen
                },
                None => Self::any(),
            },
        }
    }

    /// What a setting without a catalogue can be, beside what `none` says.
    fn of_form(form: &Form, none: Self) -> Self {
        match form {
            Form::Flag => Self {
                flags: vec![false, true],
                ..none
            },
            Form::Whole(range) => Self {
                numbers: Numbers::Range {
                    min: Some((*range.start()).into()),
                    max: Some((*range.end()).into()),
                    whole: true,
                },
                ..none
            },
            Form::Number(range) => Self {
                numbers: Numbers::Range {
                    min: Decimal::from_f64(*range.start()),
                    max: Decimal::from_f64(*range.end()),
                    whole: false,
                },
                ..none
            },
            Form::WholeOf(numbers) => Self {
                numbers: Numbers::OneOf(numbers.iter().map(|number| (*number).into()).collect()),
                ..none
            },
            Form::OneOf(names) => Self {
                texts: Texts::OneOf(names().iter().map(|name| (*name).to_owned()).collect()),
                ..none
            },
            Form::Id(_) | Form::Language | Form::Text(_) => Self {
                texts: Texts::Any,
                ..none
            },
            Form::Ids(_) | Form::Tools | Form::Group { .. } => Self::any(),
        }
    }

    /// Of the items of a list, if it can be one.
    pub(super) fn items(&self) -> Option<&Self> {
        match &self.lists {
            Lists::Of(values) => Some(values),
            Lists::None | Lists::Any => None,
        }
    }

    /// Texts that are the only ones, for advice.
    pub(super) fn known_texts(&self) -> &[String] {
        match (&self.texts, &self.lists) {
            (Texts::OneOf(texts), _) => texts,
            (Texts::None, Lists::Of(items)) => items.known_texts(),
            _ => &[],
        }
    }

    /// Whether it is a list wherever it is there.
    pub(super) fn is_always_list(&self) -> bool {
        self.flags.is_empty()
            && self.numbers == Numbers::None
            && self.texts == Texts::None
            && !matches!(self.lists, Lists::None)
    }

    /// Whether a number can be meant.
    pub(super) fn has_numbers(&self) -> bool {
        self.numbers != Numbers::None || self.items().is_some_and(Self::has_numbers)
    }

    /// Whether a text can be meant.
    pub(super) fn has_texts(&self) -> bool {
        self.texts != Texts::None || self.items().is_some_and(Self::has_texts)
    }

    pub(super) fn admits(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Flag(flag) => self.flags.contains(flag),
            Fact::Number(number) => match &self.numbers {
                Numbers::None => false,
                Numbers::OneOf(numbers) => numbers.contains(number),
                Numbers::Range { min, max, whole } => {
                    min.is_none_or(|min| *number >= min)
                        && max.is_none_or(|max| *number <= max)
                        && (number.is_whole() || !whole)
                }
            },
            Fact::Text(text) => match &self.texts {
                Texts::None => false,
                Texts::Any => true,
                Texts::Of(clock) => clock.has(text),
                Texts::OneOf(texts) => texts.contains(text),
            },
            Fact::List(_) => !matches!(self.lists, Lists::None),
        }
    }

    /// All that it can be, separated by commas, where that is a few texts, numbers or flags; else empty.
    pub(super) fn choices(&self) -> String {
        let mut choices: Vec<String> = self.flags.iter().map(bool::to_string).collect();
        match &self.texts {
            Texts::None => {}
            Texts::OneOf(texts) => choices.extend(texts.iter().map(|text| format!("{text:?}"))),
            Texts::Any | Texts::Of(_) => return String::new(),
        }
        match &self.numbers {
            Numbers::None => {}
            Numbers::OneOf(numbers) => choices.extend(numbers.iter().map(Decimal::to_string)),
            Numbers::Range { .. } => return String::new(),
        }
        if !matches!(self.lists, Lists::None) {
            return String::new();
        }
        cut(choices).join(", ")
    }

    /// What the attribute is, in words: `a whole number from 0 to 23`.
    pub(super) fn describe(&self) -> String {
        let mut words = Vec::new();
        match &self.texts {
            Texts::None => {}
            Texts::Any => words.push("a text".to_owned()),
            Texts::Of(clock) => words.push(format!("a text such as {}", clock.sample())),
            Texts::OneOf(texts) => words.push(one_of(texts.iter().map(|text| format!("{text:?}")))),
        }
        match &self.numbers {
            Numbers::None => {}
            Numbers::Range { min, max, whole } => {
                let kind = if *whole { "a whole number" } else { "a number" };
                words.push(match (min, max) {
                    (Some(min), Some(max)) => format!("{kind} from {min} to {max}"),
                    (Some(min), None) => format!("{kind} of at least {min}"),
                    (None, Some(max)) => format!("{kind} of at most {max}"),
                    (None, None) => kind.to_owned(),
                });
            }
            Numbers::OneOf(numbers) => words.push(one_of(numbers.iter().map(Decimal::to_string))),
        }
        match self.flags.as_slice() {
            [] => {}
            [only] => words.push(only.to_string()),
            _ => words.push("true or false".to_owned()),
        }
        match &self.lists {
            Lists::None => {}
            Lists::Any => words.push("a list".to_owned()),
            Lists::Of(items) => match items.describe().as_str() {
                "always absent" => words.push("a list".to_owned()),
                each => words.push(format!("a list, of which each item is {each}")),
            },
        }
        words.retain(|word| !word.is_empty());
        if words.is_empty() {
            return "always absent".to_owned();
        }
        words.join(" or ")
    }
}

/// No more than people read.
fn cut(mut listed: Vec<String>) -> Vec<String> {
    if listed.len() > MAX_LISTED {
        listed.truncate(MAX_LISTED);
        listed.push("...".to_owned());
    }
    listed
}

fn one_of(values: impl Iterator<Item = String>) -> String {
    match cut(values.take(MAX_LISTED + 1).collect()).as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        several => format!("one of {}", several.join(", ")),
    }
}

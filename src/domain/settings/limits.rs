//! The limits of each setting by its form, and the ids that settings name.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::describe::{Form, Setting};
use super::forms::is_language_code;
use super::table::Settings;
use crate::domain::catalogue_kind::CatalogueKind;
use crate::domain::decimal::Decimal;
use crate::domain::fault::{Fault, Faults, step};
use crate::domain::ids::is_uuid_shaped;
use crate::domain::wrong::{Words, Wrong};

impl Setting {
    /// What is wrong with a value that is of its type.
    pub fn check(&self, value: &Value) -> Vec<Fault> {
        let mut faults = Faults::new();
        self.form.check("", value, &mut faults);
        faults.into_vec()
    }
}

/// Holds each member to its limits.
pub(super) fn check(
    table: &[Setting],
    at: &str,
    members: &Map<String, Value>,
    faults: &mut Faults,
) {
    for setting in table {
        if let Some(value) = members.get(setting.name) {
            setting
                .form
                .check(&format!("{at}{}", step(setting.name)), value, faults);
        }
    }
}

impl Form {
    fn check(&self, at: &str, value: &Value, faults: &mut Faults) {
        match (self, value) {
            (Self::Ids(_), Value::Array(ids)) => {
                for (index, id) in ids.iter().enumerate() {
                    Self::Id(&[]).check(&format!("{at}/{index}"), id, faults);
                }
            }
            (Self::Group { members: table, .. }, Value::Object(members)) => {
                check(table, at, members, faults);
            }
            _ => {
                if let Some(message) = self.refused(value) {
                    faults.add(at, message);
                }
            }
        }
    }

    /// What is wrong with a single value. What `agreements` holds to its limits is not looked at.
    fn refused(&self, value: &Value) -> Option<Words> {
        let message = match (self, value) {
            (Self::Id(names), Value::String(id))
                if !is_uuid_shaped(id) && !names.contains(&id.as_str()) =>
            {
                Wrong::Uuid.worded("must be the UUID that Anam's lists show")
            }
            (Self::Language, Value::String(code)) if !is_language_code(code) => {
                Wrong::LanguageCode.into()
            }
            (Self::Whole(range), Value::Number(_)) => {
                let ends: (Decimal, Decimal) = ((*range.start()).into(), (*range.end()).into());
                let number = Decimal::from_value(value).filter(|n| *n < ends.0 || *n > ends.1);
                number.map(|_| Wrong::range(ends.0, ends.1).into())?
            }
            (Self::Number(range), Value::Number(_))
                if !within(Decimal::from_value(value), range) =>
            {
                Wrong::range(range.start(), range.end()).into()
            }
            (Self::Text(Some(most)), Value::String(text)) if text.chars().count() > *most => {
                Wrong::Length {
                    least: 0,
                    most: *most,
                }
                .into()
            }
            _ => return None,
        };
        Some(message)
    }
}

/// Whether a number, if there is one, is in a range.
pub(super) fn within(value: Option<Decimal>, range: &RangeInclusive<f64>) -> bool {
    value.is_none_or(|value| {
        let end = |end: f64| Decimal::from_f64(end).unwrap_or(Decimal::ZERO);
        (end(*range.start())..=end(*range.end())).contains(&value)
    })
}

/// An id that settings name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedId<'a> {
    pub setting: &'static str,
    /// Its place, where the setting is a list.
    pub index: Option<usize>,
    pub kind: CatalogueKind,
    pub id: &'a str,
}

impl NamedId<'_> {
    /// Its place in the settings.
    pub fn pointer(&self) -> String {
        match self.index {
            Some(index) => format!("{}/{index}", step(self.setting)),
            None => step(self.setting),
        }
    }
}

impl Settings {
    /// The ids of catalogues that settings name, as they are in a document.
    pub fn named_ids(members: &Map<String, Value>) -> Vec<NamedId<'_>> {
        let mut found = Vec::new();
        for setting in Self::TABLE {
            let (Some(kind), Some(value)) = (setting.catalogue, members.get(setting.name)) else {
                continue;
            };
            let named = |id, index| NamedId {
                setting: setting.name,
                index,
                kind,
                id,
            };
            match value {
                Value::String(id) => found.push(named(id.as_str(), None)),
                Value::Array(ids) => {
                    let ids = ids.iter().enumerate();
                    found.extend(ids.filter_map(|(at, id)| Some(named(id.as_str()?, Some(at)))));
                }
                _ => {}
            }
        }
        found
    }
}

//! A rule as fields: clauses, and whom it gives. What has no fields is shown and sent back as JSON.

use serde_json::{Map, Value, json};

use super::fields::{Fields, Slip};
use super::target::{TargetForm, number, parsed, pretty};
/// Most clauses that a form shows.
const MAX_RULE_FIELDS: usize = 100;

/// The operators, as rules write them.
pub const OPERATORS: [&str; 13] = [
    "equals",
    "not_equals",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
    "at_least",
    "at_most",
    "more_than",
    "less_than",
    "between",
    "is_present",
    "is_absent",
];

/// How the values of a clause are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reading {
    #[default]
    Text,
    Caseless,
    Version,
    Date,
    Number,
    Flag,
}

impl Reading {
    pub const ALL: [Self; 6] = [
        Self::Text,
        Self::Caseless,
        Self::Number,
        Self::Flag,
        Self::Date,
        Self::Version,
    ];

    /// Its name in forms and among the texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Caseless => "caseless",
            Self::Version => "version",
            Self::Date => "date",
            Self::Number => "number",
            Self::Flag => "flag",
        }
    }

    pub fn named(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|one| one.name() == name)
            .unwrap_or_default()
    }

    fn read_as(self) -> Option<&'static str> {
        matches!(self, Self::Caseless | Self::Version | Self::Date).then(|| self.name())
    }
}

/// A clause.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClauseForm {
    pub attribute: String,
    /// The attribute that the page showed fields for.
    pub was: String,
    pub operator: String,
    pub reading: Reading,
    pub values: Vec<String>,
    /// JSON, where it has another form.
    pub raw: Option<String>,
}

impl ClauseForm {
    /// The form of what a document says.
    pub fn of(value: &Value) -> Self {
        let text = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let values: Vec<&Value> = value
            .get("values")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .collect();
        let reading = match text("as").as_str() {
            "" if !values.is_empty() && values.iter().all(|value| value.is_number()) => {
                Reading::Number
            }
            "" if !values.is_empty() && values.iter().all(|value| value.is_boolean()) => {
                Reading::Flag
            }
            "" => Reading::Text,
            other => Reading::named(other),
        };
        let form = Self {
            attribute: text("attribute"),
            was: text("attribute"),
            operator: text("operator"),
            reading,
            values: values
                .into_iter()
                .map(|value| {
                    value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned)
                })
                .collect(),
            raw: None,
        };
        let is_typed = |value: &String| {
            !value.is_empty() && value.trim() == value && !value.contains(char::is_control)
        };
        if form.values.iter().all(is_typed)
            && OPERATORS.contains(&form.operator.as_str())
            && form.to_value("", &mut Vec::new()) == *value
        {
            form
        } else {
            Self {
                raw: Some(pretty(value)),
                ..Self::default()
            }
        }
    }

    /// Whether the operator compares with values.
    pub fn takes_values(&self) -> bool {
        !matches!(self.operator.as_str(), "is_present" | "is_absent")
    }

    /// What the document says.
    pub fn to_value(&self, at: &str, slips: &mut Vec<Slip>) -> Value {
        if let Some(raw) = &self.raw {
            return parsed(raw, at, slips);
        }
        if self.attribute.is_empty() || self.attribute == OTHER {
            slips.push(Slip {
                pointer: at.to_owned(),
                text: "cx-slip-attribute",
            });
        }
        let mut clause = Map::new();
        clause.insert("attribute".to_owned(), json!(self.attribute));
        clause.insert("operator".to_owned(), json!(self.operator));
        if !self.takes_values() {
            return Value::Object(clause);
        }
        if let Some(read_as) = self.reading.read_as() {
            clause.insert("as".to_owned(), json!(read_as));
        }
        if self.values.is_empty() && !self.attribute.is_empty() {
            slips.push(Slip {
                pointer: at.to_owned(),
                text: "cx-slip-values",
            });
        }
        let values = self.values.iter().map(|text| match self.reading {
            Reading::Number => number(text).unwrap_or_else(|| {
                slips.push(Slip {
                    pointer: at.to_owned(),
                    text: "cx-slip-number",
                });
                json!(text)
            }),
            Reading::Flag => match text.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => json!(text),
            },
            _ => json!(text),
        });
        clause.insert("values".to_owned(), values.collect());
        Value::Object(clause)
    }

    fn read(fields: &Fields<'_>, id: &str) -> Self {
        let field = |name: &str| format!("{id}.{name}");
        let named = fields.get(&field("attribute"));
        let attribute = match (named, fields.get(&field("other"))) {
            (OTHER, typed) if !typed.is_empty() => typed,
            (named, _) => named,
        };
        Self {
            attribute: attribute.to_owned(),
            was: fields.get(&field("was")).to_owned(),
            operator: fields.get(&field("operator")).to_owned(),
            reading: Reading::named(fields.get(&field("reading"))),
            values: fields.all(&field("v")),
            raw: fields.json_text(&field("raw")),
        }
    }
}

/// The choice of an attribute that the list does not have.
pub const OTHER: &str = "other";

/// A rule.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleForm {
    /// Empty where the rule is called by its sentence.
    pub name: String,
    pub clauses: Vec<ClauseForm>,
    pub then: TargetForm,
    /// JSON, where it has another form.
    pub raw: Option<String>,
    /// Whether its fields are open.
    pub is_open: bool,
}

impl RuleForm {
    /// The form of what a document says.
    pub fn of(value: &Value) -> Self {
        let clauses = value
            .get("when")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let form = Self {
            name: value
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            clauses: clauses.map(ClauseForm::of).collect(),
            then: TargetForm::of(value.get("then").unwrap_or(&Value::Null)),
            raw: None,
            is_open: false,
        };
        let is_line = form.name.trim() == form.name && !form.name.contains(char::is_control);
        if is_line
            && form.clauses.len() <= MAX_RULE_FIELDS
            && form.to_value("", &mut Vec::new()) == *value
        {
            form
        } else {
            Self {
                raw: Some(pretty(value)),
                ..Self::default()
            }
        }
    }

    /// What the document says.
    pub fn to_value(&self, at: &str, slips: &mut Vec<Slip>) -> Value {
        if let Some(raw) = &self.raw {
            return parsed(raw, at, slips);
        }
        let clauses = self.clauses.iter().enumerate();
        let when: Vec<Value> = clauses
            .map(|(index, clause)| clause.to_value(&format!("{at}/when/{index}"), slips))
            .collect();
        let then = self.then.to_value(&format!("{at}/then"), slips);
        json!({ "name": self.name, "when": when, "then": then })
    }

    /// Reads the fields whose names begin with `id`.
    pub fn read(fields: &Fields<'_>, id: &str) -> Self {
        let field = |name: &str| format!("{id}.{name}");
        let clauses = fields.count(MAX_RULE_FIELDS, |clause| field(&format!("c{clause}.was")));
        Self {
            name: fields.get(&field("name")).to_owned(),
            clauses: (0..clauses)
                .map(|clause| ClauseForm::read(fields, &field(&format!("c{clause}"))))
                .collect(),
            then: TargetForm::read(fields, &field("t")),
            raw: fields.json_text(&field("raw")),
            is_open: fields.get(&field("open")) == "1",
        }
    }
}

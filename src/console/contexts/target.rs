//! Whom a rule gives, as fields: a persona, or a split with weights.

use serde_json::{Map, Number, Value, json};

use super::fields::{Fields, Slip};

/// Most arms that a form shows.
const MAX_ARMS: usize = 40;

/// Whom a rule gives.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TargetForm {
    /// The persona's key, where there is no split.
    pub persona: String,
    pub arms: Vec<ArmForm>,
    /// Written as the key alone.
    pub is_plain: bool,
    /// JSON, where it has another form.
    pub raw: Option<String>,
}

/// An arm of a split.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ArmForm {
    pub persona: String,
    pub weight: String,
}

impl TargetForm {
    /// One persona.
    pub fn one(persona: &str) -> Self {
        Self {
            persona: persona.to_owned(),
            ..Self::default()
        }
    }

    /// The form of what a document says.
    pub fn of(value: &Value) -> Self {
        let arms = value
            .get("split")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let text =
            |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let form = Self {
            persona: value
                .as_str()
                .map_or_else(|| text(value.get("persona")), str::to_owned),
            arms: arms
                .map(|arm| ArmForm {
                    persona: text(arm.get("persona")),
                    weight: arm
                        .get("weight")
                        .filter(|weight| weight.is_number())
                        .map(Value::to_string)
                        .unwrap_or_default(),
                })
                .collect(),
            is_plain: value.is_string(),
            raw: None,
        };
        if form.arms.len() <= MAX_ARMS && form.to_value("", &mut Vec::new()) == *value {
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
        if self.arms.is_empty() {
            if self.persona.is_empty() {
                slips.push(Slip {
                    pointer: at.to_owned(),
                    text: "cx-slip-persona",
                });
            }
            return if self.is_plain {
                json!(self.persona)
            } else {
                json!({ "persona": self.persona })
            };
        }
        let arms = self.arms.iter().enumerate().map(|(index, arm)| {
            if arm.persona.is_empty() {
                slips.push(Slip {
                    pointer: format!("{at}/split/{index}"),
                    text: "cx-slip-persona",
                });
            }
            let weight = number(&arm.weight).unwrap_or_else(|| {
                slips.push(Slip {
                    pointer: format!("{at}/split/{index}"),
                    text: "cx-slip-number",
                });
                json!(arm.weight)
            });
            json!({ "persona": arm.persona, "weight": weight })
        });
        json!({ "split": arms.collect::<Vec<_>>() })
    }

    /// Whether nobody is chosen.
    pub fn is_empty(&self) -> bool {
        self.raw.is_none() && self.arms.is_empty() && self.persona.is_empty()
    }

    /// Reads the fields whose names begin with `id`.
    pub fn read(fields: &Fields<'_>, id: &str) -> Self {
        let field = |name: &str| format!("{id}.{name}");
        let arms = fields.count(MAX_ARMS, |arm| field(&format!("a{arm}.weight")));
        let arms = (0..arms).map(|arm| ArmForm {
            persona: fields.get(&field(&format!("a{arm}.persona"))).to_owned(),
            weight: fields.get(&field(&format!("a{arm}.weight"))).to_owned(),
        });
        Self {
            persona: fields.get(&field("persona")).to_owned(),
            arms: arms.collect(),
            is_plain: fields.has(&field("plain")),
            raw: fields.json_text(&field("raw")),
        }
    }

    /// Each arm's part of a hundred; none where no arm has weight.
    pub fn shares(&self) -> Vec<f64> {
        let weights: Vec<f64> = self
            .arms
            .iter()
            .map(|arm| arm.weight.parse().unwrap_or(0.0))
            .map(|weight: f64| weight.max(0.0))
            .collect();
        let sum: f64 = weights.iter().sum();
        weights
            .into_iter()
            .map(|weight| if sum > 0.0 { weight / sum * 100.0 } else { 0.0 })
            .collect()
    }
}

/// A number as JSON has it, digit for digit.
pub fn number(text: &str) -> Option<Value> {
    serde_json::from_str::<Number>(text.trim())
        .ok()
        .map(Value::Number)
}

/// JSON for people.
pub fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// JSON that somebody typed; what can't be read is no content, and noted.
pub fn parsed(text: &str, at: &str, slips: &mut Vec<Slip>) -> Value {
    crate::domain::json::parse(text.as_bytes()).unwrap_or_else(|_fault| {
        slips.push(Slip {
            pointer: at.to_owned(),
            text: "cx-slip-json",
        });
        Value::Object(Map::new())
    })
}

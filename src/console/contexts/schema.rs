//! The schema of metadata as a table: a row for each property. What the table does not show of a schema stays as it is, and the schema's text can
//! be edited instead.

use serde_json::{Map, Value, json};

use super::fields::{Fields, Slip};
use super::target::{number, pretty};
use crate::crypto::digest::sha256;

/// Most rows of the table.
const MAX_ROWS: usize = 300;

/// What a row's field may be: its name in forms and among the texts.
pub const TYPES: [&str; 5] = ["string", "integer", "number", "boolean", "array"];
/// The type of a row of which the table shows the name only.
pub const UNSHOWN: &str = "unshown";

/// A row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldForm {
    pub name: String,
    pub kind: String,
    pub is_required: bool,
    /// The allowed values, with commas.
    pub values: String,
    pub max_length: String,
    pub minimum: String,
    pub maximum: String,
    pub sample: String,
    /// The property's schema, as it was.
    pub was: Value,
}

/// The table, or the text of a schema that the table can't show.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaForm {
    pub fields: Vec<FieldForm>,
    /// Whether other fields may be sent too.
    pub is_open: bool,
    /// The schema without its properties; null where there is none.
    pub rest: Value,
    /// The text instead: of a schema that has no table, or that somebody typed and that can't be read.
    pub text: Option<String>,
}

impl Default for SchemaForm {
    fn default() -> Self {
        Self {
            fields: Vec::new(),
            is_open: true,
            rest: Value::Null,
            text: None,
        }
    }
}

impl FieldForm {
    /// A row to fill in.
    pub fn empty() -> Self {
        Self {
            name: String::new(),
            kind: "string".to_owned(),
            is_required: false,
            values: String::new(),
            max_length: "200".to_owned(),
            minimum: String::new(),
            maximum: String::new(),
            sample: String::new(),
            was: json!({ "type": "string", "maxLength": 200 }),
        }
    }

    fn of(name: &str, schema: &Value, is_required: bool) -> Self {
        let kind = schema
            .get("type")
            .and_then(Value::as_str)
            .filter(|kind| TYPES.contains(kind));
        let number_of = |name: &str| {
            schema
                .get(name)
                .filter(|value| value.is_number())
                .map(Value::to_string)
                .unwrap_or_default()
        };
        let sample = match schema
            .get("examples")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
        {
            Some([one]) => scalar(one),
            _ => None,
        };
        let form = Self {
            name: name.to_owned(),
            kind: kind.unwrap_or(UNSHOWN).to_owned(),
            is_required,
            values: schema
                .get("enum")
                .and_then(Value::as_array)
                .and_then(|values| listed(values))
                .unwrap_or_default(),
            max_length: number_of("maxLength"),
            minimum: number_of("minimum"),
            maximum: number_of("maximum"),
            sample: sample.unwrap_or_default(),
            was: schema.clone(),
        };
        if form.kind == UNSHOWN || form.schema("", &mut Vec::new()) == *schema {
            form
        } else {
            Self {
                kind: UNSHOWN.to_owned(),
                ..form
            }
        }
    }

    /// Whether there is a column for a keyword in this row.
    pub fn has_texts(&self) -> bool {
        self.kind == "string"
    }

    pub fn has_numbers(&self) -> bool {
        matches!(self.kind.as_str(), "integer" | "number")
    }

    /// The allowed values, one by one.
    pub fn choices(&self) -> Vec<String> {
        let values = self
            .values
            .split(',')
            .map(str::trim)
            .filter(|value| !value.is_empty());
        values.map(str::to_owned).collect()
    }

    /// The property's schema: as it was, with what the row says.
    fn schema(&self, at: &str, slips: &mut Vec<Slip>) -> Value {
        if self.kind == UNSHOWN {
            return self.was.clone();
        }
        let mut schema = self.was.as_object().cloned().unwrap_or_default();
        let stays = schema.get("type").and_then(Value::as_str) == Some(&self.kind);
        if !stays {
            // Keywords of another type say nothing any more.
            schema.clear();
            if self.kind == "array" {
                schema.insert(
                    "items".to_owned(),
                    json!({ "type": "string", "maxLength": 200 }),
                );
                schema.insert("maxItems".to_owned(), json!(100));
            }
        }
        put(&mut schema, "type", Some(json!(self.kind)));
        let mut typed = |text: &str| {
            number(text).unwrap_or_else(|| {
                slips.push(Slip {
                    pointer: at.to_owned(),
                    text: "cx-slip-number",
                });
                json!(text)
            })
        };
        let is_number = self.has_numbers();
        if self.has_texts() || is_number {
            let shown = schema
                .get("enum")
                .is_none_or(|kept| kept.as_array().and_then(|kept| listed(kept)).is_some());
            if shown || !self.values.is_empty() {
                let values: Vec<Value> = self
                    .choices()
                    .into_iter()
                    .map(|text| if is_number { typed(&text) } else { json!(text) })
                    .collect();
                put(
                    &mut schema,
                    "enum",
                    (!values.is_empty()).then(|| json!(values)),
                );
            }
        }
        let mut bound = |schema: &mut Map<String, Value>, name: &str, text: &str| {
            put(schema, name, (!text.is_empty()).then(|| typed(text)));
        };
        if self.has_texts() {
            bound(&mut schema, "maxLength", &self.max_length);
        }
        if is_number {
            bound(&mut schema, "minimum", &self.minimum);
            bound(&mut schema, "maximum", &self.maximum);
        }
        let shown = schema.get("examples").is_none_or(|kept| matches!(kept.as_array().map(Vec::as_slice), Some([one]) if scalar(one).is_some()));
        if shown || !self.sample.is_empty() {
            let sample = (!self.sample.is_empty()).then(|| json!([self.typed_sample()]));
            put(&mut schema, "examples", sample);
        }
        Value::Object(schema)
    }

    fn typed_sample(&self) -> Value {
        value_of(&self.kind, &self.sample)
    }

    fn read(fields: &Fields<'_>, id: &str) -> Self {
        let get = |name: &str| fields.get(&format!("{id}.{name}")).to_owned();
        Self {
            name: get("name"),
            kind: get("kind"),
            is_required: fields.has(&format!("{id}.required")),
            values: get("values"),
            max_length: get("max"),
            minimum: get("from"),
            maximum: get("to"),
            sample: get("sample"),
            was: fields.json(&format!("{id}.schema")).unwrap_or_default(),
        }
    }
}

impl SchemaForm {
    /// The table of a schema, where there is one.
    pub fn of(schema: Option<&Value>) -> Self {
        let Some(schema) = schema else {
            return Self::default();
        };
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let properties = schema.get("properties").and_then(Value::as_object);
        let rows = properties.into_iter().flatten();
        let mut rest = schema.clone();
        if let Some(rest) = rest.as_object_mut()
            && properties.is_some()
        {
            // Where the properties stand among the others.
            rest.insert("properties".to_owned(), Value::Null);
        }
        let form = Self {
            fields: rows
                .map(|(name, schema)| {
                    FieldForm::of(name, schema, required.contains(&name.as_str()))
                })
                .collect(),
            is_open: schema.get("additionalProperties") != Some(&Value::Bool(false)),
            rest,
            text: None,
        };
        if form.fields.len() <= MAX_ROWS && form.to_value(&mut Vec::new()).as_ref() == Some(schema)
        {
            form
        } else {
            Self {
                text: Some(pretty(schema)),
                ..Self::default()
            }
        }
    }

    /// The schema; `None` where there is none.
    pub fn to_value(&self, slips: &mut Vec<Slip>) -> Option<Value> {
        if let Some(text) = &self.text {
            return Some(super::target::parsed(text, "/metadata", slips));
        }
        let is_absent = self.rest.is_null();
        if is_absent && self.fields.is_empty() && self.is_open {
            return None;
        }
        let mut schema = match &self.rest {
            Value::Object(rest) => rest.clone(),
            _ => [("type".to_owned(), json!("object"))].into_iter().collect(),
        };
        let is_shut = schema.get("additionalProperties") == Some(&Value::Bool(false));
        if self.is_open == is_shut {
            put(
                &mut schema,
                "additionalProperties",
                (!self.is_open).then_some(Value::Bool(false)),
            );
        }
        let mut properties = Map::new();
        for field in &self.fields {
            let at = format!(
                "/metadata/properties{}",
                crate::domain::fault::step(&field.name)
            );
            if field.name.is_empty() || properties.contains_key(&field.name) {
                slips.push(Slip {
                    pointer: at.clone(),
                    text: "cx-slip-field-name",
                });
            }
            properties.insert(field.name.clone(), field.schema(&at, slips));
        }
        if schema.contains_key("properties") || !properties.is_empty() {
            schema.insert("properties".to_owned(), Value::Object(properties));
        }
        let required: Vec<&str> = self
            .fields
            .iter()
            .filter(|field| field.is_required)
            .map(|field| field.name.as_str())
            .collect();
        let kept: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let is_same =
            kept.len() == required.len() && required.iter().all(|name| kept.contains(name));
        if !is_same {
            let required = (!required.is_empty()).then(|| json!(required));
            put(&mut schema, "required", required);
        }
        Some(Value::Object(schema))
    }

    /// Its text, for whoever edits that.
    pub fn shown_text(&self) -> String {
        match &self.text {
            Some(text) => text.clone(),
            None => self
                .to_value(&mut Vec::new())
                .map(|schema| pretty(&schema))
                .unwrap_or_default(),
        }
    }

    /// Reads the table; the text, where that was changed.
    pub fn read(fields: &Fields<'_>) -> Self {
        let text = fields.raw("schema.text");
        let is_text = fields.has("schema.only-text");
        if is_text || fields.raw("schema.state") != state(text) {
            if text.trim().is_empty() {
                return Self::default();
            }
            return match crate::domain::json::parse(text.as_bytes()) {
                Ok(schema) => Self::of(Some(&schema)),
                Err(_fault) => Self {
                    text: Some(text.to_owned()),
                    ..Self::default()
                },
            };
        }
        let rows = fields.count(MAX_ROWS, |row| format!("f{row}.schema"));
        Self {
            fields: (0..rows)
                .map(|row| FieldForm::read(fields, &format!("f{row}")))
                .collect(),
            is_open: fields.has("schema.open"),
            rest: fields.json("schema.rest").unwrap_or_default(),
            text: None,
        }
    }
}

/// What tells whether the text was changed.
pub fn state(text: &str) -> String {
    let mut digits = hex::encode(sha256(text.trim().as_bytes()));
    digits.truncate(16);
    digits
}

/// What somebody typed, as a value of a type; a text where it is none.
pub fn value_of(kind: &str, text: &str) -> Value {
    let value = match (kind, text) {
        ("integer" | "number", text) => number(text),
        ("boolean", "true") => Some(Value::Bool(true)),
        ("boolean", "false") => Some(Value::Bool(false)),
        ("array", text) if !text.starts_with('[') => {
            let items = text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty());
            Some(items.map(Value::from).collect())
        }
        ("array" | UNSHOWN, text) => serde_json::from_str(text).ok(),
        _ => None,
    };
    value.unwrap_or_else(|| json!(text))
}

fn put(members: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => _ = members.insert(name.to_owned(), value),
        None => _ = members.shift_remove(name),
    }
}

/// Values with commas between them, where that can be read back.
fn listed(values: &[Value]) -> Option<String> {
    let texts = values.iter().map(|value| {
        scalar(value).filter(|text| !text.is_empty() && text.trim() == text && !text.contains(','))
    });
    Some(texts.collect::<Option<Vec<_>>>()?.join(", "))
}

/// A text or a number in a field of a form.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.contains(char::is_control) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

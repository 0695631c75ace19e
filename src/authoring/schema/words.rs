//! The vocabulary in which the schema is written.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

/// A schema under construction.
#[derive(Debug, Clone)]
pub(super) struct Schema(Map<String, Value>);

/// No control characters, as `char::is_control` has them; inside of a character class that starts with `^`.
pub(super) const CONTROLS: &str = r"\x00-\x1f\x7f-\x9f";

impl Schema {
    fn of_type(kind: &str, about: &str) -> Self {
        Self(Map::new()).about(about).with("type", kind)
    }

    pub(super) fn text(about: &str) -> Self {
        Self::of_type("string", about)
    }

    /// `true` or `false`.
    pub(super) fn flag(about: &str) -> Self {
        Self::of_type("boolean", about)
    }

    /// A whole number in a range.
    pub(super) fn whole<N: Into<Value>>(about: &str, range: RangeInclusive<N>) -> Self {
        let (least, most) = range.into_inner();
        Self::of_type("integer", about)
            .with("minimum", least)
            .with("maximum", most)
    }

    pub(super) fn number(about: &str, range: &RangeInclusive<f64>) -> Self {
        Self::of_type("number", about)
            .with("minimum", tidy(*range.start()))
            .with("maximum", tidy(*range.end()))
    }

    /// A whole number out of a list.
    pub(super) fn numbers(about: &str, values: &[u32]) -> Self {
        Self::of_type("integer", about).with("enum", json!(values))
    }

    /// A text out of a list.
    pub(super) fn choice<'a>(about: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        let values: Vec<&str> = values.into_iter().collect();
        Self::of_type("string", about).with("enum", json!(values))
    }

    pub(super) fn list(about: &str, item: Self) -> Self {
        Self::of_type("array", about).with("items", item)
    }

    /// An object of whatever members.
    pub(super) fn anything(about: &str) -> Self {
        Self::of_type("object", about)
    }

    /// One of several forms.
    pub(super) fn one_of(about: &str, forms: impl IntoIterator<Item = Self>) -> Self {
        let forms: Vec<Value> = forms.into_iter().map(Self::into_value).collect();
        Self(Map::new()).about(about).with("oneOf", forms)
    }

    /// What is under this name in `$defs`.
    pub(super) fn link(name: &str) -> Self {
        Self(Map::new()).with("$ref", format!("#/$defs/{name}"))
    }

    /// A part of a schema that says what JSON Schema has in store.
    pub(super) fn raw(value: Value) -> Self {
        match value {
            Value::Object(members) => Self(members),
            _ => Self(Map::new()),
        }
    }

    pub(super) fn about(self, words: &str) -> Self {
        self.with("description", words)
    }

    pub(super) fn with(mut self, keyword: &str, value: impl Into<Value>) -> Self {
        self.0.insert(keyword.into(), value.into());
        self
    }

    /// One more condition that must hold.
    pub(super) fn also(mut self, condition: Value) -> Self {
        match self.0.get_mut("allOf") {
            Some(Value::Array(all)) => all.push(condition),
            _ => {
                self.0.insert("allOf".into(), json!([condition]));
            }
        }
        self
    }

    /// Length of a text, in characters.
    pub(super) fn chars(self, range: RangeInclusive<usize>) -> Self {
        let (least, most) = range.into_inner();
        let bounded = if least > 0 {
            self.with("minLength", least)
        } else {
            self
        };
        bounded.with("maxLength", most)
    }

    /// Number of items of a list.
    pub(super) fn items(self, range: RangeInclusive<usize>) -> Self {
        let (least, most) = range.into_inner();
        let bounded = if least > 0 {
            self.with("minItems", least)
        } else {
            self
        };
        bounded.with("maxItems", most)
    }

    /// A regular expression for the whole text.
    pub(super) fn pattern(self, pattern: impl Into<String>) -> Self {
        self.with("pattern", pattern.into())
    }

    /// What happens where the member is left out.
    pub(super) fn default(self, value: impl Into<Value>) -> Self {
        self.with("default", value)
    }

    /// Good values.
    pub(super) fn examples<const N: usize>(self, values: [Value; N]) -> Self {
        self.with("examples", Vec::from(values))
    }

    /// Members that must be there.
    pub(super) fn required<const N: usize>(self, names: [&str; N]) -> Self {
        self.with("required", names.map(Value::from).to_vec())
    }

    pub(super) fn into_map(self) -> Map<String, Value> {
        self.0
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

impl From<Schema> for Value {
    fn from(schema: Schema) -> Self {
        schema.into_value()
    }
}

pub(super) fn object(about: &str, members: Vec<(&str, Schema)>) -> Schema {
    let members: Map<String, Value> = members
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema.into_value()))
        .collect();
    Schema::of_type("object", about)
        .with("properties", members)
        .with("additionalProperties", false)
}

/// An object whose members are named by whoever writes it; `names` is the definition of a good name.
pub(super) fn map(about: &str, names: &str, value: Schema) -> Schema {
    Schema::of_type("object", about)
        .with("propertyNames", Schema::link(names))
        .with("additionalProperties", value)
}

/// `1` rather than `1.0`.
fn tidy(number: f64) -> Value {
    let whole = number.to_string().parse::<i64>();
    whole.map_or_else(|_| number.into(), Value::from)
}

//! The schemas of an `OpenAPI` document, each under its name.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::ToSchema;

/// Schemas by name.
#[derive(Debug, Default)]
pub struct Schemas {
    by_name: BTreeMap<String, Value>,
    clashes: Vec<String>,
}

impl Schemas {
    /// A reference to the schema of this name, which is made where it is not known yet.
    pub fn named(&mut self, name: &str, schema: impl FnOnce(&mut Self) -> Value) -> Value {
        // While it is made it may refer to itself.
        if self.by_name.get(name) != Some(&Value::Null) {
            let known = self.by_name.insert(name.to_owned(), Value::Null);
            let schema = schema(self);
            self.insert(name, schema, known);
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    /// A reference to the schema of something that is answered.
    pub fn output<T: ToSchema>(&mut self) -> Value {
        let mut others = Vec::new();
        T::schemas(&mut others);
        for (name, schema) in others {
            self.add(&name, &schema);
        }
        self.add(&T::name(), &T::schema())
    }

    /// Two of one name that differ: one of them must be called something else.
    pub fn clashes(&self) -> &[String] {
        &self.clashes
    }

    /// What the schema of this reference says of itself.
    pub fn description(&self, reference: &Value) -> Option<&str> {
        let name = reference.get("$ref")?.as_str()?.rsplit('/').next()?;
        self.by_name.get(name)?.get("description")?.as_str()
    }

    /// All of them.
    pub fn into_inner(self) -> BTreeMap<String, Value> {
        self.by_name
    }

    fn add(&mut self, name: &str, schema: &impl serde::Serialize) -> Value {
        let schema = serde_json::to_value(schema).unwrap_or_default();
        self.named(name, |_| schema)
    }

    fn insert(&mut self, name: &str, schema: Value, known: Option<Value>) {
        if known.is_some_and(|known| known != schema) {
            self.clashes.push(name.to_owned());
        }
        self.by_name.insert(name.to_owned(), schema);
    }
}

/// A doc comment as one text: its lines joined, its paragraphs kept.
pub fn text(doc: &[&str]) -> String {
    let mut text = String::new();
    for line in doc.iter().map(|line| line.trim()) {
        let glue = match (text.as_str(), line) {
            ("", _) => "",
            (_, "") => "\n\n",
            (before, _) if before.ends_with('\n') => "",
            _ => " ",
        };
        text.push_str(glue);
        text.push_str(line);
    }
    text.trim_end().to_owned()
}

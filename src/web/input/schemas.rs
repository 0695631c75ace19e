//! The schemas of an `OpenAPI` document, each under its name.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::authoring::schema;

/// Schemas by name.
#[derive(Debug, Default)]
pub struct Schemas {
    by_name: BTreeMap<String, Value>,
    clashes: Vec<String>,
}

impl Schemas {
    /// A reference to the schema of this name, which is added if it is missing.
    pub fn named(&mut self, name: &str, schema: impl FnOnce(&mut Self) -> Value) -> Value {
        // While it is made it may refer to itself.
        if self.by_name.get(name) != Some(&Value::Null) {
            let known = self.by_name.insert(name.to_owned(), Value::Null);
            let schema = schema(self);
            self.insert(name, schema, known);
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    /// A reference to the schema of an answer.
    pub fn output<T: ToSchema>(&mut self) -> Value {
        let mut others = Vec::new();
        T::schemas(&mut others);
        for (name, schema) in others {
            self.add(&name, &schema);
        }
        self.add(&T::name(), &T::schema())
    }

    /// A reference to the schema of a part of a bundle, as [`Self::bundle_part`] gives it.
    pub fn bundle(&mut self, part: &str) -> Value {
        let (first, rest) = part.split_at_checked(1).unwrap_or_default();
        let name = format!("Bundle{}{rest}", first.to_ascii_uppercase());
        self.named(&name, |schemas| schemas.bundle_part(part))
    }

    /// A reference to the schema of bundles as wholes.
    pub fn whole_bundle(&mut self) -> Value {
        self.named("Bundle", |schemas| {
            let mut schema = schema::schema();
            if let Some(members) = schema.as_object_mut() {
                // What belongs to a document of its own; `link` brings along what is referred to.
                members.retain(|name, _| !name.starts_with('$'));
            }
            schemas.link(&mut schema);
            schema
        })
    }

    /// The schema of a part of a bundle; what it refers to is known afterwards.
    pub fn bundle_part(&mut self, part: &str) -> Value {
        let mut schema = schema::part(part).unwrap_or_default();
        self.link(&mut schema);
        schema
    }

    /// Makes references into the schema of bundles to references into this document.
    fn link(&mut self, schema: &mut Value) {
        match schema {
            Value::Object(members) => {
                // Readers of this document fetch nothing from elsewhere: a metadata schema is any object to them.
                members.retain(|name, value| {
                    let is_elsewhere = |reference: &str| reference.starts_with("https:");
                    name != "$ref" || !value.as_str().is_some_and(is_elsewhere)
                });
                let part = members.get("$ref").and_then(Value::as_str);
                let part = part.and_then(|reference| reference.strip_prefix("#/$defs/"));
                if let Some(part) = part.map(str::to_owned)
                    && let Value::Object(reference) = self.bundle(&part)
                {
                    members.extend(reference);
                }
                members.values_mut().for_each(|member| self.link(member));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.link(item)),
            _ => {}
        }
    }

    /// Names that two different schemas have: one of them must be renamed.
    pub fn clashes(&self) -> &[String] {
        &self.clashes
    }

    /// The description of the schema that this refers to.
    pub fn description(&self, reference: &Value) -> Option<&str> {
        let name = reference.get("$ref")?.as_str()?.rsplit('/').next()?;
        self.by_name.get(name)?.get("description")?.as_str()
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_bundles_bring_along_what_they_refer_to() {
        let mut schemas = Schemas::default();
        let policy = schemas.bundle("policy");
        assert_eq!(policy["$ref"], "#/components/schemas/BundlePolicy");
        assert_eq!(schemas.bundle("policy"), policy);
        let whole = schemas.whole_bundle();
        assert_eq!(whole["$ref"], "#/components/schemas/Bundle");
        assert!(schemas.clashes().is_empty());
        let all = json!(schemas.into_inner());
        assert!(all["BundlePolicy"]["properties"]["locks"]["$ref"].is_string());
        assert_eq!(all["BundlePolicy"]["additionalProperties"], false);
        let text = all.to_string();
        assert!(!text.contains("$defs"), "{text}");
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(all[name].is_object(), "{name}");
        }
    }
}

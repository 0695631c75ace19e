//! A context's content as a form, and back. A pure function each way: content, form, and the same content.

use serde_json::{Map, Value, json};

use super::fields::{Fields, Slip};
use super::rule::RuleForm;
use super::schema::SchemaForm;
use super::target::TargetForm;

/// Most rules that a form shows: some more than a context may have, so that those can be removed.
const MAX_RULES: usize = 300;

/// The form.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Model {
    pub description: String,
    /// With commas.
    pub aliases: String,
    pub default: TargetForm,
    pub schema: SchemaForm,
    pub rules: Vec<RuleForm>,
    /// The whole content as it was: members that no field shows are taken from it.
    pub was: Map<String, Value>,
}

impl Model {
    /// The form of a content.
    pub fn of(content: &Map<String, Value>) -> Self {
        let description = content.get("description").and_then(Value::as_str);
        let aliases = content.get("aliases").and_then(Value::as_array);
        let rules = content
            .get("rules")
            .and_then(Value::as_array)
            .filter(|rules| rules.len() <= MAX_RULES);
        Self {
            description: description.unwrap_or_default().to_owned(),
            aliases: aliases
                .and_then(|aliases| words(aliases))
                .unwrap_or_default(),
            default: content
                .get("default")
                .map(TargetForm::of)
                .unwrap_or_default(),
            schema: SchemaForm::of(content.get("metadata")),
            rules: rules.into_iter().flatten().map(RuleForm::of).collect(),
            was: content.clone(),
        }
    }

    /// The content, and what of it somebody must still put right.
    pub fn content(&self) -> (Map<String, Value>, Vec<Slip>) {
        let mut slips = Vec::new();
        let mut content = self.was.clone();
        let mut set = |name: &str, value: Option<Value>, is_shown: bool| match value {
            Some(value) => _ = content.insert(name.to_owned(), value),
            // An empty field changes nothing where there was nothing, or something that it can't show.
            None if is_shown && !content.get(name).is_some_and(is_nothing) => {
                content.shift_remove(name);
            }
            None => {}
        };
        let was = |name: &str| self.was.get(name);
        let description = (!self.description.trim().is_empty()).then(|| json!(self.description));
        set(
            "description",
            description,
            was("description").is_none_or(Value::is_string),
        );
        let aliases = self.aliases.split([',', ' ', '\n']).map(str::trim);
        let aliases: Vec<&str> = aliases.filter(|alias| !alias.is_empty()).collect();
        let is_shown =
            was("aliases").is_none_or(|was| was.as_array().is_some_and(|was| words(was).is_some()));
        set(
            "aliases",
            (!aliases.is_empty()).then(|| json!(aliases)),
            is_shown,
        );
        set("metadata", self.schema.to_value(&mut slips), true);
        let rules = self.rules.iter().enumerate();
        let rules: Vec<Value> = rules
            .map(|(at, rule)| rule.to_value(&format!("/rules/{at}"), &mut slips))
            .collect();
        let is_shown =
            was("rules").is_none_or(|was| was.as_array().is_some_and(|was| was.len() <= MAX_RULES));
        set("rules", (!rules.is_empty()).then(|| json!(rules)), is_shown);
        let default = self.default.to_value("/default", &mut slips);
        set(
            "default",
            (!self.default.is_empty()).then_some(default),
            true,
        );
        (content, slips)
    }

    /// Reads the fields of a form that was sent.
    pub fn read(fields: &Fields<'_>) -> Self {
        let rules = fields.count(MAX_RULES, |rule| format!("r{rule}.open"));
        Self {
            description: fields.raw("description").to_owned(),
            aliases: fields.get("aliases").to_owned(),
            default: TargetForm::read(fields, "d"),
            schema: SchemaForm::read(fields),
            rules: (0..rules)
                .map(|rule| RuleForm::read(fields, &format!("r{rule}")))
                .collect(),
            was: match fields.json("was") {
                Some(Value::Object(was)) => was,
                _ => Map::new(),
            },
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    value == "" || value.as_array().is_some_and(Vec::is_empty)
}

/// Plain words with commas between them, where that can be read back.
fn words(list: &[Value]) -> Option<String> {
    let texts = list.iter().map(|value| {
        value
            .as_str()
            .filter(|text| !text.is_empty() && !text.contains([',', ' ', '\n', '\r', '\t']))
    });
    Some(texts.collect::<Option<Vec<_>>>()?.join(", "))
}

#[cfg(test)]
mod tests;

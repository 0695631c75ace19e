//! What JSON Schemas tell of metadata, path by path.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::domain::fault::step;
use crate::domain::key::Key;
use crate::domain::snapshot::LiveContext;
use crate::domain::template::ValueLimits;

/// A sample goes as deep as this, and has this many members of an object.
const MAX_SAMPLE_DEPTH: usize = 5;
const MAX_SAMPLE_MEMBERS: usize = 50;

/// What a schema declares at a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum PathLookup<'s> {
    /// It describes the value there; `certain` where every valid document has one.
    Declared { schema: &'s Value, certain: bool },
    /// It says nothing: the value may be there.
    Open,
    /// It allows no such member.
    Closed,
}

/// What `schema` declares at the steps of a path; `*` stands for the items of a list.
pub(super) fn lookup<'s>(schema: &'s Value, steps: &[&str]) -> PathLookup<'s> {
    lookup_in(schema, steps, false)
}

/// The same where it is known whether the lists on the way are there.
fn lookup_in<'s>(schema: &'s Value, steps: &[&str], of_item: bool) -> PathLookup<'s> {
    let mut look = PathSearch {
        root: schema,
        of_item,
        seen: HashSet::new(),
    };
    look.descend(schema, steps, true)
}

/// The members that a schema declares at its top.
pub(super) fn members(schema: &Value) -> impl Iterator<Item = &String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flat_map(|members| members.keys())
}

/// Two limits that no value keeps.
#[derive(Debug, PartialEq)]
pub(super) struct EmptyRange {
    /// The JSON pointer of the lower one.
    pub(super) at: String,
    pub(super) least: &'static str,
    pub(super) most: &'static str,
}

/// The limits of members and items, on every level, that no value keeps.
pub(super) fn empty_ranges(schema: &Value) -> Vec<EmptyRange> {
    let mut found = Vec::new();
    gather_empty_ranges(schema, "", &mut found);
    found
}

fn gather_empty_ranges(schema: &Value, at: &str, found: &mut Vec<EmptyRange>) {
    const PAIRS: [(&str, &str, bool); 6] = [
        ("minimum", "maximum", true),
        ("exclusiveMinimum", "maximum", false),
        ("minimum", "exclusiveMaximum", false),
        ("minLength", "maxLength", true),
        ("minItems", "maxItems", true),
        ("minProperties", "maxProperties", true),
    ];
    let number = |name: &str| schema.get(name).and_then(Value::as_f64);
    for (least, most, may_be_equal) in PAIRS {
        if let (Some(low), Some(high)) = (number(least), number(most))
            && (low > high || (low >= high && !may_be_equal))
        {
            let at = format!("{at}/{least}");
            found.push(EmptyRange { at, least, most });
        }
    }
    let members = schema.get("properties").and_then(Value::as_object);
    for (name, member) in members.into_iter().flatten() {
        gather_empty_ranges(member, &format!("{at}/properties{}", step(name)), found);
    }
    if let Some(items @ Value::Object(_)) = schema.get("items") {
        gather_empty_ranges(items, &format!("{at}/items"), found);
    }
}

/// Looks at each subschema once for the same rest of a path, however many ways lead to it.
struct PathSearch<'s> {
    root: &'s Value,
    of_item: bool,
    seen: HashSet<(*const Value, usize)>,
}

impl<'s> PathSearch<'s> {
    fn descend(&mut self, schema: &'s Value, steps: &[&str], certain: bool) -> PathLookup<'s> {
        let Some((step, rest)) = steps.split_first() else {
            return PathLookup::Declared { schema, certain };
        };
        // It said nothing the first time: what it declares ends the search.
        if !self.seen.insert((std::ptr::from_ref(schema), steps.len())) {
            return PathLookup::Open;
        }
        let (found, closed) = if *step == "*" {
            let items = schema.get("items").filter(|items| items.is_object());
            (
                items.map(|items| self.descend(items, rest, certain || self.of_item)),
                false,
            )
        } else {
            let member = schema.get("properties").and_then(|all| all.get(*step));
            let required = schema
                .get("required")
                .and_then(Value::as_array)
                .is_some_and(|names| names.iter().any(|name| name == step));
            let found = member.map(|member| self.descend(member, rest, certain && required));
            let closed = schema.get("additionalProperties") == Some(&Value::Bool(false))
                && schema.get("patternProperties").is_none();
            (found, closed)
        };
        if let Some(found) = found {
            return found;
        }
        let referred = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|target| self.root.pointer(target.strip_prefix('#')?));
        let all_of = schema.get("allOf").and_then(Value::as_array);
        for part in all_of.into_iter().flatten().chain(referred) {
            if let place @ PathLookup::Declared { .. } = self.descend(part, steps, certain) {
                return place;
            }
        }
        let choices = ["anyOf", "oneOf"]
            .into_iter()
            .filter_map(|name| schema.get(name));
        let choices = choices.filter_map(Value::as_array).flatten();
        let branches = ["then", "else"]
            .into_iter()
            .filter_map(|name| schema.get(name));
        for part in choices.chain(branches) {
            if let place @ PathLookup::Declared { .. } = self.descend(part, steps, false) {
                return place;
            }
        }
        if closed {
            PathLookup::Closed
        } else {
            PathLookup::Open
        }
    }
}

/// The schemas of all contexts that give a persona, together.
#[derive(Debug)]
pub(super) struct Schemas<'a>(Vec<&'a Value>);

impl<'a> Schemas<'a> {
    pub(super) fn new(contexts: &[(&'a Key, &'a LiveContext)]) -> Self {
        let schemas = contexts.iter();
        Self(
            schemas
                .map(|(_, live)| live.context.schema.document())
                .collect(),
        )
    }

    /// What each schema declares at a path, of whose lists a template may have an item at hand.
    pub(super) fn lookup(
        &self,
        steps: &[&str],
        of_item: bool,
    ) -> impl Iterator<Item = PathLookup<'a>> {
        let schemas = self.0.iter();
        schemas.map(move |schema| lookup_in(schema, steps, of_item))
    }

    /// The members that any of them declares at its top.
    pub(super) fn members(&self) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .flat_map(|schema| members(schema))
            .map(String::as_str)
    }

    /// The largest of what every schema allows at a path; `None` where one does not say.
    fn largest(&self, path: &str, of: impl Fn(&Value) -> Option<usize>) -> Option<usize> {
        let path = path.strip_prefix("metadata.")?;
        let steps: Vec<&str> = path.split('.').collect();
        let mut largest = None;
        for place in self.lookup(&steps, false) {
            let here = match place {
                PathLookup::Declared { schema, .. } => of(schema)?,
                PathLookup::Open => return None,
                PathLookup::Closed => 0,
            };
            largest = largest.max(Some(here));
        }
        largest
    }
}

impl ValueLimits for Schemas<'_> {
    fn max_chars(&self, path: &str) -> Option<usize> {
        self.largest(path, chars)
    }

    fn max_items(&self, path: &str) -> Option<usize> {
        self.largest(path, |schema| {
            // What is no list is not looped over.
            match schema.get("type")?.as_str()? {
                "array" => number(schema, "maxItems"),
                "string" | "number" | "integer" | "boolean" | "null" => Some(0),
                _ => None,
            }
        })
    }
}

/// The longest text that a value of this schema prints as.
fn chars(schema: &Value) -> Option<usize> {
    const NUMBER: usize = 25;
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let longest = values.iter().map(|value| match value {
            Value::String(text) => text.chars().count(),
            other => other.to_string().chars().count(),
        });
        return longest.max();
    }
    match schema.get("type")?.as_str()? {
        "string" => number(schema, "maxLength"),
        "number" | "integer" | "boolean" | "null" => Some(NUMBER),
        "array" => {
            let each = chars(schema.get("items")?)?.checked_add(2)?;
            number(schema, "maxItems")?.checked_mul(each)
        }
        _ => None,
    }
}

fn number(schema: &Value, name: &str) -> Option<usize> {
    usize::try_from(schema.get(name)?.as_u64()?).ok()
}

/// A document such as a schema describes, as far as that is simple: every member is there, with a short value.
pub(super) fn sample(schema: &Value) -> Map<String, Value> {
    match example(schema, schema, MAX_SAMPLE_DEPTH) {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn example(root: &Value, schema: &Value, depth: usize) -> Value {
    let target = schema.get("$ref").and_then(Value::as_str);
    let target = target.and_then(|target| root.pointer(target.strip_prefix('#')?));
    if let (Some(target), Some(depth)) = (target, depth.checked_sub(1)) {
        return example(root, target, depth);
    }
    let first = schema.get("enum").and_then(|values| values.get(0));
    let given = schema.get("const").or(first).or(schema.get("default"));
    if let Some(value) = given {
        return value.clone();
    }
    let named = schema
        .get("type")
        .and_then(|kind| kind.as_str().or_else(|| kind.get(0)?.as_str()));
    let properties = schema.get("properties").and_then(Value::as_object);
    let deeper = depth.checked_sub(1);
    match named {
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| 1.into()),
        Some("boolean") => true.into(),
        Some("null") => Value::Null,
        Some("array") => {
            let item = schema.get("items").zip(deeper);
            let item = item.map(|(items, depth)| example(root, items, depth));
            Value::Array(item.into_iter().collect())
        }
        None if properties.is_none() => "example".into(),
        Some("object") | None => {
            let members = properties
                .into_iter()
                .flatten()
                .zip(std::iter::repeat(deeper));
            let members = members.filter_map(|((name, schema), depth)| {
                Some((name.clone(), example(root, schema, depth?)))
            });
            Value::Object(members.take(MAX_SAMPLE_MEMBERS).collect())
        }
        Some(_) => "example".into(),
    }
}

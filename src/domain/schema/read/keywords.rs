//! Keyword by keyword.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Draft, Reader, Reference};
use crate::domain::decimal::Decimal;
use crate::domain::fault::step;
use crate::domain::request::normal;
use crate::domain::schema::equality::Values;
use crate::domain::schema::number::Divisor;
use crate::domain::schema::program::{Allowed, Bound, Choice, Kinds, Node, Test};
use crate::domain::wrong::Wrong;

/// Most values of an `enum` that a message lists.
const TOLD_VALUES: usize = 50;

impl<'s> Reader<'s> {
    pub(super) fn keywords(&mut self, members: &'s Map<String, Value>, at: &str, node: &mut Node) {
        let id = self.program.nodes.len();
        let refers = members.contains_key("$ref");
        for (name, value) in members {
            let here = format!("{at}{}", step(name));
            // Until draft-07, members beside a reference are ignored.
            if refers && self.draft == Draft::Seven && name != "$ref" && name != "definitions" {
                continue;
            }
            match name.as_str() {
                "$ref" | "$dynamicRef" | "$recursiveRef" => match value.as_str() {
                    // A schema that holds no other one has only itself to look names up in, so that all three mean the same.
                    Some(target) => self.references.push(Reference {
                        from: id,
                        target,
                        at: here,
                    }),
                    None => self.fault(here, Wrong::ReferenceInside),
                },
                "$anchor" | "$dynamicAnchor" if self.draft > Draft::Seven => {
                    self.anchor(value, &here);
                }
                "$id" => self.id(value, at, &here),
                "$defs" | "definitions" => _ = self.named(value, &here),
                "type" => node.kinds = self.kinds(value, &here),
                "const" => node.tests.push(allowed(std::slice::from_ref(value))),
                "enum" => match value.as_array() {
                    Some(list) if !list.is_empty() => node.tests.push(allowed(list)),
                    _ => self.fault(
                        here,
                        Wrong::Filled.worded("must be a list of at least one value"),
                    ),
                },
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
                    node.tests.extend(self.number(name, value, &here));
                }
                "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
                | "maxProperties" => {
                    let size = self.size(value, &here);
                    node.tests.extend(size.map(|size| sized(name, size)));
                }
                "pattern" => match value.as_str() {
                    Some(source) => {
                        let pattern = self.pattern(source, &here);
                        node.tests.extend(pattern.map(Test::Pattern));
                    }
                    None => self.fault(here, Wrong::Text.worded("must be a regular expression")),
                },
                "uniqueItems" => match value.as_bool() {
                    Some(true) => node.tests.push(Test::Unique),
                    Some(false) => {}
                    None => self.fault(here, Wrong::Flag),
                },
                "required" => {
                    let names = self.names(value, &here);
                    node.tests.push(Test::Required(names));
                }
                "propertyNames" => {
                    let judge = self.enter(value, here);
                    node.tests.push(Test::Names(judge));
                }
                "dependentRequired" | "dependentSchemas" if self.draft > Draft::Seven => {
                    self.dependencies(value, &here, node);
                }
                "dependencies" if self.draft == Draft::Seven => {
                    self.dependencies(value, &here, node);
                }
                "allOf" => {
                    let parts = self.list(value, &here);
                    node.tests.push(Test::All(parts));
                }
                "anyOf" => {
                    let parts = self.list(value, &here);
                    node.tests.push(Test::Any(Choice { parts, tag: None }));
                }
                "oneOf" => {
                    let parts = self.list(value, &here);
                    node.tests.push(Test::One(Choice { parts, tag: None }));
                }
                "not" => {
                    let part = self.enter(value, here);
                    node.tests.push(Test::Not(part));
                }
                "unevaluatedItems" if self.draft > Draft::Seven => {
                    let judge = self.enter(value, here);
                    node.tests.push(Test::OtherItems(judge));
                }
                "unevaluatedProperties" if self.draft > Draft::Seven => {
                    let judge = self.enter(value, here);
                    node.tests.push(Test::OtherMembers(judge));
                }
                // Annotations, what is read with others below, and words that JSON Schema does not know.
                _ => {}
            }
        }
        if !(refers && self.draft == Draft::Seven) {
            self.items(members, at, node);
            self.contains(members, at, node);
            self.members(members, at, node);
            self.branches(members, at, node);
        }
    }

    fn anchor(&mut self, value: &'s Value, here: &str) {
        match value.as_str() {
            Some(name) if !name.is_empty() && !name.starts_with('/') => {
                if self
                    .anchors
                    .insert(name, self.program.nodes.len())
                    .is_some()
                {
                    self.fault(
                        here,
                        Wrong::Twice.worded("is the anchor of another subschema too"),
                    );
                }
            }
            _ => self.fault(here, Wrong::Text.worded("must be a name")),
        }
    }

    fn id(&mut self, value: &'s Value, at: &str, here: &str) {
        match value.as_str() {
            // How draft-07 wrote anchors.
            Some(id) if self.draft == Draft::Seven && id.len() > 1 && id.starts_with('#') => {
                let name = id.get(1..).unwrap_or_default();
                self.anchors.insert(name, self.program.nodes.len());
            }
            Some(_) if at.is_empty() => {}
            _ => self.fault(here, Wrong::IdAtTop),
        }
    }

    fn kinds(&mut self, value: &Value, here: &str) -> Kinds {
        let names = match value {
            Value::Array(names) if !names.is_empty() => names.as_slice(),
            name => std::slice::from_ref(name),
        };
        let mut kinds = Kinds::NONE;
        for name in names {
            let Some(kind) = name.as_str().and_then(Kinds::named) else {
                self.fault(
                    here,
                    Wrong::OneOf("string, number, integer, boolean, array, object, null".to_owned()).worded(
                        "must be string, number, integer, boolean, array, object or null, or a list of these",
                    ),
                );
                return Kinds::ALL;
            };
            kinds = kinds.and(kind);
        }
        kinds
    }

    fn number(&mut self, name: &str, value: &Value, here: &str) -> Option<Test> {
        let Some(number) = Decimal::from_value(value) else {
            self.fault(here, Wrong::Number);
            return None;
        };
        Some(match name {
            "minimum" => Test::Bound(Bound::AtLeast, number),
            "maximum" => Test::Bound(Bound::AtMost, number),
            "exclusiveMinimum" => Test::Bound(Bound::Above, number),
            "exclusiveMaximum" => Test::Bound(Bound::Below, number),
            _ => {
                let Some(divisor) = Divisor::new(number) else {
                    self.fault(here, Wrong::MoreThan("0".to_owned()));
                    return None;
                };
                Test::MultipleOf(divisor)
            }
        })
    }

    /// `dependentRequired`, `dependentSchemas`, and draft-07's `dependencies`, which was both.
    fn dependencies(&mut self, value: &'s Value, here: &str, node: &mut Node) {
        let Some(entries) = value.as_object() else {
            return self.fault(here, Wrong::Object);
        };
        let mut wants = HashMap::new();
        let mut parts = HashMap::new();
        for (name, entry) in entries {
            let place = format!("{here}{}", step(name));
            if here.ends_with("/dependentRequired")
                || here.ends_with("/dependencies") && entry.is_array()
            {
                wants.insert(name.clone(), self.names(entry, &place));
            } else {
                parts.insert(name.clone(), self.enter(entry, place));
            }
        }
        if !wants.is_empty() {
            node.tests.push(Test::Wants(wants));
        }
        if !parts.is_empty() {
            node.tests.push(Test::Parts(parts));
        }
    }

    fn items(&mut self, members: &'s Map<String, Value>, at: &str, node: &mut Node) {
        let listed = |value: &&Value| value.is_array();
        let items = members.get("items");
        let (first, rest, rest_name) = if self.draft == Draft::Y2020 {
            if items.as_ref().is_some_and(listed) {
                let place = format!("{at}/items");
                return self.fault(place, Wrong::PrefixItems);
            }
            (
                members.get("prefixItems").map(|list| (list, "prefixItems")),
                items,
                "items",
            )
        } else {
            match items.filter(listed) {
                Some(list) => (
                    Some((list, "items")),
                    members.get("additionalItems"),
                    "additionalItems",
                ),
                None => (None, items, "items"),
            }
        };
        if first.is_none() && rest.is_none() {
            return;
        }
        let first = first.map_or_else(Vec::new, |(list, name)| {
            self.list(list, &format!("{at}/{name}"))
        });
        let rest = rest.map(|schema| self.enter(schema, format!("{at}/{rest_name}")));
        node.tests.push(Test::Items { first, rest });
    }

    fn contains(&mut self, members: &'s Map<String, Value>, at: &str, node: &mut Node) {
        let Some(judge) = members.get("contains") else {
            return;
        };
        let counts = self.draft > Draft::Seven;
        let mut size = |name: &str| {
            let value = members.get(name).filter(|_| counts)?;
            self.size(value, &format!("{at}/{name}"))
        };
        let (least, most) = (size("minContains").unwrap_or(1), size("maxContains"));
        let item = self.enter(judge, format!("{at}/contains"));
        node.tests.push(Test::Contains {
            item,
            least,
            most,
            marks: self.draft == Draft::Y2020,
        });
    }

    fn members(&mut self, members: &'s Map<String, Value>, at: &str, node: &mut Node) {
        let mut test = None;
        let (mut named, mut patterns) = (HashMap::new(), Vec::new());
        if let Some(properties) = members.get("properties") {
            let read = self.named(properties, &format!("{at}/properties"));
            named = read
                .into_iter()
                .map(|(name, id)| (name.clone(), id))
                .collect();
            test = Some(());
        }
        if let Some(properties) = members.get("patternProperties") {
            let at = format!("{at}/patternProperties");
            for (source, id) in self.named(properties, &at) {
                let pattern = self.pattern(source, &format!("{at}{}", step(source)));
                patterns.extend(pattern.map(|pattern| (pattern, id)));
            }
            test = Some(());
        }
        let rest = members
            .get("additionalProperties")
            .map(|schema| self.enter(schema, format!("{at}/additionalProperties")));
        if test.is_some() || rest.is_some() {
            let longest = named.keys().map(String::len).max().unwrap_or(0);
            node.tests.push(Test::Members {
                named,
                patterns,
                rest,
                longest,
            });
        }
    }

    fn branches(&mut self, members: &'s Map<String, Value>, at: &str, node: &mut Node) {
        let Some(condition) = members.get("if") else {
            return;
        };
        let mut branch = |name: &str| {
            let schema = members.get(name)?;
            Some(self.enter(schema, format!("{at}/{name}")))
        };
        let (then, otherwise) = (branch("then"), branch("else"));
        let condition = self.enter(condition, format!("{at}/if"));
        node.tests.push(Test::If {
            condition,
            then,
            otherwise,
        });
    }
}

fn sized(name: &str, size: usize) -> Test {
    match name {
        "minLength" => Test::MinLength(size),
        "maxLength" => Test::MaxLength(size),
        "minItems" => Test::MinItems(size),
        "maxItems" => Test::MaxItems(size),
        "minProperties" => Test::MinProperties(size),
        _ => Test::MaxProperties(size),
    }
}

fn allowed(list: &[Value]) -> Test {
    let listed: Vec<String> = list
        .iter()
        .take(TOLD_VALUES)
        .map(Value::to_string)
        .collect();
    let texts = list.iter().filter_map(Value::as_str);
    Test::Allowed(Allowed {
        longest: texts.map(str::len).max().unwrap_or(0),
        deep: list
            .iter()
            .any(|value| value.is_array() || value.is_object()),
        message: Wrong::one_of(&listed).into(),
        values: Values::new(list.iter().cloned().map(normal)),
    })
}

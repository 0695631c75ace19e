//! Reads a JSON Schema: what it says as a [`Program`], or everything that is wrong with it.

mod keywords;

use std::collections::HashMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::pattern::{BadPattern, MAX_MEMORY_BYTES, Pattern, Patterns};
use super::program::{Id, Kinds, Node, Program, Test};
use super::tag;
use crate::domain::decimal::Decimal;
use crate::domain::fault::{Fault, step};
use crate::domain::wrong::{Words, Wrong};

/// Most subschemas of a schema.
pub(super) const MAX_NODES: usize = 2_000;
/// Most faults that are reported of one schema.
const MAX_FAULTS: usize = 100;

/// Which words a schema uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Draft {
    Seven,
    Y2019,
    Y2020,
}

impl Draft {
    fn named(name: &str) -> Option<Self> {
        match name.trim_end_matches('#') {
            "http://json-schema.org/draft-07/schema"
            | "https://json-schema.org/draft-07/schema" => Some(Self::Seven),
            "https://json-schema.org/draft/2019-09/schema" => Some(Self::Y2019),
            "https://json-schema.org/draft/2020-12/schema" => Some(Self::Y2020),
            _ => None,
        }
    }
}

/// A schema that was read.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) program: Program,
    /// The pointer of each node.
    pub(super) places: Vec<String>,
    /// Memory of its patterns, in bytes.
    pub(super) pattern_bytes: usize,
}

/// Why a schema is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody writes it: patterns that are too large are faults.
    Write,
    /// The schema was sealed, maybe before the size of patterns was limited. Patterns beyond this many bytes check nothing.
    Serve(usize),
}

/// Reads a schema.
pub(super) fn read(document: &Value, purpose: Purpose) -> Result<Compiled, Vec<Fault>> {
    let mut faults = Vec::new();
    let memory = match purpose {
        Purpose::Write => MAX_MEMORY_BYTES,
        Purpose::Serve(bytes) => bytes.min(MAX_MEMORY_BYTES),
    };
    let draft = match document.get("$schema") {
        None => Draft::Y2020,
        Some(name) => name.as_str().and_then(Draft::named).unwrap_or_else(|| {
            faults.push(Fault::new(
                "/$schema",
                Wrong::one_of(&["2020-12", "2019-09", "draft-07"])
                    .worded("must be draft 2020-12, 2019-09 or draft-07; leave it out for 2020-12"),
            ));
            Draft::Y2020
        }),
    };
    let mut reader = Reader {
        root: document,
        draft,
        purpose,
        patterns: Patterns::within(memory),
        sources: Vec::new(),
        known: HashMap::new(),
        anchors: HashMap::new(),
        references: Vec::new(),
        program: Program::default(),
        faults,
    };
    reader.enter(document, String::new());
    reader.run();
    if reader.faults.is_empty() {
        tag::find(&mut reader.program);
        reader.program.marks = reader.program.nodes.iter().any(Node::asks_for_marks);
        Ok(Compiled {
            pattern_bytes: reader.patterns.compiled_bytes(),
            program: reader.program,
            places: reader.sources.into_iter().map(|source| source.at).collect(),
        })
    } else {
        Err(reader.faults)
    }
}

struct Source<'s> {
    schema: &'s Value,
    at: String,
}

struct Reader<'s> {
    root: &'s Value,
    draft: Draft,
    purpose: Purpose,
    patterns: Patterns,
    /// Every node that was met, those that are not read yet at the end.
    sources: Vec<Source<'s>>,
    /// Nodes by the address of their schema, which a reference may name in several ways.
    known: HashMap<*const Value, Id>,
    anchors: HashMap<&'s str, Id>,
    references: Vec<Reference<'s>>,
    program: Program,
    faults: Vec<Fault>,
}

struct Reference<'s> {
    from: Id,
    target: &'s str,
    at: String,
}

impl<'s> Reader<'s> {
    fn fault(&mut self, at: impl Into<String>, message: impl Into<Words>) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault::new(at, message));
        }
    }

    /// The node of a subschema, which is read later.
    fn enter(&mut self, schema: &'s Value, at: String) -> Id {
        let next = self.sources.len();
        let id = *self.known.entry(std::ptr::from_ref(schema)).or_insert(next);
        if id == next {
            self.sources.push(Source { schema, at });
        }
        id
    }

    fn run(&mut self) {
        loop {
            while let Some(source) = self.sources.get(self.program.nodes.len()) {
                if self.program.nodes.len() >= MAX_NODES {
                    return self.fault("", Wrong::ManySubschemas { most: MAX_NODES });
                }
                let (schema, at) = (source.schema, source.at.clone());
                let node = self.node(schema, &at);
                self.program.nodes.push(node);
            }
            // A reference may lead to what was not met yet.
            let Some(reference) = self.references.pop() else {
                return;
            };
            if let Some(target) = self.target(&reference)
                && let Some(node) = self.program.nodes.get_mut(reference.from)
            {
                node.tests.push(Test::All(vec![target]));
                node.tests.sort_by_key(Test::rank);
            }
        }
    }

    fn target(&mut self, reference: &Reference<'s>) -> Option<Id> {
        let Some(fragment) = reference.target.strip_prefix('#') else {
            self.fault(&reference.at, Wrong::ReferenceInside);
            return None;
        };
        let Ok(fragment) = percent_decode_str(fragment).decode_utf8() else {
            let text = "is no pointer: its % escapes are no UTF-8";
            self.fault(&reference.at, Wrong::PointsNowhere.worded(text));
            return None;
        };
        let found = if fragment.is_empty() || fragment.starts_with('/') {
            let schema = self.root.pointer(&fragment);
            schema.map(|schema| self.enter(schema, fragment.to_string()))
        } else {
            self.anchors.get(fragment.as_ref()).copied()
        };
        if found.is_none() {
            self.fault(&reference.at, Wrong::PointsNowhere);
        }
        found
    }

    fn node(&mut self, schema: &'s Value, at: &str) -> Node {
        match schema {
            Value::Bool(true) => Node::default(),
            Value::Bool(false) => Node {
                kinds: Kinds::NONE,
                tests: Vec::new(),
            },
            Value::Object(members) => {
                let mut node = Node::default();
                self.keywords(members, at, &mut node);
                node.tests.sort_by_key(Test::rank);
                node
            }
            _ => {
                self.fault(at, Wrong::Schema);
                Node::default()
            }
        }
    }

    fn pattern(&mut self, source: &str, at: &str) -> Option<Pattern> {
        match self.patterns.compile(source) {
            Ok(pattern) => Some(pattern),
            Err(BadPattern::TooLarge) if self.purpose != Purpose::Write => {
                Some(Pattern::never_compiled(source))
            }
            Err(bad) => {
                self.fault(at, bad.wrong());
                None
            }
        }
    }

    fn list(&mut self, list: &'s Value, at: &str) -> Vec<Id> {
        match list.as_array() {
            Some(items) if !items.is_empty() => {
                let items = items.iter().enumerate();
                items
                    .map(|(index, item)| self.enter(item, format!("{at}/{index}")))
                    .collect()
            }
            _ => {
                self.fault(
                    at,
                    Wrong::Filled.worded("must be a list of at least one schema"),
                );
                Vec::new()
            }
        }
    }

    fn named(&mut self, members: &'s Value, at: &str) -> Vec<(&'s String, Id)> {
        let Some(members) = members.as_object() else {
            self.fault(at, Wrong::Object.worded("must be an object of schemas"));
            return Vec::new();
        };
        let members = members.iter();
        members
            .map(|(name, schema)| (name, self.enter(schema, format!("{at}{}", step(name)))))
            .collect()
    }

    fn names(&mut self, list: &Value, at: &str) -> Vec<String> {
        let Some(names) = list.as_array() else {
            self.fault(at, Wrong::List.worded("must be a list of names"));
            return Vec::new();
        };
        let mut read: Vec<String> = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            match name.as_str() {
                Some(name) => read.push(name.to_owned()),
                None => self.fault(format!("{at}/{index}"), Wrong::Text),
            }
        }
        read.sort_unstable();
        read.dedup();
        read
    }

    fn size(&mut self, value: &Value, at: &str) -> Option<usize> {
        // `3.0` is a whole number too.
        let number = Decimal::from_value(value)
            .filter(|number| number.is_whole())
            .and_then(|number| number.to_number().as_str().parse::<u128>().ok());
        if number.is_none() {
            let text = "must be a whole number of 0 or more";
            self.fault(at, Wrong::AtLeast("0".to_owned()).worded(text));
        }
        number.map(|number| usize::try_from(number).unwrap_or(usize::MAX))
    }
}

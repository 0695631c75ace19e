//! What the metadata of a context must look like: a JSON Schema, judged when it is written, and paid for step by step when it is used.
//!
//! The validator is our own ([decision 18](../../../docs/decisions/0018-metadata-schemas-with-a-price.md)): what a check may cost is
//! known before anybody runs it, and holds while it runs.

mod cost;
mod equality;
mod number;
mod pattern;
mod program;
mod read;
mod run;
mod tag;

use serde_json::Value;

use super::fault::Fault;
use super::request::Metadata;
use crate::domain::wrong::Wrong;
use program::Program;
use read::{Compiled, Purpose};

/// The largest schema, in bytes of JSON.
pub const MAX_BYTES: usize = 32 * 1024;

/// Memory that the patterns of all schemas of a tenant may take together, in bytes.
pub const MAX_PATTERN_BYTES: usize = 16 * 1024 * 1024;

/// What is left of [`MAX_PATTERN_BYTES`] for the schemas that are loaded next.
#[derive(Debug)]
pub struct PatternBudget(usize);

impl Default for PatternBudget {
    fn default() -> Self {
        Self(MAX_PATTERN_BYTES)
    }
}

/// A compiled JSON Schema. References to other documents are refused, so a schema makes nobody fetch anything.
#[derive(Debug)]
pub struct MetadataSchema {
    document: Value,
    program: Program,
    pattern_bytes: usize,
}

impl MetadataSchema {
    /// Compiles a JSON Schema (2020-12 unless it says 2019-09 or draft-07) that somebody writes: one that could cost more than a
    /// check may, with the largest metadata there can be, is refused.
    pub fn compile(document: Value) -> Result<Self, Vec<Fault>> {
        if document.to_string().len() > MAX_BYTES {
            let most = Wrong::Bytes { most: MAX_BYTES };
            return Err(vec![Fault::new("", most.worded("must be 32 kB at most"))]);
        }
        let read = read::read(&document, Purpose::Write)?;
        let faults = cost::judge(&read.program, &read.places);
        if faults.is_empty() {
            Ok(Self::new(document, read))
        } else {
            Err(faults)
        }
    }

    /// Compiles the schema of a version that is sealed, whatever it could cost: what was written before it was judged is served
    /// as before, and metadata that would cost more than a check may is refused. So is what a pattern would have to judge for
    /// which there was no `room` left.
    pub fn compile_sealed(document: Value, room: &mut PatternBudget) -> Result<Self, Vec<Fault>> {
        let read = read::read(&document, Purpose::Serve(room.0))?;
        room.0 = room.0.saturating_sub(read.pattern_bytes);
        Ok(Self::new(document, read))
    }

    fn new(document: Value, read: Compiled) -> Self {
        Self {
            document,
            program: read.program,
            pattern_bytes: read.pattern_bytes,
        }
    }

    /// Memory of its patterns, in bytes.
    pub fn pattern_bytes(&self) -> usize {
        self.pattern_bytes
    }

    /// The schema as written.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// What in `metadata` breaks the schema, each with its place; the first twenty.
    pub fn check(&self, metadata: &Metadata) -> Result<(), Vec<Fault>> {
        let metadata = metadata.as_value();
        match run::check(&self.program, metadata) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let faults = run::list_faults(&self.program, metadata);
                Err(if faults.is_empty() {
                    vec![Fault::new("", Wrong::Unfit)]
                } else {
                    faults
                })
            }
            Err(run::TooCostly) => Err(vec![Fault::new("", Wrong::TakesLong)]),
        }
    }
}

#[cfg(test)]
mod tests;

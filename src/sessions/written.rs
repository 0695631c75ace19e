//! A decided configuration as JSON, written once: the ledger has its hash, Anam gets it.

use aws_lc_rs::digest::{Context, SHA256};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::domain::decide::Decision;

/// What Anam is sent for a decision, but for secrets, whose names stand in their places.
#[derive(Debug)]
pub struct WrittenConfig {
    /// The `personaConfig`.
    pub persona: Box<RawValue>,
    /// The `sessionOptions`.
    pub session_options: Box<RawValue>,
}

impl WrittenConfig {
    /// Writes a decision's configuration. A part that can't be written is `null`, which Anam refuses.
    pub fn new(decision: &Decision) -> Self {
        Self {
            persona: written(&decision.config),
            session_options: written(&decision.session_options),
        }
    }

    /// SHA-256 of both as a JSON list.
    pub fn hash(&self) -> Vec<u8> {
        let mut list = Context::new(&SHA256);
        for part in [
            "[",
            self.persona.get(),
            ",",
            self.session_options.get(),
            "]",
        ] {
            list.update(part.as_bytes());
        }
        list.finish().as_ref().to_vec()
    }
}

fn written(part: &impl Serialize) -> Box<RawValue> {
    to_raw_value(part).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

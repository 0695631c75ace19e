//! Older versions of snippets that a bundle carries because its personas pin them.
//!
//! Their numbers are the bundle's own: on another database the same text may have another number, so a version is known by its
//! content, and pins are rewritten to the number that it has here.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Work;
use crate::authoring::bundle::Bundle;
use crate::authoring::documents::target;
use crate::authoring::plan::Action;
use crate::authoring::seal::{self, Sealing};
use crate::domain::document::DocumentKind;
use crate::domain::key::Key;
use crate::store::StoreError;

/// The number here of each version that the bundle numbers.
pub(super) type Pins = BTreeMap<(String, i32), i32>;

impl Work<'_> {
    /// Finds or seals each older version; none of them is released.
    pub(super) async fn older_snippets(&mut self, bundle: &Bundle) -> Result<Pins, StoreError> {
        let mut pins = Pins::new();
        for (key, versions) in &bundle.older_snippets {
            for (number, content) in versions {
                let here = self.older_snippet(key, content).await?;
                pins.insert((key.as_str().to_owned(), *number), here);
            }
        }
        Ok(pins)
    }

    async fn older_snippet(
        &mut self,
        key: &Key,
        content: &Map<String, Value>,
    ) -> Result<i32, StoreError> {
        let kind = DocumentKind::Snippet;
        let sealed = self.change.tx.snippet_versions().await?;
        let known = sealed
            .iter()
            .find(|row| row.key == key.as_str() && row.content == *content);
        if let Some(row) = known {
            return Ok(row.number);
        }
        let document = match self.change.tx.find_document(kind, key.as_str()).await? {
            Some(document) => document,
            None => self.new_document(kind, key).await?,
        };
        let newest = sealed.iter().filter(|row| row.key == key.as_str());
        let contributors = self.change.admin.actor.contributors();
        let sealing = Sealing {
            document,
            kind,
            key,
            base_version: newest.map(|row| row.number).max(),
            content,
            contributors: &contributors,
            message: &self.options.message,
        };
        let version = seal::insert(self.change, &sealing).await?;
        let note = format!("version {}, for personas that pin it", version.number);
        self.step(Action::Create, target(kind, key), note);
        Ok(version.number)
    }
}

/// The persona with the numbers that its pins have here.
pub(super) fn pinned_as_sealed(content: &Map<String, Value>, pins: &Pins) -> Map<String, Value> {
    let mut content = content.clone();
    if let Some(Value::Object(own)) = content.get_mut("snippets") {
        for (key, number) in own {
            let asked = number.as_i64().and_then(|n| i32::try_from(n).ok());
            let here = asked.and_then(|asked| pins.get(&(key.clone(), asked)));
            if let Some(here) = here {
                *number = json!(here);
            }
        }
    }
    content
}

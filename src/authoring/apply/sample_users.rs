//! Users whom admins made up.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Work;
use crate::authoring::bundle::Bundle;
use crate::authoring::plan::Action;
use crate::authoring::scenario::MAX_SAMPLE_USERS;
use crate::domain::key::Key;
use crate::domain::wrong::Wrong;
use crate::store::StoreError;

impl Work<'_> {
    pub(super) async fn sample_users(&mut self, bundle: &Bundle) -> Result<(), StoreError> {
        let Some(wanted) = &bundle.sample_users else {
            return Ok(());
        };
        let rows = self.change.tx.sample_users(None, MAX_SAMPLE_USERS).await?;
        let stored = rows.into_iter().filter_map(|row| {
            Some((
                Key::parse(&row.key).ok()?,
                whole(&row.description, row.content),
            ))
        });
        let stored: BTreeMap<Key, Map<String, Value>> = stored.collect();
        let kept = stored
            .keys()
            .filter(|key| !self.options.prune && !wanted.contains_key(*key));
        if wanted.len() + kept.count() > usize::try_from(MAX_SAMPLE_USERS).unwrap_or_default() {
            self.faults.add(
                "/sampleUsers",
                Wrong::Members {
                    most: usize::try_from(MAX_SAMPLE_USERS).unwrap_or_default(),
                }
                .worded(format!(
                    "would be too many: a tenant has {MAX_SAMPLE_USERS} sample users at most"
                )),
            );
        }
        let now = self.change.now;
        for (key, user) in wanted {
            let after = whole(&user.description, user.user.to_document());
            let before = stored.get(key);
            if before == Some(&after) {
                continue;
            }
            self.change
                .tx
                .put_sample_user(key, &user.description, &user.user, now)
                .await?;
            let verb = if before.is_some() {
                Action::Change
            } else {
                Action::Create
            };
            self.note(verb, target(key), "", json!({}));
            if let Some(before) = before {
                self.note_changes(before, &after);
            }
        }
        for key in stored.keys().filter(|key| !wanted.contains_key(*key)) {
            if self.options.prune {
                self.change.tx.delete_sample_user(key).await?;
                self.note(Action::Remove, target(key), "", json!({}));
            } else {
                self.plan.left_alone.push(target(key));
            }
        }
        Ok(())
    }
}

fn target(key: &Key) -> String {
    format!("sample_user/{key}")
}

/// A sample user as bundles write it.
pub(in crate::authoring) fn whole(
    description: &str,
    mut content: Map<String, Value>,
) -> Map<String, Value> {
    if !description.is_empty() {
        content.insert("description".into(), description.into());
    }
    content
}

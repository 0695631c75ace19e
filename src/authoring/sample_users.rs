//! Users whom admins made up, to preview documents and to test them with.

use serde_json::json;

use super::scenario::MAX_SAMPLE_USERS;
use crate::domain::kept_test::{self, TestUser};
use crate::domain::key::Key;
use crate::domain::sample_user::SampleUser;
use crate::domain::wrong::Wrong;
use crate::sources::load::served_versions;
use crate::store::sample_users::SampleUserRow;
use crate::store::tenant_tx::TenantTx;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

/// Longest description, characters.
pub const MAX_DESCRIPTION: usize = 200;

/// The sample user, or [`Refusal::NotFound`].
pub async fn find(tx: &mut TenantTx, key: &Key) -> Result<SampleUserRow, Refusal> {
    tx.sample_user(key).await?.ok_or(Refusal::NotFound)
}

/// Writes a sample user, new or changed.
pub async fn put(
    change: &mut Change,
    key: &Key,
    description: &str,
    user: &SampleUser,
) -> Result<SampleUserRow, Refusal> {
    change.lock_authoring().await?;
    let is_new = change.tx.sample_user(key).await?.is_none();
    if is_new && change.tx.count_sample_users().await? >= MAX_SAMPLE_USERS {
        return Err(Refusal::Conflict(
            Wrong::Full {
                what: "sample_users",
                most: MAX_SAMPLE_USERS.to_string(),
            }
            .worded(format!(
                "a tenant has at most {MAX_SAMPLE_USERS} sample users"
            )),
        ));
    }
    let row = change
        .tx
        .put_sample_user(key, description, user, change.now)
        .await?;
    note(change, if is_new { "create" } else { "change" }, key);
    Ok(row)
}

/// Removes a sample user, unless a test of a document needs it that is live or is going to be.
pub async fn delete(change: &mut Change, key: &Key) -> Result<(), Refusal> {
    change.lock_authoring().await?;
    let mut moments = vec![change.now];
    moments.extend(change.tx.coming_moments(change.now).await?);
    for moment in moments {
        let mut live = served_versions(&mut change.tx, moment).await?;
        let rollouts = change.tx.rollouts(moment).await?.into_iter();
        live.extend(rollouts.map(|(row, _)| row));
        let needs = live.iter().find(|row| {
            let tests = kept_test::parse(&row.content).unwrap_or_default();
            tests
                .iter()
                .any(|test| matches!(&test.user, TestUser::Sample(name) if name == key))
        });
        if let Some(row) = needs {
            return Err(Refusal::InUse(
                Wrong::NamedByTest {
                    kind: row.kind.as_str(),
                    name: row.key.clone(),
                }
                .into(),
            ));
        }
    }
    change.tx.delete_sample_user(key).await?;
    note(change, "delete", key);
    Ok(())
}

fn note(change: &mut Change, verb: &str, key: &Key) {
    let action = format!("sample-user.{verb}");
    let target = format!("sample-user/{key}");
    change.note(&action, &target, json!({}));
}

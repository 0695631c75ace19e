//! A tenant's secrets: what webhook tools send along and nobody may read. They go in, are sealed, and come out in the body
//! for Anam alone.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::catalogue::usage::Reference;
use super::change::Change;
use super::refusal::Refusal;
use crate::crypto::seal::last_four;
use crate::crypto::token::same_secret;
use crate::domain::document::DocumentKind;
use crate::domain::fault::step;
use crate::domain::key::Key;
use crate::domain::settings::Settings;
use crate::domain::wrong::{Words, Wrong};
use crate::store::StoreError;
use crate::store::sealed::SealedColumn;
use crate::store::secrets::SecretRow;
use crate::store::tenant_tx::TenantTx;

/// Most secrets of a tenant.
const MAX_SECRETS: usize = 100;
/// Longest secret, in characters.
pub const MAX_CHARS: usize = 2_048;

/// A text that may be a secret: it can be in a header, and comes out of one as it went in.
#[derive(Debug, Clone)]
pub struct SecretText(SecretString);

impl SecretText {
    /// `Err` says what a secret looks like.
    pub fn parse(text: SecretString) -> Result<Self, Words> {
        let exposed = text.expose_secret();
        let is_printable = exposed.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if is_printable && exposed.trim() == exposed && (1..=MAX_CHARS).contains(&exposed.len()) {
            return Ok(Self(text));
        }
        let most = MAX_CHARS;
        Err(Wrong::Ascii { most }.worded(format!(
            "must be 1 to {most} printable ASCII characters, without a space at either end"
        )))
    }
}

/// What became of a secret that was set.
#[derive(Debug)]
pub enum Set {
    /// There was none of this name.
    New(SecretRow),
    Changed(SecretRow),
    Same(SecretRow),
}

/// A secret, or [`Refusal::NotFound`].
pub async fn find(tx: &mut TenantTx, name: &Key) -> Result<SecretRow, Refusal> {
    let found = tx.secrets_named(&[name.as_str().to_owned()]).await?.pop();
    found.ok_or(Refusal::NotFound)
}

/// Sets a secret, new or not, and says so in the audit trail. Mints use the new value as soon as the notice of the change arrives.
pub async fn set(change: &mut Change, name: &Key, value: &SecretText) -> Result<Set, Refusal> {
    let set = put(change, name, value).await?;
    let (action, row) = match &set {
        Set::New(row) => ("secret.create", row),
        Set::Changed(row) => ("secret.change", row),
        Set::Same(_) => return Ok(set),
    };
    let details = json!({ "lastFour": row.last_four });
    change.note(action, &target(name), details);
    Ok(set)
}

/// The same, for who tells the audit trail themselves.
pub async fn put(change: &mut Change, name: &Key, value: &SecretText) -> Result<Set, Refusal> {
    change.lock_authoring().await?;
    let tenant = change.tx.tenant();
    let stored = change.tx.secrets().await?;
    let known = stored.iter().find(|row| row.name == name.as_str());
    if let Some(row) = known
        && let Ok(old) = change
            .keys
            .open(&row.sealed, &SealedColumn::Secret.place(tenant, row.id))
        && same_secret(&old, &value.0)
    {
        return Ok(Set::Same(row.clone()));
    }
    if known.is_none() && stored.len() >= MAX_SECRETS {
        return Err(Refusal::Conflict(
            Wrong::Full {
                what: "secrets",
                most: MAX_SECRETS.to_string(),
            }
            .worded(format!(
                "a tenant has at most {MAX_SECRETS} secrets: delete one that nothing uses first"
            )),
        ));
    }
    let id = known.map_or_else(|| change.new_id(), |row| row.id);
    let row = SecretRow {
        id,
        name: name.as_str().to_owned(),
        sealed: change
            .keys
            .seal(&value.0, &SealedColumn::Secret.place(tenant, id))?,
        last_four: last_four(&value.0),
        set_at: change.now,
        set_by: change.admin.actor.label.clone(),
    };
    change.tx.put_secret(&row).await?;
    Ok(if known.is_some() {
        Set::Changed(row)
    } else {
        Set::New(row)
    })
}

/// Forgets a secret that nothing uses which is live or is going to be.
pub async fn delete(change: &mut Change, name: &Key) -> Result<(), Refusal> {
    change.lock_authoring().await?;
    find(&mut change.tx, name).await?;
    let used = usage(change).await?;
    if let Some(place) = used.get(name).and_then(|places| places.first()) {
        let pointer = place.pointer.clone();
        let used = match &place.persona {
            Some((persona, version)) => Wrong::SecretUsed {
                name: persona.clone(),
                version: *version,
                pointer,
            },
            None => Wrong::SecretInPolicy(pointer),
        };
        return Err(Refusal::InUse(used.into()));
    }
    change.tx.delete_secret(name).await?;
    change.note("secret.remove", &target(name), json!({}));
    Ok(())
}

/// Where each secret is referred to: by the policy, and by what is live now or scheduled.
pub async fn usage(change: &mut Change) -> Result<BTreeMap<Key, Vec<Reference>>, StoreError> {
    let mut used = BTreeMap::new();
    let mut moments = vec![change.now];
    moments.extend(change.tx.coming_moments(change.now).await?);
    for moment in moments {
        let rollouts = change.tx.rollouts(moment).await?.into_iter();
        let live = change.tx.released_versions(moment, 1).await?.into_iter();
        for row in live.chain(rollouts.map(|(row, _)| row)) {
            if row.kind == DocumentKind::Persona {
                let persona = (row.key, row.number);
                note(&mut used, Some(&persona), "", &row.content);
            }
        }
    }
    if let Some(tenant) = change.tx.tenant_row().await? {
        for part in ["defaults", "locks"] {
            if let Some(Value::Object(settings)) = tenant.policy.get(part) {
                note(&mut used, None, &step(part), settings);
            }
        }
    }
    Ok(used)
}

/// Notes each place of some settings that refers to a secret.
fn note(
    used: &mut BTreeMap<Key, Vec<Reference>>,
    persona: Option<&(String, i32)>,
    prefix: &str,
    settings: &Map<String, Value>,
) {
    let tools = settings.get("tools").cloned();
    let tools = tools.and_then(|tools| serde_json::from_value(tools).ok());
    let settings = Settings {
        tools,
        ..Settings::default()
    };
    for (pointer, name) in settings.secret_references() {
        let place = Reference {
            persona: persona.cloned(),
            pointer: format!("{prefix}{pointer}"),
        };
        let places: &mut Vec<Reference> = used.entry(name).or_default();
        if !places.contains(&place) {
            places.push(place);
        }
    }
}

/// What the audit trail calls a secret.
pub fn target(name: &Key) -> String {
    format!("secret/{name}")
}

//! Findings about secrets that documents and policies refer to.

use std::collections::BTreeSet;

use crate::domain::examine::plain_credentials;
use crate::domain::fault::{Fault, Faults};
use crate::domain::key::Key;
use crate::domain::policy::Policy;
use crate::domain::wrong::Wrong;
use crate::store::StoreError;
use crate::store::tenant_tx::TenantTx;

/// The names of the tenant's secrets.
pub(super) async fn names(tx: &mut TenantTx) -> Result<BTreeSet<Key>, StoreError> {
    let names = tx.secret_names().await?.into_iter();
    Ok(names.filter_map(|name| Key::parse(&name).ok()).collect())
}

/// What is wrong with the tools that a policy gives every persona, as far as it changes them: credentials in plain text, and
/// references that lead nowhere.
pub(super) fn faults_of_policy(
    before: &Policy,
    after: &Policy,
    secrets: &BTreeSet<Key>,
) -> Vec<Fault> {
    let mut faults = Faults::new();
    let layers = [
        ("/defaults", &before.defaults, &after.defaults),
        ("/locks", &before.locks, &after.locks),
    ];
    for (at, old, new) in layers {
        if old.tools == new.tools {
            continue;
        }
        faults.extend_under(at, plain_credentials(new));
        for (place, name) in new.secret_references() {
            if !secrets.contains(&name) {
                faults.add(format!("{at}{place}"), Wrong::NoSecret(name.to_string()));
            }
        }
    }
    faults.into_vec()
}

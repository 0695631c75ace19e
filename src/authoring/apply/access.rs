//! Who may call, and the key for requests to Anam: issuers and provider keys, and the secrets that they refer to.

use secrecy::ExposeSecret;
use serde_json::json;

use super::{ApplyError, Work};
use crate::auth::problems_of_given_keys;
use crate::authoring::bundle::{Bundle, BundleIssuer, SecretRef};
use crate::authoring::plan::Action;
use crate::crypto::seal::{Aad, last_four};
use crate::domain::finding::Finding;
use crate::domain::ids::{IssuerId, ProviderKeyId};
use crate::domain::wrong::Wrong;
use crate::store::StoreError;
use crate::store::issuers::{IssuerRow, SharedIssuerRow};
use crate::store::pairs::ClaimedBy;
use crate::store::provider_keys::ProviderKeyRow;
use crate::store::sealed::SealedColumn;
use crate::tenants::issuer_secret;
use crate::tenants::issuers::{self, is_introspecting, shares_audience, url_of};
use crate::tenants::provider_keys;
use crate::tenants::refusal::Refusal;

impl Work<'_> {
    /// A tenant that took over a shared issuer's tokens would shut out every tenant that it serves.
    pub(super) fn shared_issuers_stay(&mut self, bundle: &Bundle, shared: &[SharedIssuerRow]) {
        for (index, issuer) in bundle.issuers.iter().flatten().enumerate() {
            let is_taken = |row: &SharedIssuerRow| {
                issuer.parsed.introspection().is_none()
                    && url_of(&row.config) == issuer.parsed.issuer()
                    && shares_audience(&row.config, &issuer.config)
            };
            if shared.iter().any(is_taken) {
                self.faults.add(
                    format!("/issuers/{index}/audiences"),
                    Wrong::PairTaken("shared").worded(
                        "one of these audiences belongs to a shared issuer of the installation",
                    ),
                );
            }
        }
    }

    pub(super) async fn issuers(&mut self, bundle: &Bundle) -> Result<(), ApplyError> {
        let Some(wanted) = &bundle.issuers else {
            return Ok(());
        };
        let mut stored = self.change.tx.tenant_issuers().await?;
        for (index, issuer) in wanted.iter().enumerate() {
            let problems = problems_of_given_keys(&issuer.parsed, self.change.now);
            self.faults
                .extend_under(&format!("/issuers/{index}"), problems);
            let url = issuer.parsed.issuer();
            // Several may share a URL; then the one that shares an audience is meant. Of those with opaque tokens there is one.
            let is_opaque = issuer.parsed.introspection().is_some();
            let same_url = |row: &IssuerRow| {
                is_introspecting(&row.config) == is_opaque
                    && (is_opaque || url_of(&row.config) == url)
            };
            let found = stored
                .iter()
                .position(|row| same_url(row) && shares_audience(&row.config, &issuer.config))
                .or_else(|| stored.iter().position(same_url))
                .map(|at| stored.remove(at));
            let id = found
                .as_ref()
                .map_or_else(|| IssuerId(self.change.new_id()), |row| row.id);
            let aad = SealedColumn::IssuerSecret.place(self.change.tx.tenant(), id.0);
            let Some(secret) = self.wanted_secret(issuer, index, found.as_ref(), &aad)? else {
                continue;
            };
            let same = found
                .as_ref()
                .is_some_and(|row| row.enabled && row.config == issuer.config);
            if same && !secret.is_new {
                self.claim(index, id).await?;
                continue;
            }
            let upserted = self
                .change
                .tx
                .upsert_issuer(id, &issuer.config, secret.sealed.as_deref())
                .await;
            if let Err(StoreError::Conflict { .. }) = upserted {
                return Err(self.pair_conflict(index));
            }
            upserted?;
            let verb = if found.is_some() {
                Action::Change
            } else {
                Action::Create
            };
            self.note(
                verb,
                format!("issuer/{url}"),
                "",
                json!({ "config": issuer.config }),
            );
            if let Some(row) = &found {
                self.note_changes(&row.config, &issuer.config);
            }
            self.claim(index, id).await?;
        }
        for row in stored {
            let target = format!("issuer/{}", url_of(&row.config));
            if self.options.prune {
                self.change.tx.delete_issuer(row.id).await?;
                self.note(Action::Remove, target, "", json!({}));
            } else {
                self.plan.left_alone.push(target);
            }
        }
        Ok(())
    }

    /// Told in the platform's trail as well.
    pub(super) async fn create_tenant(&mut self, bundle: &Bundle) -> Result<(), ApplyError> {
        let name = bundle.name.as_deref().unwrap_or(&bundle.tenant);
        self.change.tx.insert_tenant(&bundle.tenant, name).await?;
        let target = format!("tenant/{}", bundle.tenant);
        self.change
            .note_platform("tenant.create", &target, json!({}));
        self.note(Action::Create, target, "", json!({}));
        Ok(())
    }

    /// The transaction is lost with the conflict: what else is wrong will show next time.
    fn pair_conflict(&mut self, index: usize) -> ApplyError {
        self.faults.add(
            format!("/issuers/{index}/audiences"),
            Wrong::PairTaken("issuer")
                .worded("one of these audiences of this issuer belongs to another issuer"),
        );
        ApplyError::Faults {
            faults: std::mem::take(&mut self.faults).into_vec(),
            findings: Vec::new(),
        }
    }

    /// Whose an issuer's tokens are: an operator decides, anybody else has to prove it.
    async fn claim(&mut self, index: usize, id: IssuerId) -> Result<(), ApplyError> {
        if !self.change.tx.pairs_of_others(id).await?.is_empty() {
            self.faults.add(
                format!("/issuers/{index}/audiences"),
                Wrong::PairTaken("tenant")
                    .worded("one of these audiences of this issuer belongs to another tenant"),
            );
            return Ok(());
        }
        let row = issuers::find(&mut self.change.tx, id).await?;
        let pending = row.pairs.iter().filter(|pair| pair.claimed_at.is_none());
        let pending: Vec<String> = pending.map(|pair| pair.audience.clone()).collect();
        let url = url_of(&row.config);
        if pending.is_empty() {
            return Ok(());
        }
        if self.is_operators {
            match issuers::claim(self.change, &row, &pending, ClaimedBy::Operator).await {
                Err(Refusal::Conflict(_)) => return Err(self.pair_conflict(index)),
                claimed => claimed?,
            }
            // A new issuer is in the plan already.
            let target = format!("issuer/{url}");
            if self
                .plan
                .steps
                .last()
                .is_none_or(|step| step.target != target)
            {
                self.step(
                    Action::Change,
                    target,
                    format!("{} claimed", pending.join(", ")),
                );
            }
        } else {
            self.plan.findings.push(Finding::warning(
                format!("/issuers/{index}/audiences"),
                Wrong::Unproven {
                    issuer: url.to_owned(),
                    audiences: pending.join(", "),
                },
                format!(
                    "Prove it with POST /v1/admin/issuers/{{issuer}}:prove, or ask the gateway's operator for `persona-gateway issuer-pair assign`; the audience `{}` needs no proof.",
                    issuers::own_audience(&self.plan.tenant)
                ),
            ));
        }
        Ok(())
    }

    /// The sealed secret that an issuer should have. `None` where the reference leads nowhere; that is a fault then.
    fn wanted_secret(
        &mut self,
        issuer: &BundleIssuer,
        index: usize,
        found: Option<&IssuerRow>,
        aad: &Aad,
    ) -> Result<Option<WantedSecret>, ApplyError> {
        let at = format!("/issuers/{index}/secret");
        let is_stored = found.is_some_and(|row| row.shared_secret.is_some());
        let Some(reference) = &issuer.secret else {
            return Ok(Some(WantedSecret {
                is_new: is_stored,
                sealed: None,
            }));
        };
        let stored = found.and_then(|row| issuer_secret::reusable_secret(&issuer.parsed, row));
        let stored = stored.map(<[u8]>::to_vec);
        if *reference == SecretRef::Stored {
            if stored.is_none() {
                self.faults.add(
                    at,
                    if is_stored {
                        Wrong::StoredElse
                    } else {
                        Wrong::NotStored
                    },
                );
                return Ok(None);
            }
            return Ok(Some(WantedSecret {
                is_new: false,
                sealed: stored,
            }));
        }
        let secret = match (self.find_secret)(reference) {
            Ok(secret) => secret,
            Err(why) => {
                self.faults.add(at, Wrong::SecretNotGiven(why));
                return Ok(None);
            }
        };
        // One that was good enough before today's rules goes on.
        if let Some(sealed) = stored
            && self
                .change
                .keys
                .open(&sealed, aad)
                .is_ok_and(|old| old.expose_secret() == secret.expose_secret())
        {
            return Ok(Some(WantedSecret {
                is_new: false,
                sealed: Some(sealed),
            }));
        }
        if let Err(bad) = issuer_secret::judge(&issuer.parsed, &secret) {
            self.faults.add(at, bad);
            return Ok(None);
        }
        Ok(Some(WantedSecret {
            is_new: true,
            sealed: Some(self.change.keys.seal(&secret, aad)?),
        }))
    }

    pub(super) async fn provider_key(&mut self, bundle: &Bundle) -> Result<(), ApplyError> {
        let Some(reference) = &bundle.provider_key else {
            return Ok(());
        };
        let stored = self.change.tx.active_provider_key().await?;
        if *reference == SecretRef::Stored {
            if stored.is_none() {
                self.faults.add("/providerKey", Wrong::NotStored);
            }
            return Ok(());
        }
        let secret = match (self.find_secret)(reference) {
            Ok(secret) => secret,
            Err(why) => {
                self.faults.add("/providerKey", Wrong::SecretNotGiven(why));
                return Ok(());
            }
        };
        let tenant = self.change.tx.tenant();
        if let Some(row) = &stored
            && provider_keys::is(&self.change.keys, tenant, row, &secret)
        {
            return Ok(());
        }
        let id = ProviderKeyId(self.change.new_id());
        let last_four = last_four(&secret);
        let row = ProviderKeyRow {
            id,
            label: "bundle".into(),
            sealed: self
                .change
                .keys
                .seal(&secret, &SealedColumn::ProviderKey.place(tenant, id.0))?,
            last_four,
        };
        self.change.tx.insert_provider_key(&row).await?;
        let verb = if let Some(old) = stored {
            self.change.tx.retire_provider_key(old.id).await?;
            Action::Change
        } else {
            Action::Create
        };
        let note = match row.last_four.as_str() {
            "" => String::new(),
            end => format!("ends in {end}"),
        };
        self.note(
            verb,
            "provider_key".into(),
            note,
            json!({ "lastFour": row.last_four }),
        );
        Ok(())
    }
}

struct WantedSecret {
    is_new: bool,
    sealed: Option<Vec<u8>>,
}

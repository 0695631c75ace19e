//! Issuers of a tenant's user JWTs, as its admins keep them: tried out before they are saved.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::admin::Admin;
use super::change::Change;
use super::issuer_secret;
use super::refusal::Refusal;
use crate::auth::{CheckReport, TENANT_CLAIM, ownership_claim};
use crate::domain::fault::{Fault, Faults};
use crate::domain::ids::{IssuerId, TenantId};
use crate::domain::issuer::IssuerConfig;
use crate::domain::wrong::Words;
use crate::domain::wrong::Wrong;
use crate::gateway::Gateway;
use crate::store::StoreError;
use crate::store::issuers::IssuerRow;
use crate::store::pairs::ClaimedBy;
use crate::store::sealed::SealedColumn;
use crate::store::tenant_tx::TenantTx;

/// An issuer as an admin wants it.
#[derive(Debug)]
pub struct WantedIssuer {
    config: Map<String, Value>,
    parsed: IssuerConfig,
    /// Only where one goes with it; `None` keeps the one that is stored.
    secret: Option<SecretString>,
}

impl WantedIssuer {
    /// Reads a configuration and its secret; every fault at once. Pointers are those of `{config, sharedSecret}`.
    pub fn read(config: &Value, secret: Option<SecretString>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::new();
        let parsed = faults.take("/config", IssuerConfig::parse(config));
        match (&parsed, &secret) {
            (Some(parsed), Some(secret)) if parsed.takes_secret() => {
                if let Err(bad) = issuer_secret::judge(parsed, secret) {
                    faults.add("/sharedSecret", bad);
                }
            }
            (Some(_), Some(_)) => faults.add(
                "/sharedSecret",
                Wrong::SecretWithKeys.worded("goes together with keys: {\"sharedSecret\": true} or {\"introspection\": {...}}"),
            ),
            _ => {}
        }
        match (parsed, config) {
            (Some(parsed), Value::Object(config)) => faults.into_result(Self {
                config: config.clone(),
                parsed,
                secret,
            }),
            _ => Err(faults.into_vec()),
        }
    }

    pub fn stored(row: &IssuerRow) -> Result<Self, Vec<Fault>> {
        Self::read(&Value::Object(row.config.clone()), None)
    }

    fn wants_secret(&self) -> bool {
        self.parsed.takes_secret()
    }

    fn is_introspecting(&self) -> bool {
        self.parsed.introspection().is_some()
    }
}

pub async fn find(tx: &mut TenantTx, id: IssuerId) -> Result<IssuerRow, Refusal> {
    tx.issuer(id).await?.ok_or(Refusal::NotFound)
}

/// Tries an issuer out: fetches its keys and judges a sample token, as it would be done in earnest. `existing` is the issuer
/// that it would replace, whose stored secret stands in for one that is not given. Writes nothing; reaches out, so hold no
/// transaction meanwhile.
pub async fn check(
    gateway: &Gateway,
    tenant: TenantId,
    wanted: &WantedIssuer,
    existing: Option<&IssuerRow>,
    sample_token: Option<&SecretString>,
) -> Result<CheckReport, Refusal> {
    let stored = match existing
        .and_then(|row| Some((row.id, issuer_secret::reusable_secret(&wanted.parsed, row)?)))
    {
        Some((id, sealed)) if wanted.secret.is_none() => Some(
            gateway
                .keys
                .open(sealed, &SealedColumn::IssuerSecret.place(tenant, id.0))?,
        ),
        _ => None,
    };
    let secret = wanted.secret.as_ref().or(stored.as_ref());
    let bytes = secret.map(|secret| issuer_secret::bytes(&wanted.parsed, secret));
    let bytes = bytes.unwrap_or_default();
    let token = sample_token.map(ExposeSecret::expose_secret);
    Ok(gateway.auth.check(&wanted.parsed, &bytes, token).await)
}

/// Whether tokens that a new issuer would take belong to another one already, which would keep it from being saved.
pub async fn pair_conflict(
    gateway: &Gateway,
    tenant: TenantId,
    wanted: &WantedIssuer,
) -> Result<Option<Fault>, Refusal> {
    let mut tx = gateway.database.tenant(tenant).await?;
    let id = IssuerId(gateway.clock.new_id());
    // The transaction is dropped afterwards: nothing was written.
    match write(&mut tx, id, wanted, None).await {
        Err(Refusal::Exists(why)) => {
            let taken = if wanted.is_introspecting() {
                Wrong::OneOpaque
            } else {
                Wrong::PairTaken("issuer")
            };
            Ok(Some(Fault::new(
                "/config/audiences",
                taken.worded(why.text),
            )))
        }
        Err(other) => Err(other),
        Ok(()) => Ok(None),
    }
}

/// What keeps a try-out from being good, with pointers of `{config, sharedSecret, sampleToken}`.
pub fn problems(report: &CheckReport) -> Vec<Fault> {
    let mut faults = Faults::new();
    faults.extend_under("/config", report.problems.iter().cloned());
    if let Some(token) = report.token.as_ref().filter(|token| !token.accepted) {
        let failed = token.steps.iter().find(|step| step.passed == Some(false));
        let why = failed.and_then(|step| {
            let text = format!("is refused: its {} {}", step.name, step.message);
            let wrong = step.wrong.clone()?;
            Some(Words { text, wrong })
        });
        let why = why.unwrap_or_else(|| Wrong::Unjudged.into());
        faults.add("/sampleToken", why);
    }
    faults.into_vec()
}

/// Gives a tenant the pairs of one of its issuers that a token speaks for: one that the issuer signed with keys of its own URL, and
/// that names the tenant. Reaches out, so it begins its change afterwards.
pub async fn prove(
    gateway: &Gateway,
    admin: &Admin,
    id: IssuerId,
    token: &SecretString,
) -> Result<IssuerRow, Refusal> {
    let mut tx = gateway.database.tenant(admin.tenant).await?;
    let row = find(&mut tx, id).await?;
    let slug = tx.tenant_row().await?.ok_or(Refusal::NotFound)?.slug;
    tx.commit().await?;
    let wanted = WantedIssuer::stored(&row).map_err(Refusal::Invalid)?;
    if wanted.is_introspecting() {
        return Err(Refusal::Conflict(Wrong::NothingToProve.into()));
    }
    if !wanted.parsed.has_keys_of_its_own_url() {
        return Err(Refusal::Conflict(
            Wrong::KeysElsewhere(own_audience(&slug)).into(),
        ));
    }
    let report = check(gateway, admin.tenant, &wanted, Some(&row), Some(token)).await?;
    let mut faults = Faults::new();
    for mut fault in problems(&report) {
        if fault.pointer == "/sampleToken" {
            fault.pointer = "/token".into();
        }
        faults.extend_under("", [fault]);
    }
    let testimony = ownership_claim(token.expose_secret(), &wanted.parsed);
    let named = testimony.as_ref().and_then(|said| said.tenant.as_deref());
    let by_id = admin.tenant.to_string();
    if faults.is_empty() && named != Some(slug.as_str()) && named != Some(by_id.as_str()) {
        faults.add(
            "/token",
            Wrong::TenantUnnamed {
                claim: TENANT_CLAIM,
                tenant: slug.clone(),
            },
        );
    }
    faults.into_result(()).map_err(Refusal::Invalid)?;
    let audiences = testimony.map(|said| said.audiences).unwrap_or_default();

    let mut change = Change::begin(gateway, admin).await?;
    change.lock_authoring().await?;
    let now = find(&mut change.tx, id).await?;
    if now.config != row.config {
        return Err(Refusal::Conflict(Wrong::IssuerChanged.into()));
    }
    claim(&mut change, &now, &audiences, ClaimedBy::Token).await?;
    let proven = find(&mut change.tx, id).await?;
    change.commit().await?;
    Ok(proven)
}

/// Gives pending pairs of an issuer to its tenant, and says so in the audit trail; in the platform's too, where an operator says
/// whose they are, or where they were a suspended tenant's.
pub async fn claim(
    change: &mut Change,
    row: &IssuerRow,
    audiences: &[String],
    by: ClaimedBy,
) -> Result<(), Refusal> {
    let now = change.now;
    let claimed = match change.tx.claim_pairs(row.id, audiences, by, now).await {
        Err(StoreError::Conflict { .. }) => {
            return Err(Refusal::Conflict(Wrong::PairTaken("tenant").worded(
                "tokens of this `issuer` for one of these audiences were proven to be another tenant's of this installation. If they are yours, ask its operator",
            )));
        }
        claimed => claimed?,
    };
    if !claimed.audiences.is_empty() {
        let target = target(&row.config);
        let mut details =
            json!({ "id": row.id, "audiences": claimed.audiences, "by": by.as_str() });
        change.note("issuer.claim", &target, details.clone());
        if by == ClaimedBy::Operator || !claimed.from.is_empty() {
            let slug = change.tx.tenant_row().await?.map(|tenant| tenant.slug);
            if let Some(members) = details.as_object_mut() {
                members.insert("tenant".into(), json!(slug));
                members.insert("from".into(), json!(claimed.from));
            }
            change.note_platform("issuer.claim", &target, details);
        }
    }
    Ok(())
}

/// The audience that names a tenant, so that nobody else can mean it.
pub fn own_audience(slug: &str) -> String {
    format!("persona-gateway/{slug}")
}

/// Registers an issuer. The tokens of its pairs are taken once those are claimed.
pub async fn create(change: &mut Change, wanted: &WantedIssuer) -> Result<IssuerRow, Refusal> {
    change.lock_authoring().await?;
    if wanted.wants_secret() && wanted.secret.is_none() {
        return Err(Refusal::fault("/sharedSecret", Wrong::Missing));
    }
    let id = IssuerId(change.new_id());
    save(change, id, wanted, None).await?;
    note_change(change, "issuer.create", wanted, id);
    find(&mut change.tx, id).await
}

/// Replaces an issuer's configuration. A shared secret that is not given stays.
pub async fn replace(
    change: &mut Change,
    before: &IssuerRow,
    wanted: &WantedIssuer,
) -> Result<IssuerRow, Refusal> {
    let kept = issuer_secret::reusable_secret(&wanted.parsed, before);
    if wanted.wants_secret() && wanted.secret.is_none() && kept.is_none() {
        let why = match before.shared_secret {
            None => Wrong::Missing.worded("is missing: none is stored"),
            Some(_) => Wrong::StoredElse.worded(
                "is missing: the stored one stays for the same kind of keys alone, and for the same endpoint and clientId",
            ),
        };
        return Err(Refusal::fault("/sharedSecret", why));
    }
    save(change, before.id, wanted, kept).await?;
    if !before.enabled {
        change.tx.enable_issuer(before.id, false).await?;
    }
    note_change(change, "issuer.change", wanted, before.id);
    find(&mut change.tx, before.id).await
}

/// Says whether an issuer's tokens are taken. Its pairs of (issuer, audience) stay its own.
pub async fn enable(
    change: &mut Change,
    id: IssuerId,
    enabled: bool,
) -> Result<IssuerRow, Refusal> {
    change.lock_authoring().await?;
    let before = find(&mut change.tx, id).await?;
    if before.enabled != enabled {
        change.tx.enable_issuer(id, enabled).await?;
        let action = if enabled {
            "issuer.enable"
        } else {
            "issuer.disable"
        };
        change.note(action, &target(&before.config), json!({ "id": id }));
    }
    find(&mut change.tx, id).await
}

/// Removes an issuer: its tokens are refused from now on, and others may have its pairs.
pub async fn delete(change: &mut Change, row: &IssuerRow) -> Result<(), Refusal> {
    change.tx.delete_issuer(row.id).await?;
    let details = json!({ "id": row.id, "config": row.config });
    change.note("issuer.remove", &target(&row.config), details);
    Ok(())
}

fn note_change(change: &mut Change, action: &str, wanted: &WantedIssuer, id: IssuerId) {
    let details = json!({
        "id": id, "config": wanted.config, "sharedSecretChanged": wanted.secret.is_some(),
    });
    change.note(action, &target(&wanted.config), details);
}

fn target(config: &Map<String, Value>) -> String {
    format!("issuer/{}", url_of(config))
}

async fn save(
    change: &mut Change,
    id: IssuerId,
    wanted: &WantedIssuer,
    stored_secret: Option<&[u8]>,
) -> Result<(), Refusal> {
    let sealed = match &wanted.secret {
        Some(secret) => {
            let place = SealedColumn::IssuerSecret.place(change.tx.tenant(), id.0);
            Some(change.keys.seal(secret, &place)?)
        }
        None if wanted.wants_secret() => stored_secret.map(<[u8]>::to_vec),
        None => None,
    };
    write(&mut change.tx, id, wanted, sealed.as_deref()).await
}

/// Writes an issuer, provided that its pairs are free. A refusal says whether they are taken by the tenant itself, but never
/// by whom else.
async fn write(
    tx: &mut TenantTx,
    id: IssuerId,
    wanted: &WantedIssuer,
    sealed: Option<&[u8]>,
) -> Result<(), Refusal> {
    let own = tx.tenant_issuers().await?;
    let others = || own.iter().filter(|row| row.id != id);
    if wanted.is_introspecting()
        && let Some(other) = others().find(|row| is_introspecting(&row.config))
    {
        return Err(Refusal::Exists(Wrong::OneOpaque.worded(format!(
            "your issuer {} has `introspection` already, and a tenant has one such issuer: change that one",
            other.id
        ))));
    }
    let holder = others().find(|row| {
        !wanted.is_introspecting()
            && !is_introspecting(&row.config)
            && url_of(&row.config) == wanted.parsed.issuer()
            && shares_audience(&row.config, &wanted.config)
    });
    if let Some(holder) = holder {
        return Err(Refusal::Exists(Wrong::PairTaken("issuer").worded(format!(
            "your issuer {} has the same `issuer` and one of these audiences: change that one",
            holder.id
        ))));
    }
    match tx.upsert_issuer(id, &wanted.config, sealed).await {
        Err(StoreError::Conflict { .. }) => return Err(taken_by_another()),
        written => written?,
    }
    match tx.pairs_of_others(id).await?.first() {
        None => Ok(()),
        Some(_) => Err(taken_by_another()),
    }
}

fn taken_by_another() -> Refusal {
    Refusal::Exists(Wrong::PairTaken("issuer").worded(
        "tokens of this `issuer` for one of these audiences belong to another issuer of this installation: take an audience of your own",
    ))
}

/// Whether two issuers' configurations have an audience in common.
pub fn shares_audience(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let of = |config: &Map<String, Value>| {
        let listed = config.get("audiences").and_then(Value::as_array);
        listed.cloned().unwrap_or_default()
    };
    let theirs = of(other);
    of(one).iter().any(|audience| theirs.contains(audience))
}

/// Whether a stored configuration is that of an issuer with opaque tokens.
pub fn is_introspecting(config: &Map<String, Value>) -> bool {
    let keys = config.get("keys");
    keys.is_some_and(|keys| keys.get("introspection").is_some())
}

/// The issuer URL of a stored configuration.
pub fn url_of(config: &Map<String, Value>) -> &str {
    config
        .get("issuer")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

//! The demo tenant: applied like any other bundle, once, plus the local issuer at each start.

use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};

use crate::authoring::apply::{Applier, ApplyError, ApplyOptions};
use crate::authoring::bundle::{Bundle, SecretRef};
use crate::authoring::yaml::{Source, Unreadable};
use crate::clock::Clock;
use crate::crypto::password::Passwords;
use crate::crypto::seal::KeyRing;
use crate::crypto::token::{hash_token, random_token};
use crate::domain::caller::Subject;
use crate::domain::email::Email;
use crate::domain::fault::Fault;
use crate::domain::ids::ApiKeyId;
use crate::domain::preferences::Preferences;
use crate::domain::role::Role;
use crate::domain::wrong::Wrong;
use crate::store::api_keys::StoredKey;
use crate::store::audit::AuditEvent;
use crate::store::{Database, StoreError};
use crate::tenants::admin::{API_KEY_PREFIX, shown_prefix};
use crate::tenants::operators::{AccountError, Operator};

/// The demo tenant's name in URLs.
pub const TENANT: &str = "demo";
/// The audience of its users' tokens.
pub const AUDIENCE: &str = "persona-gateway-demo";
/// The user whose token `dev` prints.
pub const USER: &str = "user-1";

/// Who signs in to administer the demo tenant and the installation; `dev` prints the password.
pub const ADMIN_EMAIL: &str = "admin@example.com";

/// Its bundle, without its issuer.
const BUNDLE: &str = include_str!("demo.yaml");

/// Why the demo could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The bundle is wrong, or does not fit what somebody made of the demo.
    #[error("the demo bundle has faults: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Faults(Vec<Fault>),
    /// It could not be applied.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A statement of the database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The admin's account could not be made.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// No admin key could be made.
    #[error(transparent)]
    Key(#[from] crate::crypto::token::NoRandomness),
}

/// Claims of the demo user.
pub fn user_claims() -> serde_json::Map<String, Value> {
    let claims =
        json!({ "name": "Sam Rivera", "plan": "pro", "locale": "en-GB", "roles": ["member"] });
    claims.as_object().cloned().unwrap_or_default()
}

/// Somebody whom a newcomer signs in as.
#[derive(Debug, Serialize)]
pub struct SampleUser {
    pub sub: &'static str,
    pub claims: serde_json::Map<String, Value>,
    /// What is different for this user.
    pub about: &'static str,
}

/// The demo user, and two others.
pub fn sample_users() -> [SampleUser; 3] {
    let claims = |claims: Value| claims.as_object().cloned().unwrap_or_default();
    [
        SampleUser {
            sub: USER,
            claims: user_claims(),
            about: "on the pro plan, with preferences already",
        },
        SampleUser {
            sub: "user-2",
            claims: claims(
                json!({ "name": "Kim Lee", "plan": "enterprise", "locale": "en-US", "roles": ["member"] }),
            ),
            about: "on the enterprise plan: somebody else answers urgent problems",
        },
        SampleUser {
            sub: "user-3",
            claims: claims(
                json!({ "name": "Noor Haddad", "plan": "free", "locale": "de-DE", "roles": ["member"] }),
            ),
            about: "on the free plan, here for the first time",
        },
    ]
}

/// Makes the demo tenant unless it exists, and points it at the local issuer. What a developer changed in it stays.
/// Gives a new admin key when the tenant was made.
pub async fn seed(
    database: &Database,
    clock: &Clock,
    keys: &KeyRing,
    issuer_url: &str,
) -> Result<Option<SecretString>, SeedError> {
    let mut platform = database.platform().await?;
    let exists = platform.tenant_by_slug(TENANT).await?.is_some();
    platform.commit().await?;
    let issuers = json!([{
        "issuer": issuer_url,
        "audiences": [AUDIENCE],
        "algorithms": ["RS256", "ES256", "EdDSA"],
        "keys": { "discovery": true },
    }]);
    let mut bundle = if exists {
        json!({ "tenant": TENANT })
    } else {
        let faults = |broken: Unreadable| {
            SeedError::Faults(vec![Fault::new("", Wrong::Unread(broken.to_string()))])
        };
        Source::parse(BUNDLE).map_err(faults)?.value
    };
    if let Value::Object(members) = &mut bundle {
        members.insert("issuers".into(), issuers);
    }
    let bundle = Bundle::parse(&bundle).map_err(SeedError::Faults)?;
    let no_secrets = |_: &SecretRef| Err("the demo has no secrets".to_owned());
    let applier = Applier {
        database,
        clock,
        keys,
        find_secret: &no_secrets,
    };
    // The issuer of an earlier start may have had another port: prune it.
    let options = ApplyOptions {
        prune: true,
        message: "demo".into(),
        ..ApplyOptions::by("dev")
    };
    applier
        .apply(&bundle, &options)
        .await
        .map_err(|error| match error {
            ApplyError::Faults { faults, .. } => SeedError::Faults(faults),
            error => error.into(),
        })?;
    if exists {
        Ok(None)
    } else {
        Ok(Some(furnish(database, clock).await?))
    }
}

/// Makes the person of [`ADMIN_EMAIL`] an owner of the demo tenant, and an operator.
pub async fn seed_admin(
    database: &Database,
    clock: &Clock,
    passwords: &Passwords,
    password: &SecretString,
) -> Result<(), SeedError> {
    let operator = Operator {
        database,
        clock,
        label: "cli:dev",
        request_id: None,
    };
    let Ok(email) = Email::parse(ADMIN_EMAIL) else {
        return Ok(());
    };
    operator
        .add_member(passwords, TENANT, &email, Role::Owner, password.clone())
        .await?;
    Ok(operator.make_operator(passwords, &email, None).await?)
}

/// What a bundle does not hold: one user's choices, and an admin key.
async fn furnish(database: &Database, clock: &Clock) -> Result<SecretString, SeedError> {
    let mut platform = database.platform().await?;
    let tenant = platform.tenant_by_slug(TENANT).await?;
    platform.commit().await?;
    let key = random_token(API_KEY_PREFIX)?;
    let (Some(tenant), Some(subject)) = (tenant, Subject::parse(USER)) else {
        return Ok(key);
    };
    let choices = json!({
        "avatarId": "30fa96d0-26c4-4e55-94a0-517025942e18",
        "displayName": "Sam",
        "tone": "cheerful",
        "experience": "beginner",
    });
    let mut tx = database.tenant(tenant).await?;
    let preferences = Preferences::from_stored(choices.as_object().cloned().unwrap_or_default());
    tx.put_preferences(&subject, &preferences).await?;
    tx.insert_api_key(
        &StoredKey {
            id: ApiKeyId(clock.new_id()),
            name: "dev".to_owned(),
            role: Role::Owner,
            prefix: shown_prefix(&key),
            created_by: Some("cli:dev".to_owned()),
            created_by_person: None,
            created_at: clock.now(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            replaces: None,
        },
        &hash_token(&key),
    )
    .await?;
    tx.audit(&AuditEvent {
        id: clock.new_id(),
        at: clock.now(),
        actor: "cli:dev",
        action: "api_key.create",
        target: &format!("api_key/{}", shown_prefix(&key)),
        before_hash: None,
        after_hash: None,
        request_id: None,
        details: json!({ "name": "dev", "role": Role::Owner.as_str() }),
    })
    .await?;
    tx.commit().await?;
    Ok(key)
}

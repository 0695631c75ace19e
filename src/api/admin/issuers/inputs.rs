//! What is sent about an issuer: its configuration, secrets and tokens.

use secrecy::SecretString;
use serde_json::{Value, json};

use crate::domain::fault::Fault;
use crate::domain::issuer::IssuerConfig;
use crate::tenants::issuers::WantedIssuer;
use crate::web::input::{Member, Schemas, input, secret};

input! {
    /// An issuer to register, or what it is from now on.
    struct IssuerWish {
        /// Its configuration, as in a bundle, without `secret`.
        #[example({ "issuer": "https://login.acme.example/", "audiences": ["acme-app"], "algorithms": ["RS256"], "keys": { "discovery": true } })]
        config: Config,
        /// The shared secret, where `keys` has `"sharedSecret": true`: 32 bytes or more, 48 for HS384, 64 for HS512; two, a line each, while one
        /// replaces the other. The client secret, where `keys` has `introspection`. Sealed, and never shown again. Of an issuer that has one it
        /// stays unless set; a client secret for the same endpoint and clientId alone.
        shared_secret: Option<SecretInput>,
        /// A token that must pass. It is judged and forgotten.
        sample_token: Option<SecretInput>,
        /// Saves it although its keys can't be fetched, match no algorithm, or the sample token is refused.
        accept_unchecked: bool = false,
    }

    /// An issuer to try out.
    struct IssuerCandidate {
        /// Its configuration, as in a bundle, without `secret`.
        config: Config,
        /// The shared secret, where `keys` has `"sharedSecret": true`; the client secret, where it has `introspection`.
        shared_secret: Option<SecretInput>,
        /// A token to judge. It is forgotten afterwards.
        sample_token: Option<SecretInput>,
    }

    /// A token to judge.
    pub(super) struct IssuerSample {
        /// The token. It is forgotten afterwards.
        pub(super) sample_token: Option<SecretInput>,
    }

    /// A token that speaks for the tenant.
    pub(super) struct IssuerProof {
        /// A token of the issuer, for one of its audiences, whose claim `persona_gateway_tenant` is the tenant's name in URLs or its
        /// id. It is judged and forgotten.
        pub(super) token: SecretInput,
    }
}

/// A secret or a token. How long it may be depends on the issuer, or is part of the judgement.
#[derive(Debug)]
pub(super) struct SecretInput(pub(super) SecretString);

impl Member for SecretInput {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        secret(value, |text| Ok(Self(text)))
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "writeOnly": true })
    }
}

#[derive(Debug)]
struct Config(Value);

impl Member for Config {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        IssuerConfig::parse(&value)?;
        Ok(Self(value))
    }

    fn schema(schemas: &mut Schemas) -> Value {
        schemas.named("IssuerConfig", |schemas| {
            let mut schema = schemas.bundle_part("issuer");
            // It goes beside the configuration, not into it.
            if let Some(members) = schema.get_mut("properties").and_then(Value::as_object_mut) {
                members.shift_remove("secret");
            }
            schema
        })
    }
}

/// An issuer to save.
#[derive(Debug)]
pub(super) struct IssuerInput {
    pub(super) issuer: WantedIssuer,
    pub(super) sample_token: Option<SecretString>,
    pub(super) accept_unchecked: bool,
}

impl Member for IssuerInput {
    const MAY_BE_NOTHING: bool = true;

    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        let wish = IssuerWish::read(value)?;
        Ok(Self {
            issuer: issuer(&wish.config, wish.shared_secret)?,
            sample_token: wish.sample_token.map(|sent| sent.0),
            accept_unchecked: wish.accept_unchecked,
        })
    }

    fn schema(schemas: &mut Schemas) -> Value {
        IssuerWish::schema(schemas)
    }
}

/// An issuer to try out.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) issuer: WantedIssuer,
    pub(super) sample_token: Option<SecretString>,
}

impl Member for Candidate {
    const MAY_BE_NOTHING: bool = true;

    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        let candidate = IssuerCandidate::read(value)?;
        Ok(Self {
            issuer: issuer(&candidate.config, candidate.shared_secret)?,
            sample_token: candidate.sample_token.map(|sent| sent.0),
        })
    }

    fn schema(schemas: &mut Schemas) -> Value {
        IssuerCandidate::schema(schemas)
    }
}

fn issuer(config: &Config, secret: Option<SecretInput>) -> Result<WantedIssuer, Vec<Fault>> {
    WantedIssuer::read(&config.0, secret.map(|sent| sent.0))
}

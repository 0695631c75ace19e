//! Issuers, and references to secrets.

use serde_json::{Map, Value, json};

use super::Definitions;
use super::words::{CONTROLS, Schema, object};
use crate::domain::issuer::{
    Algorithm, AudienceClaim, ClaimMap, ClaimPath, ClientAuthentication, Introspection,
    IssuerConfig, RequiredClaims, RootCertificates,
};

/// `issuer` and its parts.
pub(super) fn definitions() -> Definitions {
    vec![
        ("issuer", issuer()),
        ("keySource", key_source()),
        ("claimMap", claim_map()),
        ("secretReference", secret_reference()),
    ]
}

/// A text that an issuer or audience may be.
fn name(about: &str) -> Schema {
    Schema::text(about)
        .chars(1..=IssuerConfig::MAX_NAME_CHARS)
        .pattern(format!("^[^{CONTROLS}]*$"))
}

fn issuer() -> Schema {
    let (shortest, longest) = IssuerConfig::LIFETIME_BOUNDS_SECONDS;
    object(
        "Who gives users their tokens.",
        vec![
            (
                "issuer",
                name("The `iss` of its tokens, compared byte for byte. For discovery, a URL. `{tenantid}` in its path stands for the token's `tid`, for Entra's directories.")
                    .examples([json!("https://login.acme.example/")]),
            ),
            (
                "audiences",
                Schema::list(
                    "A token must name one of these in its audience claim.",
                    name("An audience.").examples([json!("acme-app")]),
                )
                .items(1..=IssuerConfig::MAX_AUDIENCES)
                .with("uniqueItems", true),
            ),
            (
                "audienceClaim",
                Schema::choice(
                    "The claim that plays the audience: one that the issuer itself fills. `iss` where the issuer serves one application alone.",
                    AudienceClaim::ALL.map(AudienceClaim::as_str),
                )
                .default(AudienceClaim::Aud.as_str()),
            ),
            ("requiredClaims", required_claims()),
            (
                "algorithms",
                Schema::list(
                    "How it may sign: HS256, HS384 and HS512 with a shared secret, the others with public keys. Left out: RS256, ES256 and EdDSA; HS256 with a shared secret.",
                    Schema::choice("An algorithm.", Algorithm::ALL.map(Algorithm::as_str)),
                )
                .with("minItems", 1)
                .with("uniqueItems", true),
            ),
            ("keys", Schema::link("keySource")),
            ("rootCertificate", root_certificate()),
            (
                "secret",
                Schema::link("secretReference").about(
                    "With keys: {sharedSecret: true}, the shared secret of 32 bytes or more, or two, a line each, while one replaces the other; with keys: {introspection: {...}}, the client secret. By reference.",
                ),
            ),
            (
                "leewaySeconds",
                Schema::whole("How far clocks may differ, in seconds.", 0..=IssuerConfig::MAX_LEEWAY_SECONDS)
                    .default(IssuerConfig::DEFAULT_LEEWAY_SECONDS),
            ),
            (
                "maxLifetimeSeconds",
                Schema::whole("Longest life of a token, in seconds.", shortest..=longest)
                    .default(IssuerConfig::DEFAULT_LIFETIME_SECONDS),
            ),
            ("claims", Schema::link("claimMap")),
            (
                "atJwtStrict",
                Schema::flag("Take access tokens by RFC 9068 only (typ: at+jwt).").default(false),
            ),
            (
                "refuseIdTokens",
                Schema::flag("Refuse OIDC's ID tokens (nonce, at_hash, c_hash).").default(false),
            ),
        ],
    )
    .required(["issuer", "audiences", "keys"])
    .also(what_goes_together())
}

fn root_certificate() -> Schema {
    Schema::text(
        "The certificate, in PEM, by which the servers that keys are fetched from are believed, where no public authority signs theirs. They are believed by it alone. Up to three, one after another.",
    )
    .chars(1..=RootCertificates::MAX_BYTES)
}

/// What of an issuer goes with which keys.
fn what_goes_together() -> Value {
    let with = |symmetric: bool| {
        let names = Algorithm::ALL.into_iter();
        let names = names.filter(move |known| known.is_symmetric() == symmetric);
        names.map(Algorithm::as_str).collect::<Vec<_>>()
    };
    // What must be among the algorithms, where there are any.
    let one_of = |names: Vec<&str>| json!({ "algorithms": { "contains": { "enum": names } } });
    let has = |form: &str| json!({ "properties": { "keys": { "required": [form] } }, "required": ["keys"] });
    let forms = ["discovery", "jwksUrl", "metadataUrl", "jwks"].map(has);
    let secrets = ["sharedSecret", "introspection"].map(has);
    json!({
        "allOf": [
            {
                "if": has("sharedSecret"),
                "then": { "properties": one_of(with(true)) },
                "else": { "properties": { "algorithms": { "items": { "enum": with(false) } } } },
            },
            {
                "if": { "anyOf": secrets },
                "then": { "required": ["secret"] },
                "else": { "properties": { "secret": false } },
            },
            {
                "if": has("introspection"),
                "then": { "properties": { "algorithms": false, "atJwtStrict": { "const": false } } },
            },
            {
                "if": { "anyOf": forms },
                "then": { "properties": one_of(with(false)) },
                "else": { "properties": { "algorithms": { "items": { "enum": with(true) } } } },
            },
            {
                "if": {
                    "properties": { "audienceClaim": { "const": AudienceClaim::Iss.as_str() } },
                    "required": ["audienceClaim"],
                },
                "then": { "properties": { "audiences": { "maxItems": 1 } } },
            },
        ],
    })
}

fn required_claims() -> Schema {
    let value = json!({ "anyOf": [
        { "type": "string", "maxLength": RequiredClaims::MAX_TEXT_CHARS },
        { "type": "integer", "minimum": i64::MIN, "maximum": u64::MAX },
        { "type": "boolean" },
    ] });
    Schema::anything(
        "Claims, by name or JSON pointer, and the value that each must have, or a list of such values. A claim that is a list must hold one of them.",
    )
    .with("type", "object")
    .with("maxProperties", RequiredClaims::MAX_CLAIMS)
    .with(
        "propertyNames",
        json!({ "minLength": 1, "maxLength": ClaimPath::MAX_CHARS, "pattern": claim_path() }),
    )
    .with(
        "additionalProperties",
        json!({ "anyOf": [
            value,
            { "type": "array", "items": value, "minItems": 1, "maxItems": RequiredClaims::MAX_VALUES },
        ] }),
    )
    .examples([json!({ "token_use": "access" })])
}

/// An address that can be fetched.
fn url(about: &str, example: &str) -> Schema {
    Schema::text(about)
        .pattern("^[Hh][Tt][Tt][Pp][Ss]?://[A-Za-z0-9\\[][-A-Za-z0-9._~:/?#\\[\\]@!$&'()*+,;=%]*$")
        .with("format", "uri")
        .chars(0..=2048)
        .examples([json!(example)])
}

fn introspection() -> Schema {
    object(
        "Who says whether an opaque token is good, and who it is for.",
        vec![
            (
                "endpoint",
                url(
                    "The introspection endpoint.",
                    "https://login.acme.example/oauth2/introspect",
                ),
            ),
            (
                "clientId",
                Schema::text("What the authorization server calls the gateway.")
                    .chars(1..=Introspection::MAX_CLIENT_ID_CHARS)
                    .pattern("^[ -~]*$")
                    .examples([json!("persona-gateway")]),
            ),
            (
                "authentication",
                Schema::choice(
                    "Whether clientId and secret go into the Authorization header or into the body.",
                    ClientAuthentication::ALL.map(ClientAuthentication::as_str),
                )
                .default(ClientAuthentication::default().as_str()),
            ),
            (
                "cacheSeconds",
                Schema::whole(
                    "How long a token is believed without asking again, never longer than it lives. One that is revoked is taken for as long; 0 asks each time.",
                    0..=Introspection::MAX_CACHE_SECONDS,
                )
                .default(Introspection::DEFAULT_CACHE_SECONDS),
            ),
        ],
    )
    .required(["endpoint", "clientId"])
}

fn key_source() -> Schema {
    let yes = || Schema::raw(json!({ "const": true }));
    let published = || {
        [
            ("discovery", yes(), "OIDC discovery at the issuer's URL."),
            (
                "jwksUrl",
                url(
                    "Where the key set is.",
                    "https://login.acme.example/.well-known/jwks.json",
                ),
                "A key set at this address.",
            ),
            (
                "metadataUrl",
                url(
                    "Where the discovery document is.",
                    "https://login.acme.example/common/.well-known/openid-configuration",
                ),
                "OIDC discovery with the document at another address than the issuer's own.",
            ),
            (
                "jwks",
                Schema::anything("A JWK set (RFC 7517).")
                    .with(
                        "properties",
                        json!({ "keys": { "description": "The keys.", "type": "array", "items": {} } }),
                    )
                    .required(["keys"]),
                "Public keys typed in.",
            ),
        ]
    };
    let forms = published().map(|(name, schema, about)| {
        object(about, vec![(name, schema), ("sharedSecret", yes())]).required([name])
    });
    let secret = object(
        "HS256, HS384 or HS512, with a secret that both sides know.",
        vec![("sharedSecret", yes())],
    );
    let forms = forms.into_iter().chain([
        secret.required(["sharedSecret"]),
        object(
            "Opaque tokens: an endpoint is asked about each (RFC 7662). Alone.",
            vec![("introspection", introspection())],
        )
        .required(["introspection"]),
    ]);
    Schema::one_of(
        "Where the keys come from; a shared secret may stand beside public keys, such as while an issuer moves from one to the other.",
        forms,
    )
}

/// A claim's name or a JSON pointer.
fn claim_path() -> String {
    format!(r"^([^/{CONTROLS}][^{CONTROLS}]*|/([^~{CONTROLS}]|~[01])*)$")
}

fn claim_map() -> Schema {
    let usual = ClaimMap::default();
    let usual: Map<String, Value> = usual
        .iter()
        .map(|(name, path)| (name.to_owned(), path.to_string().into()))
        .collect();
    Schema::anything(
        "Facts about the user, each from a claim's name or a JSON pointer into nested claims. Replaces the default whole, so that this list alone says which personal data the gateway takes.",
    )
    .with("maxProperties", ClaimMap::MAX_FACTS)
    .with("propertyNames", json!({ "pattern": "^[a-z][A-Za-z0-9_]{0,63}$" }))
    .with(
        "additionalProperties",
        Schema::text("A claim's name, or a JSON pointer.")
            .chars(1..=ClaimPath::MAX_CHARS)
            .pattern(claim_path()),
    )
    .default(usual)
    .examples([json!({ "name": "name", "plan": "https://acme.example/plan", "roles": "/realm_access/roles" })])
}

fn secret_reference() -> Schema {
    let only =
        |name: &'static str, schema: Schema| object("", vec![(name, schema)]).required([name]);
    Schema::one_of(
        "Where a secret is; it never stands in a bundle itself.",
        [
            only(
                "env",
                Schema::text("An environment variable of whoever applies the bundle.")
                    .with("minLength", 1)
                    .examples([json!("ACME_ANAM_API_KEY")]),
            )
            .about("In an environment variable."),
            only(
                "file",
                Schema::text("A file on the machine of whoever applies the bundle.")
                    .with("minLength", 1)
                    .examples([json!("/run/secrets/anam")]),
            )
            .about("In a file."),
            only("stored", Schema::raw(json!({ "const": true })))
                .about("The one in the database stays; export writes this."),
        ],
    )
}

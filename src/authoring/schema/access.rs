//! Issuers, and references to secrets.

use serde_json::json;

use super::Definitions;
use super::words::{CONTROLS, Schema, object};
use crate::domain::issuer::{Algorithm, ClaimMap, ClaimPath, IssuerConfig};

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
    let public = Algorithm::ALL
        .into_iter()
        .filter(|known| *known != Algorithm::HS256);
    let public: Vec<&str> = public.map(Algorithm::as_str).collect();
    let shares_a_secret = json!({
        "properties": { "keys": { "required": ["sharedSecret"] } },
        "required": ["keys"],
    });
    object(
        "Who signs users' JWTs.",
        vec![
            (
                "issuer",
                name("The `iss` of its tokens, compared byte for byte. For discovery, a URL.")
                    .examples([json!("https://login.acme.example/")]),
            ),
            (
                "audiences",
                Schema::list(
                    "A token must name one of these in `aud`.",
                    name("An audience.").examples([json!("acme-app")]),
                )
                .items(1..=IssuerConfig::MAX_AUDIENCES)
                .with("uniqueItems", true),
            ),
            (
                "algorithms",
                Schema::list(
                    "How it may sign: public-key algorithms, or HS256 alone with a shared secret. Left out: all that go with its keys.",
                    Schema::choice("An algorithm.", Algorithm::ALL.map(Algorithm::as_str)),
                )
                .with("minItems", 1)
                .with("uniqueItems", true),
            ),
            ("keys", Schema::link("keySource")),
            (
                "secret",
                Schema::link("secretReference").about(
                    "The shared secret of 32 bytes or more, by reference; with keys: {sharedSecret: true} only.",
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
    .also(json!({
        "if": shares_a_secret,
        "then": {
            "required": ["secret"],
            "properties": { "algorithms": { "items": { "const": Algorithm::HS256.as_str() } } },
        },
        "else": {
            "properties": { "secret": false, "algorithms": { "items": { "enum": public } } },
        },
    }))
}

fn key_source() -> Schema {
    let only = |name: &'static str, schema: Schema, about: &str| {
        object(about, vec![(name, schema)]).required([name])
    };
    let yes = || Schema::raw(json!({ "const": true }));
    let forms = [
        only("discovery", yes(), "OIDC discovery at the issuer's URL."),
        only(
            "jwksUrl",
            Schema::text("Where the key set is.")
                .pattern("^[Hh][Tt][Tt][Pp][Ss]?://[A-Za-z0-9\\[][-A-Za-z0-9._~:/?#\\[\\]@!$&'()*+,;=%]*$")
                .with("format", "uri")
                .chars(0..=2048)
                .examples([json!("https://login.acme.example/.well-known/jwks.json")]),
            "A key set at this address.",
        ),
        only(
            "jwks",
            Schema::anything("A JWK set (RFC 7517).")
                .with(
                    "properties",
                    json!({ "keys": { "description": "The keys.", "type": "array" } }),
                )
                .required(["keys"]),
            "Public keys typed in.",
        ),
        only(
            "sharedSecret",
            yes(),
            "HS256, with a secret that both sides know.",
        ),
    ];
    Schema::one_of("Where the keys come from.", forms)
}

fn claim_map() -> Schema {
    let path = format!(r"^([^/{CONTROLS}][^{CONTROLS}]*|/([^~{CONTROLS}]|~[01])*)$");
    let usual = ClaimMap::default();
    let usual: serde_json::Map<String, serde_json::Value> = usual
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
            .pattern(path),
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

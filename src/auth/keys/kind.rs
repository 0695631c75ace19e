//! What a key is made of, and which algorithms go with it.

use crate::domain::issuer::Algorithm;

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
    /// A shared secret of this many bytes.
    Secret(usize),
}

impl Kind {
    /// By the members `kty` and `crv` of a public JWK.
    pub(super) fn from_jwk(key_type: &str, curve: Option<&str>) -> Option<Self> {
        match (key_type, curve) {
            ("RSA", _) => Some(Self::Rsa),
            ("EC", Some("P-256")) => Some(Self::P256),
            ("EC", Some("P-384")) => Some(Self::P384),
            ("OKP", Some("Ed25519")) => Some(Self::Ed25519),
            _ => None,
        }
    }

    /// The algorithm that a JWK of this kind names.
    pub(super) fn named(self, name: &str) -> Option<Algorithm> {
        // RFC 9864 gives EdDSA on this curve a name of its own.
        let name = if name == "Ed25519" { "EdDSA" } else { name };
        Algorithm::parse(name).filter(|algorithm| self.serves(*algorithm))
    }

    /// Whether keys of this kind can serve an algorithm. A secret has at least as many bytes as the hash (RFC 7518, 3.2).
    pub(super) fn serves(self, algorithm: Algorithm) -> bool {
        use Algorithm::{
            ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512,
        };
        match algorithm {
            RS256 | RS384 | RS512 | PS256 | PS384 | PS512 => self == Self::Rsa,
            ES256 => self == Self::P256,
            ES384 => self == Self::P384,
            EdDSA => self == Self::Ed25519,
            HS256 => matches!(self, Self::Secret(32..)),
            HS384 => matches!(self, Self::Secret(48..)),
            HS512 => matches!(self, Self::Secret(64..)),
        }
    }

    /// What a key that names no algorithm is most often for.
    pub(super) fn usual(self) -> Algorithm {
        match self {
            Self::Rsa => Algorithm::RS256,
            Self::P256 => Algorithm::ES256,
            Self::P384 => Algorithm::ES384,
            Self::Ed25519 => Algorithm::EdDSA,
            Self::Secret(_) => Algorithm::HS256,
        }
    }
}

//! What verifies signatures. A public key is read once for each of its algorithms; `jsonwebtoken`, which does the same with secrets, would read
//! it anew for each signature, which takes a seventh of the time of an RSA one.

use std::sync::OnceLock;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;

use crate::domain::issuer::Algorithm;

static RSA: [(Algorithm, &RsaParameters); 6] = [
    (Algorithm::RS256, &RSA_PKCS1_2048_8192_SHA256),
    (Algorithm::RS384, &RSA_PKCS1_2048_8192_SHA384),
    (Algorithm::RS512, &RSA_PKCS1_2048_8192_SHA512),
    (Algorithm::PS256, &RSA_PSS_2048_8192_SHA256),
    (Algorithm::PS384, &RSA_PSS_2048_8192_SHA384),
    (Algorithm::PS512, &RSA_PSS_2048_8192_SHA512),
];

/// A key without what is said about it. It verifies signatures of the algorithms that its kind serves, and no others.
#[derive(Debug)]
pub(super) enum Material {
    Rsa(Box<Rsa>),
    /// A point of a curve, which has one algorithm.
    Point(Algorithm, ParsedPublicKey),
    Secret(DecodingKey),
}

/// An RSA key, which serves several algorithms. It is read for each when the first signature comes.
#[derive(Debug)]
pub(super) struct Rsa {
    components: RsaPublicKeyComponents<Vec<u8>>,
    read: [OnceLock<Option<ParsedPublicKey>>; RSA.len()],
}

impl Material {
    /// Of a modulus and an exponent that were found sound.
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Self {
        Self::Rsa(Box::new(Rsa {
            components: RsaPublicKeyComponents {
                n: n.to_vec(),
                e: e.to_vec(),
            },
            read: Default::default(),
        }))
    }

    /// `None` for bytes that are no point of the algorithm's curve, or an algorithm without one.
    pub(super) fn point(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        let curve: &'static dyn VerificationAlgorithm = match algorithm {
            Algorithm::ES256 => &ECDSA_P256_SHA256_FIXED,
            Algorithm::ES384 => &ECDSA_P384_SHA384_FIXED,
            Algorithm::EdDSA => &ED25519,
            _ => return None,
        };
        let point = ParsedPublicKey::new(curve, bytes).ok()?;
        Some(Self::Point(algorithm, point))
    }

    pub(super) fn secret(secret: &[u8]) -> Self {
        Self::Secret(DecodingKey::from_secret(secret))
    }

    /// Whether a signature, as base64url, is this key's for a text.
    pub(super) fn verifies(&self, algorithm: Algorithm, text: &[u8], signature: &str) -> bool {
        let key = match self {
            Self::Rsa(key) => key.read_for(algorithm),
            Self::Point(its, key) => (*its == algorithm).then_some(key),
            Self::Secret(secret) => return has_signed(secret, algorithm, text, signature),
        };
        match (key, URL_SAFE_NO_PAD.decode(signature)) {
            (Some(key), Ok(signature)) => key.verify_sig(text, &signature).is_ok(),
            _ => false,
        }
    }
}

impl Rsa {
    fn read_for(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        let ((_, parameters), read) = RSA
            .iter()
            .zip(&self.read)
            .find(|((its, _), _)| *its == algorithm)?;
        let reading = || self.components.to_parsed_public_key(parameters).ok();
        read.get_or_init(reading).as_ref()
    }
}

fn has_signed(secret: &DecodingKey, algorithm: Algorithm, text: &[u8], signature: &str) -> bool {
    let algorithm = match algorithm {
        Algorithm::HS256 => jsonwebtoken::Algorithm::HS256,
        Algorithm::HS384 => jsonwebtoken::Algorithm::HS384,
        Algorithm::HS512 => jsonwebtoken::Algorithm::HS512,
        _ => return false,
    };
    jsonwebtoken::crypto::verify(signature, text, secret, algorithm).is_ok_and(|fits| fits)
}

//! Random bearer tokens (API keys, sessions of people who administer): the holder has the text, we keep its hash.
//!
//! 256 random bits cannot be guessed, so a fast hash is enough (unlike for passwords).

use std::fmt;

use aws_lc_rs::{constant_time, rand};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};

use super::digest::sha256;

/// 256 bits.
const RANDOM_BYTES: usize = 32;

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

/// `prefix` followed by 43 characters of base64url: 256 random bits. The prefix tells people and
/// secret scanners what they have found.
pub fn random_token(prefix: &str) -> Result<SecretString, NoRandomness> {
    let mut bytes = Zeroizing::new([0; RANDOM_BYTES]);
    rand::fill(&mut *bytes).map_err(|_unspecified| NoRandomness)?;
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes));
    Ok(SecretString::from(format!("{prefix}{}", *text)))
}

/// The SHA-256 of a token: what is stored and looked up.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// As it goes to the database.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// In constant time.
impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for TokenHash {}

/// The first bytes are enough to tell two apart.
impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.0.first_chunk::<4>().map(hex::encode);
        write!(f, "TokenHash({}...)", start.unwrap_or_default())
    }
}

/// Hashes a token as its holder sent it, prefix included.
pub fn hash_token(token: &SecretString) -> TokenHash {
    TokenHash(sha256(token.expose_secret().as_bytes()))
}

/// What a code verifier is challenged by: its SHA-256 (RFC 7636, 4.2).
pub fn s256(verifier: &SecretString) -> String {
    URL_SAFE_NO_PAD.encode(sha256(verifier.expose_secret().as_bytes()))
}

/// Whether two secrets are the same, in a time that depends on their lengths only.
pub fn same_secret(one: &SecretString, other: &SecretString) -> bool {
    let (one, other) = (
        one.expose_secret().as_bytes(),
        other.expose_secret().as_bytes(),
    );
    constant_time::verify_slices_are_equal(one, other).is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn tokens_carry_their_prefix_and_256_bits_and_do_not_repeat() {
        let mut seen = HashSet::new();
        for _ in 0..100 {
            let token = random_token("pgw_").unwrap();
            let random = token.expose_secret().strip_prefix("pgw_").unwrap();
            assert_eq!(URL_SAFE_NO_PAD.decode(random).unwrap().len(), 32);
            assert!(seen.insert(random.to_owned()));
        }
    }

    #[test]
    fn a_token_matches_its_own_hash_only() {
        let token = random_token("pgw_").unwrap();
        let hash = hash_token(&token);
        assert_eq!(hash_token(&token), hash);
        assert_ne!(hash_token(&random_token("pgw_").unwrap()), hash);
    }

    #[test]
    fn debug_shows_neither_token_nor_whole_hash() {
        let token = SecretString::from("abc");
        assert_eq!(
            format!("{:?}", hash_token(&token)),
            "TokenHash(ba7816bf...)"
        );
        assert!(!format!("{token:?}").contains("abc"));
    }

    #[test]
    fn the_example_of_rfc_7636_gives_its_challenge() {
        let verifier = SecretString::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert_eq!(s256(&verifier), challenge);
    }

    #[test]
    fn secrets_are_the_same_by_content() {
        let secret = |text: &str| SecretString::from(text);
        assert!(same_secret(&secret("one"), &secret("one")));
        assert!(!same_secret(&secret("one"), &secret("two")));
        assert!(!same_secret(&secret("one"), &secret("one ")));
    }
}

//! What Postgres keeps of a password: enough to check one, too little to log in with.

use std::num::NonZeroU32;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::{hmac, pbkdf2, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

/// Postgres' own number.
const ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4095);

/// The SCRAM-SHA-256 verifier of a password, with a salt of its own, as `CREATE ROLE ... PASSWORD` takes it. Fails where the
/// system has no random numbers.
pub fn verifier(password: &SecretString) -> Result<String, aws_lc_rs::error::Unspecified> {
    let mut salt = [0; 16];
    rand::fill(&mut salt)?;
    Ok(with_salt(password.expose_secret(), &salt))
}

fn with_salt(password: &str, salt: &[u8]) -> String {
    // As servers and clients do: what can't be prepared is taken as it is.
    let prepared = stringprep::saslprep(password).unwrap_or(password.into());
    let mut salted = Zeroizing::new([0; 32]);
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        ITERATIONS,
        salt,
        prepared.as_bytes(),
        &mut *salted,
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, &*salted);
    let client_key = hmac::sign(&key, b"Client Key");
    let stored_key = digest(&SHA256, client_key.as_ref());
    let server_key = hmac::sign(&key, b"Server Key");
    format!(
        "SCRAM-SHA-256${ITERATIONS}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored_key),
        STANDARD.encode(server_key)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_what_postgres_would_have_made() {
        // Salt, password and iterations of the example in RFC 7677.
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        assert_eq!(
            with_salt("pencil", &salt),
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }

    #[test]
    fn two_verifiers_of_a_password_differ_and_hold_nothing_of_it() {
        let password = SecretString::from("correct horse");
        let (one, other) = (verifier(&password).unwrap(), verifier(&password).unwrap());
        assert_ne!(one, other);
        assert!(!one.contains("horse"), "{one}");
    }

    #[test]
    fn a_password_in_another_form_of_unicode_is_the_same() {
        assert_eq!(
            with_salt("I\u{ad}X\u{2168}", b"salt"),
            with_salt("IXIX", b"salt")
        );
    }
}

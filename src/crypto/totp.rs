//! One-time codes of authenticator apps (TOTP, RFC 6238): six digits, thirty seconds, SHA-1, which is all that every app knows.

use aws_lc_rs::rand;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use totp_rs::{Builder, Secret, Totp, TotpError};

use super::token::{NoRandomness, TokenHash, hash_token};

/// 160 bits, as RFC 4226 (section 4) recommends.
const SECRET_BYTES: usize = 20;
/// Steps before and after the present one whose code is taken: clocks differ, and people type slowly.
const SKEW: u16 = 1;
/// What apps show as the place that a code is for.
const ISSUER: &str = "Persona gateway";

/// How many recovery codes somebody gets.
pub const RECOVERY_CODES: usize = 10;
/// 80 bits: too many to guess, also for whoever has their hashes.
const RECOVERY_BYTES: usize = 10;
const RECOVERY_CHARS: usize = 16;
/// Base 32 of RFC 4648 in small letters.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A stored secret can't be read.
#[derive(Debug, thiserror::Error)]
pub enum TotpFault {
    #[error("no time-based codes with this secret: {0:?}")]
    Unusable(TotpError),
    #[error("the secret is no base 32")]
    Malformed,
}

impl From<TotpError> for TotpFault {
    fn from(error: TotpError) -> Self {
        Self::Unusable(error)
    }
}

/// A new secret, in base 32, as it is stored (sealed) and typed into apps.
pub fn new_secret() -> Result<SecretString, NoRandomness> {
    let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
    rand::fill(&mut *bytes).map_err(|_unspecified| NoRandomness)?;
    Ok(SecretString::from(Secret::from(*bytes).to_base32()))
}

fn totp(secret: &SecretString) -> Result<Builder, TotpFault> {
    let secret = Secret::try_from_base32(secret.expose_secret())
        .map_err(|_unreadable| TotpFault::Malformed)?;
    Ok(Builder::new().with_secret(secret).with_skew(SKEW))
}

/// The address by which apps take a secret, also as a QR code. `account` is an e-mail address.
pub fn uri(secret: &SecretString, account: &str) -> Result<SecretString, TotpFault> {
    let totp = totp(secret)?
        .with_account_name(account)
        .with_issuer(Some(ISSUER))
        .build()?;
    Ok(SecretString::from(totp.to_url()?))
}

/// The step of a code that is right at this time, or one step before or after; whoever takes it takes none of that step again.
pub fn step_of(
    secret: &SecretString,
    code: &str,
    now: DateTime<Utc>,
) -> Result<Option<i64>, TotpFault> {
    let totp: Totp = totp(secret)?.build()?;
    let Ok(now) = u64::try_from(now.timestamp()) else {
        return Ok(None);
    };
    let step = totp.check(code, now);
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

/// New recovery codes such as `abcd-efgh-2345-ijkl`.
pub fn new_recovery_codes() -> Result<Vec<SecretString>, NoRandomness> {
    (0..RECOVERY_CODES).map(|_| recovery_code()).collect()
}

fn recovery_code() -> Result<SecretString, NoRandomness> {
    let mut bytes = Zeroizing::new([0; RECOVERY_BYTES]);
    rand::fill(&mut *bytes).map_err(|_unspecified| NoRandomness)?;
    let bits = bytes
        .iter()
        .fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let mut code = String::with_capacity(RECOVERY_CHARS + 3);
    for at in 0..RECOVERY_CHARS {
        if at > 0 && at % 4 == 0 {
            code.push('-');
        }
        let index = usize::try_from(bits >> (5 * at) & 31).unwrap_or_default();
        code.push(ALPHABET.get(index).copied().map_or('a', char::from));
    }
    Ok(SecretString::from(code))
}

/// The hash of a recovery code as somebody typed it; `None` if it can't be one.
pub fn recovery_hash(typed: &str) -> Option<TokenHash> {
    let plain: String = typed
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let is_one =
        plain.len() == RECOVERY_CHARS && plain.bytes().all(|byte| ALPHABET.contains(&byte));
    is_one.then(|| hash_token(&SecretString::from(plain)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use chrono::TimeDelta;

    use super::*;

    /// The 20 bytes of RFC 6238, appendix B: `12345678901234567890`.
    fn rfc() -> SecretString {
        SecretString::from("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
    }

    #[test]
    fn the_examples_of_rfc_6238_are_right_in_their_step_and_beside_it_alone() {
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let at = |more| DateTime::from_timestamp(time, 0).unwrap() + TimeDelta::seconds(more);
            let step = Some(time / 30);
            for more in [0, -30, 30] {
                assert_eq!(
                    step_of(&rfc(), code, at(more)).unwrap(),
                    step,
                    "{code} {more}"
                );
            }
            for more in [-60, 60, 90] {
                assert_eq!(
                    step_of(&rfc(), code, at(more)).unwrap(),
                    None,
                    "{code} {more}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_code_is_no_code() {
        let now = DateTime::from_timestamp(59, 0).unwrap();
        for code in [
            "",
            "28708",
            "2870820",
            "28708a",
            "２８７０８２",
            "-87082",
            "+87082",
        ] {
            assert_eq!(step_of(&rfc(), code, now).unwrap(), None, "{code}");
        }
    }

    #[test]
    fn apps_are_told_whose_code_it_is() {
        let uri = uri(&rfc(), "ann+x@example.com").unwrap();
        assert_eq!(
            uri.expose_secret(),
            "otpauth://totp/Persona%20gateway:ann%2Bx%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Persona%20gateway"
        );
    }

    #[test]
    fn secrets_and_recovery_codes_do_not_repeat() {
        let mut seen = HashSet::new();
        for _ in 0..20 {
            let secret = new_secret().unwrap();
            assert_eq!(secret.expose_secret().len(), 32);
            assert!(seen.insert(secret.expose_secret().to_owned()));
            for code in new_recovery_codes().unwrap() {
                assert_eq!(code.expose_secret().len(), RECOVERY_CHARS + 3);
                assert!(seen.insert(code.expose_secret().to_owned()));
            }
        }
    }

    #[test]
    fn a_recovery_code_is_taken_as_people_type_it() {
        let hash = recovery_hash("abcd-efgh-2345-ijkl").unwrap();
        assert_eq!(recovery_hash(" ABCDEFGH 2345-IJKL\n"), Some(hash));
        for none in ["", "287082", "abcd-efgh-2345-ijk", "abcd-efgh-2345-ijk1"] {
            assert_eq!(recovery_hash(none), None, "{none}");
        }
    }
}

//! The secret by which an authorization server knows the gateway.

use secrecy::{ExposeSecret, SecretString};

pub const MAX_BYTES: usize = 4_096;

/// Why a text may not be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1 to {MAX_BYTES} printable ASCII characters, as the authorization server gave it (RFC 6749, appendix A.2)"
)]
pub struct BadClientSecret;

/// Judges a new secret. How good it is, is for the authorization server to say, which made it.
pub fn judge(written: &SecretString) -> Result<(), BadClientSecret> {
    let bytes = written.expose_secret().as_bytes();
    let is_plain = |byte: &u8| (b' '..=b'~').contains(byte);
    if (1..=MAX_BYTES).contains(&bytes.len()) && bytes.iter().all(is_plain) {
        Ok(())
    } else {
        Err(BadClientSecret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_may_give_is_taken_and_nothing_else() {
        for good in ["x", "a b:c+%/=~", &"s".repeat(MAX_BYTES)] {
            assert_eq!(judge(&SecretString::from(good)), Ok(()));
        }
        for bad in [
            "",
            "two\nlines",
            "tab\t",
            "fünf",
            &"s".repeat(MAX_BYTES + 1),
        ] {
            assert_eq!(judge(&SecretString::from(bad)), Err(BadClientSecret));
        }
    }
}

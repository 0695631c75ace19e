//! The secret that a tenant shares with its own issuer, for HS256. While one replaces the other there are two, one a line.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::guessable;

/// Fewest bytes (RFC 7518, section 3.2).
pub const MIN_BYTES: usize = 32;
/// Most bytes, as it is written.
pub const MAX_BYTES: usize = 4_096;
/// What a secret starts with that is written as base64url (RFC 4648, section 5), so that it may be any bytes.
pub const BASE64URL: &str = "base64url:";
/// A text must withstand this many guesses, as a power of ten: all that is measured, in practice.
const MIN_GUESSES_LOG10: f64 = 18.0;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a text may not become a shared secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    #[error("must have {MIN_BYTES} to {MAX_BYTES} bytes (RFC 7518, section 3.2)")]
    Length,
    /// More than one and the one that it replaces.
    #[error("must be one secret, or two on a line each while one replaces the other")]
    TooMany,
    /// After `base64url:`.
    #[error("must be base64url after `{BASE64URL}`: A-Z, a-z, 0-9, `-` and `_`")]
    NotBase64Url,
    /// In a list that everybody has.
    #[error(
        "is published: it is in lists that attackers try. Make one with `openssl rand -base64 48`"
    )]
    Published,
    /// Not random.
    #[error(
        "can be guessed: it repeats, counts up, or is made of common words. Make one with `openssl rand -base64 48`"
    )]
    Guessable,
}

/// Most secrets at a time.
const MAX_SECRETS: usize = 2;

pub fn judge(written: &SecretString) -> Result<(), BadSecret> {
    let text = written.expose_secret();
    if text.len() > MAX_BYTES {
        return Err(BadSecret::Length);
    }
    if text.lines().count() > MAX_SECRETS {
        return Err(BadSecret::TooMany);
    }
    if text.is_empty() {
        return Err(BadSecret::Length);
    }
    text.lines().try_for_each(judge_one)
}

fn judge_one(text: &str) -> Result<(), BadSecret> {
    let bytes = decode(text)?;
    if bytes.len() < MIN_BYTES {
        return Err(BadSecret::Length);
    }
    let readings = guessable::readings(&bytes);
    let is_weak = |read: &[u8]| {
        // What random bytes decode to is no text that anybody wrote.
        let is_text =
            read == bytes.as_slice() || read.iter().all(|byte| (b' '..=b'~').contains(byte));
        let text = std::str::from_utf8(read).ok().filter(|_| is_text);
        text.is_some_and(|text| guessable::guesses_log10(text, &[]) < MIN_GUESSES_LOG10)
    };
    if readings
        .iter()
        .any(|read| is_weak(read) || guessable::has_pattern(read))
    {
        return Err(BadSecret::Guessable);
    }
    let undressed = text.strip_prefix(BASE64URL).unwrap_or(text);
    if guessable::is_known(undressed.as_bytes())
        || readings.iter().any(|read| guessable::is_known(read))
    {
        return Err(BadSecret::Published);
    }
    if readings.iter().any(|read| guessable::is_habit(read)) {
        return Err(BadSecret::Guessable);
    }
    Ok(())
}

/// The bytes of secrets as they were written, which sign tokens. Of one that does not decode, the text itself.
pub fn bytes(written: &SecretString) -> Vec<SecretSlice<u8>> {
    let lines = written.expose_secret().lines();
    lines
        .map(|text| {
            let bytes =
                decode(text).unwrap_or_else(|_not_base64| Zeroizing::new(text.as_bytes().to_vec()));
            SecretSlice::from(bytes.to_vec())
        })
        .collect()
}

fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, BadSecret> {
    match text.strip_prefix(BASE64URL) {
        None => Ok(Zeroizing::new(text.as_bytes().to_vec())),
        Some(encoded) => LENIENT
            .decode(encoded)
            .map(Zeroizing::new)
            .map_err(|_told_without_the_secret| BadSecret::NotBase64Url),
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::crypto::digest::sha256;

    fn judge_text(text: &str) -> Result<(), BadSecret> {
        judge(&SecretString::from(text))
    }

    #[test]
    fn secrets_that_everybody_knows_or_guesses_are_refused() {
        for (text, why) in [
            ("short", BadSecret::Length),
            ("", BadSecret::Length),
            ("base64url:c2hvcnQ", BadSecret::Length),
            ("base64url:not base64", BadSecret::NotBase64Url),
            ("base64url:", BadSecret::Length),
            (
                "your-256-bit-secret-your-256-bit-secret",
                BadSecret::Published,
            ),
            ("r9iMKoe5CRMgvJBBtp4HrqN7QiPpUToj", BadSecret::Published),
            (
                "base64url:cjlpTUtvZTVDUk1ndkpCQnRwNEhycU43UWlQcFVUb2o",
                BadSecret::Published,
            ),
            (
                "cjlpTUtvZTVDUk1ndkpCQnRwNEhycU43UWlQcFVUb2o=",
                BadSecret::Published,
            ),
            (
                "7239694D4B6F653543524D67764A42427470344872714E375169507055546F6A",
                BadSecret::Published,
            ),
            (
                "base64url:NzI2MTZlNjQ2ZjZkNzM2NTYzNzI2NTc0NzI2MTZlNjQ2ZjZk",
                BadSecret::Guessable,
            ),
            ("c3VwZXJzZWNyZXRwYXNzd29yZDEyMzQ1Ng==", BadSecret::Guessable),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", BadSecret::Guessable),
            ("0123456789abcdef0123456789abcdef", BadSecret::Guessable),
            ("abcdefghijklmnopqrstuvwxyz0123456789", BadSecret::Guessable),
            ("qwertyuiopasdfghjklzxcvbnm1234567890", BadSecret::Guessable),
            (
                "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
                BadSecret::Guessable,
            ),
            ("supersecretsupersecretsupersecret1", BadSecret::Guessable),
            // What people make of a published one.
            ("joTUpPiQ7NqrH4ptBBJvgMRC5eoKMi9r", BadSecret::Published),
            ("r9iMKoe5CRMgvJBBtp4HrqN7QiPpUToj1!", BadSecret::Published),
            (
                "The quick brown fox jumps over the lazy dog",
                BadSecret::Published,
            ),
            (
                "A_STRING_SECRET_AT_LEAST_256_BITS_LONG",
                BadSecret::Published,
            ),
            // Made of the usual words, and of what documentation shows.
            (
                "super_secret_jwt_key_change_in_production",
                BadSecret::Guessable,
            ),
            (
                "MySuperSecretKeyForJWTTokenSigning2024!",
                BadSecret::Guessable,
            ),
            (
                "ThisIsASecretKeyThatIsAtLeast32Characters!!",
                BadSecret::Guessable,
            ),
            (
                "dev-secret-do-not-use-in-production-please",
                BadSecret::Guessable,
            ),
            ("secret1secret2secret3secret4secret5", BadSecret::Guessable),
            ("550e8400-e29b-41d4-a716-446655440000", BadSecret::Guessable),
            // The SHA-256 of `secret`.
            (
                "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
                BadSecret::Guessable,
            ),
            // 32 zero bytes, and 0 to 31.
            (
                "base64url:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                BadSecret::Guessable,
            ),
            (
                "base64url:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
                BadSecret::Guessable,
            ),
            (
                "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                BadSecret::Guessable,
            ),
        ] {
            assert_eq!(judge_text(text), Err(why), "{text}");
        }
        assert_eq!(judge_text(&"Ab3$".repeat(1_025)), Err(BadSecret::Length));
    }

    #[test]
    fn random_secrets_are_taken_as_text_or_as_bytes() {
        for text in [
            "5f1c9a7e3b64d208f7c2e6914ab35d80",
            "Zk3v0q1m9YwT7sXb2LrPn8GdHc5JfQaE",
            "base64url:8Zy9S3u0pJ2vQfTqkq1y7X4n0s6mW5oBcEdRhVgUiKs",
            "base64url:8Zy9S3u0pJ2vQfTqkq1y7X4n0s6mW5oBcEdRhVgUiKs=",
            "crisp-otter.Lanterns^over_quiet=mills 41",
        ] {
            assert_eq!(judge_text(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn no_random_secret_is_refused() {
        for number in 0..200_u32 {
            let bytes = sha256(&number.to_be_bytes());
            for text in [hex::encode(bytes), STANDARD.encode(bytes)] {
                assert_eq!(judge_text(&text), Ok(()), "{text}");
            }
        }
    }

    #[test]
    fn bytes_are_what_was_written_or_what_base64url_says() {
        let of = |text: &str| -> Vec<Vec<u8>> {
            let secrets = bytes(&SecretString::from(text));
            secrets
                .iter()
                .map(|one| one.expose_secret().to_vec())
                .collect()
        };
        assert_eq!(of("plain text"), [b"plain text"]);
        assert_eq!(of("base64url:_-8"), [[0xFF, 0xEF]]);
        assert_eq!(of("base64url:?"), [b"base64url:?"]);
        assert_eq!(of("new\r\nbase64url:b2xk\n"), [b"new", b"old"]);
    }

    #[test]
    fn two_secrets_stand_on_a_line_each_and_both_must_be_good() {
        let good = "5f1c9a7e3b64d208f7c2e6914ab35d80";
        let other = "Zk3v0q1m9YwT7sXb2LrPn8GdHc5JfQaE";
        assert_eq!(judge_text(&format!("{good}\n{other}\n")), Ok(()));
        assert_eq!(
            judge_text(&format!("{good}\nshort")),
            Err(BadSecret::Length)
        );
        assert_eq!(judge_text(&format!("{good}\n\n")), Err(BadSecret::Length));
        let three = format!("{good}\n{other}\n{good}");
        assert_eq!(judge_text(&three), Err(BadSecret::TooMany));
    }
}

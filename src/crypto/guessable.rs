//! Whether a secret that somebody chose is among those that an attacker tries: published ones, patterns, dictionary words.
//!
//! Who guesses an HS256 secret offline needs one token and has no limit, so what is in a list is as good as public.

mod habits;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::zeroize::Zeroizing;
use zxcvbn::zxcvbn;

use super::digest::sha256;
use crate::domain::pattern::is_regular;

/// Bytes kept of each published secret's SHA-256. A random secret meets one of some thousands once in 10^11.
const FINGERPRINT_LEN: usize = 6;

/// Sorted fingerprints of published secrets of 32 bytes and more: github.com/wallarm/jwt-secrets (MIT), and what
/// libraries' documentation shows. Made by `examples/known_secrets.rs`.
static KNOWN: &[u8] = include_bytes!("guessable/known_secrets.bin");

/// The fingerprint of a published secret.
pub fn fingerprint(secret: &[u8]) -> [u8; FINGERPRINT_LEN] {
    let mut short = [0; FINGERPRINT_LEN];
    for (to, from) in short.iter_mut().zip(sha256(secret)) {
        *to = from;
    }
    short
}

/// Whether a secret is in published lists, as it is or as attackers' rules would change it.
pub fn is_known(secret: &[u8]) -> bool {
    let origins = habits::origins(secret.trim_ascii());
    origins.iter().any(|origin| is_listed(origin))
}

fn is_listed(secret: &[u8]) -> bool {
    static SORTED: LazyLock<Vec<&[u8]>> =
        LazyLock::new(|| KNOWN.chunks_exact(FINGERPRINT_LEN).collect());
    let wanted = fingerprint(secret);
    SORTED.binary_search(&wanted.as_slice()).is_ok()
}

/// Whether a secret is made of the words that are in every secret that somebody made up, or is the digest of one.
pub fn is_habit(secret: &[u8]) -> bool {
    habits::is_habit(secret)
}

/// How many guesses a text withstands, as a power of ten, 19 at most. Knows dictionaries, keyboards, sequences, repetitions
/// and dates; `words` are the first that somebody would try here. Only the first 100 characters count.
pub fn guesses_log10(text: &str, words: &[&str]) -> f64 {
    zxcvbn(text, words).guesses_log10()
}

/// Whether bytes have a pattern: repetition, a sequence, few different values. Random bytes have none.
pub fn has_pattern(bytes: &[u8]) -> bool {
    is_regular(bytes)
}

/// What a secret may be made of: itself, and what is in it as hex or base64, once or twice over. An attacker's list is
/// tried in these forms, too.
pub fn readings(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut all = vec![Zeroizing::new(secret.to_vec())];
    let mut newest = 0;
    for _ in 0..2 {
        let found: Vec<_> = all
            .iter()
            .skip(newest)
            .flat_map(|one| decoded(one))
            .collect();
        newest = all.len();
        all.extend(found);
    }
    all
}

fn decoded(bytes: &[u8]) -> impl Iterator<Item = Zeroizing<Vec<u8>>> + use<> {
    let text = bytes.trim_ascii();
    let end = text
        .iter()
        .rposition(|byte| *byte != b'=')
        .map_or(0, |at| at + 1);
    let unpadded = text.get(..end).unwrap_or_default();
    let decoded = [
        hex::decode(text).ok(),
        STANDARD_NO_PAD.decode(unpadded).ok(),
        URL_SAFE_NO_PAD.decode(unpadded).ok(),
    ];
    decoded.into_iter().flatten().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn published_secrets_are_known_and_sorted() {
        let all: Vec<_> = KNOWN.chunks_exact(FINGERPRINT_LEN).collect();
        assert_eq!(KNOWN.len() % FINGERPRINT_LEN, 0);
        assert!(all.len() > 1_800 && all.is_sorted());
        for known in [
            "r9iMKoe5CRMgvJBBtp4HrqN7QiPpUToj",
            "a-string-secret-at-least-256-bits-long",
            " a-string-secret-at-least-256-bits-long\n",
            "thequickbrownfoxjumpsoverthelazydog",
        ] {
            assert!(is_known(known.as_bytes()), "{known}");
        }
        assert!(!is_known(b"a-secret-that-nobody-has-published-yet"));
    }

    #[test]
    fn patterns_are_seen_through_hex_and_base64() {
        let sequence: Vec<u8> = (0..32).collect();
        let down: Vec<u8> = (0..32).rev().collect();
        let has_pattern = |text: &[u8]| readings(text).iter().any(|read| has_pattern(read));
        for bytes in [&[7; 32][..], &sequence, &down, &b"abcdefgh".repeat(4)] {
            assert!(has_pattern(bytes));
            assert!(has_pattern(hex::encode(bytes).as_bytes()));
            assert!(has_pattern(STANDARD_NO_PAD.encode(bytes).as_bytes()));
            let padded = format!("{}=\n", URL_SAFE_NO_PAD.encode(bytes));
            assert!(has_pattern(padded.as_bytes()));
            let twice = STANDARD_NO_PAD.encode(hex::encode_upper(bytes));
            assert!(has_pattern(twice.as_bytes()));
        }
    }

    proptest! {
        #[test]
        fn random_bytes_have_no_pattern_and_are_unknown(bytes in prop::collection::vec(any::<u8>(), 32..64)) {
            // proptest's vectors are uniform; fewer than 16 different values don't come up.
            for text in [bytes.clone(), hex::encode(&bytes).into_bytes(), URL_SAFE_NO_PAD.encode(&bytes).into_bytes()] {
                for read in readings(&text) {
                    prop_assert!(!has_pattern(&read) && !is_known(&read));
                }
            }
        }
    }
}

//! How people make a long secret out of nothing: a known one turned around, or with something before or behind it; the words that
//! are in every such secret; the digest of a word.

use std::collections::BTreeSet;

use crate::crypto::digest::sha256;

/// Words of three letters and more that secrets of tutorials and development are made of, longer ones before those that they hold.
const WORDS: [&str; 74] = [
    "administration",
    "authentication",
    "authorization",
    "environment",
    "development",
    "application",
    "characters",
    "production",
    "signature",
    "character",
    "something",
    "password",
    "passw0rd",
    "insecure",
    "security",
    "changeme",
    "database",
    "generate",
    "minimum",
    "default",
    "gateway",
    "persona",
    "private",
    "replace",
    "signing",
    "session",
    "example",
    "another",
    "service",
    "shared",
    "string",
    "secret",
    "s3cr3t",
    "please",
    "should",
    "secure",
    "access",
    "refresh",
    "random",
    "public",
    "really",
    "before",
    "change",
    "server",
    "company",
    "super",
    "token",
    "least",
    "bytes",
    "local",
    "admin",
    "hello",
    "world",
    "never",
    "qwerty",
    "staging",
    "hs256",
    "hmac",
    "long",
    "your",
    "this",
    "that",
    "very",
    "here",
    "with",
    "must",
    "have",
    "only",
    "test",
    "demo",
    "auth",
    "user",
    "bits",
    "sign",
];
/// Shorter ones, which random texts hold by chance: taken away last.
const SHORT_WORDS: [&str; 16] = [
    "jwt", "key", "the", "for", "not", "use", "and", "dev", "api", "app", "new", "123", "bit",
    "256", "abc", "our",
];
/// Identifiers that documentation shows.
const SHOWN: [&str; 4] = [
    "550e8400-e29b-41d4-a716-446655440000",
    "123e4567-e89b-12d3-a456-426614174000",
    "f47ac10b-58cc-4372-a567-0e02b2c3d479",
    "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
];
/// Fewest letters and digits that must be left when the words are taken away: about as many as an attacker can't try.
const FEWEST_LEFT: usize = 12;
/// Most characters that are taken for a prefix or a suffix.
const MOST_AROUND: usize = 3;
/// Longer secrets are in no list.
const LONGEST: usize = 200;

/// Whether a text is made of the words of such secrets and of little else, shows an identifier of some documentation, or is the digest of
/// a word.
pub(super) fn is_habit(secret: &[u8]) -> bool {
    let words = WORDS.iter().chain(&SHORT_WORDS);
    if std::iter::once(&"")
        .chain(words)
        .any(|word| secret == sha256(word.as_bytes()))
    {
        return true;
    }
    let Ok(text) = std::str::from_utf8(secret) else {
        return false;
    };
    let mut left = text.to_lowercase();
    if SHOWN.contains(&left.as_str()) {
        return true;
    }
    let whole = left.len();
    for word in WORDS.iter().chain(&SHORT_WORDS) {
        left = left.replace(word, " ");
    }
    // Nothing was taken away from what has no words in it: that is judged by its entropy alone.
    left.len() < whole && left.chars().filter(|c| c.is_alphanumeric()).count() < FEWEST_LEFT
}

/// What an attacker's rules would make a text out of: itself, turned around, in small or large letters, with other signs between its
/// words, without something before or behind it.
pub(super) fn origins(secret: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::from([secret.to_vec()]);
    let text = std::str::from_utf8(secret).ok();
    let Some(text) = text.filter(|text| text.len() <= LONGEST) else {
        return all;
    };
    let chars: Vec<char> = text.chars().collect();
    for before in 0..=MOST_AROUND {
        for behind in 0..=MOST_AROUND {
            let end = chars.len().saturating_sub(behind);
            let part = chars.get(before..end).unwrap_or_default();
            let forth: String = part.iter().collect();
            let back: String = part.iter().rev().collect();
            for text in [forth, back] {
                for text in [text.to_lowercase(), text.to_uppercase(), text] {
                    let parted = |by: &str| text.replace(['-', '_', ' ', '.'], by).into_bytes();
                    all.extend([parted("-"), parted("_"), parted(" "), parted("")]);
                    all.insert(text.into_bytes());
                }
            }
        }
    }
    all
}

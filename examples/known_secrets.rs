//! Makes `src/crypto/guessable/known_secrets.bin` from lists of published secrets, one a line, on standard input:
//!
//! ```sh
//! cat jwt.secrets.list placeholders.list | cargo run --example known_secrets > src/crypto/guessable/known_secrets.bin
//! ```

use std::collections::BTreeSet;
use std::io::{Read, Write};

use persona_gateway::crypto::guessable::fingerprint;

/// Shorter ones are refused by their length.
const MIN_BYTES: usize = 32;
/// What documentation shows, whatever the lists hold.
const SHOWN: [&str; 14] = [
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    "a-shared-secret-of-at-least-32-bytes",
    "change-me-to-a-random-string-of-32-bytes",
    "change-this-to-a-long-random-secret-key",
    "my-super-secret-jwt-signing-key-for-production",
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "this-is-a-very-long-secret-key-for-jwt",
    "thequickbrownfoxjumpsoverthelazydog",
    "your-256-bit-secret-your-256-bit-secret",
    "your-secret-key-at-least-32-characters-long",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-key-change-in-production",
    "yourSuperSecretKeyThatIsAtLeast32CharactersLong",
];

fn main() -> std::io::Result<()> {
    let mut lists = Vec::new();
    std::io::stdin().read_to_end(&mut lists)?;
    let known: BTreeSet<_> = lists
        .split(|byte| *byte == b'\n')
        .chain(SHOWN.iter().map(|shown| shown.as_bytes()))
        .map(<[u8]>::trim_ascii)
        .filter(|secret| secret.len() >= MIN_BYTES)
        .map(fingerprint)
        .collect();
    let bytes: Vec<u8> = known.into_iter().flatten().collect();
    std::io::stdout().write_all(&bytes)
}

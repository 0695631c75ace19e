//! The master key setting: one key, or a ring of numbered keys.

use std::fmt;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use secrecy::{
    ExposeSecret, SecretBox,
    zeroize::{Zeroize, Zeroizing},
};

use crate::domain::pattern::is_regular;

/// Bytes in a key: AES-256.
const KEY_LEN: usize = 32;

/// One numbered master key.
pub struct MasterKey {
    /// Stored with everything that the key seals.
    pub id: u16,
    key: SecretBox<[u8; KEY_LEN]>,
}

impl MasterKey {
    /// The 32 bytes.
    pub fn expose(&self) -> &[u8; KEY_LEN] {
        self.key.expose_secret()
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// The ring. The first key seals; the others still open what they sealed.
#[derive(Debug)]
pub struct MasterKeys {
    /// Never empty, ids distinct.
    keys: Vec<MasterKey>,
}

/// Why a text is no key ring. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyError {
    #[error("must hold keys of 32 bytes as base64 or hex; make one with `openssl rand -base64 32`")]
    NotAKey,
    #[error("numbers its keys from 1 to 65535, as in `2:NEWKEY,1:OLDKEY`")]
    BadId,
    #[error("has two keys with the number {0}: give each its own")]
    SameId(u16),
    #[error(
        "has a key that repeats or counts up, so it is not random: make one with `openssl rand -base64 32`"
    )]
    NotRandom,
}

impl MasterKeys {
    /// Reads `KEY` (number 1) or `id:KEY,id:KEY`.
    pub fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let mut keys: Vec<MasterKey> = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (id, key) = match part.split_once(':') {
                Some((id, key)) => (id.trim().parse().ok().filter(|id| *id > 0), key.trim()),
                None => (Some(1), part),
            };
            let id = id.ok_or(MasterKeyError::BadId)?;
            if keys.iter().any(|other| other.id == id) {
                return Err(MasterKeyError::SameId(id));
            }
            keys.push(MasterKey {
                id,
                key: decode(key)?,
            });
        }
        Ok(Self { keys })
    }

    /// The key that seals, then the older ones.
    pub fn iter(&self) -> impl Iterator<Item = &MasterKey> {
        self.keys.iter()
    }
}

fn decode(text: &str) -> Result<SecretBox<[u8; KEY_LEN]>, MasterKeyError> {
    // 64 characters of base64 would be 48 bytes, so the two forms cannot be confused.
    let hex = || hex::decode(text).ok();
    let base64 = || {
        [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
            .iter()
            .find_map(|engine| engine.decode(text).ok())
    };
    let bytes = if text.len() == 2 * KEY_LEN {
        hex()
    } else {
        base64()
    };
    let bytes = Zeroizing::new(bytes.ok_or(MasterKeyError::NotAKey)?);
    let mut key: [u8; KEY_LEN] = bytes
        .as_slice()
        .try_into()
        .map_err(|_length| MasterKeyError::NotAKey)?;
    if is_regular(&key) {
        return Err(MasterKeyError::NotRandom);
    }
    let boxed = SecretBox::init_with_mut(|secret: &mut [u8; KEY_LEN]| secret.copy_from_slice(&key));
    key.zeroize();
    Ok(boxed)
}

#[cfg(test)]
mod tests {
    use super::{MasterKeyError, MasterKeys};

    const HEX: &str = "000102ec31682fde561917952ff78a7a8adeffd0febc372dd26871916c46c630";
    const BASE64: &str = "AAEC7DFoL95WGReVL/eKeore/9D+vDct0mhxkWxGxjA=";

    #[test]
    fn base64_with_and_without_padding_and_hex_are_the_same_key() {
        for text in [BASE64, BASE64.trim_end_matches('='), HEX] {
            let keys = MasterKeys::parse(text).unwrap();
            let key = keys.iter().next().unwrap();
            assert_eq!(key.id, 1);
            assert_eq!(key.expose()[..3], [0, 1, 2]);
        }
    }

    #[test]
    fn the_first_of_a_ring_comes_first() {
        let other = HEX.replace("00", "2f");
        let keys = MasterKeys::parse(&format!("7:{HEX}, 2:{other}")).unwrap();
        let ids: Vec<_> = keys.iter().map(|key| key.id).collect();
        assert_eq!(ids, [7, 2]);
    }

    #[test]
    fn broken_rings_are_refused_for_the_right_reason() {
        let parse = |text: &str| MasterKeys::parse(text).unwrap_err();
        assert_eq!(parse("hunter2"), MasterKeyError::NotAKey);
        assert_eq!(
            parse(HEX.trim_start_matches("0001")),
            MasterKeyError::NotAKey
        );
        assert_eq!(parse(&format!("x:{HEX}")), MasterKeyError::BadId);
        assert_eq!(parse(&format!("0:{HEX}")), MasterKeyError::BadId);
        assert_eq!(parse(&format!("{HEX},1:{HEX}")), MasterKeyError::SameId(1));
        assert_eq!(parse(&"ab".repeat(32)), MasterKeyError::NotRandom);
    }

    #[test]
    fn debug_shows_no_key() {
        let text = format!("{:?}", MasterKeys::parse(HEX).unwrap());
        assert_eq!(text, "MasterKeys { keys: [MasterKey(1)] }");
    }
}

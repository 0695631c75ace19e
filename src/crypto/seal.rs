//! Seals secrets before they go to the database, so that a dump of it, or a row moved to another
//! tenant, column or table, gives nothing away.
//!
//! AES-256-GCM-SIV (RFC 8452) with a random nonce, under a key that HKDF-SHA256 (RFC 5869) derives
//! from a master key for each tenant. A sealed value is
//! `version 1 | master key id, 2 bytes, big endian | nonce, 12 bytes | ciphertext | tag, 16 bytes`.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    aead::{self, AES_256_GCM_SIV, NONCE_LEN, Nonce, RandomizedNonceKey},
    hkdf::{HKDF_SHA256, Prk, Salt},
};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use uuid::Uuid;

use crate::config::MasterKeys;
use crate::domain::ids::TenantId;

const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 2;
const TAG_LEN: usize = 16;
/// Sets these keys apart from others that may one day come from the same master key.
const SALT: &[u8] = b"persona-gateway seal 1";

/// Where a sealed value stands. It opens nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aad {
    pub table: &'static str,
    pub column: &'static str,
    pub tenant: TenantId,
    pub row: Uuid,
}

/// Why a value was not sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("the sealed value is too short, or of a version that this program does not know")]
    Malformed,
    #[error(
        "sealed with master key {0}, which is not in the ring: add it to GATEWAY_MASTER_KEY again"
    )]
    UnknownKey(u16),
    #[error(
        "the sealed value was changed or moved, or its master key has the number but not the bytes of the one that sealed it"
    )]
    NotAuthentic,
    #[error("the cipher failed: no random bytes, or the value is too long")]
    Cipher,
}

/// The master keys, ready for use. Cheap to clone.
#[derive(Clone)]
pub struct KeyRing {
    /// Never empty; the first one seals.
    keys: Arc<[(u16, Prk)]>,
}

impl KeyRing {
    /// The first of `keys` seals from now on; each of them opens what it sealed.
    pub fn new(keys: &MasterKeys) -> Self {
        let salt = Salt::new(HKDF_SHA256, SALT);
        Self {
            keys: keys
                .iter()
                .map(|key| (key.id, salt.extract(key.expose())))
                .collect(),
        }
    }

    /// The master keys themselves, the newest first, for other derivations of this room.
    pub(super) fn masters(&self) -> impl Iterator<Item = &Prk> {
        self.keys.iter().map(|(_, master)| master)
    }

    /// The numbers of the keys, the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = u16> {
        self.keys.iter().map(|(id, _)| *id)
    }

    /// The number of the key that seals.
    pub fn active(&self) -> Result<u16, SealError> {
        self.ids().next().ok_or(SealError::Cipher)
    }

    /// Whether a key of this number is in the ring.
    pub fn holds(&self, id: u16) -> bool {
        self.ids().any(|held| held == id)
    }

    /// Seals `secret` for one place, differently each time.
    pub fn seal(&self, secret: &SecretString, aad: &Aad) -> Result<Vec<u8>, SealError> {
        self.seal_with(self.active()?, secret, aad)
    }

    /// Seals with one key of the ring, to have something by which that key is recognised.
    pub fn seal_with(
        &self,
        key: u16,
        secret: &SecretString,
        aad: &Aad,
    ) -> Result<Vec<u8>, SealError> {
        let (id, master) = self.by_id(key)?;
        let key = tenant_key(master, aad.tenant)?;
        let plaintext = secret.expose_secret().as_bytes();
        // Room for the tag, so that no copy of the plaintext is left behind by a move.
        let mut buffer = Zeroizing::new(Vec::with_capacity(plaintext.len() + TAG_LEN));
        buffer.extend_from_slice(plaintext);
        let nonce = key
            .seal_in_place_append_tag(aead::Aad::from(context(*id, aad)), &mut *buffer)
            .map_err(|_unspecified| SealError::Cipher)?;
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(&id.to_be_bytes());
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&buffer);
        Ok(sealed)
    }

    /// Opens what [`KeyRing::seal`] made for the same place.
    pub fn open(&self, sealed: &[u8], aad: &Aad) -> Result<SecretString, SealError> {
        let Parts {
            key_id,
            nonce,
            ciphertext,
        } = split(sealed).ok_or(SealError::Malformed)?;
        let (id, master) = self.by_id(key_id)?;
        let key = tenant_key(master, aad.tenant)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let plaintext = key
            .open_in_place(nonce, aead::Aad::from(context(*id, aad)), &mut buffer)
            .map_err(|_unspecified| SealError::NotAuthentic)?;
        let text = std::str::from_utf8(plaintext).map_err(|_utf8| SealError::Malformed)?;
        Ok(SecretString::from(text))
    }

    fn by_id(&self, wanted: u16) -> Result<&(u16, Prk), SealError> {
        self.keys
            .iter()
            .find(|(id, _)| *id == wanted)
            .ok_or(SealError::UnknownKey(wanted))
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.keys.iter().map(|(id, _)| id).collect();
        write!(f, "KeyRing({ids:?})")
    }
}

/// What may be shown of a secret once it is sealed: its last four characters, or nothing of a
/// short one.
pub fn last_four(secret: &SecretString) -> String {
    let text = secret.expose_secret();
    let count = text.chars().count();
    if count < 16 {
        return String::new();
    }
    text.chars().skip(count - 4).collect()
}

struct Parts<'a> {
    key_id: u16,
    nonce: Nonce,
    ciphertext: &'a [u8],
}

fn split(sealed: &[u8]) -> Option<Parts<'_>> {
    let (version, rest) = sealed.split_first()?;
    let (key_id, rest) = rest.split_first_chunk::<KEY_ID_LEN>()?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>()?;
    (*version == VERSION && ciphertext.len() >= TAG_LEN).then(|| Parts {
        key_id: u16::from_be_bytes(*key_id),
        nonce: Nonce::assume_unique_for_key(*nonce),
        ciphertext,
    })
}

fn tenant_key(master: &Prk, tenant: TenantId) -> Result<RandomizedNonceKey, SealError> {
    let mut key = Zeroizing::new([0; 32]);
    master
        .expand(&[tenant.0.as_bytes()], HKDF_SHA256)
        .and_then(|derived| derived.fill(&mut *key))
        .and_then(|()| RandomizedNonceKey::new(&AES_256_GCM_SIV, &*key))
        .map_err(|_unspecified| SealError::Cipher)
}

/// What is authenticated beside the ciphertext. Each name ends with a zero byte, which no name
/// holds, so that no two places read the same.
fn context(key_id: u16, aad: &Aad) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&key_id.to_be_bytes());
    bytes.extend_from_slice(aad.tenant.0.as_bytes());
    bytes.extend_from_slice(aad.row.as_bytes());
    for name in [aad.table, aad.column] {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::Index};

    use super::*;

    const OLD: &str = "000102ec31682fde561917952ff78a7a8adeffd0febc372dd26871916c46c630";
    const NEW: &str = "844ecc08164e2eab27634a9adee1afa6599e589570e719784e080ce747fc0e45";

    fn ring(text: &str) -> KeyRing {
        KeyRing::new(&MasterKeys::parse(text).unwrap())
    }

    fn place() -> Aad {
        Aad {
            table: "provider_key",
            column: "sealed",
            tenant: TenantId(Uuid::from_u128(1)),
            row: Uuid::from_u128(2),
        }
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_in_its_place(secret in any::<String>(), tenant: u128, row: u128) {
            let aad = Aad { tenant: TenantId(Uuid::from_u128(tenant)), row: Uuid::from_u128(row), ..place() };
            let keys = ring(OLD);
            let sealed = keys.seal(&SecretString::from(secret.as_str()), &aad).unwrap();
            let opened = keys.open(&sealed, &aad).unwrap();
            prop_assert_eq!(opened.expose_secret(), secret.as_str());
        }

        #[test]
        fn any_flipped_bit_is_noticed(secret in any::<String>(), at: Index, bit in 0_u32..8) {
            let keys = ring(OLD);
            let mut sealed = keys.seal(&SecretString::from(secret), &place()).unwrap();
            let at = at.index(sealed.len());
            sealed[at] ^= 1_u8 << bit;
            prop_assert!(keys.open(&sealed, &place()).is_err());
        }

        #[test]
        fn any_cut_is_noticed(secret in any::<String>(), at: Index) {
            let keys = ring(OLD);
            let sealed = keys.seal(&SecretString::from(secret), &place()).unwrap();
            prop_assert!(keys.open(&sealed[..at.index(sealed.len())], &place()).is_err());
        }

        #[test]
        fn bytes_that_nobody_sealed_are_refused_without_a_panic(bytes: Vec<u8>) {
            prop_assert!(ring(OLD).open(&bytes, &place()).is_err());
        }
    }

    #[test]
    fn a_value_that_was_moved_does_not_open() {
        let keys = ring(OLD);
        let here = place();
        let sealed = keys.seal(&SecretString::from("secret"), &here).unwrap();
        let elsewhere = [
            Aad {
                table: "issuer",
                ..here
            },
            Aad {
                column: "shared_secret",
                ..here
            },
            Aad {
                tenant: TenantId(Uuid::from_u128(9)),
                ..here
            },
            Aad {
                row: Uuid::from_u128(9),
                ..here
            },
            // The same letters, divided otherwise.
            Aad {
                table: "provider_keys",
                column: "ealed",
                ..here
            },
        ];
        for aad in elsewhere {
            assert_eq!(
                keys.open(&sealed, &aad).unwrap_err(),
                SealError::NotAuthentic,
                "{aad:?}"
            );
        }
        keys.open(&sealed, &here).unwrap();
    }

    #[test]
    fn the_same_secret_is_sealed_differently_each_time_and_never_shows() {
        let keys = ring(OLD);
        let secret = SecretString::from("a secret of some length");
        let one = keys.seal(&secret, &place()).unwrap();
        let two = keys.seal(&secret, &place()).unwrap();
        assert_ne!(one, two);
        let plain = secret.expose_secret().as_bytes();
        assert!(!one.windows(plain.len()).any(|window| window == plain));
    }

    #[test]
    fn a_key_is_rotated_by_sealing_again_and_the_old_one_can_go() {
        let secret = SecretString::from("secret");
        let sealed = ring(OLD).seal(&secret, &place()).unwrap();

        let both = ring(&format!("2:{NEW},1:{OLD}"));
        let opened = both.open(&sealed, &place()).unwrap();
        let again = both.seal(&opened, &place()).unwrap();

        let new_only = ring(&format!("2:{NEW}"));
        assert_eq!(
            new_only.open(&again, &place()).unwrap().expose_secret(),
            "secret"
        );
        assert_eq!(
            new_only.open(&sealed, &place()).unwrap_err(),
            SealError::UnknownKey(1)
        );
    }

    #[test]
    fn other_bytes_under_the_same_number_are_refused() {
        let sealed = ring(OLD)
            .seal(&SecretString::from("secret"), &place())
            .unwrap();
        let error = ring(&format!("1:{NEW}"))
            .open(&sealed, &place())
            .unwrap_err();
        assert_eq!(error, SealError::NotAuthentic);
    }

    #[test]
    fn debug_shows_numbers_only() {
        assert_eq!(
            format!("{:?}", ring(&format!("2:{NEW},1:{OLD}"))),
            "KeyRing([2, 1])"
        );
    }

    #[test]
    fn only_the_end_of_a_long_secret_may_be_shown() {
        assert_eq!(last_four(&SecretString::from("0123456789abcdef")), "cdef");
        assert_eq!(last_four(&SecretString::from("hunter2")), "");
    }
}

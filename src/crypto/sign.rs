//! Signs checkpoints of the audit trail, and names users without naming them.
//!
//! Ed25519 (RFC 8032) with a key that HKDF-SHA256 derives from each master key: no private key is stored anywhere, and a
//! rotated master key goes on verifying what it signed as long as it stays in the ring.
//!
//! What is signed is five lines, each ended by a line feed: `persona-gateway audit checkpoint 1`, the tenant's id, the number
//! of the row, the row's hash in hex, and the time as `2026-11-24T10:05:00.000000Z`.

use aws_lc_rs::hkdf::{HKDF_SHA256, Prk};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use chrono::{DateTime, SecondsFormat, Utc};
use secrecy::zeroize::Zeroizing;

use super::digest::sha256_hex;
use super::seal::KeyRing;
use crate::domain::caller::Subject;
use crate::domain::ids::TenantId;

/// HKDF's contexts. Those of the sealing keys are 16 bytes long, a tenant's id.
const CHECKPOINTS: &[u8] = b"persona-gateway audit checkpoint 1";
const PSEUDONYMS: &[u8] = b"persona-gateway pseudonym 1";
/// Bytes of a seed and of a public key.
const KEY_LEN: usize = 32;
/// Hexadecimal digits of a key's id.
const ID_LEN: usize = 16;

/// A mark in a tenant's audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointMark {
    /// The tenant whose trail it is.
    pub tenant: TenantId,
    /// The row.
    pub seq: i64,
    pub hash: Vec<u8>,
    /// When it was marked; microseconds count.
    pub at: DateTime<Utc>,
}

impl CheckpointMark {
    /// The text that is signed.
    fn text(&self) -> String {
        format!(
            "persona-gateway audit checkpoint 1\n{}\n{}\n{}\n{}\n",
            self.tenant,
            self.seq,
            hex::encode(&self.hash),
            self.at.to_rfc3339_opts(SecondsFormat::Micros, true)
        )
    }
}

/// A public key that verifies checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyingKey([u8; KEY_LEN]);

impl VerifyingKey {
    /// From 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self(hex::decode(text).ok()?.try_into().ok()?))
    }

    /// 64 hexadecimal digits.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// The name under which checkpoints refer to it: the start of its SHA-256.
    pub fn id(&self) -> String {
        sha256_hex(&self.0).chars().take(ID_LEN).collect()
    }

    /// Whether this key signed the mark.
    pub fn verifies(&self, mark: &CheckpointMark, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(mark.text().as_bytes(), signature)
            .is_ok()
    }
}

/// No key could be derived, or nothing signed: the crypto library gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing key can't be derived from the master key")]
pub struct SignError;

impl KeyRing {
    /// Signs a mark with the key that seals too; gives the id of the public key and the signature.
    pub fn sign(&self, mark: &CheckpointMark) -> Result<(String, Vec<u8>), SignError> {
        let master = self.masters().next().ok_or(SignError)?;
        let (pair, public) = pair(master)?;
        let signature = pair
            .try_sign(mark.text().as_bytes())
            .map_err(|_unspecified| SignError)?;
        Ok((public.id(), signature.as_ref().to_vec()))
    }

    /// The keys that verify what this ring signed, the one that signs now first.
    pub fn verifying_keys(&self) -> Result<Vec<VerifyingKey>, SignError> {
        self.masters()
            .map(|master| pair(master).map(|(_, public)| public))
            .collect()
    }

    /// The key that verifies what one master key of the ring signed.
    pub fn verifying_key(&self, id: u16) -> Result<Option<VerifyingKey>, SignError> {
        let master = self.ids().zip(self.masters()).find(|(held, _)| *held == id);
        master
            .map(|(_, master)| pair(master).map(|(_, public)| public))
            .transpose()
    }

    /// A name for a user that says nothing without the master key: HMAC-SHA256 of the subject under a key of the tenant's own,
    /// in hex. The audit trail can't forget, so it never learns the subject itself.
    pub fn pseudonym(&self, tenant: TenantId, subject: &Subject) -> Result<String, SignError> {
        let master = self.masters().next().ok_or(SignError)?;
        pseudonym(master, tenant, subject)
    }

    /// Every name that a user may have in the trail: another one for each master key of the ring, the newest first.
    pub fn pseudonyms(
        &self,
        tenant: TenantId,
        subject: &Subject,
    ) -> Result<Vec<String>, SignError> {
        self.masters()
            .map(|master| pseudonym(master, tenant, subject))
            .collect()
    }
}

fn pseudonym(master: &Prk, tenant: TenantId, subject: &Subject) -> Result<String, SignError> {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    derive(master, &[PSEUDONYMS, tenant.0.as_bytes()], &mut key)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &*key);
    Ok(hex::encode(hmac::sign(&key, subject.as_str().as_bytes())))
}

fn pair(master: &Prk) -> Result<(Ed25519KeyPair, VerifyingKey), SignError> {
    let mut seed = Zeroizing::new([0; KEY_LEN]);
    derive(master, &[CHECKPOINTS], &mut seed)?;
    let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_rejected| SignError)?;
    let public = pair.public_key().as_ref().try_into();
    let public = VerifyingKey(public.map_err(|_length| SignError)?);
    Ok((pair, public))
}

fn derive(master: &Prk, info: &[&[u8]], key: &mut [u8; KEY_LEN]) -> Result<(), SignError> {
    master
        .expand(info, HKDF_SHA256)
        .and_then(|derived| derived.fill(key))
        .map_err(|_unspecified| SignError)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::config::MasterKeys;

    const OLD: &str = "000102ec31682fde561917952ff78a7a8adeffd0febc372dd26871916c46c630";
    const NEW: &str = "844ecc08164e2eab27634a9adee1afa6599e589570e719784e080ce747fc0e45";

    fn keys(text: &str) -> KeyRing {
        KeyRing::new(&MasterKeys::parse(text).unwrap())
    }

    fn public(text: &str) -> VerifyingKey {
        keys(text).verifying_keys().unwrap()[0]
    }

    fn mark() -> CheckpointMark {
        CheckpointMark {
            tenant: TenantId(Uuid::from_u128(1)),
            seq: 7,
            hash: vec![9; 32],
            at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        }
    }

    #[test]
    fn a_signature_holds_for_its_mark_alone() {
        let public = public(OLD);
        let (id, signature) = keys(OLD).sign(&mark()).unwrap();
        assert_eq!(id, public.id());
        assert!(public.verifies(&mark(), &signature));
        let others = [
            CheckpointMark { seq: 8, ..mark() },
            CheckpointMark {
                hash: vec![8; 32],
                ..mark()
            },
            CheckpointMark {
                tenant: TenantId(Uuid::from_u128(2)),
                ..mark()
            },
            CheckpointMark {
                at: mark().at + chrono::TimeDelta::microseconds(1),
                ..mark()
            },
        ];
        for other in others {
            assert!(!public.verifies(&other, &signature), "{other:?}");
        }
    }

    #[test]
    fn a_rotated_master_key_goes_on_verifying() {
        let (_, signature) = keys(OLD).sign(&mark()).unwrap();
        let both = keys(&format!("2:{NEW},1:{OLD}"));
        let verified: Vec<bool> = both
            .verifying_keys()
            .unwrap()
            .iter()
            .map(|key| key.verifies(&mark(), &signature))
            .collect();
        assert_eq!(verified, [false, true]);
        assert_eq!(both.sign(&mark()).unwrap().0, public(NEW).id());
    }

    #[test]
    fn a_key_does_not_depend_on_its_number_and_is_not_the_master_key() {
        let key = public(OLD);
        assert_eq!(public(&format!("9:{OLD}")), key);
        assert_ne!(key.to_hex(), OLD);
        assert_eq!(VerifyingKey::parse(&key.to_hex()), Some(key));
        assert_eq!(VerifyingKey::parse("00"), None);
    }

    #[test]
    fn a_user_has_another_name_in_each_tenant_and_under_each_master_key() {
        let name = |text: &str, tenant: u128, subject: &str| {
            keys(text)
                .pseudonym(
                    TenantId(Uuid::from_u128(tenant)),
                    &Subject::parse(subject).unwrap(),
                )
                .unwrap()
        };
        let names = [
            name(OLD, 1, "ada"),
            name(OLD, 2, "ada"),
            name(OLD, 1, "bob"),
            name(NEW, 1, "ada"),
        ];
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), 4);
        assert_eq!(name(OLD, 1, "ada"), names[0]);
        let both = keys(&format!("2:{NEW},1:{OLD}"));
        let ada = Subject::parse("ada").unwrap();
        assert_eq!(
            both.pseudonyms(TenantId(Uuid::from_u128(1)), &ada).unwrap(),
            [names[3].clone(), names[0].clone()]
        );
    }
}

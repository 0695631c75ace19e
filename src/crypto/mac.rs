//! Marks texts that leave and come back (cursors), so that nobody can write one; and recognises secrets that are not kept.

use std::fmt;

use aws_lc_rs::hkdf::{KeyType, Prk};
use aws_lc_rs::{hmac, rand};
use secrecy::zeroize::Zeroizing;

use super::seal::KeyRing;
use super::token::NoRandomness;
use crate::domain::ids::TenantId;

/// Bytes of a mark.
pub const MARK_LEN: usize = 16;

struct MacKey;

impl KeyType for MacKey {
    fn len(&self) -> usize {
        32
    }
}

impl KeyRing {
    /// The mark of `text` for one purpose and tenant, by the newest master key.
    pub fn mark(&self, purpose: &'static str, tenant: TenantId, text: &[u8]) -> [u8; MARK_LEN] {
        self.masters()
            .next()
            .map(|master| mark(master, purpose, tenant, text))
            .unwrap_or_default()
    }

    /// Whether one of the ring's keys gives `text` this mark.
    pub fn is_marked(
        &self,
        purpose: &'static str,
        tenant: TenantId,
        text: &[u8],
        marked: &[u8],
    ) -> bool {
        self.masters().any(|master| {
            let own = mark(master, purpose, tenant, text);
            aws_lc_rs::constant_time::verify_slices_are_equal(&own, marked).is_ok()
        })
    }
}

fn mark(master: &Prk, purpose: &str, tenant: TenantId, text: &[u8]) -> [u8; MARK_LEN] {
    let mut key = Zeroizing::new([0; 32]);
    let info = [
        b"mark\0".as_slice(),
        purpose.as_bytes(),
        b"\0",
        tenant.0.as_bytes(),
    ];
    let derived = master
        .expand(&info, MacKey)
        .and_then(|okm| okm.fill(&mut *key));
    let mut short = [0; MARK_LEN];
    // Asking for 32 bytes of HKDF-SHA256 never fails; were it to, no mark would fit.
    if derived.is_ok() {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*key), text);
        for (to, from) in short.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
    }
    short
}

/// What a secret is recognised by in memory: HMAC-SHA256 under a key that nobody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// Takes fingerprints. Those of another process, or of another of these, are different ones.
pub struct Fingerprints(hmac::Key);

impl Fingerprints {
    /// Under a new key.
    pub fn new() -> Result<Self, NoRandomness> {
        let mut key = Zeroizing::new([0; 32]);
        rand::fill(&mut *key).map_err(|_unspecified| NoRandomness)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &*key)))
    }

    pub fn fingerprint(&self, secret: &[u8]) -> Fingerprint {
        let mut all = [0; 32];
        all.copy_from_slice(hmac::sign(&self.0, secret).as_ref());
        Fingerprint(all)
    }
}

impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fingerprints").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::config::MasterKeys;

    #[test]
    fn a_mark_holds_for_its_purpose_tenant_and_text_only() {
        let ring = KeyRing::new(
            &MasterKeys::parse("000102ec31682fde561917952ff78a7a8adeffd0febc372dd26871916c46c630")
                .unwrap(),
        );
        let (one, two) = (TenantId(Uuid::from_u128(1)), TenantId(Uuid::from_u128(2)));
        let mark = ring.mark("cursor", one, b"text");
        assert_ne!(mark, [0; MARK_LEN]);
        assert!(ring.is_marked("cursor", one, b"text", &mark));
        assert!(!ring.is_marked("cursor", two, b"text", &mark));
        assert!(!ring.is_marked("other", one, b"text", &mark));
        assert!(!ring.is_marked("cursor", one, b"texts", &mark));
        assert!(!ring.is_marked("cursor", one, b"text", &[]));
    }

    #[test]
    fn a_fingerprint_is_one_of_its_secret_and_of_its_key() {
        let (one, other) = (Fingerprints::new().unwrap(), Fingerprints::new().unwrap());
        assert_eq!(one.fingerprint(b"token"), one.fingerprint(b"token"));
        assert_ne!(one.fingerprint(b"token"), one.fingerprint(b"tokens"));
        assert_ne!(one.fingerprint(b"token"), other.fingerprint(b"token"));
    }
}

//! SHA-256 (FIPS 180-4), the only digest that the gateway stores or compares; and the one by which Redis names scripts.

use aws_lc_rs::digest;

use crate::domain::caller::Subject;

/// The SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; digest::SHA256_OUTPUT_LEN];
    sum.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    sum
}

/// The SHA-256 of `bytes` as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(sha256(bytes))
}

/// The SHA-1 of a script as 40 lower-case hexadecimal digits: the name by which Redis knows it. For nothing that must be secure.
pub fn script_name(script: &str) -> String {
    let algorithm = &digest::SHA1_FOR_LEGACY_USE_ONLY;
    hex::encode(digest::digest(algorithm, script.as_bytes()))
}

/// Stands for a user of a tenant where their subject, which is personal data, need not be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubjectDigest([u8; 32]);

impl SubjectDigest {
    pub fn of(subject: &Subject) -> Self {
        Self(sha256(subject.as_str().as_bytes()))
    }

    /// The digest itself, for the database.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).ok()?;
        Some(Self(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::{script_name, sha256_hex};

    #[test]
    fn the_example_of_fips_180_4_gives_its_digest() {
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_script_is_named_as_redis_does() {
        // From the documentation of SCRIPT LOAD.
        assert_eq!(
            script_name("return 'hello moto'"),
            "232fd51614574cf0867b83d384a5e898cfd24e5a"
        );
    }
}

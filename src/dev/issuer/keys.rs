//! The issuer's key pairs, one for each algorithm; they can be kept on disk so that tokens outlive
//! a restart.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::algorithm::SigningAlgorithm;

/// Files of the three keys, PKCS#8 in DER.
const FILES: [&str; 3] = ["rs256.p8", "es256.p8", "eddsa.p8"];

/// Why keys can't be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The crypto library failed.
    #[error("the crypto library can't make or use a key of the local issuer")]
    Crypto,
    /// A file holds no key.
    #[error("{} holds no key of the local issuer; delete it to get a new one", .0.display())]
    NoKey(PathBuf),
    /// A file can't be read or written.
    #[error("can't read or write {}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl From<Unspecified> for KeyError {
    fn from(_says_nothing: Unspecified) -> Self {
        Self::Crypto
    }
}

/// Key pairs for RS256 (2048 bits), ES256 and `EdDSA` (Ed25519).
/// Clones are the same keys.
#[derive(Debug, Clone)]
pub struct DevIssuerKeys {
    rs256: Arc<RsaKeyPair>,
    es256: Arc<EcdsaKeyPair>,
    eddsa: Arc<Ed25519KeyPair>,
}

impl DevIssuerKeys {
    /// Makes fresh keys. The RSA key takes a noticeable fraction of a second.
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self {
            rs256: Arc::new(RsaKeyPair::generate(KeySize::Rsa2048)?),
            es256: Arc::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?),
            eddsa: Arc::new(Ed25519KeyPair::generate()?),
        })
    }

    /// Reads what [`DevIssuerKeys::save`] wrote; `None` when the directory has none of the files.
    pub fn load(directory: &Path) -> Result<Option<Self>, KeyError> {
        let paths = FILES.map(|name| directory.join(name));
        if paths.iter().all(|path| !path.exists()) {
            return Ok(None);
        }
        let [rs256, es256, eddsa] = paths;
        let no_key = |path: PathBuf| KeyError::NoKey(path);
        let rs256 = RsaKeyPair::from_pkcs8(&read(&rs256)?).map_err(|_rejected| no_key(rs256))?;
        let es256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &read(&es256)?)
            .map_err(|_rejected| no_key(es256))?;
        let eddsa =
            Ed25519KeyPair::from_pkcs8(&read(&eddsa)?).map_err(|_rejected| no_key(eddsa))?;
        Ok(Some(Self {
            rs256: Arc::new(rs256),
            es256: Arc::new(es256),
            eddsa: Arc::new(eddsa),
        }))
    }

    /// Writes the keys, readable by the owner only; makes the directory where it is missing.
    pub fn save(&self, directory: &Path) -> Result<(), KeyError> {
        make_private(directory).map_err(|source| KeyError::File {
            path: directory.to_owned(),
            source,
        })?;
        let [rs256, es256, eddsa] = FILES.map(|name| directory.join(name));
        write(&rs256, self.rs256.as_der()?.as_ref())?;
        write(&es256, self.es256.to_pkcs8v1()?.as_ref())?;
        write(&eddsa, self.eddsa.to_pkcs8()?.as_ref())
    }

    /// Signs, in the form that JWS wants (RFC 7518, section 3).
    pub(super) fn sign(
        &self,
        algorithm: SigningAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        Ok(match algorithm {
            SigningAlgorithm::Rs256 => {
                let mut signature = vec![0; self.rs256.public_modulus_len()];
                self.rs256
                    .sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                signature
            }
            SigningAlgorithm::Es256 => self.es256.sign(&random, message)?.as_ref().to_vec(),
            SigningAlgorithm::EdDsa => self.eddsa.sign(message).as_ref().to_vec(),
        })
    }

    /// The key's id: a short hash of the public key.
    pub(super) fn id(&self, algorithm: SigningAlgorithm) -> String {
        let public = match algorithm {
            SigningAlgorithm::Rs256 => self.rs256.public_key().as_ref(),
            SigningAlgorithm::Es256 => self.es256.public_key().as_ref(),
            SigningAlgorithm::EdDsa => self.eddsa.public_key().as_ref(),
        };
        let mut id = hex::encode(digest(&SHA256, public));
        id.truncate(16);
        id
    }

    /// The public keys as JWKs (RFC 7517, RFC 8037).
    pub(super) fn jwks(&self) -> Vec<Value> {
        SigningAlgorithm::ALL
            .into_iter()
            .map(|algorithm| self.jwk(algorithm))
            .collect()
    }

    fn jwk(&self, algorithm: SigningAlgorithm) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match algorithm {
            SigningAlgorithm::Rs256 => {
                let public = self.rs256.public_key();
                json!({
                    "kty": "RSA",
                    "n": text(public.modulus().big_endian_without_leading_zero()),
                    "e": text(public.exponent().big_endian_without_leading_zero()),
                })
            }
            SigningAlgorithm::Es256 => {
                // An uncompressed point: one byte of form, then x and y of 32 bytes each.
                let point = self.es256.public_key().as_ref();
                let (x, y) = point
                    .get(1..)
                    .and_then(|both| both.split_at_checked(32))
                    .unwrap_or_default();
                json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)})
            }
            SigningAlgorithm::EdDsa => {
                let public = self.eddsa.public_key().as_ref();
                json!({"kty": "OKP", "crv": "Ed25519", "x": text(public)})
            }
        };
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".to_owned(), json!(self.id(algorithm)));
            members.insert("use".to_owned(), json!("sig"));
            members.insert("alg".to_owned(), json!(algorithm));
        }
        jwk
    }
}

fn read(path: &Path) -> Result<Vec<u8>, KeyError> {
    fs::read(path).map_err(|source| KeyError::File {
        path: path.to_owned(),
        source,
    })
}

fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|source| KeyError::File {
            path: path.to_owned(),
            source,
        })
}

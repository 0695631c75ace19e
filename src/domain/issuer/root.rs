//! The certificate that an issuer's own servers are believed by.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use x509_cert::Certificate;
use x509_cert::der::Encode;
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::time::Time;

use crate::domain::wrong::{Words, Wrong};

/// Most certificates: one and its successors.
const MAX_CERTIFICATES: usize = 3;
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// One to three root certificates in PEM. Where an issuer has them, its addresses are believed by these alone, and nobody else's are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootCertificates {
    pem: String,
    all: Vec<Root>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Root {
    der: Vec<u8>,
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
}

impl RootCertificates {
    /// Longest text.
    pub const MAX_BYTES: usize = 16 * 1024;

    /// Reads PEM; text around the certificates, as some tools write it, is passed over.
    pub(super) fn parse(text: &str) -> Result<Self, Words> {
        if text.len() > Self::MAX_BYTES {
            return Err(Wrong::Bytes {
                most: Self::MAX_BYTES,
            }
            .into());
        }
        if text.contains("PRIVATE KEY-----") {
            return Err(Wrong::PrivateKey.into());
        }
        let mut all = Vec::new();
        let mut rest = text;
        while let Some((_, from)) = rest.split_once(BEGIN) {
            let (body, after) = from
                .split_once(END)
                .ok_or_else(|| pem(format!("is cut: {END} is missing")))?;
            all.push(Root::read(&format!("{BEGIN}{body}{END}\n"))?);
            rest = after;
        }
        if let (true, Some(label)) = (all.is_empty(), label(text)) {
            return Err(pem(format!(
                "holds {label:?}, which is no certificate: give the text from {BEGIN} to {END}"
            )));
        }
        if !(1..=MAX_CERTIFICATES).contains(&all.len()) {
            return Err(pem(format!(
                "must hold 1 to {MAX_CERTIFICATES} certificates in PEM, each from {BEGIN} to {END}; found {}",
                all.len()
            )));
        }
        Ok(Self {
            pem: text.to_owned(),
            all,
        })
    }

    /// Those that are good at this time, each in DER, or why none is. Who checks a chain with a trust anchor does not ask for its dates.
    pub fn good_at(&self, now: DateTime<Utc>) -> Result<Vec<&[u8]>, String> {
        let is_good = |root: &&Root| root.not_before <= now && now <= root.not_after;
        let good: Vec<&[u8]> = self
            .all
            .iter()
            .filter(is_good)
            .map(|root| root.der.as_slice())
            .collect();
        match self.all.iter().max_by_key(|root| root.not_after) {
            Some(root) if good.is_empty() => Err(if root.not_after < now {
                format!("has expired at {}", root.not_after.to_rfc3339())
            } else {
                format!("is not valid before {}", root.not_before.to_rfc3339())
            }),
            _ => Ok(good),
        }
    }
}

/// A fault of a text that is not the PEM that it should be.
fn pem(text: String) -> Words {
    Wrong::Pem {
        most: MAX_CERTIFICATES,
    }
    .worded(text)
}

/// What is in the first line of PEM.
fn label(text: &str) -> Option<&str> {
    let (_, from) = text.split_once("-----BEGIN ")?;
    let (label, _) = from.split_once("-----")?;
    (label.len() <= 64 && !label.contains('\n')).then_some(label)
}

impl Root {
    fn read(pem: &str) -> Result<Self, Wrong> {
        let broken = || Wrong::BrokenCertificate;
        let [certificate] = Certificate::load_pem_chain(pem.as_bytes())
            .ok()
            .and_then(|chain| <[Certificate; 1]>::try_from(chain).ok())
            .ok_or_else(broken)?;
        let validity = &certificate.tbs_certificate.validity;
        let constraints = certificate.tbs_certificate.get::<BasicConstraints>();
        let may_sign = constraints
            .ok()
            .flatten()
            .is_some_and(|(_, constraints)| constraints.ca);
        if !may_sign {
            return Err(Wrong::NoRoot);
        }
        let (not_before, not_after) = (moment(validity.not_before), moment(validity.not_after));
        Ok(Self {
            not_before: not_before.ok_or_else(broken)?,
            not_after: not_after.ok_or_else(broken)?,
            der: certificate.to_der().map_err(|_unwritable| broken())?,
        })
    }
}

fn moment(time: Time) -> Option<DateTime<Utc>> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
    DateTime::from_timestamp(seconds, 0)
}

impl Serialize for RootCertificates {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.pem)
    }
}

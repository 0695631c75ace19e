//! Why nothing was fetched, in words that help to configure an issuer.
//!
//! Nothing is reported of an address that the policy forbids: a name that leads inside looks like one that does not answer.

use std::error::Error;
use std::io;

use reqwest::{StatusCode, header};
use rustls::CertificateError;

use crate::domain::text::clean_line;

/// Longest text of an answer that is shown, in characters.
const MAX_TOLD_CHARS: usize = 200;

/// Why nothing was fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// By its text alone: scheme, port, user name, fragment or a literal address.
    #[error("address not allowed")]
    NotAllowed,
    /// The name leads to an address that is not allowed, or nobody knows what failed.
    #[error("address not allowed or no answer within 5 seconds")]
    Unreachable,
    /// The name is unknown.
    #[error("no such host: the name {0:?} leads nowhere")]
    NoSuchHost(String),
    /// The host is there, and nobody listens at the port.
    #[error("connection refused: no server listens at that port")]
    Refused,
    /// The installation's proxy did not connect to it.
    #[error(
        "the proxy of this installation did not connect to it: it may forbid the address, not know the name, want another password, or be down"
    )]
    Proxy,
    /// The server did not answer in time.
    #[error("no answer within 5 seconds")]
    NoAnswer,
    /// The host can't prove who it is.
    #[error("its certificate {0}")]
    Certificate(BadCertificate),
    /// What came was cut, or no HTTP.
    #[error("the connection ended before the answer did, or the answer is no HTTP")]
    Broken,
    /// A redirect, with its target; it is not followed.
    #[error(
        "answered with status {status}, a redirect to {target:?}, which is not followed: give that address if it is the right one"
    )]
    Redirect {
        /// 300 to 399.
        status: u16,
        /// Its `Location`, one clean line.
        target: String,
    },
    /// Another status than 200.
    #[error("answered with status {0} instead of 200")]
    Status(u16),
    /// The answer is too long.
    #[error("answered with more than 256 kB")]
    TooLarge,
    /// The answer is compressed, which was not requested.
    #[error("answered compressed ({0}), which was not requested")]
    Compressed(String),
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCertificate {
    /// Nobody that is trusted has signed it.
    #[error(
        "is signed by no authority that is trusted here, or the server does not send the intermediate certificates"
    )]
    Untrusted,
    /// Past its `notAfter`.
    #[error("has expired")]
    Expired,
    /// Before its `notBefore`.
    #[error("is not valid yet: does a clock run wrong?")]
    NotYetValid,
    /// Issued for another host name.
    #[error("is for another name than the address has")]
    OtherName,
    #[error("is not good: it is revoked, malformed, or for another use")]
    Bad,
}

impl OutboundError {
    /// Stable name for logs and metrics.
    pub fn as_label(&self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::Unreachable => "unreachable",
            Self::NoSuchHost(_) => "no_such_host",
            Self::Refused => "refused",
            Self::Proxy => "proxy",
            Self::NoAnswer => "no_answer",
            Self::Certificate(_) => "certificate",
            Self::Broken => "broken",
            Self::Redirect { .. } => "redirect",
            Self::Status(_) => "status",
            Self::TooLarge => "too_large",
            Self::Compressed(_) => "compressed",
        }
    }

    /// Of an answer that is no 200.
    pub(in super::super) fn of_status(status: StatusCode, headers: &header::HeaderMap) -> Self {
        let target = headers
            .get(header::LOCATION)
            .filter(|_| status.is_redirection());
        match target {
            Some(target) => Self::Redirect {
                status: status.as_u16(),
                target: header_text(target),
            },
            None => Self::Status(status.as_u16()),
        }
    }

    /// Of an answer in an encoding.
    pub(super) fn of_encoding(encoding: &header::HeaderValue) -> Self {
        Self::Compressed(header_text(encoding))
    }

    /// Of a request that failed. What the resolver found counts before anything else.
    pub(super) fn from_reqwest(error: &reqwest::Error) -> Self {
        let mut causes = std::iter::successors(Some(error as &dyn Error), |cause| deeper(*cause));
        let classified = causes.find_map(classify);
        classified.unwrap_or(if error.is_timeout() {
            Self::NoAnswer
        } else {
            Self::Broken
        })
    }
}

/// The resolver's answer for a name.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveFailure {
    #[error("not only addresses that may be dialled")]
    Forbidden,
    #[error("no such host")]
    Unknown(String),
}

/// An I/O error hides what it wraps from `source`.
fn deeper<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    let wrapped = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    match wrapped {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

fn classify(error: &(dyn Error + 'static)) -> Option<OutboundError> {
    if let Some(failure) = error.downcast_ref() {
        return Some(match failure {
            ResolveFailure::Forbidden => OutboundError::Unreachable,
            ResolveFailure::Unknown(name) => OutboundError::NoSuchHost(name.clone()),
        });
    }
    if let Some(rustls::Error::InvalidCertificate(bad)) = error.downcast_ref() {
        return Some(OutboundError::Certificate(match bad {
            // A trusted name with another key is nobody who is trusted, either.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                BadCertificate::Untrusted
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                BadCertificate::Expired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                BadCertificate::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                BadCertificate::OtherName
            }
            _ => BadCertificate::Bad,
        }));
    }
    let io = error.downcast_ref::<io::Error>()?;
    match io.kind() {
        io::ErrorKind::ConnectionRefused => Some(OutboundError::Refused),
        io::ErrorKind::TimedOut => Some(OutboundError::NoAnswer),
        _ => None,
    }
}

fn header_text(value: &header::HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    clean_line(&text, MAX_TOLD_CHARS).into_owned()
}

//! A key of Anam's API.

use std::fmt;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

/// An Anam API key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ApiKey(pub(super) HeaderValue);

impl ApiKey {
    /// `None` where the text can't be in a header.
    pub fn new(key: &SecretString) -> Option<Self> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret())).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    /// The key as it is sent, for taking it out of answers that repeat it.
    pub(super) fn text(&self) -> &str {
        let header = self.0.to_str().unwrap_or_default();
        header.strip_prefix("Bearer ").unwrap_or(header)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(***)")
    }
}

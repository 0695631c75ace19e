//! E-mail addresses of people who administer: how they sign in, and what the audit trail calls them.

use std::fmt;

/// Longest address (RFC 5321, with its path's angle brackets off).
pub const MAX_LENGTH: usize = 254;

/// An e-mail address in lower case. ASCII only: two addresses that look the same are the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

/// What an address must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address such as ann@example.com, ASCII, at most 254 characters")]
pub struct BadEmail;

impl Email {
    /// Reads an address; capitals become small letters and white space around it goes.
    pub fn parse(text: &str) -> Result<Self, BadEmail> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(BadEmail)?;
        let good_local = (1..=64).contains(&local.len())
            && local
                .bytes()
                .all(|b| b.is_ascii_graphic() && !br#"@"\(),:;<>[]"#.contains(&b));
        if good_local && Domain::parse(domain).is_some() && text.len() <= MAX_LENGTH {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(BadEmail)
        }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Longest name of a domain (RFC 1035, section 2.3.4, without the root's dot).
pub const MAX_DOMAIN: usize = 253;

/// A domain of addresses, in small letters: labels of letters, digits and hyphens, at least two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain(String);

impl Domain {
    pub fn parse(text: &str) -> Option<Self> {
        let good_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let good =
            text.contains('.') && text.len() <= MAX_DOMAIN && text.split('.').all(good_label);
        good.then(|| Self(text.to_ascii_lowercase()))
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> Self {
        domain.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_lowered_and_trimmed() {
        let email = Email::parse(" Ann.Lee+x@Example.COM ").unwrap();
        assert_eq!(email.as_str(), "ann.lee+x@example.com");
        assert_eq!(email.domain(), "example.com");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ann",
            "@example.com",
            "ann@",
            "ann@localhost",
            "a b@example.com",
            "ann@exa mple.com",
            "ann@-a.com",
            "a@b@example.com",
            "änn@example.com",
            "ann@example.com\n.evil",
            "<ann@example.com>",
        ] {
            assert_eq!(Email::parse(text), Err(BadEmail), "{text:?}");
        }
        assert!(Email::parse(&format!("{}@example.com", "a".repeat(65))).is_err());
    }
}

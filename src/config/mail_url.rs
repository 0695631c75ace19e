//! The one reader of the mail server's URL.

use std::fmt;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::domain::email::Email;
use crate::domain::{text, web_url};

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// TLS from the first byte (`smtps`, port 465).
    Tls,
    /// TLS after STARTTLS, and never without (`smtp`, port 587).
    StartTls,
    /// None: to a server on this machine.
    None,
}

/// Where mail is handed in. Debug shows no password.
#[derive(Clone)]
pub struct MailUrl {
    pub host: String,
    pub port: u16,
    pub security: MailSecurity,
    /// How the server knows us: user name and password.
    pub login: Option<(String, SecretString)>,
}

impl MailUrl {
    pub const FORM: &str = "an address such as smtps://user:password@mail.example.com:465, or smtp:// for a server with STARTTLS (port 587 unless given); special characters of the user name and the password are percent-encoded. A server on this machine may do without TLS: smtp://localhost:25?tls=none";

    /// `None` unless `url` is [`MailUrl::FORM`].
    pub fn parse(url: &SecretString) -> Option<Self> {
        let url = Url::parse(url.expose_secret()).ok()?;
        let host = url.host_str().filter(|host| !host.is_empty())?.to_owned();
        let without_more = matches!(url.path(), "" | "/") && url.fragment().is_none();
        // Not special to the URL standard, so names are not parsed as addresses there.
        let local =
            Url::parse(&format!("http://{host}")).is_ok_and(|http| web_url::is_local(&http));
        let (security, port) = match (url.scheme(), url.query()) {
            ("smtps", None) => (MailSecurity::Tls, 465),
            ("smtp", None) => (MailSecurity::StartTls, 587),
            ("smtp", Some("tls=none")) if local => (MailSecurity::None, 25),
            _ => return None,
        };
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            ("", Some(_)) | (_, None) => return None,
            (user, Some(password)) => {
                Some((decoded(user)?, SecretString::from(decoded(password)?)))
            }
        };
        without_more.then(|| Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(port),
            security,
            login,
        })
    }
}

fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    (!text.contains(['\0', '\r', '\n'])).then(|| text.into_owned())
}

impl fmt::Debug for MailUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailUrl")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("security", &self.security)
            .finish_non_exhaustive()
    }
}

/// Whom mail comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSender {
    /// What people see.
    pub name: Option<String>,
    pub address: Email,
}

impl MailSender {
    pub const FORM: &str =
        "an address such as gateway@example.com or \"Persona gateway <gateway@example.com>\"";

    /// `None` unless `text` is [`MailSender::FORM`].
    pub fn parse(sender: &str) -> Option<Self> {
        let sender = sender.trim();
        let (name, address) = match sender.strip_suffix('>') {
            None => ("", sender),
            Some(sender) => sender.rsplit_once('<')?,
        };
        let name = name.trim().trim_matches('"').trim();
        if !name.is_empty() && text::refused_line(name, 100).is_some() {
            return None;
        }
        Some(Self {
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            address: Email::parse(address).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Option<MailUrl> {
        MailUrl::parse(&SecretString::from(text))
    }

    #[test]
    fn a_mail_server_is_named_by_its_url() {
        let one = url("smtps://ann%40x:p%2Fw%3A1@mail.example.com").unwrap();
        assert_eq!((one.host.as_str(), one.port), ("mail.example.com", 465));
        assert_eq!(one.security, MailSecurity::Tls);
        let (user, password) = one.login.unwrap();
        assert_eq!(
            (user.as_str(), password.expose_secret()),
            ("ann@x", "p/w:1")
        );
        let other = url("smtp://mail.example.com").unwrap();
        assert_eq!((other.port, other.security), (587, MailSecurity::StartTls));
        for near in ["localhost", "127.0.0.1", "[::1]"] {
            let relay = url(&format!("smtp://{near}:2525?tls=none")).unwrap();
            assert_eq!((relay.port, relay.security), (2525, MailSecurity::None));
            assert!(!relay.host.contains('['));
        }
    }

    #[test]
    fn what_would_send_mail_in_the_clear_or_says_more_is_refused() {
        for text in [
            "",
            "mail.example.com",
            "https://mail.example.com",
            "smtp://",
            "smtp://mail.example.com?tls=none",
            "smtp://localhost.evil.example?tls=none",
            "smtp://mail.example.com?tls=opportunistic",
            "smtps://mail.example.com/path",
            "smtps://mail.example.com#x",
            "smtps://user@mail.example.com",
            "smtps://:password@mail.example.com",
            "smtps://us%0aer:password@mail.example.com",
        ] {
            assert!(url(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        let plain = MailSender::parse("gateway@example.com").unwrap();
        assert_eq!(
            (plain.name, plain.address.as_str()),
            (None, "gateway@example.com")
        );
        let named = MailSender::parse("\"Persona gateway\" <gateway@example.com>").unwrap();
        assert_eq!(named.name.as_deref(), Some("Persona gateway"));
        for bad in [
            "",
            "gateway",
            "A <b>",
            "A\nBcc: x <a@example.com>",
            "<a@example.com> x",
        ] {
            assert_eq!(MailSender::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let shown = format!(
            "{:?}",
            url("smtps://ann:hush-hush@mail.example.com").unwrap()
        );
        assert!(!shown.contains("hush"), "{shown}");
    }
}

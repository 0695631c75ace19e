//! The one reader of the URL of Redis or Valkey.

use std::fmt;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

/// Where Redis is. Debug shows no password.
#[derive(Clone)]
pub struct RedisUrl {
    /// A name, or an address without brackets.
    pub host: String,
    pub port: u16,
    /// Whether the connection is TLS.
    pub tls: bool,
    /// `None` is the server's user `default`.
    pub user: Option<String>,
    pub password: Option<SecretString>,
    /// The number of the database.
    pub database: u16,
}

impl RedisUrl {
    pub const FORM: &str = "an address such as redis://user:password@redis.example.com:6379/0, or rediss:// with TLS; special characters of the user name and the password are percent-encoded";

    /// `None` unless `url` is [`RedisUrl::FORM`].
    pub fn parse(url: &SecretString) -> Option<Self> {
        let url = Url::parse(url.expose_secret()).ok()?;
        let tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return None,
        };
        if url.query().is_some() || url.fragment().is_some() {
            return None;
        }
        let host = match url.host()? {
            Host::Domain(name) if !name.is_empty() => name.to_owned(),
            Host::Domain(_) => return None,
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let database = match url.path() {
            "" | "/" => 0,
            path => path.strip_prefix('/')?.parse().ok()?,
        };
        let (user, password) = match (url.username(), url.password()) {
            (user, Some(password)) => (decoded(user)?, Some(decoded(password)?)),
            ("", None) => (String::new(), None),
            // Without a password, nobody is let in by name.
            (_, None) => return None,
        };
        Some(Self {
            host,
            port: url.port().unwrap_or(6379),
            tls,
            user: Some(user).filter(|user| !user.is_empty()),
            password: password.map(SecretString::from),
            database,
        })
    }
}

fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(text.into_owned())
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisUrl")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Option<RedisUrl> {
        RedisUrl::parse(&SecretString::from(text))
    }

    #[test]
    fn a_server_is_named_by_its_url() {
        let one = url("rediss://gate%40way:p%2Fw%3A1@redis.example.com:6380/3").unwrap();
        assert_eq!((one.host.as_str(), one.port), ("redis.example.com", 6380));
        assert!(one.tls);
        assert_eq!(one.database, 3);
        assert_eq!(one.user.as_deref(), Some("gate@way"));
        assert_eq!(one.password.unwrap().expose_secret(), "p/w:1");

        let plain = url("redis://localhost").unwrap();
        assert_eq!((plain.port, plain.tls, plain.database), (6379, false, 0));
        assert!(plain.user.is_none() && plain.password.is_none());

        let of_all = url("redis://:hush@[::1]/").unwrap();
        assert_eq!(of_all.host, "::1");
        assert!(of_all.user.is_none() && of_all.password.is_some());
    }

    #[test]
    fn what_is_no_such_url_is_refused() {
        for text in [
            "",
            "redis.example.com:6379",
            "http://redis.example.com",
            "unix:///run/redis.sock",
            "redis://",
            "redis:///0",
            "redis://user@redis.example.com",
            "redis://redis.example.com/many",
            "redis://redis.example.com/0/1",
            "redis://redis.example.com/99999",
            "redis://redis.example.com?db=1",
            "rediss://redis.example.com#insecure",
        ] {
            assert!(url(text).is_none(), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let shown = format!("{:?}", url("redis://ann:hush-hush@localhost").unwrap());
        assert!(!shown.contains("hush"), "{shown}");
    }
}

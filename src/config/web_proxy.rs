//! The proxy that https goes through where the installation has one, and what goes past it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

/// An HTTP proxy that connects to others (RFC 9110, CONNECT). Plain http never goes through it.
#[derive(Clone)]
pub struct WebProxy {
    /// May hold a user name and a password.
    url: SecretString,
    bypass: Vec<Bypass>,
}

impl WebProxy {
    pub const FORM: &str = "an http:// address such as http://proxy.example.com:3128, with or without a user name and a password; what goes through it is encrypted all the same";

    /// `None` unless `url` is [`WebProxy::FORM`].
    pub fn new(url: &SecretString, bypass: Vec<Bypass>) -> Option<Self> {
        let parsed = Url::parse(url.expose_secret()).ok()?;
        // With https it would be open whose certificates are trusted: the system's, or the issuer's own.
        let is_proxy = parsed.scheme() == "http"
            && parsed.has_host()
            && matches!(parsed.path(), "" | "/")
            && parsed.query().is_none()
            && parsed.fragment().is_none();
        is_proxy.then(|| Self {
            url: url.clone(),
            bypass,
        })
    }

    /// Its address, and how it knows us.
    pub fn url(&self) -> &SecretString {
        &self.url
    }

    /// Whether requests to an address go through the proxy.
    pub fn serves(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return false };
        let port = url.port_or_known_default();
        url.scheme() == "https" && !self.bypass.iter().any(|one| one.covers(&host, port))
    }
}

impl fmt::Debug for WebProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebProxy")
            .field("bypass", &self.bypass)
            .finish_non_exhaustive()
    }
}

/// What is reached past the proxy: an item of the usual `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bypass {
    who: HostPattern,
    /// `None` is any.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPattern {
    Everybody,
    Network(IpNet),
    /// A name, and all below it.
    Name(String),
}

impl Bypass {
    /// What an item must be.
    pub const FORM: &str = "a name such as example.com (and all names below it), an address, a network such as 10.0.0.0/8, or *";

    fn covers(&self, host: &Host<&str>, port: Option<u16>) -> bool {
        if self.port.is_some() && self.port != port {
            return false;
        }
        match (&self.who, host) {
            (HostPattern::Everybody, _) => true,
            (HostPattern::Network(network), Host::Ipv4(address)) => {
                network.contains(&IpAddr::V4(*address))
            }
            (HostPattern::Network(network), Host::Ipv6(address)) => {
                network.contains(&IpAddr::V6(*address))
            }
            (HostPattern::Name(name), Host::Domain(asked)) => {
                let asked = asked.strip_suffix('.').unwrap_or(asked);
                let above = asked.strip_suffix(name.as_str());
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            (HostPattern::Network(_), Host::Domain(_)) | (HostPattern::Name(_), _) => false,
        }
    }
}

impl FromStr for Bypass {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let any_port = |who| Ok(Self { who, port: None });
        if text == "*" {
            return any_port(HostPattern::Everybody);
        }
        if let Ok(network) = text.parse() {
            return any_port(HostPattern::Network(network));
        }
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>() {
            return any_port(HostPattern::Network(address.into()));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_not_a_port| ())?)),
            None => (text, None),
        };
        let name = host.strip_prefix("*.").unwrap_or(host);
        let name = name.strip_prefix('.').unwrap_or(name);
        match Host::parse(name) {
            Ok(Host::Domain(name)) if !name.contains('*') => Ok(Self {
                who: HostPattern::Name(name.trim_end_matches('.').to_owned()),
                port,
            }),
            Ok(Host::Ipv4(address)) => Ok(Self {
                who: HostPattern::Network(IpAddr::V4(address).into()),
                port,
            }),
            Ok(Host::Ipv6(address)) => Ok(Self {
                who: HostPattern::Network(IpAddr::V6(address).into()),
                port,
            }),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serves(bypass: &str, url: &str) -> bool {
        let proxy = WebProxy::new(
            &SecretString::from("http://user:pass@proxy.internal:3128"),
            bypass
                .split_whitespace()
                .map(|one| one.parse().unwrap())
                .collect(),
        );
        proxy.unwrap().serves(&Url::parse(url).unwrap())
    }

    #[test]
    fn https_goes_through_the_proxy_unless_it_is_listed() {
        for (bypass, url, expected) in [
            ("", "https://id.example.com/", true),
            ("", "http://id.example.com/", false),
            ("*", "https://id.example.com/", false),
            ("example.com", "https://id.example.com/", false),
            ("example.com", "https://example.com/", false),
            ("example.com", "https://EXAMPLE.com./", false),
            ("example.com", "https://badexample.com/", true),
            ("example.com", "https://example.com.evil.net/", true),
            (".example.com", "https://id.example.com/", false),
            ("*.example.com", "https://id.example.com/", false),
            ("a.net example.com:8443", "https://example.com/", true),
            ("a.net example.com:8443", "https://example.com:8443/", false),
            ("10.0.0.0/8", "https://10.1.2.3/", false),
            ("10.0.0.0/8", "https://11.1.2.3/", true),
            ("10.1.2.3", "https://10.1.2.3/", false),
            ("10.1.2.3:443", "https://10.1.2.3/", false),
            ("[::1]", "https://[::1]/", false),
            ("::1", "https://[::1]/", false),
            ("[fd00::1]:443", "https://[fd00::1]/", false),
            ("fd00::/8", "https://[fd00::5]/", false),
        ] {
            assert_eq!(serves(bypass, url), expected, "{bypass} {url}");
        }
    }

    #[test]
    fn what_is_no_proxy_and_no_item_is_refused() {
        for url in [
            "",
            "proxy:3128",
            "socks5://proxy:1080",
            "https://proxy:3128",
            "http://",
            "http://proxy/path",
            "http://proxy?x",
            "file:///x",
        ] {
            assert!(
                WebProxy::new(&SecretString::from(url), Vec::new()).is_none(),
                "{url}"
            );
        }
        for item in [
            "",
            "a b",
            "https://x.example",
            "x:port",
            "10.0.0.0/99",
            "*x",
            "a.*",
        ] {
            assert!(item.parse::<Bypass>().is_err(), "{item}");
        }
        let proxy = WebProxy::new(&SecretString::from("http://u:secret@p:1"), Vec::new());
        assert!(!format!("{proxy:?}").contains("secret"));
    }
}

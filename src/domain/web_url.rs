//! Web addresses as people type them: taken as they are written, or refused. A URL parser repairs (it trims, drops line
//! feeds, turns `\` into `/`, reads `0x7f.1` as 127.0.0.1), and what it makes of a text is not what somebody judged.

use url::{Host, Url};

use super::wrong::{Words, Wrong};

/// Why a text is no web address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebUrlFault {
    /// Not http or https, or no host.
    #[error("must start with https:// and a host")]
    NoWeb,
    /// Spaces, line ends, `\`, letters outside of ASCII: what a URL must escape.
    #[error(
        "must hold only the characters of a URL: no spaces, line ends, quotes or `\\`; write other letters as %XX, and names as xn--..."
    )]
    Characters,
    /// A parser would read it as another address.
    #[error("is not written as it would be called: write {0}")]
    Repaired(&'static str),
}

impl WebUrlFault {
    /// What it says, with its code.
    pub fn to_words(self) -> Words {
        let wrong = match self {
            Self::NoWeb => Wrong::NoUrl,
            Self::Characters => Wrong::UrlCharacters,
            Self::Repaired(_) => Wrong::UrlRepaired,
        };
        wrong.worded(self.to_string())
    }
}

/// Reads an absolute http or https URL that means what it says. Upper case in scheme and host, and a port that is the
/// scheme's own, are the only liberties.
pub fn parse(text: &str) -> Result<Url, WebUrlFault> {
    if !text.bytes().all(is_url_byte) {
        return Err(WebUrlFault::Characters);
    }
    let (scheme, rest) = text.split_once("://").ok_or(WebUrlFault::NoWeb)?;
    let is_web = ["https", "http"]
        .iter()
        .any(|web| scheme.eq_ignore_ascii_case(web));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if !is_web || authority.is_empty() {
        return Err(WebUrlFault::NoWeb);
    }
    let url = Url::parse(text).map_err(|_malformed| WebUrlFault::NoWeb)?;
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if !is_host(host, &url) {
        return Err(WebUrlFault::Repaired(
            "the host in its usual form, such as example.com, 192.0.2.1 or [2001:db8::1]",
        ));
    }
    let written = after.split(['?', '#']).next().unwrap_or_default();
    if url.path() != written && !(written.is_empty() && url.path() == "/") {
        return Err(WebUrlFault::Repaired("the path without `.` and `..`"));
    }
    Ok(url)
}

/// The characters that RFC 3986 knows.
fn is_url_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

/// Whether a host (with its port, where it has one) is what the parser made of it.
fn is_host(written: &str, url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let split = written.len().min(host.len());
    let Some((name, port)) = written.split_at_checked(split) else {
        return false;
    };
    if !name.eq_ignore_ascii_case(host) {
        return false;
    }
    match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(port) => {
            url.port_or_known_default()
                .map(|port| port.to_string())
                .as_deref()
                == Some(port)
        }
    }
}

/// Whether it leads to this machine.
pub fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_says_what_it_means_is_taken() {
        for text in [
            "https://example.com",
            "https://example.com/",
            "https://Login.Example.com/tenant/v2.0",
            "HTTPS://example.com/keys?x=1&y=%20",
            "https://example.com:443/keys",
            "https://example.com:8443/keys",
            "http://127.0.0.1:8082",
            "http://[::1]:8082/jwks.json",
            "https://xn--bcher-kva.example/",
            "https://user:word@example.com/",
            "https://example.com/a//b/%2e%41",
            "https://example.com?x#y",
        ] {
            parse(text).unwrap_or_else(|fault| panic!("{text:?} {fault}"));
        }
    }

    #[test]
    fn an_address_that_a_parser_would_repair_is_refused() {
        for text in [
            " https://example.com/",
            "https://example.com/ ",
            "\thttps://example.com/",
            "https://exa\nmple.com/",
            "https://example.com/\r\nkeys",
            "https://example.com\\keys",
            "https:\\\\example.com/keys",
            "https:/example.com/keys",
            "https:example.com/keys",
            "https:///example.com/keys",
            "https:////example.com/keys",
            "https://example.com/a b",
            "https://example.com/<a>",
            "https://bücher.example/",
            "https://example。com/",
            "https://ex%61mple.com/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://127.0.0.1./",
            "https://[::ffff:127.0.0.1]/",
            "https://[0:0:0:0:0:0:0:1]/",
            "https://example.com:/keys",
            "https://example.com:0443/",
            "https://example.com/a/../b",
            "https://example.com/./b",
            "https://example.com/%2e%2e/b",
            "https://@/",
            "https://",
            "ftp://example.com/",
            "file:///etc/passwd",
            "//example.com/",
            "example.com",
            "javascript:1",
            "https://exam\u{0}ple.com/",
            "",
        ] {
            assert!(parse(text).is_err(), "{text:?} was taken");
        }
    }
}

//! Whom proxies say that they forward for: `X-Forwarded-For`, and `Forwarded` (RFC 7239).
//!
//! Both are read from the right, where the nearest proxy wrote. What stands further left may be the client's own, and may be made to
//! spoil what comes after it: an open quote, bytes that are no text.

use std::borrow::Cow;
use std::net::IpAddr;

use actix_web::http::header::{FORWARDED, HeaderMap, X_FORWARDED_FOR};

/// Who sent the request to a proxy, as that proxy tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hop {
    Address(IpAddr),
    /// The proxy hides it, or does not know it: `unknown`, `_hidden`, or what is no address.
    Hidden,
}

/// Whether proxies speak in a header of this name, and pages have nothing to say in it.
pub(super) fn is_for_proxies(name: &str) -> bool {
    name == FORWARDED.as_str() || name.starts_with("x-forwarded-")
}

/// The hops of `X-Forwarded-For`, the nearest first. A hop over a Unix socket is left out: only what runs beside a proxy gets there.
pub(super) fn x_forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Hop> {
    headers
        .get_all(X_FORWARDED_FOR)
        .rev()
        .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|hop| !hop.is_empty() && *hop != b"unix:")
        .map(hop)
}

/// The hops of `Forwarded`, the nearest first. They end at an element that does not say for whom.
pub(super) fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = Hop> {
    headers
        .get_all(FORWARDED)
        .rev()
        .flat_map(|line| split_from_right(line.as_bytes(), b','))
        .filter(|element| !element.is_empty())
        .map_while(for_whom)
}

/// What an element's `for` says. Saying it twice says nothing.
fn for_whom(element: &[u8]) -> Option<Hop> {
    let mut whom = split_from_right(element, b';').filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at(equals);
        name.trim_ascii()
            .eq_ignore_ascii_case(b"for")
            .then(|| value.trim_ascii_start().get(1..).unwrap_or_default())
    });
    let first = whom.next()?;
    Some(
        whom.next()
            .map_or_else(|| hop(first), |_second| Hop::Hidden),
    )
}

/// The parts between separators that are in no quotes, trimmed, the last one first.
fn split_from_right(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut is_quoted = false;
        let at = text.iter().enumerate().rposition(|(at, byte)| {
            if *byte == b'"' && !is_escaped(text, at) {
                is_quoted = !is_quoted;
            }
            *byte == separator && !is_quoted
        });
        let (before, part) = match at {
            None => (None, text),
            Some(at) => (
                text.get(..at),
                text.get(at.saturating_add(1)..).unwrap_or_default(),
            ),
        };
        rest = before;
        Some(part.trim_ascii())
    })
}

/// Whether an odd number of backslashes is before the byte.
fn is_escaped(text: &[u8], at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let slashes = before.iter().rev().take_while(|byte| **byte == b'\\');
    slashes.count() % 2 == 1
}

fn hop(written: &[u8]) -> Hop {
    std::str::from_utf8(written)
        .ok()
        .and_then(address)
        .map_or(Hop::Hidden, Hop::Address)
}

/// An address, with or without quotes, brackets, a zone and a port.
fn address(written: &str) -> Option<IpAddr> {
    let written = match written.strip_prefix('"') {
        None => Cow::Borrowed(written),
        Some(quoted) => Cow::Owned(quoted.strip_suffix('"')?.replace('\\', "")),
    };
    let (address, port) = if let Some(bracketed) = written.strip_prefix('[') {
        let (address, after) = bracketed.split_once(']')?;
        let port = match after {
            "" => None,
            after => Some(after.strip_prefix(':')?),
        };
        (address, port)
    } else {
        match written.split_once(':') {
            // More than one colon, and no brackets: the colons are the address's.
            Some((address, port)) if !port.contains(':') => (address, Some(port)),
            _ => (&*written, None),
        }
    };
    let is_port = |port: &str| {
        let in_port = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        !port.is_empty() && port.bytes().all(in_port)
    };
    if !port.is_none_or(is_port) {
        return None;
    }
    let address = address
        .split_once('%')
        .map_or(address, |(address, _zone)| address);
    address
        .parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn headers(name: &HeaderName, lines: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.clone(), HeaderValue::from_bytes(line).unwrap());
        }
        headers
    }

    fn hop_texts(hops: impl Iterator<Item = Hop>) -> Vec<String> {
        hops.map(|hop| match hop {
            Hop::Address(address) => address.to_string(),
            Hop::Hidden => "hidden".to_owned(),
        })
        .collect()
    }

    #[test]
    fn a_hop_may_have_a_port_brackets_quotes_and_a_zone() {
        for (written, hop) in [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7:4711", "203.0.113.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("\"203.0.113.7:_web\"", "203.0.113.7"),
            ("\"203\\.0.113.7\"", "203.0.113.7"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:80", "fe80::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("[::ffff:203.0.113.7]:80", "203.0.113.7"),
            ("unknown", "hidden"),
            ("_hidden", "hidden"),
            ("203.0.113.7:", "hidden"),
            ("203.0.113.7:80:90", "hidden"),
            ("203.0.113", "hidden"),
            ("203.0.113.07", "hidden"),
            ("[2001:db8::1", "hidden"),
            ("[2001:db8::1]4711", "hidden"),
            ("localhost", "hidden"),
        ] {
            let sent = headers(&X_FORWARDED_FOR, &[written.as_bytes()]);
            assert_eq!(hop_texts(x_forwarded_for(&sent)), [hop], "{written}");
            let sent = headers(
                &FORWARDED,
                &[format!("proto=https; For={written}").as_bytes()],
            );
            assert_eq!(hop_texts(forwarded(&sent)), [hop], "{written}");
        }
    }

    #[test]
    fn the_nearest_hop_comes_first_over_all_lines() {
        let sent = headers(
            &X_FORWARDED_FOR,
            &[
                b"\xff\xfe, 1.1.1.1, ,",
                b" 2.2.2.2:80 ,unix:,\t3.3.3.3,",
                b",",
            ],
        );
        assert_eq!(
            hop_texts(x_forwarded_for(&sent)),
            ["3.3.3.3", "2.2.2.2", "1.1.1.1", "hidden"]
        );
        let sent = headers(
            &FORWARDED,
            &[
                b"for=1.1.1.1, for=\"2.2.2.2\" ;host=\"a,b;for=9.9.9.9\\\"\"",
                b"by=_x;for=3.3.3.3,,",
            ],
        );
        assert_eq!(
            hop_texts(forwarded(&sent)),
            ["3.3.3.3", "2.2.2.2", "1.1.1.1"]
        );
    }

    #[test]
    fn an_element_that_does_not_say_for_whom_ends_the_chain_and_one_that_says_it_twice_hides_it() {
        let sent = headers(&FORWARDED, &[b"for=1.1.1.1, proto=https, for=2.2.2.2"]);
        assert_eq!(hop_texts(forwarded(&sent)), ["2.2.2.2"]);
        let sent = headers(&FORWARDED, &[b"for=2.2.2.2;host=\"a\";for=6.6.6.6;x=\"\""]);
        assert_eq!(hop_texts(forwarded(&sent)), ["hidden"]);
    }

    #[test]
    fn nothing_that_a_client_sends_changes_what_a_proxy_adds_on_the_same_line() {
        for made_up in [
            "for=\"",
            "for=\"a\\",
            "for=\"6.6.6.6, for=\\\"",
            "\"\"\"",
            ";;=,\\\"",
        ] {
            let line = format!("{made_up}, for=\"203.0.113.7:80\";host=\"a,b\"");
            let sent = headers(&FORWARDED, &[line.as_bytes()]);
            assert_eq!(
                hop_texts(forwarded(&sent).take(1)),
                ["203.0.113.7"],
                "{line}"
            );
        }
    }

    proptest! {
        #[test]
        fn the_last_element_is_the_nearest_proxys_whatever_stands_before_it(made_up in "[ -~]{0,60}") {
            let line = format!("{made_up}, for=203.0.113.7;host=\"a,\\\"b\"");
            let sent = headers(&FORWARDED, &[line.as_bytes()]);
            prop_assert_eq!(hop_texts(forwarded(&sent).take(1)), ["203.0.113.7"]);
            let line = format!("{made_up}, 203.0.113.7");
            let sent = headers(&X_FORWARDED_FOR, &[line.as_bytes()]);
            prop_assert_eq!(hop_texts(x_forwarded_for(&sent).take(1)), ["203.0.113.7"]);
        }
    }
}

//! Credentials that are in a webhook's headers or URL as plain text, where everybody who sees the document sees them.
//!
//! A name, a scheme or a prefix gives most of them away; of the rest, words that look like chance are doubtful.

use url::form_urlencoded;

use super::Tool;
use super::references::{Piece, pieces, places};
use crate::domain::fault::Fault;
use crate::domain::ids::is_uuid_shaped;
use crate::domain::wrong::Wrong;

/// Ends of names (small letters and digits only) whose values are credentials.
const NAMES: [&str; 14] = [
    "authorization",
    "cookie",
    "apikey",
    "accesskey",
    "authkey",
    "secretkey",
    "subscriptionkey",
    "functionskey",
    "token",
    "secret",
    "password",
    "passwd",
    "credential",
    "credentials",
];
/// Names in a query whose values are credentials where they look like chance.
const DOUBTFUL_NAMES: [&str; 6] = ["key", "code", "sig", "signature", "auth", "pass"];
/// How credentials of widely used services begin, and two schemes of HTTP.
const BEGINNINGS: [&str; 18] = [
    "basic ",
    "bearer ",
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "pk_live_",
    "whsec_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "akia",
    "aiza",
    "eyj",
];
/// Shortest word that is looked at for chance, in characters.
const SHORTEST: usize = 20;
/// From this entropy on, in bits a character, a word looks random; English has less at these lengths.
const BITS: f64 = 3.3;

const ADVICE: &str = "put a new one into a secret (PUT /v1/admin/secrets/NAME, or `secrets` in a bundle) and write ${secret:NAME} here";

/// A credential that is in a tool as plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainCredential {
    /// Where in the tool.
    pub pointer: String,
    /// What gives it away. The value itself is never repeated.
    pub reason: &'static str,
    /// Whether it is one beyond reasonable doubt.
    pub is_certain: bool,
}

impl PlainCredential {
    /// The credential as a fault, for content that is newly written.
    pub fn to_fault(&self) -> Fault {
        let (wrong, verb) = if self.is_certain {
            (Wrong::Credential, "is")
        } else {
            (Wrong::CredentialLike, "may be")
        };
        let text = format!(
            "{verb} a credential in plain text, which everybody sees who sees the document ({}); {ADVICE}",
            self.reason
        );
        Fault::new(&self.pointer, wrong.worded(text))
    }
}

impl Tool {
    /// Credentials that are in this tool as plain text.
    pub fn plain_credentials(&self) -> Vec<PlainCredential> {
        let mut found = Vec::new();
        for (at, value) in places(&self.0) {
            let reason = match at.strip_prefix("/headers/") {
                Some(name) => in_header(name, value),
                None => in_url(value),
            };
            found.extend(reason.map(|(reason, is_certain)| PlainCredential {
                pointer: at,
                reason,
                is_certain,
            }));
        }
        found
    }
}

type Reason = (&'static str, bool);

fn in_header(name: &str, value: &str) -> Option<Reason> {
    let refers = refers(value);
    if !refers && !value.trim().is_empty() && is_named_like_one(name) {
        return Some(("its name says that it is a credential", true));
    }
    literals(value).find_map(|text| in_text(text, refers))
}

/// Of a text without references, or between them.
fn in_text(text: &str, beside_a_reference: bool) -> Option<Reason> {
    let small = text.trim_start().to_ascii_lowercase();
    let begins = BEGINNINGS.iter().find(|known| small.starts_with(**known));
    if let Some(known) = begins
        // `Bearer ` in front of a reference is no credential, and a word of that length is none either.
        && small.len() >= known.len() + if beside_a_reference { SHORTEST } else { 8 }
    {
        return Some(("it begins as credentials do", true));
    }
    let doubtful = words(text).any(looks_like_chance);
    doubtful.then_some(("it looks like one", false))
}

fn in_url(url: &str) -> Option<Reason> {
    let rest = url.strip_prefix("https://").unwrap_or(url);
    let end_of_host = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, rest) = rest.split_at(end_of_host);
    if host.contains('@') {
        return Some(("a name and password are before its host", true));
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut doubtful = None;
    // As its receiver reads it: a name may be written as `api%5Fkey`.
    let query = query.replace(';', "&");
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if value.is_empty() || refers(&value) {
            continue;
        }
        let name = plain_name(&name);
        if is_named_like_one(&name) {
            return Some(("a name in its query says that it is a credential", true));
        }
        let by_chance = looks_like_chance(&value);
        if by_chance && DOUBTFUL_NAMES.contains(&name.as_str()) {
            return Some(("a name in its query says that it is a credential", true));
        }
        doubtful = doubtful.or(in_text(&value, false));
    }
    doubtful.or_else(|| {
        literals(path)
            .flat_map(|text| text.split('/'))
            .find_map(|segment| in_text(segment, false))
    })
}

fn refers(text: &str) -> bool {
    pieces(text).is_ok_and(|pieces| pieces.iter().any(|piece| matches!(piece, Piece::Secret(_))))
}

/// What of a text is no reference.
fn literals(text: &str) -> impl Iterator<Item = &str> {
    let pieces = pieces(text).unwrap_or_else(|_told_elsewhere| vec![Piece::Text(text)]);
    pieces.into_iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(text),
        Piece::Secret(_) => None,
    })
}

/// Small letters and digits alone.
fn plain_name(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

fn is_named_like_one(name: &str) -> bool {
    let name = plain_name(name);
    NAMES.iter().any(|end| name.ends_with(end))
}

/// The words of a text, as tokens are written.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/_-=".contains(c)))
}

/// Long, of letters and digits, and hardly any twice. Ids in the form of UUIDs are none: they name things.
fn looks_like_chance(word: &str) -> bool {
    let letters = word.chars().filter(char::is_ascii_alphabetic).count();
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let is_long = word.len() >= SHORTEST && word.len() <= 4_096;
    is_long
        && letters >= 3
        && digits >= 3
        && !is_uuid_shaped(word)
        && bits_a_character(word) >= BITS
}

/// Shannon's entropy of the characters of a text.
fn bits_a_character(text: &str) -> f64 {
    let mut counts = [0_u32; 128];
    let mut all = 0_u32;
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
            all += 1;
        }
    }
    let all = f64::from(all);
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / all;
            -share * share.log2()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn credentials_in(headers: &Value, url: &str) -> Vec<(String, bool)> {
        let tool = json!({ "type": "server", "subtype": "webhook", "name": "x", "method": "GET", "url": url, "headers": headers });
        let tool = Tool(tool.as_object().unwrap().clone());
        let found = tool.plain_credentials().into_iter();
        found
            .map(|plain| (plain.pointer, plain.is_certain))
            .collect()
    }

    #[test]
    fn credentials_are_known_by_their_names_schemes_and_beginnings() {
        for (name, value) in [
            ("Authorization", "Bearer abc"),
            ("authorization", "abc"),
            ("Proxy-Authorization", "Basic Zm9vOmJhcg=="),
            ("Cookie", "session=1"),
            ("X-Api-Key", "k"),
            ("X_API_KEY", "k"),
            ("apikey", "k"),
            ("Ocp-Apim-Subscription-Key", "k"),
            ("X-CRM-Token", "k"),
            ("X-Webhook-Secret", "k"),
            ("X-Custom", "Bearer 1234567890"),
            ("X-Custom", "sk_live_4eC39HqLyjWDarjtT1zdp7dc"),
            ("X-Custom", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
            ("X-Custom", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"),
            (
                "Authorization",
                "Bearer ${secret:a} eyJhbGciOiJIUzI1NiJ9eyJzdWIiOiIxIn0",
            ),
        ] {
            let headers = json!({ name: value });
            let place = (format!("/headers/{name}"), true);
            assert_eq!(
                credentials_in(&headers, "https://a.example/"),
                [place],
                "{name}: {value}"
            );
        }
        for url in [
            "https://user:pass@a.example/x",
            "https://token@a.example",
            "https://a.example/x?api_key=1",
            "https://a.example/x?a%70i%5Fkey=1",
            "https://a.example/x?a=b&access-token=1",
            "https://a.example?code=Zk3Qp9-xV7tL2mN8sR4wY6",
            "https://a.example/x?q=sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        ] {
            assert_eq!(
                credentials_in(&json!({}), url),
                [("/url".to_owned(), true)],
                "{url}"
            );
        }
    }

    #[test]
    fn what_looks_like_chance_is_doubtful() {
        for (headers, url) in [
            (
                json!({ "X-Custom": "q8Zk3Qp9xV7tL2mN8sR4wY6" }),
                "https://a.example",
            ),
            (
                json!({}),
                "https://hooks.a.example/services/T0A1B2C3/q8Zk3Qp9xV7tL2mN8sR4wY6",
            ),
            (
                json!({}),
                "https://a.example/x?q=9f86d081884c7d659a2feaa0c55ad015",
            ),
        ] {
            let found = credentials_in(&headers, url);
            assert!(
                matches!(found.as_slice(), [(_, false)]),
                "{headers} {url}: {found:?}"
            );
        }
    }

    #[test]
    fn references_and_ordinary_values_are_neither() {
        for headers in [
            json!({}),
            json!({ "Authorization": "Bearer ${secret:crm-token}" }),
            json!({ "Authorization": "Basic ${secret:crm-token}" }),
            json!({ "X-Api-Key": "${secret:crm-token}", "Accept": "application/json", "X-Tenant": "acme" }),
            json!({ "X-Api-Key": "" }),
            json!({ "User-Agent": "persona-gateway-webhook/2.14 (+https://acme.example/contact)" }),
            json!({ "Content-Type": "application/vnd.acme.tickets.v2+json; charset=utf-8" }),
            json!({ "X-Token-Type": "bearer", "X-Account": "0198c0de-0000-7000-8000-00000000beef" }),
        ] {
            assert_eq!(
                credentials_in(&headers, "https://a.example/x"),
                [],
                "{headers}"
            );
        }
        for url in [
            "https://api.acme.example/v2/customers/0198c0de-0000-7000-8000-00000000beef/tickets?limit=20&sort=created_at",
            "https://a.example/x?api_key=${secret:crm-token}",
            "https://a.example/hooks/${secret:hook}?code=US",
            "https://a.example/x?key=orders&token=",
            "https://a.example/this-is-a-long-path-of-words-with-2-numbers-1/in-it",
        ] {
            assert_eq!(credentials_in(&json!({}), url), [], "{url}");
        }
    }
}

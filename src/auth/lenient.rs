//! Reads a pasted text that should be a token, whatever surrounds it, and says what is wrong with it. The
//! verifier never sees what is read here.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::jws::MAX_TOKEN_BYTES;
use crate::domain::json;
use crate::domain::text::clean_line;

/// Longest text that is looked at, bytes: those that are refused for their size are among them.
pub(super) const MAX_BYTES: usize = 16 * 1024;
/// Longest text of a token that is shown, in characters.
const MAX_TOLD_CHARS: usize = 100;

/// More lenient than the verifier: one mistake should not hide the others.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A text read as a token.
#[derive(Debug, Default)]
pub(super) struct Lenient {
    /// The token without what was around it.
    pub(super) token: String,
    /// What is wrong with its form, each with what to change.
    pub(super) faults: Vec<String>,
    /// The header, where it can be read.
    pub(super) header: Option<Map<String, Value>>,
    /// The claims, where they can be read.
    pub(super) claims: Option<Map<String, Value>>,
}

impl Lenient {
    pub(super) fn read(text: &str) -> Self {
        let mut read = Self::default();
        read.undress(text.trim());
        if read.token.len() > MAX_TOKEN_BYTES {
            read.fault(format!(
                "has {} bytes, and at most {MAX_TOKEN_BYTES} are taken: ask the issuer for fewer claims, such as fewer groups",
                read.token.len()
            ));
        }
        if read.token.len() <= MAX_BYTES {
            read.parts();
        }
        read
    }

    /// Without looking at what it is made of.
    pub(super) fn undressed(text: &str) -> Self {
        let mut read = Self::default();
        read.undress(text.trim());
        read
    }

    fn fault(&mut self, fault: impl Into<String>) {
        self.faults.push(fault.into());
    }

    /// Takes away what is copied along: a header's name, `Bearer`, quotes, spaces and line breaks.
    fn undress(&mut self, text: &str) {
        const AROUND: [char; 9] = [
            '"', '\'', '`', '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}', ',', ';',
        ];
        let mut bare = text;
        loop {
            let length = bare.len();
            if let Some(rest) = without(bare, "authorization:") {
                self.fault("has `Authorization:` before it: paste the token alone");
                bare = rest;
            }
            if let Some(rest) = without(bare, "bearer ") {
                self.fault("has `Bearer` before it: paste the token alone, without `Bearer`");
                bare = rest;
            }
            let unquoted = bare.trim_matches(AROUND).trim();
            if unquoted.len() < bare.len() {
                self.fault("has quotes or commas around it: send it without them");
                bare = unquoted;
            }
            if bare.len() == length {
                break;
            }
        }
        self.token = bare.split_whitespace().collect();
        if self.token.len() < bare.len() {
            self.fault("has spaces or line breaks inside: it must be one line");
        }
    }

    fn parts(&mut self) {
        let token = self.token.clone();
        let parts: Vec<&str> = token.split('.').collect();
        match parts.as_slice() {
            [] | [""] => self.fault("is empty: paste the token alone"),
            [_] => self.fault(
                "is no JWT: it has one part instead of three, so it is an opaque token or something else; let the page ask for a JWT for your audience, or register the issuer with `introspection` if it gives none",
            ),
            [header, _, _, _, _] => {
                self.header = self.object("header", header);
                let enc = self.header.as_ref().and_then(|header| text_member(header, "enc"));
                self.fault(format!(
                    "is encrypted (a JWE of five parts, enc {}), and only who it is for can read it: let the issuer sign access tokens (JWS), and not encrypt them",
                    enc.unwrap_or_default()
                ));
            }
            [header, claims, rest @ ..] => {
                self.header = self.object("header", header);
                self.claims = self.object("payload", claims);
                match rest {
                    [] => self.fault("has two parts: the signature is missing, it was cut or never signed"),
                    [""] => self.fault("has an empty signature: it was never signed"),
                    [signature] => {
                        self.base64("signature", signature);
                    }
                    _ => self.fault("has more than three parts"),
                }
            }
        }
    }

    fn object(&mut self, name: &str, part: &str) -> Option<Map<String, Value>> {
        let bytes = self.base64(name, part)?;
        if let Some(object) = json::object(&bytes) {
            return Some(object);
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(object)) => {
                self.fault(format!(
                    "holds a {name} with a name that occurs twice, too deep nesting, or U+0000 in a text"
                ));
                Some(object)
            }
            Ok(_) => {
                self.fault(format!("holds a {name} that is JSON, but no object"));
                None
            }
            Err(_) => {
                self.fault(format!(
                    "holds a {name} that is no JSON: it is cut, or no JWT"
                ));
                None
            }
        }
    }

    fn base64(&mut self, name: &str, part: &str) -> Option<Vec<u8>> {
        if part.ends_with('=') {
            self.fault(format!(
                "has padding (`=`) at its {name}: base64url of a JWT has none"
            ));
        }
        if part.contains(['+', '/']) {
            self.fault(format!(
                "has `+` or `/` in its {name}: it is base64, where a JWT has base64url with `-` and `_`"
            ));
        }
        let url = part.replace('+', "-").replace('/', "_");
        let Ok(bytes) = BASE64.decode(&url) else {
            self.fault(format!(
                "holds a {name} that is no base64url: it is cut, or other characters came in"
            ));
            return None;
        };
        if super::jws::decode(part).is_err() && !part.ends_with('=') && url == part {
            self.fault(format!(
                "holds a {name} whose last character has stray bits: it was changed or cut"
            ));
        }
        Some(bytes)
    }
}

/// The rest of a text behind a prefix of any case.
fn without<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start
        .eq_ignore_ascii_case(prefix)
        .then(|| rest.trim_start())
}

/// A member that is a text, fit to be shown.
pub(super) fn text_member(object: &Map<String, Value>, name: &str) -> Option<String> {
    let text = object.get(name)?.as_str()?;
    Some(format!("{:?}", clean_line(text, MAX_TOLD_CHARS)))
}

/// One part of a token, as an object.
pub(super) fn object(part: &str) -> Option<Map<String, Value>> {
    json::object(&BASE64.decode(part).ok()?)
}

//! Why Anam refused, in its own words, as far as they may be in a log: without our key, without what tenants and users wrote,
//! without anything that looks like a token, and short.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde_json::Value;

use crate::domain::text::clean_line;

/// Longest reason, in characters.
const MAX_CHARS: usize = 300;
/// So much of an answer is looked at, in bytes.
const LOOKED_AT: usize = 2_048;
/// Text that shares this many letters and digits in a row with what we sent is removed.
const SHARED: usize = 8;
/// A word of at least this length with letters and digits may be a key or a token.
const SECRET_CHARS: usize = 20;
/// Stands in the place of what was taken out.
const REMOVED: &str = "[removed]";

/// Anam's own words, redacted. For the log alone: callers and the ledger get the class of the failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Reason {
    /// Reads an answer to `sent`, a JSON body that went out with `key`. `None` where it says nothing.
    pub(super) fn read(answer: &[u8], sent: &[u8], key: &str) -> Option<Self> {
        let said = words(answer);
        let mut ours = SentRequest::default();
        ours.texts.push(key.to_owned());
        if let Ok(sent) = serde_json::from_slice(sent) {
            ours.collect(&sent, false);
        }
        let redacted = without_secrets(&ours.taken_out_of(&said));
        let line = clean_line(&redacted, MAX_CHARS).into_owned();
        (!line.is_empty()).then_some(Self(line))
    }
}

/// The texts of a JSON answer, else the answer itself.
fn words(answer: &[u8]) -> String {
    let start = answer.get(..LOOKED_AT).unwrap_or(answer);
    match serde_json::from_slice(answer) {
        Ok(json) => {
            let mut texts = Vec::new();
            collect_texts(&json, &mut texts);
            let mut text = texts.join("; ");
            text.truncate(text.floor_char_boundary(LOOKED_AT));
            text
        }
        Err(_) => String::from_utf8_lossy(start).into_owned(),
    }
}

fn collect_texts<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Value::Object(members) => members
            .values()
            .for_each(|value| collect_texts(value, texts)),
        _ => {}
    }
}

fn collect_texts_of(value: &Value, texts: &mut Vec<String>) {
    let mut found = Vec::new();
    collect_texts(value, &mut found);
    texts.extend(found.into_iter().map(str::to_owned));
}

/// What went out.
#[derive(Default)]
struct SentRequest {
    /// What somebody wrote: prompts, names, addresses of tools.
    texts: Vec<String>,
    /// Names of members, which are Anam's own words.
    members: HashSet<String>,
}

impl SentRequest {
    fn collect(&mut self, value: &Value, is_id: bool) {
        match value {
            // Ids say what Anam does not know; nobody's secret.
            Value::String(text) if !is_id => self.texts.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, is_id)),
            Value::Object(members) => {
                for (name, value) in members {
                    let is_id = ["Id", "Ids", "Code", "Label"]
                        .iter()
                        .any(|end| name.ends_with(end));
                    self.members.insert(name.clone());
                    if name == "headers" {
                        // A tool's: its author named them, and secrets are their values.
                        collect_texts_of(value, &mut self.texts);
                    } else {
                        self.collect(value, is_id);
                    }
                }
            }
            _ => {}
        }
    }

    /// A text without what it has in common with what we sent. Letters and digits alone are compared, so that no way of
    /// quoting or escaping hides anything.
    fn taken_out_of(&self, said: &str) -> String {
        let said: Vec<char> = said.chars().collect();
        let (letters, places) = letters_of(&said);
        let mut starts: HashMap<&[char], Vec<usize>> = HashMap::new();
        for (at, window) in letters.windows(SHARED).enumerate() {
            starts.entry(window).or_default().push(at);
        }
        let mut ours = vec![false; said.len()];
        for text in &self.texts {
            let text: Vec<char> = text.chars().collect();
            let (text, _) = letters_of(&text);
            for start in text
                .windows(SHARED)
                .filter_map(|window| starts.get(window))
                .flatten()
            {
                let window = places.iter().skip(*start).take(SHARED);
                for place in window {
                    if let Some(mark) = ours.get_mut(*place) {
                        *mark = true;
                    }
                }
            }
        }
        self.spare_members(&said, &mut ours);
        let mut left = String::with_capacity(said.len());
        let mut in_removed = false;
        for (c, ours) in said.iter().zip(ours) {
            if !ours {
                // What is between two letters that go, goes.
                left.push(*c);
            } else if !in_removed {
                left.push_str(REMOVED);
            }
            in_removed = ours;
        }
        left
    }

    /// Words that are names of members stay, whatever a prompt says.
    fn spare_members(&self, said: &[char], ours: &mut [bool]) {
        let mut at = 0;
        for word in said.split(|c| !c.is_alphanumeric() && *c != '_') {
            let text: String = word.iter().collect();
            if self.members.contains(&text) {
                ours.iter_mut()
                    .skip(at)
                    .take(word.len())
                    .for_each(|mark| *mark = false);
            }
            at = at.saturating_add(word.len()).saturating_add(1);
        }
    }
}

/// The letters and digits of a text in lower case, and where each stands. An escape such as `\n` is none, and one such as
/// `%2F` is what it stands for: secrets are escaped in a URL.
fn letters_of(text: &[char]) -> (Vec<char>, Vec<usize>) {
    let mut letters = Vec::with_capacity(text.len());
    let mut places = Vec::with_capacity(text.len());
    let mut skip = 0_usize;
    for (place, c) in text.iter().enumerate() {
        if skip > 0 {
            skip -= 1;
            continue;
        }
        if *c == '\\' {
            skip = if text.get(place + 1) == Some(&'u') {
                5
            } else {
                1
            };
        } else if let Some(escaped) = unescaped(text, place) {
            skip = 2;
            if escaped.is_alphanumeric() {
                letters.push(escaped.to_ascii_lowercase());
                places.push(place);
            }
        } else if c.is_alphanumeric() {
            for lower in c.to_lowercase() {
                letters.push(lower);
                places.push(place);
            }
        }
    }
    (letters, places)
}

/// The character that `%XX` at a place stands for.
fn unescaped(text: &[char], place: usize) -> Option<char> {
    let [percent, high, low] = text.get(place..place.checked_add(3)?)? else {
        return None;
    };
    let byte = high.to_digit(16)? * 16 + low.to_digit(16)?;
    (*percent == '%').then_some(char::from_u32(byte)?)
}

/// A text without words that may be keys or tokens.
fn without_secrets(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '/' | '=');
    let mut left = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if is_part(c) {
            word.push(c);
            continue;
        }
        left.push_str(if may_be_secret(&word) { REMOVED } else { &word });
        word.clear();
        left.push(c);
    }
    left
}

fn may_be_secret(word: &str) -> bool {
    word.len() >= SECRET_CHARS
        && word.contains(|c: char| c.is_ascii_digit())
        && word.contains(|c: char| c.is_ascii_alphabetic())
        && uuid::Uuid::try_parse(word).is_err()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const KEY: &str = "anam-platform-key-0123456789";

    fn read(answer: &Value) -> String {
        let sent = json!({
            "clientLabel": "01a20dc5-0feb-779f-8366-899fca1e1ced",
            "personaConfig": {
                "name": "Liv from support",
                "avatarId": "30fa96d0-26c4-4e55-94a0-517025942e18",
                "systemPrompt": "You help Sam Rivera.\nTicket \"T-1042\": the invoice is wrong. The voiceId stays.",
                "voiceGenerationOptions": { "speed": 9 },
            },
        });
        let reason = Reason::read(
            &serde_json::to_vec(answer).unwrap(),
            &serde_json::to_vec(&sent).unwrap(),
            KEY,
        );
        reason.map_or_else(String::new, |reason| reason.to_string())
    }

    #[test]
    fn what_helps_stays() {
        for (answer, reason) in [
            (
                json!({ "error": "Bad Request", "message": "personaConfig.voiceGenerationOptions.speed: must be at most 1.2" }),
                "Bad Request; personaConfig.voiceGenerationOptions.speed: must be at most 1.2",
            ),
            (
                json!({ "message": "avatarId 30fa96d0-26c4-4e55-94a0-517025942e18 was not found" }),
                "avatarId 30fa96d0-26c4-4e55-94a0-517025942e18 was not found",
            ),
            (
                json!({ "errors": [{ "path": ["personaConfig", "systemPrompt"], "message": "Too long" }] }),
                "personaConfig; systemPrompt; Too long",
            ),
            (json!({}), ""),
        ] {
            assert_eq!(read(&answer), reason);
        }
    }

    #[test]
    fn what_we_sent_goes_however_it_is_quoted() {
        for echo in [
            "bad prompt: You help Sam Rivera.\nTicket \"T-1042\": the invoice is wrong",
            r#"bad prompt: You help Sam Rivera.\nTicket \"T-1042\": the invoice is wrong"#,
            "bad prompt: YOU HELP SAM RIVERA / TICKET T-1042 / THE INVOICE IS WRONG",
            "bad prompt: You  help  Sam  Rivera.  Ticket  T-1042:  the invoice is wrong",
        ] {
            let reason = read(&json!({ "message": echo }));
            assert!(reason.starts_with("bad prompt: [removed]"), "{reason}");
            for gone in ["Sam", "SAM", "T-1042", "invoice", "INVOICE"] {
                assert!(!reason.contains(gone), "{reason}");
            }
        }
    }

    #[test]
    fn a_secret_in_a_url_goes_however_it_is_escaped() {
        let secret = "a/b+c:d/e=f;g?h&i@j#k";
        let sent = json!({ "personaConfig": { "tools": [{ "url": "https://crm.example/?k=a%2Fb%2Bc%3Ad%2Fe%3Df%3Bg%3Fh%26i%40j%23k" }] } });
        for echo in [
            secret,
            "a%2fb%2bc%3ad%2fe%3df%3bg%3fh%26i%40j%23k",
            "%61/b+c:d/e%3Df;g?h&i@j#k",
        ] {
            let answer = json!({ "message": format!("not called: {echo}") }).to_string();
            let sent = sent.to_string();
            let reason = Reason::read(answer.as_bytes(), sent.as_bytes(), KEY)
                .unwrap()
                .to_string();
            assert!(reason.starts_with("not called: [removed]"), "{reason}");
            assert!(!reason.contains(['g', 'h', 'i', 'j', 'k']), "{reason}");
        }
    }

    #[test]
    fn keys_and_tokens_go() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlMTIzNDU2Nzg5MA";
        let reason = read(
            &json!({ "message": format!("Bearer {KEY} and {token} and sk_live_51H8abcDEFghiJKL") }),
        );
        assert!(
            !reason.contains("0123456789") && !reason.contains("eyJ") && !reason.contains("51H8"),
            "{reason}"
        );
    }

    #[test]
    fn no_answer_is_too_long_or_too_odd() {
        let page = format!("<html>\u{0}\u{1b}[31m{}</html>", "é".repeat(9_000));
        let reason = Reason::read(page.as_bytes(), b"", KEY).unwrap().to_string();
        assert!(reason.chars().count() <= MAX_CHARS && !reason.contains(char::is_control));
        assert_eq!(
            Reason::read(b"\xff\xfe", b"\xff", KEY).unwrap().to_string(),
            "\u{fffd}\u{fffd}"
        );
    }

    proptest! {
        #[test]
        fn no_long_piece_of_a_prompt_comes_through(
            prompt in "[a-zA-Z0-9 .,\"\\\\\n]{12,200}", before in "[ -~]{0,40}", after in "[ -~]{0,40}",
            from in 0_usize..100,
        ) {
            let sent = json!({ "systemPrompt": prompt });
            let piece: String = prompt.chars().skip(from.min(prompt.len() / 2)).collect();
            let answer = json!({ "message": format!("{before}|{piece}|{after}") });
            let reason = Reason::read(answer.to_string().as_bytes(), sent.to_string().as_bytes(), KEY);
            let reason: Vec<char> = reason.map_or_else(String::new, |reason| reason.to_string()).chars().collect();
            let (reason, _) = letters_of(&reason);
            let prompt: Vec<char> = prompt.chars().collect();
            let (prompt, _) = letters_of(&prompt);
            // "systemPrompt" may stay, being Anam's own word; `[removed]` is ours.
            let shared = 14;
            let comes_through = prompt.windows(shared).any(|piece| reason.windows(shared).any(|window| window == piece));
            prop_assert!(!comes_through);
        }
    }
}

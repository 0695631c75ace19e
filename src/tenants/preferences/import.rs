//! Many users' choices as NDJSON: one `{"subject": "...", "preferences": {...}}` a line.

use serde_json::{Value, json};

use crate::domain::caller::Subject;
use crate::domain::catalogue::Catalogue;
use crate::domain::fault::{Fault, step};
use crate::domain::json;
use crate::domain::policy::Policy;
use crate::domain::preferences::Preferences;
use crate::domain::wrong::{Words, Wrong};
use crate::store::StoreError;
use crate::tenants::change::Change;

/// Lines written in one transaction.
pub const BATCH: usize = 1_000;
/// Longest line, bytes.
pub const MAX_LINE: usize = 64 * 1024;

/// Reads one line; every fault at once.
pub fn parse(
    line: &[u8],
    policy: &Policy,
    catalogue: &Catalogue,
) -> Result<(Subject, Preferences), Vec<Fault>> {
    let fault = |pointer: &str, words: Words| Err(vec![Fault::new(pointer, words)]);
    let mut members = match json::parse(line) {
        Ok(Value::Object(members)) => members,
        Ok(_) => return fault("", Wrong::Object.into()),
        Err(broken) => return Err(vec![broken.to_fault()]),
    };
    let subject = members
        .remove("subject")
        .as_ref()
        .and_then(Value::as_str)
        .and_then(Subject::parse);
    let Some(subject) = subject else {
        return fault(
            "/subject",
            Wrong::Printable { most: 255 }
                .worded("must be there: 1 to 255 characters without control characters"),
        );
    };
    let Some(Value::Object(choices)) = members.remove("preferences") else {
        return fault(
            "/preferences",
            Wrong::Object.worded("must be there: an object"),
        );
    };
    if let Some((unknown, _)) = members.iter().next() {
        let known = "subject, preferences".to_owned();
        return fault(&step(unknown), Wrong::Unknown(known).into());
    }
    let under = |faults: Vec<Fault>| faults.into_iter().map(|fault| fault.under("/preferences"));
    match Preferences::parse(&choices, &policy.preference_fields, catalogue) {
        Ok(preferences) => Ok((subject, preferences)),
        Err(faults) => Err(under(faults).collect()),
    }
}

/// Writes lines that were read, with their row in the audit trail; says how many changed a user's choices.
pub async fn write(
    change: &mut Change,
    batch: &[(Subject, Preferences)],
) -> Result<u64, StoreError> {
    let changed = change.tx.put_many_preferences(batch).await?;
    if changed > 0 {
        let details = json!({ "lines": batch.len(), "changed": changed });
        change.note("preference.import", "preferences", details);
    }
    Ok(changed)
}

/// A line without white space around it, and without the byte order mark that editors on Windows put before the first.
pub fn bare(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(line)
        .trim_ascii()
}

/// Cuts a stream into lines and counts them. It never holds more than one line, of [`MAX_LINE`] bytes at most.
#[derive(Debug, Default)]
pub struct Lines {
    begun: Vec<u8>,
    is_too_long: bool,
    number: u64,
}

/// One line of the stream that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1; empty lines count.
    pub number: u64,
    /// Its bytes without white space around them; `None` where it was too long.
    pub text: Option<Vec<u8>>,
}

impl Lines {
    /// The lines that end in a piece of the stream.
    pub fn push(&mut self, piece: &[u8]) -> Vec<Line> {
        let mut ended = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            if self.begun.len() + text.len() > MAX_LINE {
                self.is_too_long = true;
                self.begun.clear();
            } else if !self.is_too_long {
                self.begun.extend_from_slice(text);
            }
            if ends {
                ended.extend(self.end());
            }
        }
        ended
    }

    /// The last line, where the stream did not end with a line break.
    pub fn finish(mut self) -> Option<Line> {
        self.end()
    }

    fn end(&mut self) -> Option<Line> {
        self.number += 1;
        let is_too_long = std::mem::take(&mut self.is_too_long);
        let begun = std::mem::take(&mut self.begun);
        let text = bare(&begun);
        (is_too_long || !text.is_empty()).then(|| Line {
            number: self.number,
            text: (!is_too_long).then(|| text.to_vec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(stream: &[u8], pieces: usize) -> Vec<Line> {
        let mut lines = Lines::default();
        let mut found: Vec<Line> = stream
            .chunks(pieces)
            .flat_map(|piece| lines.push(piece))
            .collect();
        found.extend(lines.finish());
        found
    }

    #[test]
    fn lines_keep_their_numbers_and_empty_ones_are_left_out() {
        let found = cut(b"{}\n\n  \r\n{\"a\": 1}\r\nlast", 3);
        let lines: Vec<(u64, &[u8])> = found
            .iter()
            .map(|line| (line.number, line.text.as_deref().unwrap()))
            .collect();
        assert_eq!(lines, [(1, &b"{}"[..]), (4, b"{\"a\": 1}"), (5, b"last")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_told_and_the_next_one_is_read() {
        let stream = [vec![b'x'; MAX_LINE + 1], b"\nnext\n".to_vec()].concat();
        for pieces in [1_000, MAX_LINE, stream.len()] {
            let found = cut(&stream, pieces);
            assert_eq!(
                found[0],
                Line {
                    number: 1,
                    text: None
                }
            );
            assert_eq!(
                found[1],
                Line {
                    number: 2,
                    text: Some(b"next".to_vec())
                }
            );
            assert_eq!(found.len(), 2);
        }
    }

    proptest! {
        #[test]
        fn how_a_stream_is_cut_makes_no_difference(stream in "[a\n\r ]{0,200}", pieces in 1_usize..50) {
            prop_assert_eq!(cut(stream.as_bytes(), pieces), cut(stream.as_bytes(), 1_000));
        }
    }
}

//! A text that stops growing at its cap.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark, is_nfc};
use unicode_segmentation::UnicodeSegmentation;

use super::{Cleaned, is_dropped, joining};

/// Marks on one letter: more than any script puts there.
const MAX_MARKS: usize = 8;
/// What people see as one character is not longer than this, in code points; what is may be cut inside.
const MAX_SEEN: usize = 32;

pub(super) struct Capped {
    text: String,
    most: usize,
    left: usize,
    marks: usize,
    /// What did not fit any more.
    over: Option<char>,
}

impl Capped {
    pub(super) fn new(most: usize, expected_bytes: usize) -> Self {
        Self {
            text: String::with_capacity(expected_bytes.min(most.saturating_mul(4))),
            most,
            left: most,
            marks: 0,
            over: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether a character is to be kept that comes next, maybe after a gap; `rest` begins with it.
    pub(super) fn takes(&self, gap: bool, c: char, rest: &str) -> bool {
        if is_dropped(c) {
            return false;
        }
        if joining::is_conditional(c) {
            let before = if gap { "" } else { self.text.as_str() };
            let after = rest.get(c.len_utf8()..).unwrap_or_default();
            return joining::belongs(before, c, after.trim_start_matches(is_dropped));
        }
        self.marks < MAX_MARKS || !is_combining_mark(c)
    }

    /// `false` where the character did not fit.
    pub(super) fn push(&mut self, c: char) -> bool {
        let Some(left) = self.left.checked_sub(1) else {
            self.over = Some(c);
            return false;
        };
        self.left = left;
        if is_combining_mark(c) {
            self.marks = self.marks.saturating_add(1);
        } else if !joining::is_conditional(c) {
            self.marks = 0;
        }
        self.text.push(c);
        true
    }

    /// All of `source` was looked at.
    pub(super) fn finish<'t>(self, source: &str) -> Cleaned<'t> {
        let mut text = self.text;
        let mut cut = false;
        if !is_nfc(&text) {
            text = text.nfc().collect();
            // A few characters are written as several in this form.
            if let Some((at, _)) = text.char_indices().nth(self.most) {
                text.truncate(seen_end(&text, at));
                cut = true;
            }
        }
        trim_end(&mut text);
        Cleaned {
            text: Cow::Owned(text),
            read: source.len(),
            cut,
        }
    }

    /// A character did not fit, before which this many bytes were read.
    pub(super) fn cut_at<'t>(mut self, read: usize) -> Cleaned<'t> {
        let kept = self.text.len();
        self.text.extend(self.over.take());
        let end = seen_end(&self.text, kept);
        self.text.truncate(end);
        Cleaned {
            read,
            cut: true,
            ..self.finish("")
        }
    }
}

/// Where each of what people see as characters begins, in bytes.
pub(in crate::domain) fn seen_starts(text: &str) -> impl Iterator<Item = usize> {
    text.grapheme_indices(true).map(|(start, _)| start)
}

/// The last place up to `at` between two characters that people see.
pub(in crate::domain) fn seen_end(text: &str, at: usize) -> usize {
    let last = seen_starts(text)
        .take_while(|start| *start <= at)
        .last()
        .unwrap_or(0);
    let inside = text.get(last..at).unwrap_or_default();
    if inside.chars().count() > MAX_SEEN {
        at
    } else {
        last
    }
}

/// White space at the end goes, and joiners to which nothing comes any more.
fn trim_end(text: &mut String) {
    loop {
        text.truncate(text.trim_end().len());
        let Some(last) = text.chars().next_back() else {
            return;
        };
        let before = text.len().saturating_sub(last.len_utf8());
        let stays = !joining::is_conditional(last)
            || joining::belongs(text.get(..before).unwrap_or_default(), last, "");
        if stays {
            return;
        }
        text.truncate(before);
    }
}

//! Cleaning of text that somebody else wrote, before a person or a model reads it.
//!
//! Invisible characters carry instructions that no reviewer sees (Unicode tags, bidi controls, zero-width
//! characters), so they go. Letters stay byte for byte: nothing is normalised or case-folded.

use std::borrow::Cow;

/// Brackets that only our own fences may use in a prompt, and two that look the same.
const FENCE_LIKE: [char; 4] = ['\u{27E6}', '\u{27E7}', '\u{301A}', '\u{301B}'];

/// A cleaned text has at most this many bytes for each character of its cap, so that text of the
/// basic plane is never cut by the byte cap.
pub const BYTES_PER_CHAR: usize = 3;

/// A character that has no place in text from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("character U+{:04X} at position {position} is an invisible control character", u32::from(*.character))]
pub struct Forbidden {
    /// The character itself.
    pub character: char,
    /// Where it stands, in characters from the start, counted from 1.
    pub position: usize,
}

/// The first character that an honest text never holds: controls (but for tab and line breaks), bidi controls,
/// zero-width spaces, Unicode tags, interlinear and other invisible format characters, noncharacters.
///
/// Joiners (U+200C, U+200D) and variation selectors pass, since Persian and emoji need them;
/// [`clean_line`] and [`clean_block`] drop those too.
pub fn forbidden(text: &str) -> Option<Forbidden> {
    text.chars().position(is_forbidden).and_then(|at| {
        text.chars().nth(at).map(|character| Forbidden {
            character,
            position: at.saturating_add(1),
        })
    })
}

/// Whether a text can be taken as it is: one line of 1 to `max_chars` characters, nothing [`forbidden`] in it.
pub fn is_clean_line(text: &str, max_chars: usize) -> bool {
    is_clean_block(text, max_chars) && !text.contains(['\n', '\r', '\t'])
}

/// Whether a text can be taken as it is: 1 to `max_chars` characters that are not all white space, nothing
/// [`forbidden`] in it.
pub fn is_clean_block(text: &str, max_chars: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= max_chars && forbidden(text).is_none()
}

/// What cleaning made of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned<'t> {
    /// What is left of it.
    pub text: Cow<'t, str>,
    /// How many of its bytes were looked at; cleaning stops at its cap.
    pub read: usize,
    /// Whether more would be left if the cap were wider.
    pub cut: bool,
}

/// One line: invisible and fence characters removed, white space runs become one space, ends trimmed.
/// At most `max_chars` code points and [`BYTES_PER_CHAR`] times as many bytes. Idempotent.
pub fn clean_line(text: &str, max_chars: usize) -> Cow<'_, str> {
    line(text, max_chars).text
}

/// Several lines: as [`clean_line`], but line breaks (in any spelling) stay as `\n` and tabs stay; other white space becomes
/// a plain space; line ends are trimmed and at most one blank line stands between two lines. Idempotent.
pub fn clean_block(text: &str, max_chars: usize) -> Cow<'_, str> {
    block(text, max_chars).text
}

/// [`clean_line`], with what it took.
pub fn line(text: &str, max_chars: usize) -> Cleaned<'_> {
    if is_tidy_ascii_line(text, max_chars) {
        return Cleaned::as_it_is(text);
    }
    let mut line = Capped::new(max_chars, text.len());
    let mut gap = false;
    for (at, c) in text.char_indices() {
        if is_space(c) {
            gap = true;
        } else if !is_dropped(c) {
            let spaced = !std::mem::take(&mut gap) || line.text.is_empty() || line.push(' ');
            if !spaced || !line.push(c) {
                return line.cut_at(at);
            }
        }
    }
    line.finish(text)
}

/// [`clean_block`], with what it took.
pub fn block(text: &str, max_chars: usize) -> Cleaned<'_> {
    if is_tidy_ascii_line(text, max_chars) {
        return Cleaned::as_it_is(text);
    }
    let mut block = Capped::new(max_chars, text.len());
    let mut breaks = 0_usize;
    let mut gap = String::new();
    let mut after_return = false;
    for (at, c) in text.char_indices() {
        if is_line_break(c) {
            // `\r\n` is one break.
            if !(c == '\n' && after_return) {
                breaks = breaks.saturating_add(1);
            }
            gap.clear();
        } else if is_space(c) {
            gap.push(if c == '\t' { '\t' } else { ' ' });
        } else if !is_dropped(c) {
            if block.text.is_empty() {
                gap.clear();
            } else {
                for _ in 0..breaks.min(2) {
                    gap.insert(0, '\n');
                }
            }
            breaks = 0;
            gap.push(c);
            if !gap.drain(..).all(|c| block.push(c)) {
                return block.cut_at(at);
            }
        }
        after_return = c == '\r';
    }
    block.finish(text)
}

/// Most texts by far: nothing to do, nothing to allocate.
fn is_tidy_ascii_line(text: &str, max_chars: usize) -> bool {
    text.len() <= max_chars
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && text.bytes().all(|b| (0x20..0x7F).contains(&b))
        && !text.contains("  ")
}

/// Whether `c` breaks a line, in any of Unicode's spellings.
fn is_line_break(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{0B}' | '\u{0C}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || is_line_break(c)
}

fn is_dropped(c: char) -> bool {
    is_forbidden(c) || is_joiner_or_variation(c) || FENCE_LIKE.contains(&c)
}

/// Whether `c` is a bracket that only fences may use.
pub(super) fn is_fence_like(c: char) -> bool {
    FENCE_LIKE.contains(&c)
}

fn is_joiner_or_variation(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{200C}' | '\u{200D}'
        | '\u{180B}'..='\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

fn is_forbidden(c: char) -> bool {
    if c < '\u{7F}' {
        return c < ' ' && !matches!(c, '\n' | '\r' | '\t');
    }
    matches!(c,
        // C1 controls; NEL is a line break.
        '\u{7F}'..='\u{84}' | '\u{86}'..='\u{9F}'
        // Bidi marks, embeddings, overrides, isolates.
        | '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        // Zero width, invisible operators, deprecated format controls, fillers that show nothing.
        | '\u{200B}' | '\u{2060}'..='\u{2065}' | '\u{206A}'..='\u{206F}' | '\u{FEFF}'
        | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{3164}' | '\u{FFA0}'
        // Interlinear annotation, object replacement, unassigned specials.
        | '\u{FFF0}'..='\u{FFFC}'
        // Format controls of shorthand, music and hieroglyphs.
        | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
        // Tags and the rest of the ignorable plane, but for variation selectors.
        | '\u{E0000}'..='\u{E00FF}' | '\u{E01F0}'..='\u{E0FFF}'
        // Noncharacters.
        | '\u{FDD0}'..='\u{FDEF}')
        || u32::from(c) & 0xFFFE == 0xFFFE
}

/// A text that stops growing at its caps.
struct Capped {
    text: String,
    chars_left: usize,
    bytes_left: usize,
}

impl Capped {
    fn new(max_chars: usize, expected_bytes: usize) -> Self {
        let bytes_left = max_chars.saturating_mul(BYTES_PER_CHAR);
        Self {
            text: String::with_capacity(expected_bytes.min(bytes_left)),
            chars_left: max_chars,
            bytes_left,
        }
    }

    /// `false` where the character did not fit.
    fn push(&mut self, c: char) -> bool {
        let (Some(chars), Some(bytes)) = (
            self.chars_left.checked_sub(1),
            self.bytes_left.checked_sub(c.len_utf8()),
        ) else {
            return false;
        };
        (self.chars_left, self.bytes_left) = (chars, bytes);
        self.text.push(c);
        true
    }

    /// All of `text` was looked at.
    fn finish<'t>(self, text: &str) -> Cleaned<'t> {
        Cleaned {
            cut: false,
            ..self.cut_at(text.len())
        }
    }

    /// The character at an offset did not fit.
    fn cut_at<'t>(mut self, read: usize) -> Cleaned<'t> {
        self.text.truncate(self.text.trim_end().len());
        Cleaned {
            text: Cow::Owned(self.text),
            read,
            cut: true,
        }
    }
}

impl<'t> Cleaned<'t> {
    fn as_it_is(text: &'t str) -> Self {
        Self {
            text: Cow::Borrowed(text),
            read: text.len(),
            cut: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ordinary text mixed with all that cleaning is about.
    fn messy() -> impl Strategy<Value = String> {
        let odd = prop::sample::select(vec![
            "\u{0}",
            "\u{1b}",
            "\u{202e}",
            "\u{2066}",
            "\u{200b}",
            "\u{200d}",
            "\u{e0041}",
            "\u{fe0f}",
            "\u{fff9}",
            "⟦",
            "⟧",
            "〚",
            "\r\n",
            "\r",
            "\n",
            "\n\n\n",
            "\t",
            " ",
            "  ",
            "\u{a0}",
            "\u{2028}",
            "\u{85}",
            "e\u{301}",
            "é",
            "你好",
            "🎉",
            "\u{10ffff}",
        ]);
        prop::collection::vec(
            prop_oneof![odd.prop_map(str::to_owned), "\\PC{0,6}", any::<String>()],
            0..12,
        )
        .prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn cleaning_a_line_twice_is_cleaning_it_once(text in messy(), max in 0_usize..40) {
            let once = clean_line(&text, max).into_owned();
            prop_assert_eq!(clean_line(&once, max).into_owned(), once);
        }

        #[test]
        fn cleaning_a_block_twice_is_cleaning_it_once(text in messy(), max in 0_usize..40) {
            let once = clean_block(&text, max).into_owned();
            prop_assert_eq!(clean_block(&once, max).into_owned(), once);
        }

        #[test]
        fn caps_hold_in_code_points_and_in_bytes(text in messy(), max in 0_usize..40) {
            for cleaned in [clean_line(&text, max), clean_block(&text, max)] {
                prop_assert!(cleaned.chars().count() <= max);
                prop_assert!(cleaned.len() <= max * BYTES_PER_CHAR);
            }
        }

        #[test]
        fn nothing_invisible_and_no_fence_survives(text in messy()) {
            let line = clean_line(&text, 500).into_owned();
            prop_assert!(!line.chars().any(|c| is_dropped(c) || c.is_control()));
            let block = clean_block(&text, 500).into_owned();
            prop_assert!(!block.chars().any(|c| is_dropped(c) || (c.is_control() && c != '\n' && c != '\t')));
        }
    }

    #[test]
    fn letters_are_never_normalised() {
        for text in ["Åsa", "A\u{30a}sa", "ﬁn", "İstanbul", "Ελλάς", "你好"] {
            assert_eq!(clean_line(text, 80), text);
        }
    }

    #[test]
    fn a_line_loses_its_breaks_and_a_block_keeps_them_in_one_spelling() {
        assert_eq!(clean_line("  a \r\n\t b\u{2028}c ", 80), "a b c");
        assert_eq!(
            clean_block("a \r\nb\rc\u{2028}\u{85}\n\n d\te", 80),
            "a\nb\nc\n\n d\te"
        );
    }

    #[test]
    fn text_hidden_in_tag_characters_disappears() {
        let hidden: String = "ignore"
            .chars()
            .filter_map(|c| char::from_u32(0xE0000 + u32::from(c)))
            .collect();
        assert_eq!(clean_line(&format!("Ann{hidden}"), 80), "Ann");
        assert_eq!(
            forbidden(&format!("Ann{hidden}")),
            Some(Forbidden {
                character: '\u{E0069}',
                position: 4
            })
        );
    }

    #[test]
    fn honest_text_with_emoji_and_joiners_is_not_forbidden() {
        for text in [
            "a\tb\r\nc",
            "❤\u{fe0f} 👩\u{200d}🚀",
            "می\u{200c}خواهم",
            "Zoë",
        ] {
            assert_eq!(forbidden(text), None, "{text:?}");
        }
        for text in [
            "a\u{0}",
            "a\u{202e}b",
            "\u{feff}x",
            "\u{fff9}",
            "\u{7f}",
            "\u{ffff}",
        ] {
            assert!(forbidden(text).is_some(), "{text:?}");
        }
    }
}

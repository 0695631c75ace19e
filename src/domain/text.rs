//! Cleaning of text that somebody else wrote, before a person or a model reads it.
//!
//! Invisible characters carry instructions that no reviewer sees (Unicode tags, bidi controls, zero-width
//! characters), so they go, but for those that a script or an emoji needs where it needs them (`joining`). What is
//! left is in Unicode's form NFC, and is cut between the characters that people see.

mod capped;
mod joining;

use std::borrow::Cow;
use std::fmt;

use unicode_normalization::char::is_combining_mark;

use self::capped::Capped;
pub(super) use self::capped::{seen_end, seen_starts};
use super::characters::unseen;
use super::wrong::{Words, Wrong};

/// Brackets that only our own fences may use in a prompt, and two that look the same.
const FENCE_LIKE: [char; 4] = ['\u{27E6}', '\u{27E7}', '\u{301A}', '\u{301B}'];

/// A character that has no place in text from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forbidden {
    /// The character itself.
    pub character: char,
    /// Where it stands, in characters from the start, counted from 1.
    pub position: usize,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match unseen(self.character) {
            Some(name) => f.write_str(&name),
            None => f.write_str(&self.number()),
        }?;
        write!(f, " at character {}", self.position)
    }
}

impl Forbidden {
    /// The character as its number, such as `U+200B`.
    fn number(&self) -> String {
        format!("U+{:04X}", u32::from(self.character))
    }
}

/// The first character that an honest text never holds: controls (but for tab and line breaks), bidi controls,
/// zero-width spaces, Unicode tags outside of flags, interlinear and other invisible format characters, noncharacters.
///
/// Joiners (U+200C, U+200D) and variation selectors pass, since Persian and emoji need them; [`clean_line`] and
/// [`clean_block`] drop those that stand where nothing needs them.
pub fn forbidden(text: &str) -> Option<Forbidden> {
    let (offset, character) = all_forbidden(text).next()?;
    let before = text.get(..offset).unwrap_or_default();
    Some(Forbidden {
        character,
        position: before.chars().count().saturating_add(1),
    })
}

/// Every [`forbidden`] character, with its offset in bytes.
pub fn all_forbidden(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut flag_ends = 0;
    text.char_indices().filter(move |(at, c)| {
        flag_ends = flag_ends.max(at.saturating_add(joining::flag_at(text, *at)));
        *at >= flag_ends && is_forbidden(*c)
    })
}

/// Whether a text can be taken as it is: one line of 1 to `max_chars` characters, nothing [`forbidden`] in it.
pub fn is_clean_line(text: &str, max_chars: usize) -> bool {
    fault_of_line(text, max_chars).is_none()
}

/// Whether a text can be taken as it is: 1 to `max_chars` characters of which something can be seen, nothing
/// [`forbidden`] in it.
pub fn is_clean_block(text: &str, max_chars: usize) -> bool {
    fault_of_block(text, max_chars).is_none()
}

/// Why a text is refused where a [clean line](is_clean_line) is wanted.
pub fn refused_line(text: &str, max_chars: usize) -> Option<Words> {
    let fault = fault_of_line(text, max_chars)?;
    let words = format!("must be one line of 1 to {max_chars} characters; it {fault}");
    let wrong = fault.wrong().unwrap_or(Wrong::Line { most: max_chars });
    Some(wrong.worded(words))
}

/// Why a text is refused where a [clean block](is_clean_block) is wanted.
pub fn refused_block(text: &str, max_chars: usize) -> Option<Words> {
    let fault = fault_of_block(text, max_chars)?;
    let words = format!("must be a text of 1 to {max_chars} characters; it {fault}");
    let wrong = fault.wrong().unwrap_or(Wrong::Length {
        least: 1,
        most: max_chars,
    });
    Some(wrong.worded(words))
}

/// Why a text can't be taken as it is.
enum Unclean {
    /// It has so many characters.
    Long(usize),
    Holds(Forbidden),
    /// A tab or a line break, at this character.
    Breaks(usize),
    Blank,
}

impl Unclean {
    /// What is wrong, unless it is the length that is wanted.
    fn wrong(&self) -> Option<Wrong> {
        match self {
            Self::Long(_) | Self::Blank => None,
            Self::Holds(found) => Some(Wrong::UnseenAt {
                name: found.number(),
                at: found.position,
            }),
            Self::Breaks(at) => Some(Wrong::LineBreak { at: *at }),
        }
    }
}

impl fmt::Display for Unclean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long(chars) => write!(f, "has {chars} characters"),
            Self::Holds(found) => write!(f, "holds {found}, which is invisible"),
            Self::Breaks(at) => write!(f, "has a tab or a line break at character {at}"),
            Self::Blank => f.write_str("is empty or blank"),
        }
    }
}

fn fault_of_line(text: &str, max_chars: usize) -> Option<Unclean> {
    let breaks = text.chars().position(|c| matches!(c, '\n' | '\r' | '\t'));
    fault_of_block(text, max_chars).or_else(|| breaks.map(|at| Unclean::Breaks(at + 1)))
}

fn fault_of_block(text: &str, max_chars: usize) -> Option<Unclean> {
    let chars = text.chars().count();
    if chars > max_chars {
        return Some(Unclean::Long(chars));
    }
    let found = forbidden(text).map(Unclean::Holds);
    found.or_else(|| is_blank(text).then_some(Unclean::Blank))
}

/// Whether nothing of a text can be seen: it is empty, or all of it is white space, joiners and the like.
pub fn is_blank(text: &str) -> bool {
    blank_start(text) == text.len()
}

/// Whether a character of a clean text is part of the letter before it: a mark, a joiner.
pub fn is_part(c: char) -> bool {
    is_combining_mark(c) || joining::is_conditional(c)
}

/// How many bytes at the start of a text can't be seen.
pub fn blank_start(text: &str) -> usize {
    text.find(|c| !is_space(c) && !is_dropped(c) && !joining::is_conditional(c))
        .unwrap_or(text.len())
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
/// At most `max_chars` code points, none of which is half of a character that people see. Idempotent.
pub fn clean_line(text: &str, max_chars: usize) -> Cow<'_, str> {
    line(text, max_chars).text
}

/// Several lines: as [`clean_line`], but line breaks (in any spelling) stay as `\n` and tabs stay; other white space becomes
/// a plain space; line ends are trimmed and at most one blank line is between two lines. Idempotent.
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
    let mut flag_ends = 0;
    for (at, c) in text.char_indices() {
        if is_space(c) {
            gap = true;
            continue;
        }
        flag_ends = flag_ends.max(at.saturating_add(joining::flag_at(text, at)));
        if at >= flag_ends && !line.takes(gap, c, text.get(at..).unwrap_or_default()) {
            continue;
        }
        let spaced = !std::mem::take(&mut gap) || line.is_empty() || line.push(' ');
        if !spaced || !line.push(c) {
            return line.cut_at(at);
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
    let mut flag_ends = 0;
    for (at, c) in text.char_indices() {
        flag_ends = flag_ends.max(at.saturating_add(joining::flag_at(text, at)));
        if is_line_break(c) {
            // `\r\n` is one break.
            if !(c == '\n' && after_return) {
                breaks = breaks.saturating_add(1);
            }
            gap.clear();
        } else if is_space(c) {
            gap.push(if c == '\t' { '\t' } else { ' ' });
        } else if at < flag_ends
            || block.takes(
                breaks > 0 || !gap.is_empty(),
                c,
                text.get(at..).unwrap_or_default(),
            )
        {
            if block.is_empty() {
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
    // The blank of Braille, which is no white space to Unicode.
    c.is_whitespace() || c == '\u{2800}' || is_line_break(c)
}

/// Soft hyphens and U+034F change nothing that people see.
fn is_dropped(c: char) -> bool {
    is_forbidden(c) || matches!(c, '\u{AD}' | '\u{34F}') || FENCE_LIKE.contains(&c)
}

/// Whether `c` is a bracket that only fences may use.
pub(super) fn is_fence_like(c: char) -> bool {
    FENCE_LIKE.contains(&c)
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
mod tests;

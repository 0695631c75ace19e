//! Characters that nobody sees and that change what is beside them: joiners, variation selectors, tags.
//!
//! They stay where Unicode has a use for them: joiners in scripts as RFC 5892 (appendix A) and UAX #31 say, emoji sequences
//! as UTS #51 does, variation selectors of ideographs, Mongolian and Myanmar. Everywhere else they only hide something.

use icu_properties::props::{Emoji, EmojiModifier, ExtendedPictographic, JoiningType, Script};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_normalization::char::canonical_combining_class;

const NON_JOINER: char = '\u{200C}';
const JOINER: char = '\u{200D}';
const TEXT_STYLE: char = '\u{FE0E}';
const EMOJI_STYLE: char = '\u{FE0F}';
const KEYCAP: char = '\u{20E3}';
const BLACK_FLAG: char = '\u{1F3F4}';
/// Combining class of what kills a vowel and may join two consonants.
const VIRAMA: u8 = 9;
/// Marks are looked over so far.
const MAX_MARKS: usize = 16;
/// Pictures that are joined to one: the longest have five or so.
const MAX_JOINED: usize = 9;
/// Code points of such a sequence.
const MAX_SEQUENCE: usize = 40;

/// The flags of England, Scotland and Wales, the only ones that Unicode recommends, after the black flag: tags are no text
/// elsewhere, and no other text is in them here.
const FLAGS: [&str; 3] = [
    "\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
    "\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
    "\u{E0067}\u{E0062}\u{E0077}\u{E006C}\u{E0073}\u{E007F}",
];

/// The bytes of a flag that begins at an offset and ends in tags; 0 where none does.
pub(super) fn flag_at(text: &str, at: usize) -> usize {
    let tags = text
        .get(at..)
        .and_then(|rest| rest.strip_prefix(BLACK_FLAG));
    let tags = tags.and_then(|rest| FLAGS.into_iter().find(|flag| rest.starts_with(flag)));
    tags.map_or(0, |tags| BLACK_FLAG.len_utf8().saturating_add(tags.len()))
}

/// Whether a character stays only where it [`belongs`].
pub(super) fn is_conditional(c: char) -> bool {
    matches!(c,
        NON_JOINER | JOINER
        | '\u{180B}'..='\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Whether a conditional character has a use between two texts.
pub(super) fn belongs(before: &str, c: char, after: &str) -> bool {
    let last = before.chars().next_back();
    let next = after.chars().next();
    let is_after = |script: Script| last.is_some_and(|last| script_of(last) == script);
    match c {
        NON_JOINER => {
            is_after_virama(before)
                || is_before_virama(last, next)
                || (joins_on(before) && is_joined(after))
        }
        JOINER => {
            is_after_virama(before)
                || is_before_virama(last, next)
                || joins_pictures(before, next)
                // The form of a letter that would go on, where nothing follows.
                || (joins_on(before) && !is_joined(after))
        }
        EMOJI_STYLE | TEXT_STYLE => last.is_some_and(|last| {
            let emoji = CodePointSetData::new::<Emoji>();
            emoji.contains(last) && (!last.is_ascii() || next == Some(KEYCAP))
        }),
        '\u{FE00}'..='\u{FE02}' if is_after(Script::Han) => true,
        '\u{FE00}' => is_after(Script::Myanmar),
        '\u{E0100}'..='\u{E01EF}' => is_after(Script::Han),
        '\u{180E}' => {
            is_after(Script::Mongolian)
                && next.is_some_and(|next| script_of(next) == Script::Mongolian)
        }
        '\u{180B}'..='\u{180F}' => is_after(Script::Mongolian),
        _ => false,
    }
}

fn script_of(c: char) -> Script {
    CodePointMapData::<Script>::new().get(c)
}

fn joining_type(c: char) -> JoiningType {
    CodePointMapData::<JoiningType>::new().get(c)
}

/// Marks may be between a virama and what follows it.
fn is_after_virama(before: &str) -> bool {
    before
        .chars()
        .rev()
        .take(MAX_MARKS)
        .map(canonical_combining_class)
        .take_while(|class| *class != 0)
        .any(|class| class == VIRAMA)
}

/// As in Bengali, where a joiner before a virama chooses the form of the letter.
fn is_before_virama(last: Option<char>, next: Option<char>) -> bool {
    last.is_some_and(char::is_alphabetic)
        && next.is_some_and(|next| canonical_combining_class(next) == VIRAMA)
}

/// Whether a text ends in a letter of a running script that goes on to the next.
fn joins_on(before: &str) -> bool {
    let mut types = before.chars().rev().take(MAX_MARKS).map(joining_type);
    let last = types.find(|kind| *kind != JoiningType::Transparent);
    matches!(
        last,
        Some(JoiningType::DualJoining | JoiningType::LeftJoining)
    )
}

/// Whether a text begins with a letter that the one before can go on to.
fn is_joined(after: &str) -> bool {
    let letters = after
        .chars()
        .take(MAX_MARKS)
        .filter(|c| !is_conditional(*c));
    let mut types = letters.map(joining_type);
    let next = types.find(|kind| *kind != JoiningType::Transparent);
    matches!(
        next,
        Some(JoiningType::DualJoining | JoiningType::RightJoining)
    )
}

/// Whether a joiner makes one picture of two.
fn joins_pictures(before: &str, next: Option<char>) -> bool {
    let pictures = CodePointSetData::new::<ExtendedPictographic>();
    let modifiers = CodePointSetData::new::<EmojiModifier>();
    if !next.is_some_and(|next| pictures.contains(next)) {
        return false;
    }
    let is_style = |c: &char| *c == EMOJI_STYLE || modifiers.contains(*c);
    let last = before.chars().rev().find(|c| !is_style(c));
    let mut joined = 0_usize;
    let mut is_picture = false;
    for c in before.chars().rev().take(MAX_SEQUENCE) {
        if c == JOINER {
            joined = joined.saturating_add(1);
            is_picture = false;
        } else if pictures.contains(c) {
            // Two pictures side by side are two sequences.
            if std::mem::replace(&mut is_picture, true) {
                break;
            }
        } else if !is_style(&c) {
            break;
        }
    }
    joined < MAX_JOINED && last.is_some_and(|last| pictures.contains(last))
}

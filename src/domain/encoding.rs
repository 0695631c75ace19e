//! Texts in files as editors, shells and spreadsheets leave them: with a byte order mark, in UTF-16, with line breaks of Windows.

use super::characters::unseen;
use super::json::Position;

/// Why bytes are not UTF-8 text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// A byte that begins no character.
    #[error("the byte 0x{byte:02X} is not UTF-8{}: save the file as UTF-8", windows(*.byte))]
    Byte { place: Position, byte: u8 },
    /// UTF-16 that is cut or mixed up.
    #[error("the file begins as UTF-16 and holds half characters: save it as UTF-8")]
    BrokenUtf16,
    /// UTF-32.
    #[error("the file is UTF-32: save it as UTF-8")]
    Utf32,
    /// An archive, which office documents are too.
    #[error("the file is an archive or a document of an office program: export it as text (UTF-8)")]
    Archive,
}

/// What the byte is on Windows, for a file that was saved there.
fn windows(byte: u8) -> String {
    let c = match byte {
        0x80 => '€',
        0x85 => '…',
        0x91 => '‘',
        0x92 => '’',
        0x93 => '“',
        0x94 => '”',
        0x96 => '–',
        0x97 => '—',
        0xa1..=0xac | 0xae.. => char::from(byte),
        _ => return String::new(),
    };
    format!(" (`{c}` in Windows-1252)")
}

/// The text of a file: UTF-8, or UTF-16 of either order, without byte order mark and with `\n` at the end of its lines.
pub fn text(bytes: &[u8]) -> Result<String, NotText> {
    let text = match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Err(NotText::Utf32),
        [0xff, 0xfe, units @ ..] => utf16(units, u16::from_le_bytes)?,
        [0xfe, 0xff, units @ ..] => utf16(units, u16::from_be_bytes)?,
        // A text begins with a character of ASCII, whose other byte is zero.
        [1..=255, 0, ..] => utf16(bytes, u16::from_le_bytes)?,
        [0, 1..=255, ..] => utf16(bytes, u16::from_be_bytes)?,
        [b'P', b'K', 3, 4, ..] => return Err(NotText::Archive),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest)?.to_owned(),
        _ => utf8(bytes)?.to_owned(),
    };
    Ok(if text.contains('\r') {
        text.replace("\r\n", "\n")
    } else {
        text
    })
}

fn utf8(bytes: &[u8]) -> Result<&str, NotText> {
    std::str::from_utf8(bytes).map_err(|broken| {
        let (before, rest) = bytes
            .split_at_checked(broken.valid_up_to())
            .unwrap_or((bytes, &[]));
        let before = String::from_utf8_lossy(before);
        NotText::Byte {
            place: Position::at_byte(&before, before.len()),
            byte: rest.first().copied().unwrap_or_default(),
        }
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, NotText> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    match String::from_utf16(&units) {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err(NotText::BrokenUtf16),
    }
}

/// A secret or setting without the white space around it, of which files and clipboards bring some; `Err` names a character inside that
/// nobody sees, and never the text.
pub fn value(text: &str) -> Result<&str, String> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let mut characters = text.chars().enumerate();
    match characters.find_map(|(at, c)| Some((at, unseen(c)?))) {
        None => Ok(text),
        Some((at, name)) => Err(format!(
            "character {} is {name}, which is invisible: remove it, or copy the value again from its source",
            at.saturating_add(1)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16_of(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_text_is_the_same_however_it_was_saved() {
        let expected = "name: Zoë 😀\nlast: line\n";
        let windows = expected.replace('\n', "\r\n");
        let marked = format!("\u{feff}{windows}");
        for bytes in [
            expected.as_bytes().to_vec(),
            marked.as_bytes().to_vec(),
            utf16_of(&marked, u16::to_le_bytes),
            utf16_of(&marked, u16::to_be_bytes),
            utf16_of(&windows, u16::to_le_bytes),
            utf16_of(&windows, u16::to_be_bytes),
        ] {
            assert_eq!(text(&bytes).as_deref(), Ok(expected), "{bytes:02x?}");
        }
        assert_eq!(text(b"").as_deref(), Ok(""));
        assert_eq!(text(b"x").as_deref(), Ok("x"));
    }

    #[test]
    fn what_is_no_text_says_what_to_do() {
        let message = |bytes: &[u8]| text(bytes).unwrap_err().to_string();
        assert_eq!(
            message(b"tenant: demo\nname: Zo\xeb\n"),
            "the byte 0xEB is not UTF-8 (`ë` in Windows-1252): save the file as UTF-8"
        );
        assert_eq!(message(b"\xff\xfea"), NotText::BrokenUtf16.to_string());
        assert_eq!(
            message(b"\xff\xfe\x00\xd8"),
            NotText::BrokenUtf16.to_string()
        );
        assert_eq!(message(b"\xff\xfe\0\0a\0\0\0"), NotText::Utf32.to_string());
        assert_eq!(message(b"PK\x03\x04..."), NotText::Archive.to_string());
    }

    #[test]
    fn a_value_loses_what_is_around_it_and_nothing_inside() {
        for written in [
            "key",
            " key\r\n",
            "\u{feff}key\u{a0}",
            "\u{3000}key\u{2028}",
        ] {
            assert_eq!(value(written), Ok("key"));
        }
        let refused = value("sk\u{200b}-secret").unwrap_err();
        assert!(
            refused.starts_with("character 3 is U+200B ZERO WIDTH SPACE"),
            "{refused}"
        );
        assert!(!refused.contains("secret"), "{refused}");
        assert_eq!(value("two words"), Ok("two words"));
    }
}

//! Forms of ids and codes.

/// Two small letters, as ISO 639-1 has them.
pub fn is_language_code(code: &str) -> bool {
    code.len() == 2 && code.chars().all(|c| c.is_ascii_lowercase())
}

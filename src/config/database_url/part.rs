//! Parts of a database URL, which stand in it itself or among its parameters.

use percent_encoding::percent_decode_str;

use super::DatabaseUrlFault;

pub(super) fn fault<T>(text: impl Into<String>) -> Result<T, DatabaseUrlFault> {
    Err(DatabaseUrlFault::new(text))
}

/// Undoes the escapes of one part.
pub(super) fn decode(text: &str, what: &str) -> Result<String, DatabaseUrlFault> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_bytes| {
        DatabaseUrlFault::new(format!("{what} is not UTF-8 once its % are decoded"))
    })?;
    if decoded.chars().any(char::is_control) {
        return fault(format!("{what} has a control character, written with %"));
    }
    Ok(decoded.into_owned())
}

pub(super) fn port_of(text: &str) -> Result<u16, DatabaseUrlFault> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if is_number && port > 0 => Ok(port),
        _ => fault(
            "has a port that is no number from 1 to 65535: look whether the user's name or the password holds a `/`, `?`, `#` or `@` that must be percent-encoded",
        ),
    }
}

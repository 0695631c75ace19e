//! A text as a QR code, drawn as SVG.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use qrcodegen::{QrCode, QrCodeEcc};

/// Modules of white around the code, which readers need (ISO/IEC 18004).
const QUIET: i32 = 4;

/// The address of an image that holds the code itself: what it says is secret, and can't be asked for a second time. `None` if the text is
/// too long.
pub(super) fn image(text: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let side = code.size() + 2 * QUIET;
    let mut dark = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            // Writing to a String cannot fail.
            write!(dark, "M{},{}h1v1h-1z", x + QUIET, y + QUIET).unwrap_or_default();
        }
    }
    let svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges"><path fill="#fff" d="M0,0h{side}v{side}H0z"/><path d="{dark}"/></svg>"##
    );
    Some(format!(
        "data:image/svg+xml;base64,{}",
        STANDARD.encode(svg)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_black_on_white_with_room_around_it() {
        let address = image("otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ").unwrap();
        let svg = address.strip_prefix("data:image/svg+xml;base64,").unwrap();
        let svg = String::from_utf8(STANDARD.decode(svg).unwrap()).unwrap();
        // Its first module is dark, behind the quiet zone.
        assert!(svg.contains(r#"d="M4,4h1v1h-1z"#), "{svg}");
        assert!(image(&"x".repeat(5_000)).is_none());
    }
}

//! The parts that pages are made of, on one page: for whoever changes the console. It is there beside `dev` only.

use actix_web::http::StatusCode;
use actix_web::web;
use askama::Template;

use super::api::Refused;
use super::frame::{Frame, page};
use super::parts::{At, Faults};
use super::visit::{Answer, Signed};

/// Whether the page is there.
#[derive(Debug, Clone, Copy, Default)]
pub struct ShowsDesign(pub bool);

#[derive(Debug, Template)]
#[template(path = "design.html")]
struct DesignPage {
    frame: Frame,
    tokens: Vec<Token>,
    faults: Faults,
    at: At,
}

/// A token of the style sheet.
#[derive(Debug)]
struct Token {
    name: &'static str,
    light: &'static str,
    dark: &'static str,
}

/// The page.
pub async fn show(signed: Signed, shows: Option<web::Data<ShowsDesign>>) -> Answer {
    if !shows.is_some_and(|shows| shows.0) {
        return Err(Refused::own(StatusCode::NOT_FOUND, "not_found", ""));
    }
    let refused = Refused::faulty(signed.texts, "/name", "must be 1 to 100 characters");
    Ok(page(&DesignPage {
        frame: Frame::new(&signed, signed.texts.say("design")),
        tokens: tokens(include_str!("assets/console.css")),
        faults: Faults::from(refused),
        at: At(signed.now.to_rfc3339()),
    }))
}

/// The tokens that a style sheet begins with: in light colours, and where they differ in dark ones.
fn tokens(css: &'static str) -> Vec<Token> {
    let mut blocks = css.split(":root {").skip(1).map(declared);
    let light = blocks.next().unwrap_or_default();
    let dark = blocks.next().unwrap_or_default();
    let token = |(name, value): (&'static str, &'static str)| Token {
        name,
        light: value,
        dark: dark
            .iter()
            .find(|(other, _)| *other == name)
            .map_or(value, |(_, value)| *value),
    };
    light.into_iter().map(token).collect()
}

/// The names and values that a block declares.
fn declared(block: &'static str) -> Vec<(&'static str, &'static str)> {
    let inside = block.split('}').next().unwrap_or_default();
    let lines = inside.split(';').filter_map(|line| line.split_once(':'));
    lines
        .filter_map(|(name, value)| Some((name.trim().strip_prefix("--")?, value.trim())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_sheet_begins_with_its_tokens() {
        let tokens = tokens(include_str!("assets/console.css"));
        let accent = tokens.iter().find(|token| token.name == "accent").unwrap();
        assert_ne!(accent.light, accent.dark);
        assert!(tokens.len() > 15, "{tokens:?}");
        let css = include_str!("assets/console.css");
        for token in tokens.iter().filter(|token| token.light.starts_with('#')) {
            assert!(
                css.contains(&format!(".token-{} {{", token.name)),
                "{token:?} has no swatch"
            );
        }
    }
}

//! What pages say, in the reader's language. A language is a file in `texts/`, in Fluent's syntax (projectfluent.org), and a line here.

use std::sync::LazyLock;

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT_LANGUAGE;
use fluent_bundle::{FluentArgs, FluentValue};

use crate::wording::Wording;

/// Tag, and texts. What a language lacks is said in the first one.
const LANGUAGES: [(&str, &str); 2] = [
    ("en", include_str!("texts/en.ftl")),
    ("de", include_str!("texts/de.ftl")),
];

static WORDING: LazyLock<Wording> = LazyLock::new(|| Wording::new(&LANGUAGES));

/// The texts of one language.
#[derive(Debug, Clone, Copy, Default)]
pub struct Texts {
    at: usize,
}

impl Texts {
    /// Those that the browser asks for first and that there are.
    pub fn of(request: &HttpRequest) -> Self {
        let header = request.headers().get(ACCEPT_LANGUAGE);
        let wanted = header
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        Self {
            at: preferred(wanted),
        }
    }

    /// The language's tag (BCP 47).
    pub fn tag(self) -> &'static str {
        LANGUAGES.get(self.at).map_or("en", |(tag, _)| tag)
    }

    /// Whether it is English, which the API speaks.
    pub fn is_english(self) -> bool {
        self.tag() == "en"
    }

    /// A text, if there is one of that name.
    pub fn find(self, name: &str) -> Option<String> {
        Some(self.say(name)).filter(|text| text != name)
    }

    /// A text. A name that no language has is shown as it is, so that it is noticed.
    pub fn say(self, name: &str) -> String {
        self.format(name, None)
    }

    /// A text with a value in it.
    pub fn with<'a>(self, name: &str, key: &'a str, value: impl Into<FluentValue<'a>>) -> String {
        let mut values = FluentArgs::new();
        values.set(key, value);
        self.format(name, Some(&values))
    }

    /// A text with values in it.
    pub fn with_all(self, name: &str, values: &[(&str, &str)]) -> String {
        let values: FluentArgs<'_> = values.iter().map(|(key, value)| (*key, *value)).collect();
        self.format(name, Some(&values))
    }

    /// A number with one digit after the point, as the language writes it.
    pub fn decimal(self, number: f64) -> String {
        format!("{number:.1}").replace('.', &self.say("decimal-point"))
    }

    fn format(self, name: &str, values: Option<&FluentArgs<'_>>) -> String {
        WORDING.say(self.tag(), name, values)
    }
}

/// The first of the languages in an `Accept-Language` that there is, by weight (RFC 9110, section 12.5.4).
fn preferred(header: &str) -> usize {
    let mut best = (0, 0);
    for range in header.split(',').take(20) {
        let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
        let weight = match parameters.trim().strip_prefix("q=") {
            Some(weight) => weight.trim().parse::<f32>().unwrap_or(0.0),
            None => 1.0,
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a weight is clamped to 0 to 1000"
        )]
        let weight = (weight.clamp(0.0, 1.0) * 1000.0) as i32;
        let primary = tag.trim().split('-').next().unwrap_or_default();
        let known = LANGUAGES
            .iter()
            .position(|(tag, _)| tag.eq_ignore_ascii_case(primary));
        if let Some(at) = known
            && weight > best.0
        {
            best = (weight, at);
        }
    }
    best.1
}

#[cfg(test)]
impl Texts {
    /// The texts of the language with this tag.
    pub fn tagged(tag: &str) -> Self {
        Self { at: preferred(tag) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fluent_bundle::FluentResource;

    use super::*;

    #[test]
    fn the_browser_chooses_the_language() {
        for (header, tag) in [
            ("", "en"),
            ("de", "de"),
            ("de-AT,de;q=0.9,en;q=0.8", "de"),
            ("fr-FR,fr;q=0.9,en;q=0.5,de;q=0.4", "en"),
            ("fr, de;q=0.1", "de"),
            ("en;q=0.2, DE;q=0.3", "de"),
            ("de;q=0, en", "en"),
            ("*;q=x,,;;", "en"),
        ] {
            let texts = Texts {
                at: preferred(header),
            };
            assert_eq!(texts.tag(), tag, "{header}");
        }
    }

    #[test]
    fn every_code_of_the_api_has_a_text() {
        for code in crate::web::codes::Code::ALL {
            let name = format!("problem-{}", code.as_str());
            assert!(Texts::default().find(&name).is_some(), "{name}");
        }
    }

    #[test]
    fn every_reason_for_which_somebody_is_turned_away_has_its_texts() {
        for reason in crate::refusals::RefusalReason::all() {
            for part in ["", "-do"] {
                let name = format!("refused-{}{part}", reason.as_label());
                assert!(Texts::default().find(&name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn every_reason_of_a_refused_single_sign_on_has_a_text() {
        let labels = [
            "sso_code",
            "sso_verifier",
            "sso_state",
            "sso_too_late",
            "sso_not_again",
            "sso_other_person",
            "sso_no_session",
            "sso_used",
            "sso_denied",
            "sso_no_membership",
            "sso_foreign_domain",
            "sso_no_email",
            "sso_email_not_verified",
            "sso_other_subject",
            "sso_provider_changed",
            "disabled",
            "id_token_refused",
        ];
        let reasons = labels.map(|label| crate::web::people::sso_refusal(label).0);
        for reason in reasons.into_iter().chain(["no_provider"]) {
            let name = format!("sso-refused-{reason}");
            assert!(Texts::default().find(&name).is_some(), "{name}");
        }
    }

    fn names(source: &str) -> BTreeSet<&str> {
        source
            .lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
            .filter_map(|line| line.split_once(" ="))
            .map(|(name, _)| name)
            .collect()
    }

    #[test]
    fn every_language_says_everything() {
        let english = names(LANGUAGES[0].1);
        assert!(english.len() > 30);
        for (tag, source) in LANGUAGES {
            assert!(FluentResource::try_new(source.to_owned()).is_ok(), "{tag}");
            let there = names(source);
            let missing: Vec<_> = english.symmetric_difference(&there).collect();
            assert!(missing.is_empty(), "{tag}: {missing:?}");
        }
    }
}

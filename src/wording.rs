//! Texts in several languages, in Fluent's syntax (projectfluent.org), which translators' tools know: a language is a file.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use unic_langid::LanguageIdentifier;

/// The same texts in several languages.
pub struct Wording(Vec<Language>);

struct Language {
    tag: &'static str,
    texts: FluentBundle<FluentResource>,
}

impl Wording {
    /// From tags and files; what a language lacks is said in the first one.
    pub fn new(languages: &[(&'static str, &str)]) -> Self {
        let languages = languages.iter().map(|(tag, source)| Language {
            tag,
            texts: read(tag, source),
        });
        Self(languages.collect())
    }

    /// A text with values in it. A name that no language has is shown as it is, so that it is noticed.
    pub fn say(&self, tag: &str, name: &str, values: Option<&FluentArgs<'_>>) -> String {
        let own = self.0.iter().find(|language| language.tag == tag);
        for language in own.into_iter().chain(self.0.first()) {
            let message = language.texts.get_message(name);
            if let Some(pattern) = message.and_then(|message| message.value()) {
                let mut errors = Vec::new();
                let text = language.texts.format_pattern(pattern, values, &mut errors);
                if !errors.is_empty() {
                    tracing::error!(text = name, ?errors, "a text lacks a value");
                }
                return text.into_owned();
            }
        }
        name.to_owned()
    }
}

impl std::fmt::Debug for Wording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tags = self.0.iter().map(|language| language.tag);
        f.debug_list().entries(tags).finish()
    }
}

fn read(tag: &str, source: &str) -> FluentBundle<FluentResource> {
    let language: LanguageIdentifier = tag.parse().unwrap_or_default();
    let mut texts = FluentBundle::new_concurrent(vec![language]);
    // Marks around values are for texts of mixed direction; they would be in what scripts and tests read.
    texts.set_use_isolating(false);
    let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(some, errors)| {
        tracing::error!(language = tag, ?errors, "texts can't be read");
        some
    });
    if let Err(errors) = texts.add_resource(resource) {
        tracing::error!(language = tag, ?errors, "texts are there twice");
    }
    texts
}

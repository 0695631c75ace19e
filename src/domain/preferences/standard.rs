//! The preferences that every tenant has: the settings that users may choose, and a few texts.

use crate::domain::settings::{Form, Setting, Settings};

/// A preference that every tenant has.
#[derive(Debug, Clone, Copy)]
pub struct Standard {
    /// Its name in documents.
    pub name: &'static str,
    /// What it is, in a sentence for users.
    pub about: &'static str,
    pub form: StandardForm,
    /// A good value, where it says more than the form.
    pub example: Option<&'static str>,
}

/// What a standard preference may be.
#[derive(Debug, Clone, Copy)]
pub enum StandardForm {
    /// What the setting may be, out of the tenant's catalogue if there is one of its kind.
    Setting(&'static Setting),
    /// A prompt of at most this many characters, in the persona's place.
    Prompt(usize),
    /// One line of at most this many characters, for templates and rules.
    Line(usize),
}

/// The longest prompt that a user may bring, in characters.
pub const MAX_PROMPT_CHARS: usize = 4_000;
/// The longest name that a user may want to be called by, in characters.
const MAX_DISPLAY_NAME_CHARS: usize = 80;
/// The longest word for how a user wants to be spoken to, in characters.
const MAX_TONE_CHARS: usize = 40;

const TEXTS: [Standard; 3] = [
    Standard {
        name: "systemPrompt",
        about: "A prompt of the user's own; used where the persona allows one.",
        form: StandardForm::Prompt(MAX_PROMPT_CHARS),
        example: None,
    },
    Standard {
        name: "displayName",
        about: "How the user wants to be called.",
        form: StandardForm::Line(MAX_DISPLAY_NAME_CHARS),
        example: Some("Sam"),
    },
    Standard {
        name: "tone",
        about: "How the user wants to be spoken to.",
        form: StandardForm::Line(MAX_TONE_CHARS),
        example: Some("friendly"),
    },
];

impl Standard {
    /// All of them, in the order in which people read them.
    pub fn all() -> impl Iterator<Item = Self> {
        let settings = Settings::TABLE.iter().filter_map(|setting| {
            Some(Self {
                name: setting.name,
                about: setting.choice?,
                form: StandardForm::Setting(setting),
                example: matches!(setting.form, Form::Language).then_some("en"),
            })
        });
        settings.chain(TEXTS)
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|standard| standard.name == name)
    }

    pub fn names<'n>() -> impl Iterator<Item = &'n str> {
        Self::all().map(|standard| standard.name)
    }

    /// The names of those that a persona may let win over what it says itself.
    pub fn overridable() -> impl Iterator<Item = &'static str> {
        Self::all()
            .filter(|standard| !matches!(standard.form, StandardForm::Line(_)))
            .map(|standard| standard.name)
    }
}

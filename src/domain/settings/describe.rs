//! What is known of one setting, and the macro that makes a struct and its table of descriptions from one list.

use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::domain::catalogue_kind::CatalogueKind;

/// One setting. Parser, limits, layers, preferences and the published schemas follow from it.
#[derive(Debug)]
pub struct Setting {
    /// Anam's name of it, the same in every document.
    pub name: &'static str,
    /// What it is, in a sentence for authors: its description in the JSON Schema of bundles.
    pub about: &'static str,
    pub form: Form,
    /// What the gateway sends where neither policy, persona nor user says anything.
    pub fallback: Option<Fallback>,
    /// Whether it can't be left out: by the author of its group; of the settings themselves, by all layers together.
    pub is_needed: bool,
    /// The catalogue that its ids are of.
    pub catalogue: Option<CatalogueKind>,
    /// What it is, in a sentence for users, if a persona may let them choose it. Only settings outside of groups can be chosen.
    pub choice: Option<&'static str>,
}

/// What a setting may be.
#[derive(Debug)]
pub enum Form {
    /// A UUID that Anam's lists show, or one of these names.
    Id(&'static [&'static str]),
    /// UUIDs that Anam's lists show; with the description of one.
    Ids(&'static str),
    /// An ISO 639-1 code.
    Language,
    /// `true` or `false`.
    Flag,
    /// A whole number in a range.
    Whole(RangeInclusive<u32>),
    /// One of these whole numbers; which of them is for `agreements.rs` to say.
    WholeOf(&'static [u32]),
    Number(RangeInclusive<f64>),
    /// A text of at most this many characters.
    Text(Option<usize>),
    /// One of the names of an enum; see [`crate::domain::names::names_of`].
    OneOf(fn() -> &'static [&'static str]),
    /// Inline tools, which [`crate::domain::tool`] reads.
    Tools,
    /// An object.
    Group {
        members: &'static [Setting],
        /// Whether layers are merged member by member; if not, the object of the upper layer wins as a whole.
        by_member: bool,
    },
}

/// A value that a table can hold.
#[derive(Debug, Clone, Copy)]
pub enum Fallback {
    Text(&'static str),
    /// A whole number.
    Whole(u32),
    /// `true` or `false`.
    Flag(bool),
}

impl Fallback {
    /// As it is in documents.
    pub fn to_value(self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Whole(number) => json!(number),
            Self::Flag(flag) => json!(flag),
        }
    }
}

impl Setting {
    pub(super) const fn new(name: &'static str, about: &'static str, form: Form) -> Self {
        Self {
            name,
            about: about.trim_ascii_start(),
            form,
            fallback: None,
            is_needed: false,
            catalogue: None,
            choice: None,
        }
    }

    pub(super) const fn fallback(self, value: Fallback) -> Self {
        Self {
            fallback: Some(value),
            ..self
        }
    }

    pub(super) const fn needed(self) -> Self {
        Self {
            is_needed: true,
            ..self
        }
    }

    pub(super) const fn ids_of(self, catalogue: CatalogueKind) -> Self {
        Self {
            catalogue: Some(catalogue),
            ..self
        }
    }

    pub(super) const fn users_choose(self, about: &'static str) -> Self {
        Self {
            choice: Some(about),
            ..self
        }
    }
}

/// Access to settings by their names.
pub(in crate::domain) trait ByName {
    /// Whether the setting has a value.
    fn has(&self, name: &str) -> bool;

    /// Sets it. `false`, and nothing is changed, where there is no such setting or the value is of another type.
    fn set(&mut self, name: &str, value: Value) -> bool;
}

pub(super) fn put<T: DeserializeOwned>(place: &mut Option<T>, value: Value) -> bool {
    match serde_json::from_value(value) {
        Ok(read) => {
            *place = Some(read);
            true
        }
        Err(_of_another_type) => false,
    }
}

/// Describes each setting of a group once: `field: type = "nameAtAnam", form, what else is known`. The comment in front is its
/// documentation for authors too. Makes the struct, in which every setting may be left out, and its `TABLE`.
macro_rules! settings {
    (
        $(#[$outer:meta])*
        pub struct $group:ident {$(
            $(#[doc = $about:literal])+
            $field:ident: $type:ty = $name:literal, $form:expr $(, $knows:ident($($argument:expr),*))*;
        )+}
    ) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $group {$(
            $(#[doc = $about])+
            #[serde(rename = $name, skip_serializing_if = "Option::is_none")]
            pub $field: Option<$type>,
        )+}

        impl $group {
            /// The settings of this group, in the order in which people write them.
            pub const TABLE: &'static [Setting] =
                &[$(Setting::new($name, concat!($($about),+), $form)$(.$knows($($argument),*))*),+];
        }

        impl ByName for $group {
            fn has(&self, name: &str) -> bool {
                match name {
                    $($name => self.$field.is_some(),)+
                    _ => false,
                }
            }

            fn set(&mut self, name: &str, value: Value) -> bool {
                match name {
                    $($name => put(&mut self.$field, value),)+
                    _ => false,
                }
            }
        }
    };
}

pub(super) use settings;

//! The filters and tests that templates have. A text made by a filter stays as trusted as the least trusted text it was made of.

use std::{borrow::Cow, rc::Rc};

use super::{fault::RenderFault, input::Trust, value::Val};

/// No filter makes a text longer than this, in bytes.
const MAX_TEXT_BYTES: usize = 256 * 1024;
/// No list has more entries than this when it is taken apart.
pub(super) const MAX_ITEMS: usize = 100;

macro_rules! named {
    ($(#[$doc:meta])* $kind:ident { $($variant:ident = $name:literal $(| $alias:literal)*),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum $kind { $($variant),+ }

        impl $kind {
            pub(super) fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name $(| $alias)* => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// All names, for messages.
            pub(super) fn names() -> String {
                [$($name),+].join(", ")
            }
        }
    };
}

named! {
    /// `value|filter`
    Filter {
        Abs = "abs",
        Capitalize = "capitalize",
        Default = "default" | "d",
        First = "first",
        Int = "int",
        Items = "items",
        Join = "join",
        Last = "last",
        Length = "length" | "count",
        Lower = "lower",
        Replace = "replace",
        Round = "round",
        Title = "title",
        Trim = "trim",
        Truncate = "truncate",
        Upper = "upper",
    }
}

named! {
    /// `value is test`
    Test {
        Boolean = "boolean",
        Defined = "defined",
        Eq = "eq" | "equalto" | "sameas",
        False = "false",
        In = "in",
        Mapping = "mapping",
        Ne = "ne",
        None = "none",
        Number = "number",
        Sequence = "sequence",
        String = "string",
        True = "true",
        Undefined = "undefined",
    }
}

impl Filter {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Abs => "abs",
            Self::Capitalize => "capitalize",
            Self::Default => "default",
            Self::First => "first",
            Self::Int => "int",
            Self::Items => "items",
            Self::Join => "join",
            Self::Last => "last",
            Self::Length => "length",
            Self::Lower => "lower",
            Self::Replace => "replace",
            Self::Round => "round",
            Self::Title => "title",
            Self::Trim => "trim",
            Self::Truncate => "truncate",
            Self::Upper => "upper",
        }
    }

    pub(super) const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Default => &["value", "boolean"],
            Self::Join => &["separator"],
            Self::Replace => &["old", "new"],
            Self::Round => &["precision"],
            Self::Truncate => &["length", "killwords", "end"],
            _ => &[],
        }
    }

    /// Steps that the filter takes on a value.
    pub(super) fn work(self, value: &Val<'_>) -> usize {
        match self {
            Self::Default | Self::First | Self::Last | Self::Length | Self::Items
                if value.is_list_or_map() =>
            {
                MAX_ITEMS.min(value.surface())
            }
            Self::Default => 0,
            _ => value.weight(),
        }
    }

    /// A value of a type that the filter is not for gives an absent value.
    pub(super) fn apply<'a>(
        self,
        value: Val<'a>,
        args: &[Option<Val<'a>>],
    ) -> Result<Val<'a>, RenderFault> {
        let arg = |at: usize| args.get(at).and_then(Option::as_ref);
        Ok(match self {
            Self::Default => {
                let boolean = arg(1).is_some_and(Val::is_true);
                let missing =
                    matches!(value, Val::Absent | Val::Null) || (boolean && !value.is_true());
                if missing {
                    arg(0).cloned().unwrap_or(Val::Absent)
                } else {
                    value
                }
            }
            Self::Length => value
                .len()
                .and_then(|len| i64::try_from(len).ok())
                .map_or(Val::Absent, Val::Int),
            Self::First => value.at(0),
            Self::Last => value
                .len()
                .and_then(|len| len.checked_sub(1))
                .map_or(Val::Absent, |at| value.at(at)),
            Self::Items => value.pairs(MAX_ITEMS),
            Self::Join => join(&value, arg(0))?,
            Self::Abs => match value {
                Val::Int(number) => Val::Int(number.saturating_abs()),
                Val::Float(number) => Val::Float(number.abs()),
                _ => Val::Absent,
            },
            Self::Int => match value {
                Val::Int(_) => value,
                Val::Float(number) => whole(number.trunc()),
                Val::Text(text, _) => text.trim().parse().map_or(Val::Absent, Val::Int),
                _ => Val::Absent,
            },
            Self::Round => round(&value, arg(0)),
            Self::Upper => text_map(value, str::to_uppercase),
            Self::Lower => text_map(value, str::to_lowercase),
            Self::Trim => text_map(value, |text| text.trim().to_owned()),
            Self::Capitalize => text_map(value, capitalize),
            Self::Title => text_map(value, title),
            Self::Truncate => {
                let length = match arg(0) {
                    Some(Val::Int(length)) => usize::try_from(*length).unwrap_or(0),
                    _ => 255,
                };
                let whole_words = !arg(1).is_some_and(Val::is_true);
                let end = arg(2).map_or(Cow::Borrowed("…"), Val::to_text);
                let trust = arg(2).map_or(Trust::Tenant, Val::trust);
                raise(
                    text_map(value, |text| truncate(text, length, whole_words, &end)),
                    trust,
                )
            }
            Self::Replace => replace(value, arg(0), arg(1))?,
        })
    }
}

impl Test {
    pub(super) const fn takes_argument(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::In)
    }

    pub(super) fn holds(self, value: &Val<'_>, argument: &Val<'_>) -> bool {
        match self {
            Self::Defined => !matches!(value, Val::Absent),
            Self::Undefined => matches!(value, Val::Absent),
            Self::None => matches!(value, Val::Null),
            Self::String => matches!(value, Val::Text(..)),
            Self::Number => value.number().is_some(),
            Self::Boolean => matches!(value, Val::Bool(_)),
            Self::True => matches!(value, Val::Bool(true)),
            Self::False => matches!(value, Val::Bool(false)),
            Self::Mapping => matches!(
                value,
                Val::Tree(serde_json::Value::Object(_), _) | Val::Facts(_) | Val::Map(_)
            ),
            Self::Sequence => value.is_list_or_map() && !Self::Mapping.holds(value, argument),
            Self::Eq => value.equals(argument),
            Self::Ne => !value.equals(argument),
            Self::In => argument.contains(value),
        }
    }
}

fn text_map(value: Val<'_>, change: impl FnOnce(&str) -> String) -> Val<'_> {
    match value {
        Val::Text(text, trust) => Val::Text(Cow::Owned(change(&text)), trust),
        Val::Absent | Val::Null => Val::Absent,
        other => {
            let trust = other.trust();
            Val::Text(Cow::Owned(change(&other.to_text())), trust)
        }
    }
}

/// The same text, at most as trusted as `trust`.
fn raise(value: Val<'_>, trust: Trust) -> Val<'_> {
    match value {
        Val::Text(text, own) => Val::Text(text, own.max(trust)),
        other => other,
    }
}

fn join<'a>(value: &Val<'a>, separator: Option<&Val<'a>>) -> Result<Val<'a>, RenderFault> {
    if matches!(value, Val::Text(..)) {
        return Ok(value.clone());
    }
    let glue = separator.map_or(Cow::Borrowed(""), Val::to_text);
    let items = value.iterate(MAX_ITEMS);
    if items.len().saturating_mul(glue.len()) > MAX_TEXT_BYTES {
        return Err(RenderFault::TooMuchWork);
    }
    let capped = Val::List(Rc::new(items));
    let trust = capped
        .trust()
        .max(separator.map_or(Trust::Tenant, Val::trust));
    let joined = capped.joined(&glue);
    Ok(joined.map_or(Val::Absent, |text| Val::Text(Cow::Owned(text), trust)))
}

fn replace<'a>(
    value: Val<'a>,
    old: Option<&Val<'a>>,
    new: Option<&Val<'a>>,
) -> Result<Val<'a>, RenderFault> {
    let (Val::Text(text, trust), Some(old)) = (&value, old) else {
        return Ok(value);
    };
    let part = old.to_text();
    if part.is_empty() {
        return Ok(value);
    }
    let by = new.map_or(Cow::Borrowed(""), Val::to_text);
    let grown = text
        .matches(part.as_ref())
        .count()
        .saturating_mul(by.len())
        .saturating_add(text.len());
    if grown > MAX_TEXT_BYTES {
        return Err(RenderFault::TooMuchWork);
    }
    let trust = (*trust).max(new.map_or(Trust::Tenant, Val::trust));
    Ok(Val::Text(
        Cow::Owned(text.replace(part.as_ref(), &by)),
        trust,
    ))
}

fn round<'a>(value: &Val<'a>, precision: Option<&Val<'a>>) -> Val<'a> {
    let digits = match precision {
        Some(Val::Int(digits)) => i32::try_from((*digits).clamp(0, 12)).unwrap_or(0),
        _ => 0,
    };
    match value {
        Val::Int(_) => value.clone(),
        Val::Float(number) if digits == 0 => whole(number.round()),
        Val::Float(number) => {
            let scale = 10_f64.powi(digits);
            let rounded = (number * scale).round() / scale;
            Val::Float(if rounded.is_finite() {
                rounded
            } else {
                *number
            })
        }
        _ => Val::Absent,
    }
}

/// An integer where it fits one exactly.
fn whole<'a>(number: f64) -> Val<'a> {
    if number.abs() < 1e15 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole and far below the range of i64"
        )]
        Val::Int(number as i64)
    } else {
        Val::Float(number)
    }
}

fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first
            .to_uppercase()
            .chain(chars.as_str().to_lowercase().chars())
            .collect()
    })
}

fn title(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            result.extend(c.to_lowercase());
        } else {
            result.extend(c.to_uppercase());
        }
        // An apostrophe does not start a word: O'brien's.
        inside = c.is_alphanumeric() || matches!(c, '\'' | '\u{2019}');
    }
    result
}

/// At most `length` characters, counting `end`.
fn truncate(text: &str, length: usize, whole_words: bool, end: &str) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let keep = length.saturating_sub(end.chars().count());
    let cut: String = text.chars().take(keep).collect();
    let cut = match cut.rfind(char::is_whitespace) {
        Some(at) if whole_words && !text.chars().nth(keep).is_some_and(char::is_whitespace) => {
            cut.get(..at).unwrap_or(&cut)
        }
        _ => &cut,
    };
    format!("{}{end}", cut.trim_end())
}

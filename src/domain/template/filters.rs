//! The filters and tests that templates have. A text made by a filter stays as trusted as the least trusted text it was made of.

use super::{
    budget::Budget,
    fault::RenderFault,
    input::Trust,
    value::{Text, Val},
};
use crate::domain::{decimal::Decimal, text::is_part};

/// Most places that a number is rounded to.
const MAX_PLACES: usize = 38;
/// No filter takes more arguments.
pub(super) const MAX_PARAMETERS: usize = 3;

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

    /// A value of a type that the filter is not for gives an absent value.
    pub(super) fn apply<'a>(
        self,
        value: Val<'a>,
        args: &[Option<Val<'a>>],
        budget: &mut Budget,
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
            Self::Length => value.len(budget)?.map_or(Val::Absent, Val::of_count),
            Self::First => value.at(0, budget)?,
            Self::Last => match value.len(budget)?.and_then(|len| len.checked_sub(1)) {
                Some(at) => value.at(at, budget)?,
                None => Val::Absent,
            },
            Self::Items => value.pairs(budget)?,
            Self::Join => join(&value, arg(0), budget)?,
            Self::Abs => match value {
                Val::Number(number) => Val::Number(number.magnitude()),
                _ => Val::Absent,
            },
            Self::Int => match value {
                Val::Number(number) => Val::Number(number.truncated()),
                Val::Text(text, _) => {
                    budget.scan(text.len())?;
                    integer(text.trim()).map_or(Val::Absent, Val::Number)
                }
                _ => Val::Absent,
            },
            Self::Round => round(&value, arg(0)),
            Self::Upper => changed(&value, str::to_uppercase, budget)?,
            Self::Lower => changed(&value, str::to_lowercase, budget)?,
            Self::Capitalize => changed(&value, capitalize, budget)?,
            Self::Title => {
                // Most characters of it are judged thrice.
                of_text(&value, budget, |text, budget| {
                    budget.change(text.len().saturating_mul(3))?;
                    Ok(Text::from_owned(title(text)))
                })?
            }
            Self::Trim => of_text(&value, budget, trim)?,
            Self::Truncate => {
                let length = match arg(0) {
                    Some(Val::Number(length)) => count(*length),
                    _ => 255,
                };
                let whole_words = !arg(1).is_some_and(Val::is_true);
                let end = match arg(2) {
                    Some(end) => end.to_text(budget)?,
                    None => Text::Borrowed("…"),
                };
                let trust = arg(2).map_or(Trust::Tenant, Val::trust);
                let cut = of_text(&value, budget, |text, budget| {
                    truncate(text, length, whole_words, &end, budget)
                })?;
                raise(cut, trust)
            }
            Self::Replace => replace(value, arg(0), arg(1), budget)?,
        })
    }
}

impl Test {
    pub(super) const fn takes_argument(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::In)
    }

    pub(super) fn holds(
        self,
        value: &Val<'_>,
        argument: &Val<'_>,
        budget: &mut Budget,
    ) -> Result<bool, RenderFault> {
        Ok(match self {
            Self::Defined => !matches!(value, Val::Absent),
            Self::Undefined => matches!(value, Val::Absent),
            Self::None => matches!(value, Val::Null),
            Self::String => matches!(value, Val::Text(..)),
            Self::Number => matches!(value, Val::Number(_)),
            Self::Boolean => matches!(value, Val::Bool(_)),
            Self::True => matches!(value, Val::Bool(true)),
            Self::False => matches!(value, Val::Bool(false)),
            Self::Mapping => value.is_map(),
            Self::Sequence => value.items().is_some(),
            Self::Eq => value.equals(argument, budget)?,
            Self::Ne => !value.equals(argument, budget)?,
            Self::In => argument.contains(value, budget)?,
        })
    }
}

/// A text made of the text that a value reads as.
fn of_text<'a>(
    value: &Val<'a>,
    budget: &mut Budget,
    make: impl FnOnce(&Text<'a>, &mut Budget) -> Result<Text<'a>, RenderFault>,
) -> Result<Val<'a>, RenderFault> {
    if matches!(value, Val::Absent | Val::Null) {
        return Ok(Val::Absent);
    }
    let text = value.to_text(budget)?;
    Ok(Val::Text(make(&text, budget)?, value.trust()))
}

/// A text of other characters.
fn changed<'a>(
    value: &Val<'a>,
    change: impl FnOnce(&str) -> String,
    budget: &mut Budget,
) -> Result<Val<'a>, RenderFault> {
    of_text(value, budget, |text, budget| {
        budget.change(text.len())?;
        Ok(Text::from_owned(change(text)))
    })
}

fn trim<'a>(text: &Text<'a>, budget: &mut Budget) -> Result<Text<'a>, RenderFault> {
    budget.scan(text.len())?;
    let start = text.len().saturating_sub(text.trim_start().len());
    let end = start.saturating_add(text.trim().len());
    text.part(start, end, budget)
}

/// The same text, at most as trusted as `trust`.
fn raise(value: Val<'_>, trust: Trust) -> Val<'_> {
    match value {
        Val::Text(text, own) => Val::Text(text, own.max(trust)),
        other => other,
    }
}

fn join<'a>(
    value: &Val<'a>,
    separator: Option<&Val<'a>>,
    budget: &mut Budget,
) -> Result<Val<'a>, RenderFault> {
    if matches!(value, Val::Text(..)) {
        return Ok(value.clone());
    }
    let glue = match separator {
        Some(separator) => separator.to_text(budget)?,
        None => Text::Borrowed(""),
    };
    let mut items = value.iterate(budget)?;
    items.retain(|item| !value.leaves_out(item));
    let capped = Val::list(items);
    let trust = capped
        .trust()
        .max(separator.map_or(Trust::Tenant, Val::trust));
    let joined = capped.joined(&glue, budget)?;
    Ok(joined.map_or(Val::Absent, |text| Val::Text(text, trust)))
}

fn replace<'a>(
    value: Val<'a>,
    old: Option<&Val<'a>>,
    new: Option<&Val<'a>>,
    budget: &mut Budget,
) -> Result<Val<'a>, RenderFault> {
    let (Val::Text(text, trust), Some(old)) = (&value, old) else {
        return Ok(value);
    };
    let part = old.to_text(budget)?;
    if part.is_empty() {
        return Ok(value);
    }
    let by = match new {
        Some(new) => new.to_text(budget)?,
        None => Text::Borrowed(""),
    };
    let trust = (*trust).max(new.map_or(Trust::Tenant, Val::trust));
    let places = text.places(&part, budget)?;
    if places == 0 {
        return Ok(Val::Text(text.clone(), trust));
    }
    budget.search(text, &part)?;
    budget.pay_for_matches(places)?;
    let bytes = text
        .len()
        .saturating_sub(places.saturating_mul(part.len()))
        .saturating_add(places.saturating_mul(by.len()));
    budget.build(bytes)?;
    let mut replaced = String::with_capacity(bytes);
    for (at, rest) in text.split(&*part).enumerate() {
        if at > 0 {
            replaced.push_str(&by);
        }
        replaced.push_str(rest);
    }
    Ok(Val::Text(Text::from_owned(replaced), trust))
}

fn round<'a>(value: &Val<'a>, precision: Option<&Val<'a>>) -> Val<'a> {
    let places = match precision {
        Some(Val::Number(places)) => count(*places).min(MAX_PLACES),
        _ => 0,
    };
    match value {
        Val::Number(number) => {
            Val::Number(number.rounded(u8::try_from(places).unwrap_or_default()))
        }
        _ => Val::Absent,
    }
}

/// A number of characters or places; zero where it is less.
fn count(number: Decimal) -> usize {
    if number > u32::MAX.into() {
        return usize::MAX;
    }
    number
        .as_i64()
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(0)
}

/// The integer that a text is, also with noughts or a plus in front.
fn integer(text: &str) -> Option<Decimal> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let digits = match digits.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    Decimal::parse(&format!("{sign}{digits}"))
        .ok()
        .filter(|_| all_digits)
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
        match (inside, c.is_ascii()) {
            (true, true) => result.push(c.to_ascii_lowercase()),
            (false, true) => result.push(c.to_ascii_uppercase()),
            (true, false) => result.extend(c.to_lowercase()),
            (false, false) => result.extend(c.to_uppercase()),
        }
        // An apostrophe does not start a word: O'brien's. Nor does what comes after an accent.
        inside = c.is_alphanumeric() || matches!(c, '\'' | '\u{2019}') || (inside && is_part(c));
    }
    result
}

/// At most `length` characters, counting `end`.
fn truncate<'a>(
    text: &Text<'a>,
    length: usize,
    whole_words: bool,
    end: &Text<'a>,
    budget: &mut Budget,
) -> Result<Text<'a>, RenderFault> {
    if text.offset(length, budget)? == text.len() {
        return Ok(text.clone());
    }
    let keep = length.saturating_sub(end.count(budget)?);
    let end_of_cut = text.offset(keep, budget)?;
    budget.change(end_of_cut)?;
    let (cut, rest) = text.split_at(end_of_cut);
    let cut = match cut.rfind(char::is_whitespace) {
        Some(at) if whole_words && !rest.starts_with(char::is_whitespace) => {
            cut.get(..at).unwrap_or(cut)
        }
        _ => cut,
    };
    let cut = cut.trim_end();
    budget.build(cut.len().saturating_add(end.len()))?;
    Ok(Text::from_owned([cut, end].concat()))
}

//! Numbers as they were written: exact decimals, compared by their value. Floats round ids of nineteen digits to their neighbours.

mod arithmetic;

pub use self::arithmetic::Factors;

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value};

/// Most digits of a number, not counting the noughts at either end. Fewer than an `i128` has, so that all arithmetic on them is exact.
pub const MAX_DIGITS: u32 = 38;
/// Furthest place behind the point. JSON's writers of doubles need 324 and the digits of one.
const MAX_PLACES: i32 = 345;
/// The power of ten of the first digit of the largest double.
const MAX_POWER: i32 = 308;
/// Numbers of more characters are printed with an exponent.
const MAX_PLAIN: usize = 40;

/// A decimal number: `digits` times ten to the power of `exponent`, in the one form where the digits don't end with zero.
///
/// `1`, `1.0` and `1e0` are the same. It has [`MAX_DIGITS`] at most and lies within the range of doubles, so that its digits are never many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    digits: i128,
    exponent: i32,
}

/// Why a text is no [`Decimal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDecimal {
    /// Not written as JSON writes numbers.
    #[error("is not written as a number, such as -12, 0.5 or 1e3")]
    Form,
    /// More digits than are kept.
    #[error("has more than {MAX_DIGITS} digits and would be rounded: put it in quotes, as a text")]
    Digits,
    /// Too large, or too many places behind the point.
    #[error(
        "is beyond the numbers that are kept, up to 1.7e308 and 345 places: put it in quotes, as a text"
    )]
    Range,
}

impl Decimal {
    pub const ZERO: Self = Self {
        digits: 0,
        exponent: 0,
    };

    /// Reads a number as JSON writes it.
    pub fn parse(text: &str) -> Result<Self, NotDecimal> {
        if let Some(small) = small(text) {
            return Ok(small);
        }
        let (is_negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, power) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power_of_ten(power)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return Err(NotDecimal::Form),
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let only_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_led_by_nought = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || is_led_by_nought || !only_digits(whole) || !only_digits(fraction) {
            return Err(NotDecimal::Form);
        }
        let kept = fraction.trim_end_matches('0');
        let (whole, noughts) = if kept.is_empty() {
            let kept = whole.trim_end_matches('0');
            (kept, whole.len().saturating_sub(kept.len()))
        } else {
            (whole, 0)
        };
        let (front, back) = match whole.trim_start_matches('0') {
            "" => ("", kept.trim_start_matches('0')),
            front => (front, kept),
        };
        if front.len().saturating_add(back.len()) > MAX_DIGITS as usize {
            return Err(NotDecimal::Digits);
        }
        let mut digits = 0_i128;
        for digit in front.bytes().chain(back.bytes()) {
            digits = digits
                .saturating_mul(10)
                .saturating_add(i128::from(digit.saturating_sub(b'0')));
        }
        if digits == 0 {
            return Ok(Self::ZERO);
        }
        let places = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        let exponent = power
            .saturating_add(places(noughts))
            .saturating_sub(places(kept.len()));
        let digits = if is_negative { -digits } else { digits };
        i32::try_from(exponent)
            .ok()
            .and_then(|exponent| Self::new(digits, exponent))
            .ok_or(NotDecimal::Range)
    }

    /// The value of a JSON number; `None` where it is none that this type keeps, and so did not come through [`super::json`].
    pub fn from_number(number: &Number) -> Option<Self> {
        Self::parse(number.as_str()).ok()
    }

    /// The value of a JSON value that is a number.
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Self::from_number(number),
            _ => None,
        }
    }

    /// The shortest decimal that is this float; `None` where it is not finite.
    pub fn from_f64(float: f64) -> Option<Self> {
        float
            .is_finite()
            .then(|| Self::parse(&format!("{float:e}")).ok())?
    }

    /// The nearest float.
    pub fn to_f64(self) -> f64 {
        format!("{}e{}", self.digits, self.exponent)
            .parse()
            .unwrap_or(f64::NAN)
    }

    /// The integer that it is, if it is one.
    pub fn as_i64(self) -> Option<i64> {
        let tens = u32::try_from(self.exponent).ok()?;
        let whole = self.digits.checked_mul(10_i128.checked_pow(tens)?)?;
        i64::try_from(whole).ok()
    }

    /// Whether nothing is behind its point.
    pub const fn is_whole(self) -> bool {
        self.exponent >= 0
    }

    pub const fn is_zero(self) -> bool {
        self.digits == 0
    }

    /// The number in JSON, always in the same digits and without an exponent, as Postgres writes it too.
    pub fn to_number(self) -> Number {
        match self.as_i64() {
            Some(integer) => integer.into(),
            None => self.plain().parse().unwrap_or_else(|_| 0.into()),
        }
    }

    /// `None` beyond the precision that is kept.
    fn new(mut digits: i128, mut exponent: i32) -> Option<Self> {
        if digits == 0 {
            return Some(Self::ZERO);
        }
        while digits.checked_rem(10) == Some(0) {
            digits = digits.checked_div(10)?;
            exponent = exponent.checked_add(1)?;
        }
        let count = digits.unsigned_abs().ilog10().checked_add(1)?;
        let number = Self { digits, exponent };
        let is_kept = count <= MAX_DIGITS
            && exponent >= -MAX_PLACES
            && match number.power().cmp(&MAX_POWER) {
                Ordering::Less => true,
                Ordering::Equal => number.to_f64().is_finite(),
                Ordering::Greater => false,
            };
        is_kept.then_some(number)
    }

    /// The power of ten of the first digit.
    fn power(self) -> i32 {
        let behind_first = self.digits.unsigned_abs().checked_ilog10().unwrap_or(0);
        let behind_first = i32::try_from(behind_first).unwrap_or(i32::MAX);
        self.exponent.saturating_add(behind_first)
    }

    fn plain(self) -> String {
        let sign = if self.digits < 0 { "-" } else { "" };
        let digits = self.digits.unsigned_abs().to_string();
        if let Ok(noughts) = usize::try_from(self.exponent) {
            return format!("{sign}{digits}{}", "0".repeat(noughts));
        }
        let places = self.exponent.unsigned_abs() as usize;
        let padded = format!("{digits:0>width$}", width = places.saturating_add(1));
        let (whole, fraction) = padded.split_at(padded.len().saturating_sub(places));
        format!("{sign}{whole}.{fraction}")
    }
}

/// The usual number: a short integer without noughts in front.
fn small(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_small = digits.len() <= 18
        && (digits.len() == 1 || !digits.starts_with('0'))
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_small.then(|| text.parse::<i64>().ok().map(Decimal::from))?
}

fn power_of_ten(text: &str) -> Result<i64, NotDecimal> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotDecimal::Form);
    }
    // Only zero has so large an exponent and is kept.
    let far = if text.starts_with('-') { -1 } else { 1 } * i64::from(u32::MAX);
    Ok(text.parse().unwrap_or(far).clamp(-far.abs(), far.abs()))
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let signs = self.digits.signum().cmp(&other.digits.signum());
        if signs.is_ne() || self.is_zero() {
            return signs;
        }
        let by_power = self.power().cmp(&other.power());
        let by_power = if self.digits < 0 {
            by_power.reverse()
        } else {
            by_power
        };
        // Of the same power they differ by less noughts than they have digits.
        by_power.then_with(|| match self.aligned(*other) {
            Some((left, right, _)) => left.cmp(&right),
            None => Ordering::Equal,
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<i64> for Decimal {
    fn from(integer: i64) -> Self {
        let (mut digits, mut exponent) = (integer, 0_i32);
        while digits != 0 && digits.checked_rem(10) == Some(0) {
            digits = digits.checked_div(10).unwrap_or_default();
            exponent = exponent.saturating_add(1);
        }
        Self {
            digits: digits.into(),
            exponent,
        }
    }
}

impl From<u32> for Decimal {
    fn from(integer: u32) -> Self {
        i64::from(integer).into()
    }
}

impl From<Decimal> for Value {
    fn from(number: Decimal) -> Self {
        Self::Number(number.to_number())
    }
}

/// As people read it: `3`, `0.25`, and with an exponent where it would be long.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits.unsigned_abs().to_string();
        let places = self.exponent.unsigned_abs() as usize;
        if digits.len().saturating_add(places) <= MAX_PLAIN {
            return f.write_str(&self.plain());
        }
        let sign = if self.digits < 0 { "-" } else { "" };
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        write!(f, "{sign}{first}{point}{rest}e{}", self.power())
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_number().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?;
        Self::parse(number.as_str())
            .map_err(|fault| serde::de::Error::custom(format_args!("the number {fault}")))
    }
}

/// Whether two values are the same, numbers by their value: what the database or a program wrote may spell them otherwise.
pub fn are_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other
                || Decimal::from_number(one)
                    .is_some_and(|one| Decimal::from_number(other) == Some(one))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| are_equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| {
                    other.get(name).is_some_and(|other| are_equal(value, other))
                })
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests;

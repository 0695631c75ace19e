//! Exact comparisons of JSON numbers.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Number;

/// Which of two numbers is larger.
pub(super) fn compare(left: &Number, right: &Number) -> Ordering {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(left), None) => with_float(left, right),
        (None, Some(right)) => with_float(right, left).reverse(),
        (None, None) => {
            let floats = left.as_f64().zip(right.as_f64());
            let order = floats.and_then(|(left, right)| left.partial_cmp(&right));
            order.unwrap_or(Ordering::Equal)
        }
    }
}

fn integer(number: &Number) -> Option<i128> {
    number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from))
}

fn with_float(integer: i128, number: &Number) -> Ordering {
    let float = number.as_f64().unwrap_or_default();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float beyond i128 becomes its end, which lies beyond any integer of JSON all the same"
    )]
    let whole = float.trunc() as i128;
    integer.cmp(&whole).then_with(|| {
        let rest = 0.0_f64.partial_cmp(&float.fract());
        rest.unwrap_or(Ordering::Equal)
    })
}

/// What a number is to be a multiple of: the decimal that somebody wrote.
#[derive(Debug)]
pub(super) struct Divisor {
    written: Number,
    decimal: Decimal,
}

/// Most places before or after the point that a divisor has; ten to the power of it, squared, is still an `i128`.
const MAX_PLACES: i32 = 18;

impl Divisor {
    /// `None` for what nothing is divided by: nought, less, and numbers with more places than are counted.
    pub(super) fn of(number: Number) -> Option<Self> {
        let decimal = Decimal::of(&number)?;
        let counted = decimal.exponent.abs() <= MAX_PLACES;
        (counted && decimal.digits > 0).then_some(Self {
            written: number,
            decimal,
        })
    }

    /// Whether `number` is a whole multiple. One of 36 digits and more, which floats don't tell apart, is none.
    pub(super) fn divides(&self, number: &Number) -> bool {
        let Some(number) = Decimal::of(number) else {
            return false;
        };
        let tens = number.exponent.saturating_sub(self.decimal.exponent);
        if number.digits == 0 {
            true
        } else if tens < 0 {
            let scaled =
                power(tens.saturating_neg()).and_then(|tens| self.decimal.digits.checked_mul(tens));
            scaled.is_some_and(|step| number.digits.checked_rem(step) == Some(0))
        } else {
            let half = tens.min(MAX_PLACES);
            let shifted = self.shifted(number.digits, half);
            let shifted = shifted.and_then(|rest| self.shifted(rest, tens.saturating_sub(half)));
            shifted == Some(0)
        }
    }

    /// What is left of `digits` with so many noughts after a division.
    fn shifted(&self, digits: i128, tens: i32) -> Option<i128> {
        let rest = digits.checked_rem(self.decimal.digits)?;
        let shifted = rest.checked_mul(power(tens)?)?;
        shifted.checked_rem(self.decimal.digits)
    }
}

impl fmt::Display for Divisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.written.fmt(f)
    }
}

fn power(tens: i32) -> Option<i128> {
    let counted = u32::try_from(tens).ok().filter(|_| tens <= MAX_PLACES)?;
    10_i128.checked_pow(counted)
}

/// `digits` times ten to the power of `exponent`.
#[derive(Debug)]
struct Decimal {
    digits: i128,
    exponent: i32,
}

impl Decimal {
    /// The shortest decimal that is this number.
    fn of(number: &Number) -> Option<Self> {
        if let Some(digits) = integer(number) {
            return Some(Self {
                digits,
                exponent: 0,
            });
        }
        let text = number.to_string();
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()?),
            None => (text.as_str(), 0_i32),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let fraction = fraction.trim_end_matches('0');
        let places = i32::try_from(fraction.len()).ok()?;
        Some(Self {
            digits: format!("{whole}{fraction}").parse().ok()?,
            exponent: exponent.checked_sub(places)?,
        })
    }
}

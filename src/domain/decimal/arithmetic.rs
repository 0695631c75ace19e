//! Sums of exact decimals; nothing comes of what can't be kept.

use super::Decimal;

/// What divides a number: its powers of two and five, which tens bring along, and the rest. So "is a multiple of" is exact however
/// far apart two numbers are.
#[derive(Debug, Clone, Copy)]
pub struct Factors {
    twos: i32,
    fives: i32,
    rest: u128,
}

impl Factors {
    /// Of a number that is not zero.
    pub fn new(number: Decimal) -> Option<Self> {
        let rest = number.digits.unsigned_abs();
        (rest != 0).then_some(())?;
        let zeros = rest.trailing_zeros();
        let (rest, fives) = without_fives(rest.checked_shr(zeros)?);
        Some(Self {
            twos: number.exponent.checked_add_unsigned(zeros)?,
            fives: number.exponent.checked_add_unsigned(fives)?,
            rest,
        })
    }

    /// Whether `number` is a whole multiple of the number that these are factors of.
    pub fn divide(&self, number: Decimal) -> bool {
        Self::new(number).is_none_or(|of| {
            of.twos >= self.twos
                && of.fives >= self.fives
                && of.rest.checked_rem(self.rest) == Some(0)
        })
    }
}

/// A number that is not zero without its powers of five, and how many they were.
fn without_fives(mut rest: u128) -> (u128, u32) {
    let mut fives = 0_u32;
    for power in [32, 16, 8, 4, 2, 1] {
        let divisor = 5_u128.saturating_pow(power);
        if rest.checked_rem(divisor) == Some(0) {
            rest = rest.checked_div(divisor).unwrap_or(1);
            fives = fives.saturating_add(power);
        }
    }
    (rest, fives)
}

impl Decimal {
    /// Both as integers of the same power of ten, and that power; `None` where one would be too long.
    pub(super) fn aligned(self, other: Self) -> Option<(i128, i128, i32)> {
        let exponent = match (self.is_zero(), other.is_zero()) {
            (true, _) => other.exponent,
            (_, true) => self.exponent,
            _ => self.exponent.min(other.exponent),
        };
        let scaled = |number: Self| {
            if number.is_zero() {
                return Some(0);
            }
            let tens = u32::try_from(number.exponent.checked_sub(exponent)?).ok()?;
            number.digits.checked_mul(10_i128.checked_pow(tens)?)
        };
        Some((scaled(self)?, scaled(other)?, exponent))
    }

    /// The sum.
    pub fn plus(self, other: Self) -> Option<Self> {
        let (one, other, exponent) = self.aligned(other)?;
        Self::new(one.checked_add(other)?, exponent)
    }

    /// The difference.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.negated())
    }

    /// The same with the other sign.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self {
            digits: self.digits.saturating_neg(),
            ..self
        }
    }

    /// Without its sign.
    #[must_use]
    pub const fn magnitude(self) -> Self {
        Self {
            digits: self.digits.saturating_abs(),
            ..self
        }
    }

    /// The quotient: exact where it has an end, else what the nearest floats give.
    pub fn over(self, other: Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        self.exactly_over(other)
            .or_else(|| Self::from_f64(self.to_f64() / other.to_f64()))
    }

    fn exactly_over(self, other: Self) -> Option<Self> {
        let rest = other.digits.unsigned_abs();
        let twos = rest.trailing_zeros();
        let (rest, fives) = without_fives(rest.checked_shr(twos)?);
        let rest = i128::try_from(rest)
            .ok()?
            .checked_mul(other.digits.signum())?;
        if self.digits.checked_rem(rest)? != 0 {
            return None;
        }
        // Over 2^a 5^b is times 2^(k-a) 5^(k-b), k places further.
        let places = twos.max(fives);
        let digits = self
            .digits
            .checked_div(rest)?
            .checked_mul(2_i128.checked_pow(places.checked_sub(twos)?)?)?
            .checked_mul(5_i128.checked_pow(places.checked_sub(fives)?)?)?;
        let exponent = self.exponent.checked_sub(other.exponent)?;
        Self::new(digits, exponent.checked_sub_unsigned(places)?)
    }

    /// Quotient and remainder as in Python: a whole quotient, and a remainder with the sign of the divisor.
    pub fn divided(self, other: Self) -> Option<(Self, Self)> {
        let (one, by, exponent) = self.aligned(other)?;
        let (quotient, rest) = (one.checked_div(by)?, one.checked_rem(by)?);
        let (quotient, rest) = if rest != 0 && (rest < 0) != (by < 0) {
            (quotient.checked_sub(1)?, rest.checked_add(by)?)
        } else {
            (quotient, rest)
        };
        Some((Self::new(quotient, 0)?, Self::new(rest, exponent)?))
    }

    /// With this many places behind the point, half away from zero.
    #[must_use]
    pub fn rounded(self, places: u8) -> Self {
        let Some(last) = self.without(places) else {
            return self;
        };
        let (digits, cut, power) = last;
        let up = cut.unsigned_abs().saturating_mul(2) >= power.unsigned_abs();
        let digits = if up {
            digits.saturating_add(self.digits.signum())
        } else {
            digits
        };
        Self::new(digits, -i32::from(places)).unwrap_or(self)
    }

    /// Without what is behind the point.
    #[must_use]
    pub fn truncated(self) -> Self {
        match self.without(0) {
            Some((digits, ..)) => Self::new(digits, 0).unwrap_or(self),
            None => self,
        }
    }

    /// The digits up to a place, those behind it, and the power of ten between them; `None` where none are behind it.
    fn without(self, places: u8) -> Option<(i128, i128, i128)> {
        let behind = self.exponent.checked_add(i32::from(places))?;
        if behind >= 0 {
            return None;
        }
        Some(match 10_i128.checked_pow(behind.unsigned_abs()) {
            Some(power) => (
                self.digits.checked_div(power)?,
                self.digits.checked_rem(power)?,
                power,
            ),
            // Beyond all digits.
            None => (0, 0, 1),
        })
    }
}

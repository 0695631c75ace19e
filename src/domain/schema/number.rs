//! What a number is to be a multiple of.

use std::fmt;

use crate::domain::decimal::{Decimal, Factors};

/// A divisor, more than zero.
#[derive(Debug)]
pub(super) struct Divisor {
    number: Decimal,
    integer: Option<i64>,
    factors: Factors,
}

impl Divisor {
    /// `None` for zero and less.
    pub(super) fn new(number: Decimal) -> Option<Self> {
        (number > Decimal::ZERO).then_some(())?;
        Some(Self {
            number,
            integer: number.as_i64(),
            factors: Factors::new(number)?,
        })
    }

    /// Whether `number` is a whole multiple.
    pub(super) fn divides(&self, number: Decimal) -> bool {
        match (number.as_i64(), self.integer) {
            (Some(number), Some(divisor)) => number.checked_rem(divisor) == Some(0),
            _ => self.factors.divide(number),
        }
    }
}

impl fmt::Display for Divisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number.fmt(f)
    }
}

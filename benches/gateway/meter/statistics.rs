//! Medians, ranges, percentiles.

use std::fmt;

use serde::Serialize;

/// A figure over rounds: the middle one, and the ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Median {
    pub(crate) middle: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Median {
    /// None of no figures.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures
            .into_iter()
            .filter(|figure| figure.is_finite())
            .collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied();
        let half = sorted.len() / 2;
        let middle = if sorted.len() % 2 == 1 {
            at(half)?
        } else {
            f64::midpoint(at(half.checked_sub(1)?)?, at(half)?)
        };
        Some(Self {
            middle,
            lowest: at(0)?,
            highest: *sorted.last()?,
        })
    }
}

/// Three significant digits, and the range where there is one: `0.66 (0.61 to 0.70)`.
impl fmt::Display for Median {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Figure(self.middle))?;
        let (lowest, highest) = (
            Figure(self.lowest).to_string(),
            Figure(self.highest).to_string(),
        );
        if lowest == highest {
            Ok(())
        } else {
            write!(f, " ({lowest} to {highest})")
        }
    }
}

/// A number with three significant digits.
pub(crate) struct Figure(pub(crate) f64);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.abs();
        if size < 1e-3 {
            write!(f, "0")
        } else if size < 9.995 {
            write!(f, "{:.2}", self.0)
        } else if size < 99.95 {
            write!(f, "{:.1}", self.0)
        } else if size < 999.5 {
            write!(f, "{:.0}", self.0)
        } else {
            let mut digits = format!("{:.0}", (self.0 / 10.0).round() * 10.0);
            let mut at = digits.len();
            while at > 3 {
                at -= 3;
                digits.insert(at, ',');
            }
            write!(f, "{digits}")
        }
    }
}

/// The smallest figure that so many of a hundred do not exceed; the figures are sorted.
pub(crate) fn percentile(sorted: &[u32], of_hundred: usize) -> Option<u32> {
    let rank = (sorted.len() * of_hundred).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

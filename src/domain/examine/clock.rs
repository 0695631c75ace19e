//! The texts that `time.date` and `time.time` can be, in their order.

use chrono::{NaiveDate, NaiveTime, TimeDelta};

/// The day of the first text, and how many days there are up to the end of 9999.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(1, 1, 1).unwrap();
const DAYS: usize = 3_652_059;
const MINUTES: usize = 24 * 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// `2026-11-24`
    Days,
    /// `09:30`
    Minutes,
}

impl Clock {
    pub(super) const fn sample(self) -> &'static str {
        match self {
            Self::Days => "2026-11-24",
            Self::Minutes => "09:30",
        }
    }

    const fn len(self) -> usize {
        match self {
            Self::Days => DAYS,
            Self::Minutes => MINUTES,
        }
    }

    fn at(self, index: usize) -> String {
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        match self {
            Self::Days => TimeDelta::try_days(index)
                .and_then(|days| FIRST_DAY.checked_add_signed(days))
                .map(|day| day.format("%Y-%m-%d").to_string())
                .unwrap_or_default(),
            Self::Minutes => {
                let (time, _days) = NaiveTime::MIN
                    .overflowing_add_signed(TimeDelta::try_minutes(index).unwrap_or_default());
                time.format("%H:%M").to_string()
            }
        }
    }

    /// How many of its texts come before this one.
    fn before(self, text: &str) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.at(middle).as_str() < text {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }

    /// Whether a text is one of them.
    pub(super) fn has(self, text: &str) -> bool {
        let index = self.before(text);
        index < self.len() && self.at(index) == text
    }

    /// All of its texts.
    pub(super) fn all(self) -> impl Iterator<Item = String> {
        (0..self.len()).map(move |index| self.at(index))
    }

    /// Of its texts the first, the last, and those next to each of these: where comparing with them changes.
    pub(super) fn around<'t>(self, named: impl Iterator<Item = &'t str>) -> Vec<String> {
        self.within(1, named)
    }

    /// The same with as many as `reach` to either side.
    pub(super) fn within<'t>(
        self,
        reach: usize,
        named: impl Iterator<Item = &'t str>,
    ) -> Vec<String> {
        let len = self.len();
        let mut indices: Vec<usize> = (0..reach).chain(len.saturating_sub(reach)..len).collect();
        for text in named {
            let next = self.before(text);
            indices.extend(next.saturating_sub(reach)..=next.saturating_add(reach));
        }
        indices.sort_unstable();
        indices.dedup();
        indices
            .into_iter()
            .filter(|index| *index < len)
            .map(|index| self.at(index))
            .collect()
    }

    /// Whether a text is the beginning of one of them: `2026-12` compares as it looks, `2026-1-5` and `9:30` don't.
    pub(super) fn begins_like(self, text: &str) -> bool {
        self.sample()
            .bytes()
            .zip(text.bytes())
            .all(|(like, own)| like == own || (like.is_ascii_digit() && own.is_ascii_digit()))
            && text.len() <= self.sample().len()
    }
}

#[cfg(test)]
mod tests {
    use super::Clock::{Days, Minutes};

    #[test]
    fn the_clock_has_all_its_texts_and_no_other() {
        assert_eq!(
            (Minutes.at(0).as_str(), Minutes.at(1_439).as_str()),
            ("00:00", "23:59")
        );
        assert_eq!(
            (Days.at(0).as_str(), Days.at(super::DAYS - 1).as_str()),
            ("0001-01-01", "9999-12-31")
        );
        for (clock, text, has) in [
            (Minutes, "09:30", true),
            (Minutes, "9:30", false),
            (Minutes, "24:00", false),
            (Days, "2028-02-29", true),
            (Days, "2026-02-29", false),
            (Days, "tomorrow", false),
        ] {
            assert_eq!(clock.has(text), has, "{text}");
        }
        assert_eq!(
            Minutes.around(["09:30", "9:30"].into_iter()),
            ["00:00", "09:29", "09:30", "09:31", "23:59"]
        );
    }
}

//! Versions as Semantic Versioning 2.0 orders them, with what people write besides: `v2`, `2.10`, `10.0.19045.3570`.

use std::cmp::Ordering;

/// A version, where it stands. Parts that are not there are 0; what follows a `+` says nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version<'a> {
    numbers: &'a str,
    /// Of a version that comes before the one of these numbers: `beta.2`.
    before: Option<&'a str>,
}

impl<'a> Version<'a> {
    /// `None` where it is none.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (version, build) = match text.split_once('+') {
            Some((version, build)) => (version, Some(build)),
            None => (text, None),
        };
        let (numbers, before) = match version.split_once('-') {
            Some((numbers, before)) => (numbers, Some(before)),
            None => (version, None),
        };
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let is_word = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let are_words =
            |words: Option<&str>| words.is_none_or(|words| words.split('.').all(is_word));
        (numbers.split('.').all(is_number) && are_words(before) && are_words(build))
            .then_some(Self { numbers, before })
    }

    /// By their numbers, then what comes before a version before the version itself.
    pub(super) fn order(self, other: Self) -> Ordering {
        let (mut own, mut others) = (self.numbers.split('.'), other.numbers.split('.'));
        loop {
            let (own, other) = (own.next(), others.next());
            if own.is_none() && other.is_none() {
                break;
            }
            let order = by_number(own.unwrap_or("0"), other.unwrap_or("0"));
            if order.is_ne() {
                return order;
            }
        }
        match (self.before, other.before) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(own), Some(other)) => own.split('.').map(Word).cmp(other.split('.').map(Word)),
        }
    }
}

/// Digits by the number that they are, however many.
fn by_number(one: &str, other: &str) -> Ordering {
    let bare = |digits: &'_ str| digits.trim_start_matches('0').to_owned();
    let (one, other) = (bare(one), bare(other));
    one.len().cmp(&other.len()).then_with(|| one.cmp(&other))
}

/// One word of `beta.2`: numbers come before other words.
#[derive(PartialEq, Eq)]
struct Word<'a>(&'a str);

impl Ord for Word<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        match (is_number(self.0), is_number(other.0)) {
            (true, true) => by_number(self.0, other.0),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self.0.cmp(other.0),
        }
    }
}

impl PartialOrd for Word<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_the_order_of_semantic_versioning() {
        let ascending = [
            "0.9",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.0.1",
            "1.2",
            "1.10.0",
            "v2",
            "10.0.19045.3570",
            "99999999999999999999.0.0",
        ];
        for (at, one) in ascending.iter().enumerate() {
            for (other_at, other) in ascending.iter().enumerate() {
                let order = Version::parse(one)
                    .unwrap()
                    .order(Version::parse(other).unwrap());
                assert_eq!(order, at.cmp(&other_at), "{one} {other}");
            }
        }
        for (one, same) in [("1", "1.0.0"), ("V1.2+build.5", "1.2.0+6"), ("1.02", "1.2")] {
            let order = Version::parse(one)
                .unwrap()
                .order(Version::parse(same).unwrap());
            assert_eq!(order, Ordering::Equal, "{one} {same}");
        }
        for none in [
            "", "v", "1.", ".1", "1..2", "1.x", "one", "1.0-", "1.0-a..b", "1.0+", "1 2", "-1",
        ] {
            assert!(Version::parse(none).is_none(), "{none}");
        }
    }
}

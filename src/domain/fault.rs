//! A fault in a document or request: where, what, and how to correct it.

use std::fmt;

use serde::Serialize;

use super::wrong::{Words, Wrong};

/// Most faults that are reported together.
const MAX_FAULTS: usize = 200;
/// Most bytes of their places, words and values, the first one's aside: who sends thousands of mistakes, or one under a name of 60 kB twenty times,
/// does not get an answer many times as long.
const MAX_BYTES: usize = 64 * 1024;

/// One thing wrong with a document, a preference or metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// RFC 6901 pointer to the place, `""` for the whole.
    pub pointer: String,
    /// What is wrong and what would be right, in one sentence without a final stop.
    pub message: String,
    /// The same for programs.
    #[serde(skip)]
    pub wrong: Box<Wrong>,
}

impl Fault {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, words: impl Into<Words>) -> Self {
        let Words { text, wrong } = words.into();
        Self {
            pointer: pointer.into(),
            message: text,
            wrong,
        }
    }

    /// What it says, to be said elsewhere.
    pub fn into_words(self) -> Words {
        Words {
            text: self.message,
            wrong: self.wrong,
        }
    }

    /// The same fault seen from a document that holds this one at `prefix`.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.pointer, self.message)
        }
    }
}

/// Collects faults, then says whether there were any. What is over the limit of a list that people can use is counted as one.
#[derive(Debug, Default)]
pub struct Faults {
    list: Vec<Fault>,
    bytes: usize,
    more: bool,
}

impl Faults {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn add(&mut self, pointer: impl Into<String>, words: impl Into<Words>) {
        self.push(Fault::new(pointer, words));
    }

    fn push(&mut self, fault: Fault) {
        // An answer has the values beside the words that hold them.
        let values = fault.wrong.values();
        let bytes = values
            .iter()
            .map(|(_, value)| value.len())
            .chain([fault.pointer.len(), fault.message.len()])
            .fold(0, usize::saturating_add);
        self.bytes = self.bytes.saturating_add(bytes);
        self.more |= self.list.len() >= MAX_FAULTS;
        self.more |= self.bytes > MAX_BYTES && !self.is_empty();
        if !self.more {
            self.list.push(fault);
        }
    }

    /// Whether no more are reported, for callers whose next fault would take work to find. Notes that there may be more.
    pub fn is_full(&mut self) -> bool {
        self.more |= self.list.len() >= MAX_FAULTS || self.bytes > MAX_BYTES;
        self.more
    }

    /// How many are collected so far.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Notes several that were found at `prefix`.
    pub fn extend_under(&mut self, prefix: &str, faults: impl IntoIterator<Item = Fault>) {
        for fault in faults {
            self.push(fault.under(prefix));
        }
    }

    /// Keeps the value, or notes its faults at `prefix` and goes on without it.
    pub fn take<T>(&mut self, prefix: &str, result: Result<T, Vec<Fault>>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(faults) => {
                self.extend_under(prefix, faults);
                None
            }
        }
    }

    /// `value`, or the faults if there are any.
    pub fn into_result<T>(self, value: T) -> Result<T, Vec<Fault>> {
        if self.is_empty() {
            Ok(value)
        } else {
            Err(self.into_vec())
        }
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The faults alone, where there is no value to give.
    pub fn into_vec(mut self) -> Vec<Fault> {
        if self.more {
            self.list.push(Fault::new("", Wrong::More));
        }
        self.list
    }
}

/// `name` as one step of an RFC 6901 pointer.
pub fn step(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_faults_stays_one_that_people_can_read() {
        let mut many = Faults::new();
        let mut long = Faults::new();
        for at in 0..100_000 {
            many.add(format!("/{at}"), Wrong::Missing);
            long.add("/".to_owned() + &"x".repeat(60_000), Wrong::Missing);
        }
        assert!(many.is_full() && long.is_full());
        let (many, long) = (many.into_vec(), long.into_vec());
        assert_eq!((many.len(), long.len()), (MAX_FAULTS + 1, 2));
        for list in [&many, &long] {
            let last = list.last().unwrap();
            assert!(last.message.contains("more faults"), "{last}");
        }
    }

    #[test]
    fn the_values_of_a_code_count_as_its_words_do() {
        let mut faults = Faults::new();
        for at in 0..MAX_FAULTS {
            faults.add(format!("/{at}"), Wrong::OneOf("x".repeat(1_000)));
        }
        let told = faults.into_vec();
        assert!((30..=34).contains(&told.len()), "{}", told.len());
    }

    #[test]
    fn a_single_fault_is_told_however_long_it_is() {
        let mut faults = Faults::new();
        faults.add("/".to_owned() + &"x".repeat(1_000_000), Wrong::Missing);
        assert_eq!(faults.into_vec().len(), 1);
    }

    #[test]
    fn as_many_as_can_be_told_are_told_without_a_word_about_more() {
        let mut faults = Faults::new();
        for at in 0..MAX_FAULTS {
            faults.add(format!("/{at}"), Wrong::Missing);
        }
        assert_eq!(faults.len(), MAX_FAULTS);
        assert_eq!(faults.into_vec().len(), MAX_FAULTS);
    }
}

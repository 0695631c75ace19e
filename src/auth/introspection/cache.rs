//! What was learned of tokens, for a while, in bounded memory.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use super::super::fetcher::MemoryBudget;
use crate::crypto::mac::Fingerprint;

/// What the look-up itself takes for one token, in bytes, about.
const PLACE_BYTES: usize = 256;

/// Clocks of threads that look at the same moment differ by less.
const INSTANT: TimeDelta = TimeDelta::seconds(1);

/// Fingerprints of tokens -> what is known of them. The oldest goes where there is no room.
#[derive(Debug)]
pub(super) struct TokenCache<V> {
    most: usize,
    bytes: usize,
    room: MemoryBudget,
    entries: HashMap<Fingerprint, Entry<V>>,
    /// The oldest first; one that was replaced has another number by now.
    order: VecDeque<(Fingerprint, u64)>,
    next: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    bytes: usize,
    number: u64,
}

impl<V> Entry<V> {
    /// A clock that was set back must not lengthen what was learned before.
    fn is_good(&self, now: DateTime<Utc>) -> bool {
        self.since <= now + INSTANT && now < self.until
    }
}

impl<V: Clone> TokenCache<V> {
    pub(super) fn new(most: usize, room: MemoryBudget) -> Self {
        Self {
            most,
            bytes: 0,
            room,
            entries: HashMap::new(),
            order: VecDeque::new(),
            next: 0,
        }
    }

    pub(super) fn find(&self, token: &Fingerprint, now: DateTime<Utc>) -> Option<V> {
        let entry = self.entries.get(token)?;
        entry.is_good(now).then(|| entry.value.clone())
    }

    /// `bytes` is what the value takes.
    pub(super) fn add(
        &mut self,
        token: Fingerprint,
        value: V,
        bytes: usize,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) {
        self.remove(&token);
        let bytes = bytes.saturating_add(PLACE_BYTES);
        if until <= now || bytes > self.most {
            return;
        }
        while self.bytes + bytes > self.most || !self.room.take(bytes) {
            // Others may have all the room there is.
            if !self.forget_oldest() {
                return;
            }
        }
        self.bytes += bytes;
        let number = self.next;
        self.next += 1;
        self.order.push_back((token, number));
        let entry = Entry {
            value,
            since: now,
            until,
            bytes,
            number,
        };
        self.entries.insert(token, entry);
        if self.order.len() > 2 * self.entries.len() + 64 {
            self.tidy_order();
        }
    }

    /// Drops expired entries.
    pub(super) fn tidy(&mut self, now: DateTime<Utc>) {
        let over = self.entries.iter().filter(|(_, entry)| !entry.is_good(now));
        let over: Vec<Fingerprint> = over.map(|(token, _)| *token).collect();
        for token in &over {
            self.remove(token);
        }
        self.tidy_order();
        self.order.shrink_to_fit();
        self.entries.shrink_to_fit();
    }

    fn tidy_order(&mut self) {
        let entries = &self.entries;
        self.order
            .retain(|(token, number)| is(entries, token, *number));
    }

    /// False where there is none.
    fn forget_oldest(&mut self) -> bool {
        while let Some((token, number)) = self.order.pop_front() {
            if is(&self.entries, &token, number) {
                self.remove(&token);
                return true;
            }
        }
        false
    }

    fn remove(&mut self, token: &Fingerprint) {
        if let Some(entry) = self.entries.remove(token) {
            self.bytes -= entry.bytes;
            self.room.give_back(entry.bytes);
        }
    }
}

fn is<V>(entries: &HashMap<Fingerprint, Entry<V>>, token: &Fingerprint, number: u64) -> bool {
    entries
        .get(token)
        .is_some_and(|entry| entry.number == number)
}

impl<V> Drop for TokenCache<V> {
    fn drop(&mut self) {
        self.room.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::mac::Fingerprints;

    const BYTES: usize = 1_000;
    /// Capacity for four entries.
    const MOST: usize = 4 * (BYTES + PLACE_BYTES);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn remembered(known: &TokenCache<u32>, tokens: &[Fingerprint], now: i64) -> Vec<u32> {
        let found = tokens.iter().filter_map(|token| known.find(token, at(now)));
        found.collect()
    }

    #[test]
    fn the_oldest_goes_where_there_is_no_room_and_what_is_over_is_not_found() {
        let fingerprints = Fingerprints::new().unwrap();
        let tokens: Vec<Fingerprint> = (0..8_u8)
            .map(|number| fingerprints.fingerprint(&[number]))
            .collect();
        let room = MemoryBudget::new(usize::MAX);
        let mut known = TokenCache::new(MOST, room.clone());
        for (number, token) in (0..).zip(&tokens) {
            known.add(*token, number, BYTES, at(60), at(0));
        }
        assert_eq!(remembered(&known, &tokens, 59), [4, 5, 6, 7]);
        assert_eq!(remembered(&known, &tokens, 60), [0; 0]);
        // Inserted again, it is the newest.
        known.add(tokens[4], 44, BYTES, at(90), at(0));
        known.add(tokens[0], 0, BYTES, at(90), at(0));
        assert_eq!(remembered(&known, &tokens, 0), [0, 44, 6, 7]);
        known.add(tokens[1], 1, MOST, at(90), at(0));
        known.add(tokens[2], 2, BYTES, at(0), at(0));
        assert_eq!(
            remembered(&known, &tokens, 0),
            [0, 44, 6, 7],
            "too large, or over"
        );
        known.tidy(at(60));
        assert_eq!(known.order.len(), 2);
        assert_eq!(room.taken(), 2 * (BYTES + PLACE_BYTES));
        drop(known);
        assert_eq!(room.taken(), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_lengthens_nothing() {
        let token = Fingerprints::new().unwrap().fingerprint(b"token");
        let mut known = TokenCache::new(MOST, MemoryBudget::new(MOST));
        known.add(token, 1, BYTES, at(1_060), at(1_000));
        assert_eq!(remembered(&known, &[token], 1_059), [1]);
        assert_eq!(remembered(&known, &[token], 500), [0; 0]);
        known.tidy(at(500));
        assert_eq!(remembered(&known, &[token], 1_059), [0; 0], "it is gone");
    }

    #[test]
    fn one_takes_nothing_from_others_where_all_room_is_taken() {
        let fingerprints = Fingerprints::new().unwrap();
        let tokens: Vec<Fingerprint> = (0..8_u8)
            .map(|number| fingerprints.fingerprint(&[number]))
            .collect();
        let room = MemoryBudget::new(MOST);
        let mut first = TokenCache::new(MOST, room.clone());
        let mut second = TokenCache::new(MOST, room.clone());
        for (number, token) in (0..3).zip(&tokens) {
            first.add(*token, number, BYTES, at(60), at(0));
        }
        for (number, token) in (0..).zip(&tokens) {
            second.add(*token, number, BYTES, at(60), at(0));
        }
        assert_eq!(remembered(&first, &tokens, 0), [0, 1, 2]);
        assert_eq!(remembered(&second, &tokens, 0), [7]);
    }
}

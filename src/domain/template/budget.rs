//! What rendering may cost: every step, and every byte that is read, copied, searched or built.

use super::fault::RenderFault;

/// One node or expression.
const STEP: usize = 50;
/// One piece of memory, whatever its size.
const PIECE: usize = 60;
/// A look into a map.
const LOOKUP: usize = 30;
/// One mark or text of JSON.
const TOKEN: usize = 45;
/// One number in digits.
const DIGITS: usize = 220;
/// Bytes that are read for one unit where many are looked at together: compared, counted.
const READ_TOGETHER: usize = 4;
/// Units a byte that is gone through character by character.
const SCANNED: usize = 4;
/// Units a byte where characters are judged or changed one by one.
const CHARACTER: usize = 16;
/// Units a byte for finding where one visible character ends and the next begins.
const TOLD_APART: usize = 20;
/// Units a byte of a text that grows as it is written: it moves several times.
const GROWING: usize = 4;
/// One piece of it.
const APPENDED: usize = 15;
/// Units a byte that is searched through, and of what is searched for.
const SEARCHED: usize = 3;
const SOUGHT: usize = 10;
/// One place where it was found.
const FOUND: usize = 25;

/// What all texts of one session may cost together: name, prompt, greeting and the snippets in it.
///
/// A unit is about a nanosecond, and no byte of memory costs less than one; so the whole bounds both time (well below 10 ms)
/// and memory (5 MB). Everything is paid for before it is done.
#[derive(Debug)]
pub struct Budget {
    left: usize,
}

impl Budget {
    /// What there is at first, in units.
    pub const WHOLE: usize = 5_000_000;

    /// What is wrong with a text for which nothing is left.
    pub(super) const USED_UP: RenderFault = RenderFault::TooMuchWork {
        budget: Self::WHOLE,
    };

    /// Nothing of it was spent.
    pub const fn whole() -> Self {
        Self { left: Self::WHOLE }
    }

    /// Units that were spent so far.
    pub const fn spent(&self) -> usize {
        Self::WHOLE.saturating_sub(self.left)
    }

    /// Takes units, all of which must be there; else nothing is left for anybody.
    pub(super) fn spend(&mut self, units: usize) -> Result<(), RenderFault> {
        let left = self.left.checked_sub(units);
        self.left = left.unwrap_or(0);
        left.map_or(Err(Self::USED_UP), |_| Ok(()))
    }

    /// A node or an expression.
    pub(super) fn step(&mut self) -> Result<(), RenderFault> {
        self.spend(STEP)
    }

    /// Bytes that are compared or counted.
    pub(super) fn read(&mut self, bytes: usize) -> Result<(), RenderFault> {
        self.spend(bytes / READ_TOGETHER)
    }

    /// Bytes that are gone through character by character.
    pub(super) fn scan(&mut self, bytes: usize) -> Result<(), RenderFault> {
        self.spend(bytes.saturating_mul(SCANNED))
    }

    /// Bytes whose characters are judged or changed, into a text of as many bytes or a few times more.
    pub(super) fn change(&mut self, bytes: usize) -> Result<(), RenderFault> {
        self.spend(bytes.saturating_mul(CHARACTER).saturating_add(2 * PIECE))
    }

    /// Pays for finding visible characters in a text of this many bytes.
    pub(super) fn tell_apart(&mut self, bytes: usize) -> Result<(), RenderFault> {
        self.spend(bytes.saturating_mul(TOLD_APART))
    }

    /// How many bytes could be paid for if their characters were changed.
    pub(super) fn changeable(&self) -> usize {
        self.left / CHARACTER
    }

    /// A piece of memory of these bytes, filled once.
    pub(super) fn build(&mut self, bytes: usize) -> Result<(), RenderFault> {
        self.spend(bytes.saturating_add(PIECE))
    }

    /// A piece of memory for this many values.
    pub(super) fn build_list<T>(&mut self, entries: usize) -> Result<(), RenderFault> {
        // The list has a head of its own.
        self.spend(2 * PIECE)?;
        self.build(entries.saturating_add(2).saturating_mul(size_of::<T>()))
    }

    /// Bytes at the end of a text that grows.
    pub(super) fn append(&mut self, bytes: usize) -> Result<(), RenderFault> {
        self.spend(bytes.saturating_mul(GROWING).saturating_add(APPENDED))
    }

    /// A mark, text or number of JSON at the end of a text that grows.
    pub(super) fn token(&mut self, bytes: usize) -> Result<(), RenderFault> {
        self.spend(TOKEN)?;
        self.append(bytes)
    }

    /// A look into a map for a name.
    pub(super) fn look_up(&mut self, name: &str) -> Result<(), RenderFault> {
        self.spend(name.len().saturating_mul(2).saturating_add(LOOKUP))
    }

    /// A number in digits.
    pub(super) fn digits(&mut self) -> Result<(), RenderFault> {
        self.spend(DIGITS)
    }

    /// A search through a text, for one that is not longer.
    pub(super) fn search(&mut self, text: &str, part: &str) -> Result<(), RenderFault> {
        let through = text.len().saturating_mul(SEARCHED);
        self.spend(through.saturating_add(part.len().saturating_mul(SOUGHT)))
    }

    /// Places where a search found something.
    pub(super) fn pay_for_matches(&mut self, places: usize) -> Result<(), RenderFault> {
        self.spend(places.saturating_mul(FOUND))
    }
}

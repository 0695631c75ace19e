//! Texts while a template runs: borrowed, or made once and shared.

use std::{ops::Deref, rc::Rc};

use super::super::{budget::Budget, fault::RenderFault};
use crate::domain::text::seen_starts;

/// A text of the program or the input, or one that was made of them. A clone copies none of it.
#[derive(Debug, Clone)]
pub(in super::super) enum Text<'a> {
    Borrowed(&'a str),
    Made(Rc<String>),
}

impl Text<'_> {
    /// A text that was paid for when it was made.
    pub(in super::super) fn from_owned(text: String) -> Self {
        Self::Made(Rc::new(text))
    }

    /// The part between two byte offsets, which are between characters.
    pub(in super::super) fn part(
        &self,
        start: usize,
        end: usize,
        budget: &mut Budget,
    ) -> Result<Self, RenderFault> {
        match self {
            Self::Borrowed(text) => Ok(Self::Borrowed(text.get(start..end).unwrap_or_default())),
            Self::Made(text) => {
                let part = text.get(start..end).unwrap_or_default();
                if part.len() == text.len() {
                    return Ok(self.clone());
                }
                budget.build(part.len())?;
                Ok(Self::from_owned(part.to_owned()))
            }
        }
    }

    /// How often another text is in it. The empty one is between all characters.
    pub(in super::super) fn places(
        &self,
        part: &str,
        budget: &mut Budget,
    ) -> Result<usize, RenderFault> {
        // The library would prepare the search even so, which takes long.
        if part.len() > self.len() {
            return Ok(0);
        }
        budget.search(self, part)?;
        Ok(self.matches(part).count())
    }

    /// Whether another text is in it.
    pub(in super::super) fn holds(
        &self,
        part: &str,
        budget: &mut Budget,
    ) -> Result<bool, RenderFault> {
        if part.len() > self.len() {
            return Ok(false);
        }
        budget.search(self, part)?;
        Ok(self.contains(part))
    }

    /// What people see as its characters, counted: a letter with its accents is one, and a family of emoji.
    pub(in super::super) fn count(&self, budget: &mut Budget) -> Result<usize, RenderFault> {
        budget.read(self.len())?;
        if is_byte_by_byte(self.as_bytes()) {
            return Ok(self.len());
        }
        budget.tell_apart(self.len())?;
        Ok(seen_starts(self).count())
    }

    /// The byte offset of the character at a position, as [`Text::count`] counts them; the end where there is none.
    pub(in super::super) fn offset(
        &self,
        at: usize,
        budget: &mut Budget,
    ) -> Result<usize, RenderFault> {
        // No character has less than a byte.
        let Some(plain) = self.as_bytes().get(..=at) else {
            return Ok(self.len());
        };
        budget.read(plain.len())?;
        if is_byte_by_byte(plain) {
            return Ok(at);
        }
        // Nobody knows how long the characters before it are: more and more is looked at.
        let mut looked_at = plain.len().saturating_mul(4);
        loop {
            let end = self.floor_char_boundary(looked_at);
            budget.tell_apart(end)?;
            let start = seen_starts(self.get(..end).unwrap_or_default()).nth(at);
            match start {
                Some(start) => return Ok(start),
                None if end == self.len() => return Ok(end),
                None => looked_at = looked_at.saturating_mul(2),
            }
        }
    }
}

/// Whether each byte is what people see as a character.
fn is_byte_by_byte(text: &[u8]) -> bool {
    text.is_ascii() && !text.contains(&b'\r')
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Made(text) => text,
        }
    }
}

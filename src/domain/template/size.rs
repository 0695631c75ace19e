//! How large a text is, and may be.

/// Longest output, in bytes and in characters.
const MAX_BYTES: usize = 64 * 1024;
const MAX_CHARS: usize = 32_000;

/// Most characters and bytes of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// In code points.
    pub chars: usize,
    /// In UTF-8.
    pub bytes: usize,
}

impl Size {
    /// What a prompt may have at most.
    pub const CAP: Self = Self {
        chars: MAX_CHARS,
        bytes: MAX_BYTES,
    };

    /// Whether a prompt of this size would be refused.
    pub fn is_over(self) -> bool {
        self.chars > Self::CAP.chars || self.bytes > Self::CAP.bytes
    }

    pub(super) fn of_chars(chars: usize, bytes_per_char: usize) -> Self {
        Self {
            chars,
            bytes: chars.saturating_mul(bytes_per_char),
        }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            chars: self.chars.saturating_add(other.chars),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    pub(super) fn times(self, times: usize) -> Self {
        Self {
            chars: self.chars.saturating_mul(times),
            bytes: self.bytes.saturating_mul(times),
        }
    }

    pub(super) fn max(self, other: Self) -> Self {
        Self {
            chars: self.chars.max(other.chars),
            bytes: self.bytes.max(other.bytes),
        }
    }

    pub(super) fn min(self, other: Self) -> Self {
        Self {
            chars: self.chars.min(other.chars),
            bytes: self.bytes.min(other.bytes),
        }
    }

    pub(super) fn of_text(text: &str) -> Self {
        Self {
            chars: text.chars().count(),
            bytes: text.len(),
        }
    }
}

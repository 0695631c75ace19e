//! The kinds of servers that are measured.

use serde::Serialize;

/// A kind of server; the order is that of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Anam's stand-in, without a server before it.
    Direct,
    BareProxy,
    Gateway,
    Express,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "Anam's stand-in asked directly",
            Self::BareProxy => "bare proxy",
            Self::Gateway => "gateway",
            Self::Express => "Express",
        }
    }
}

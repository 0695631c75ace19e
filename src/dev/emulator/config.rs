//! The settings of an emulator.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use secrecy::SecretString;

use crate::clock::Clock;

/// How much the mint endpoint looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Refuses every body that Anam documents as wrong, at mint.
    Strict,
    /// Mints for nearly everything, as Anam does; faults show at engine/session.
    Lax,
}

/// Which API keys are known. Each key is an organisation of its own: it sees only its sessions.
#[derive(Debug, Clone)]
pub enum ApiKeys {
    /// Any non-empty bearer token.
    Any,
    /// These and no others; anything else gets 401.
    Only(Vec<SecretString>),
}

/// Settings of one emulator.
#[derive(Debug, Clone)]
pub struct EmulatorConfig {
    /// Address to listen on; port 0 takes a free one.
    pub bind: SocketAddr,
    pub api_keys: ApiKeys,
    /// Strict or lax.
    pub mode: Mode,
    /// Added to every answer of mint, engine, catalogue and sessions.
    pub latency: Duration,
    /// Running sessions that one API key may have; `None` is no limit.
    pub concurrency: Option<u32>,
    /// Whether a session token starts one conversation only.
    pub single_use: bool,
    /// Tells the time that tokens expire by.
    pub clock: Clock,
}

impl Default for EmulatorConfig {
    /// Strict, any key, a free loopback port, no latency, no limit, tokens good for one conversation.
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            api_keys: ApiKeys::Any,
            mode: Mode::Strict,
            latency: Duration::ZERO,
            concurrency: None,
            single_use: true,
            clock: Clock::system(),
        }
    }
}

//! The typed sections of the settings. `config/default.toml` says more about each, and its unit.

use std::{net::IpAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use super::database_url::DatabaseUrl;
use super::mail_url::{MailSender, MailUrl};
use super::redis_url::RedisUrl;
use crate::anam_sdk::Sdk;

/// The public and the operations listener.
#[derive(Debug)]
pub struct ServerSettings {
    /// Where the public listener is.
    pub host: IpAddr,
    /// 0 takes a free port.
    pub port: u16,
    /// Where `/healthz`, `/readyz` and `/metrics` are.
    pub ops_host: IpAddr,
    /// 0 takes a free port.
    pub ops_port: u16,
    /// 0 is one for each processor.
    pub workers: usize,
    /// 0 is four for each processor.
    pub work_threads: usize,
    /// The address that browsers use.
    pub public_url: Option<Url>,
    /// Longest body of the user API.
    pub max_body_bytes: usize,
    /// Longest request body of the admin API, bytes.
    pub max_admin_body_bytes: usize,
    /// How long a request's headers may take.
    pub client_timeout: Duration,
    /// How long a request's body may take.
    pub body_timeout: Duration,
    /// How long an idle connection stays open.
    pub keep_alive: Duration,
    /// How long to go on accepting after SIGTERM, telling clients to leave.
    pub drain_grace: Duration,
    /// How long requests under way may take after that.
    pub shutdown_timeout: Duration,
    /// Reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether the console has a page of its own parts. No setting: `dev` says so.
    pub shows_design: bool,
}

/// Postgres, as the role that serves.
#[derive(Debug)]
pub struct DatabaseSettings {
    /// As the role that owns nothing; may lead through a pooler.
    pub url: DatabaseUrl,
    /// The same around the pooler, where there is one.
    pub direct_url: Option<DatabaseUrl>,
    /// Connections of the gateway itself: ledger, refresh, housekeeping.
    pub own_connections: u32,
    /// Connections for what mints read.
    pub mint_connections: u32,
    /// Connections for users' own changes.
    pub user_connections: u32,
    /// Connections for admins and operators.
    pub admin_connections: u32,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// How long one statement may run.
    pub statement_timeout: Duration,
    /// How long one statement may wait for a lock.
    pub lock_timeout: Duration,
    /// How long one transaction may take; not below `statement_timeout`.
    pub transaction_timeout: Duration,
}

/// The upstream.
#[derive(Debug)]
pub struct AnamSettings {
    /// https, or http to this machine; no user, query or fragment.
    pub base_url: Url,
    /// The platform's key; tenants may have their own.
    pub api_key: Option<SecretString>,
    /// How many conversations that key has at the same time; `None` counts none.
    pub places: Option<NonZeroU32>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long one try may take; not below `connect_timeout`.
    pub timeout: Duration,
    /// How long all tries together may take; not below `timeout`.
    pub deadline: Duration,
    /// Longest answer that is read.
    pub max_body_bytes: usize,
    /// 0 or 1.
    pub retries: u32,
    /// Failures in a row after which Anam is not asked for a while; 0 is never.
    pub breaker_failures: u32,
}

/// Users' JWTs and their issuers' keys.
#[derive(Debug)]
pub struct AuthSettings {
    /// How long an issuer's keys are not fetched again after an attempt.
    pub jwks_cooldown: Duration,
    /// Life of a key set whose answer names no `max-age`.
    pub jwks_refresh: Duration,
    /// Shortest life; not above the ceiling.
    pub jwks_refresh_floor: Duration,
    /// Longest life: a withdrawn key stops working within it.
    pub jwks_refresh_ceiling: Duration,
    /// Oldest key set that serves while its issuer cannot be reached.
    pub jwks_max_stale: Duration,
    /// How long a request waits for a key set.
    pub jwks_wait: Duration,
    /// Questions about opaque tokens to one issuer in a second.
    pub introspections_per_second: u32,
    /// Questions about opaque tokens to one issuer at the same time.
    pub introspections_in_flight: usize,
    /// Networks that requests may go to although they are not public.
    pub outbound_allow: Vec<IpNet>,
    /// Ports that requests to public addresses may use.
    pub outbound_ports: Vec<u16>,
}

/// Limits; `None` is no limit. Numbers at the same time are those of one instance.
#[derive(Debug)]
pub struct LimitSettings {
    /// Session tokens of one tenant.
    pub tenant_mints_per_minute: Option<NonZeroU32>,
    /// Session tokens of one user.
    pub user_mints_per_minute: Option<NonZeroU32>,
    /// Requests from one address, or one /64.
    pub address_requests_per_minute: Option<NonZeroU32>,
    /// Requests to the admin API, with one tenant's credentials and from one address.
    pub admin_requests_per_minute: Option<NonZeroU32>,
    /// Requests to the admin API under way, with one tenant's credentials and from one address.
    pub admin_requests_in_flight: Option<NonZeroU32>,
    /// Session tokens of one tenant under way.
    pub tenant_mints_in_flight: Option<NonZeroU32>,
    /// Session tokens under way altogether.
    pub mints_in_flight: Option<NonZeroU32>,
    /// Session tokens in progress; `None`: as many as go without delay.
    pub mints_in_progress: Option<NonZeroU32>,
    /// Where instances count rates together; `None`: each by itself.
    pub redis: Option<RedisSettings>,
}

/// Redis or Valkey, which all instances share.
#[derive(Debug)]
pub struct RedisSettings {
    pub url: RedisUrl,
    /// How long a request waits for an answer.
    pub timeout: Duration,
    /// Certificates to trust instead of the system's, PEM.
    pub roots: Option<Vec<u8>>,
}

/// Serving while Postgres is away.
#[derive(Debug)]
pub struct OutageSettings {
    /// Where rows of the ledger are kept meanwhile.
    pub spool: PathBuf,
    /// How much of the disk they may take.
    pub spool_max_bytes: u64,
    /// How old what is known of tenants and users may be.
    pub max_stale: Duration,
}

/// The pages for people.
#[derive(Debug)]
pub struct ConsoleSettings {
    /// What a page needs to talk with a persona.
    pub anam_sdk: Sdk,
    /// Whether Anam is the stand-in of `dev`, which sends neither picture nor sound. No setting: `dev` knows it.
    pub anam_is_stand_in: bool,
}

/// The session ledger.
#[derive(Debug)]
pub struct LedgerSettings {
    /// After this, a session without an outcome is recorded as unknown.
    pub unknown_after: Duration,
    /// `None` keeps all.
    pub retention_months: Option<NonZeroU32>,
}

/// Mail to people who administer.
#[derive(Debug)]
pub struct MailSettings {
    /// Where mail is handed in.
    pub url: MailUrl,
    pub from: MailSender,
    /// Where links lead: `server.public_url`, without a slash at the end.
    pub links_to: String,
    /// How long one delivery may take.
    pub timeout: Duration,
    /// Certificates to trust besides the system's, PEM.
    pub extra_roots: Option<Vec<u8>>,
}

/// What `/metrics` says.
#[derive(Debug)]
pub struct MetricsSettings {
    /// How many tenants are named at most.
    pub tenants: usize,
}

/// Where traces are sent.
#[derive(Debug)]
pub struct TraceSettings {
    /// Of the receiver, with the path of traces.
    pub endpoint: Url,
    /// Headers for the receiver, such as a key.
    pub headers: Vec<(String, SecretString)>,
    pub service_name: String,
    pub sampler: TraceSampler,
}

/// Which requests are traced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TraceSampler {
    /// Whether a caller's `traceparent` decides, where there is one.
    pub follows_parent: bool,
    /// The share of the others, 0 to 1.
    pub ratio: f64,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One object a line.
    Json,
    Text,
}

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// JSON for machines, text for people.
    pub format: LogFormat,
    /// A directive that `EnvFilter` has accepted.
    pub filter: String,
}

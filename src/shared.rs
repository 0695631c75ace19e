//! Redis or Valkey, where the instances of an installation count rates together and find each other's answers (`limits.redis_url`).
//!
//! It may be away at any time, and is never waited for longer than `limits.redis_timeout_ms`: whoever asks is told so at once, and goes
//! on as a single instance does. What is stored there ends by itself, and holds nothing that can be read: keys are digests under
//! the master key, answers are sealed with it.

mod answers;
mod keeper;
mod rates;
mod script;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError, RedisResult,
    TlsCertificates,
};
use secrecy::ExposeSecret;
use tokio::sync::{Notify, mpsc};

use self::answers::{Claims, Settlement, WAITING};
use crate::clock::Clock;
use crate::config::RedisSettings;
use crate::crypto::seal::KeyRing;
use crate::domain::ids::TenantId;
use crate::telemetry::metrics::Metrics;

pub use self::answers::{AnswerKey, Found, SharedClaim};
pub use self::keeper::Keeper;
pub use self::rates::{RateRefused, SharedRate};

/// What every key begins with, so that the gateway can share a server with others.
const PREFIX: &str = "persona-gateway:";

/// The settings are no client's.
#[derive(Debug, thiserror::Error)]
#[error("limits.redis_url (GATEWAY__LIMITS__REDIS_URL): {0}")]
pub struct SetUpError(RedisError);

/// Redis, as requests use it. Clones are the same.
#[derive(Clone)]
pub struct Shared(Arc<Inner>);

struct Inner {
    /// `None` while it is away.
    link: RwLock<Option<Link>>,
    /// Wakes whoever keeps the connection.
    lost: Notify,
    timeout: Duration,
    /// Where Redis is, for the log.
    address: String,
    claims: Claims,
    keys: KeyRing,
    clock: Clock,
    metrics: Metrics,
}

/// A connection that works, as far as is known.
#[derive(Clone)]
struct Link {
    /// Which one, so that what is late about one says nothing of the next.
    number: u64,
    connection: MultiplexedConnection,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// What requests use, and what keeps its connection: Redis counts as away until that has run.
    pub fn set_up(
        settings: &RedisSettings,
        keys: KeyRing,
        clock: Clock,
        metrics: Metrics,
    ) -> Result<(Self, Keeper), SetUpError> {
        let client = client(settings).map_err(SetUpError)?;
        let (settle, settlements) = mpsc::channel::<Settlement>(WAITING);
        metrics.redis_up(false);
        let shared = Self(Arc::new(Inner {
            link: RwLock::new(None),
            lost: Notify::new(),
            timeout: settings.timeout,
            address: format!("{}:{}", settings.url.host, settings.url.port),
            claims: Claims::new(settle),
            keys,
            clock,
            metrics,
        }));
        let keeper = Keeper::new(shared.clone(), client, settlements);
        Ok((shared, keeper))
    }

    /// Asks Redis for something. `None` if it is away. If it does not answer in time, or with an error, it is away from here on.
    async fn ask<T, F>(&self, question: impl FnOnce(MultiplexedConnection) -> F) -> Option<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let Link { number, connection } = self.link()?;
        match tokio::time::timeout(self.0.timeout, question(connection)).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                self.lose(number, &reason_of(&error));
                None
            }
            Err(_elapsed) => {
                let waited = self.0.timeout.as_millis();
                self.lose(number, &format!("no answer within {waited} ms"));
                None
            }
        }
    }

    fn is_up(&self) -> bool {
        let link = self.0.link.read().unwrap_or_else(PoisonError::into_inner);
        link.is_some()
    }

    fn link(&self) -> Option<Link> {
        let link = self.0.link.read().unwrap_or_else(PoisonError::into_inner);
        link.clone()
    }

    /// Uses a connection from now on.
    fn found(&self, link: Link) {
        let mut held = self.0.link.write().unwrap_or_else(PoisonError::into_inner);
        *held = Some(link);
        drop(held);
        self.0.metrics.redis_up(true);
        tracing::info!(
            redis = self.0.address,
            "Redis answers: rates are counted for all instances together"
        );
    }

    /// Uses a connection no more, unless it was replaced.
    fn lose(&self, number: u64, reason: &str) {
        let mut held = self.0.link.write().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_none_or(|link| link.number != number) {
            return;
        }
        *held = None;
        drop(held);
        self.note_away(reason);
        self.0.lost.notify_one();
    }

    fn note_away(&self, reason: &str) {
        self.0.metrics.redis_up(false);
        tracing::warn!(
            redis = self.0.address,
            reason,
            "Redis is away: until it is back, this instance counts rates by itself"
        );
    }

    /// A name for something of a tenant's that only who has the master key can make.
    fn digest(&self, purpose: &'static str, tenant: TenantId, text: &[u8]) -> [u8; 16] {
        self.0.keys.mark(purpose, tenant, text)
    }
}

/// What Redis said, with its own word for it (`READONLY`), or what became of the connection.
fn reason_of(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    }
}

fn client(settings: &RedisSettings) -> RedisResult<Client> {
    let url = &settings.url;
    let (host, port) = (url.host.clone(), url.port);
    let address = if url.tls {
        ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        }
    } else {
        ConnectionAddr::Tcp(host, port)
    };
    // A user with few rights may not tell the server the client's name.
    let mut login = RedisConnectionInfo::default()
        .set_db(url.database.into())
        .set_skip_set_lib_name();
    if let Some(user) = &url.user {
        login = login.set_username(user);
    }
    if let Some(password) = &url.password {
        login = login.set_password(password.expose_secret());
    }
    // Each question is one small message.
    let tcp = TcpSettings::default().set_nodelay(true);
    let info = address
        .into_connection_info()?
        .set_redis_settings(login)
        .set_tcp_settings(tcp);
    match &settings.roots {
        Some(pem) if url.tls => {
            let certificates = TlsCertificates {
                client_tls: None,
                root_cert: Some(pem.clone()),
            };
            Client::build_with_tls(info, certificates)
        }
        _ => Client::open(info),
    }
}

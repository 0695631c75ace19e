//! The connections to Anam that are kept for further requests.
//!
//! HTTP/1.1, a connection for each request at a time: docs/decisions/0042-connections-to-anam.md.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::{Client, ClientBuilder};
use secrecy::ExposeSecret;
use url::Url;

use crate::config::WebProxy;

/// How long a connection without a request is kept.
const IDLE: Duration = Duration::from_mins(1);

/// Where Anam is and how long to wait for it.
#[derive(Debug, Clone)]
pub struct AnamOptions {
    /// Such as `https://api.anam.ai`. The operator's, never a tenant's: the key goes there.
    pub base_url: Url,
    /// What https goes through.
    pub proxy: Option<WebProxy>,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// Longest wait altogether, the retry included.
    pub deadline: Duration,
    /// Largest answer that is read, bytes.
    pub max_body_bytes: usize,
    /// How many more tries after a failure that is worth one.
    pub retries: u32,
    /// After how many failures in a row Anam is not asked for a while, for each key; 0 is never.
    pub breaker_failures: u32,
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
#[error("the client of Anam can't be set up (are the system's CA certificates installed?): {0}")]
pub struct SetUpError(pub(super) String);

impl From<reqwest::Error> for SetUpError {
    fn from(error: reqwest::Error) -> Self {
        Self(error.to_string())
    }
}

/// Clients of Anam's server, one after the other. What a client has connected is its own.
#[derive(Debug)]
pub(super) struct Connections {
    options: AnamOptions,
    newest: Mutex<Numbered>,
}

#[derive(Debug, Clone)]
pub(super) struct Numbered {
    pub(super) client: Client,
    number: u64,
}

impl Connections {
    /// Connects on first use.
    pub(super) fn new(options: AnamOptions) -> Result<Arc<Self>, SetUpError> {
        let client = client(&options)?;
        Ok(Arc::new(Self {
            options,
            newest: Mutex::new(Numbered { client, number: 0 }),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Numbered> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client for a request that begins now.
    pub(super) fn newest(&self) -> Numbered {
        self.lock().clone()
    }

    /// A request of this client was sent, and not answered in time. A connection that fell silent on the way is seldom alone: the others that are
    /// kept would each cost a user the same wait. So requests that begin now make new ones.
    pub(super) async fn leave(self: &Arc<Self>, left: Numbered) {
        let this = Arc::clone(self);
        // Reading the system's certificates takes some milliseconds.
        _ = tokio::task::spawn_blocking(move || this.renew(left.number)).await;
    }

    fn renew(&self, left: u64) {
        if self.lock().number != left {
            return;
        }
        match client(&self.options) {
            Err(error) => {
                tracing::error!(%error, "connections to Anam are kept though one is silent");
            }
            Ok(client) => {
                let mut newest = self.lock();
                if newest.number == left {
                    *newest = Numbered {
                        client,
                        number: left + 1,
                    };
                    tracing::debug!("an answer of Anam did not come; new connections are made");
                }
            }
        }
    }
}

fn client(options: &AnamOptions) -> Result<Client, SetUpError> {
    let builder = through(options)?
        .http1_only()
        .connect_timeout(options.connect_timeout)
        .timeout(options.timeout)
        // A redirect would carry the key elsewhere.
        .redirect(reqwest::redirect::Policy::none())
        .pool_idle_timeout(IDLE)
        .user_agent(concat!("persona-gateway/", env!("CARGO_PKG_VERSION")));
    Ok(builder.build()?)
}

fn through(options: &AnamOptions) -> Result<ClientBuilder, SetUpError> {
    let plain = options.base_url.scheme() == "http";
    let builder = if plain {
        // An emulator on this machine: a machine without certificates of its own can still reach it.
        Client::builder().tls_certs_only([])
    } else {
        Client::builder()
    };
    let proxy = options.proxy.as_ref();
    Ok(
        match proxy.filter(|proxy| proxy.serves(&options.base_url)) {
            Some(proxy) => {
                let proxy = reqwest::Proxy::https(proxy.url().expose_secret());
                builder.proxy(proxy?)
            }
            None => builder.no_proxy(),
        },
    )
}

//! The keys of one issuer at its address: fetched when first needed, renewed before they age, kept
//! while the issuer is down. Whoever sends tokens cannot make the gateway fetch more than once per
//! cool-down, and a failed fetch never costs good keys.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use url::Url;

use super::discovery::Discovery;
use super::fetch_error::FetchError;
use super::fetcher::{Fetcher, JwksSettings};
use super::keys::KeySet;
use super::outbound::Outbound;
use crate::domain::ids::IssuerId;
use crate::domain::issuer::{IssuerConfig, KeySource, RootCertificates};

/// No keys to judge by at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeysUnavailable {
    /// When the next attempt may start.
    pub(super) retry_after: Duration,
}

/// Where a set is fetched, and by what the servers there are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RemoteSource {
    place: KeyLocation,
    roots: Option<RootCertificates>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum KeyLocation {
    JwksUrl(Url),
    Discovery { document: Url, issuer: String },
}

impl RemoteSource {
    /// `None` where nothing is fetched.
    pub(super) fn from_config(config: &IssuerConfig) -> Option<Self> {
        let place = match config.keys()? {
            KeySource::JwksUrl(url) => KeyLocation::JwksUrl(url.clone()),
            KeySource::Discovery(document) | KeySource::MetadataUrl(document) => {
                KeyLocation::Discovery {
                    document: document.clone(),
                    issuer: config.issuer().to_owned(),
                }
            }
            KeySource::Jwks(_) => return None,
        };
        Some(Self {
            place,
            roots: config.root_certificates().cloned(),
        })
    }

    /// A source at this address, with the system's root certificates.
    pub(super) fn at(url: Url) -> Self {
        Self {
            place: KeyLocation::JwksUrl(url),
            roots: None,
        }
    }

    /// Fetches the set, and how long the issuer says that it lives.
    pub(super) async fn fetch(
        &self,
        outbound: &Outbound,
        now: DateTime<Utc>,
    ) -> Result<(KeySet, Option<Duration>), FetchError> {
        let trusting;
        let outbound = match &self.roots {
            None => outbound,
            Some(roots) => {
                let good = roots.good_at(now).map_err(FetchError::Roots)?;
                let unusable = |_error| FetchError::Roots("can't be used".to_owned());
                trusting = outbound.trusting(&good).map_err(unusable)?;
                &trusting
            }
        };
        let fetched = match &self.place {
            KeyLocation::JwksUrl(url) => outbound.get(url).await?,
            KeyLocation::Discovery { document, issuer } => {
                let found = outbound.get(document).await;
                let found = found.map_err(|error| FetchError::Discovery {
                    address: document.clone(),
                    error,
                })?;
                let address = Discovery::read(&found.body, issuer)?.jwks_uri()?;
                let keys = outbound.get(&address).await;
                keys.map_err(|error| FetchError::Discovered { address, error })?
            }
        };
        Ok((KeySet::parse(&fetched.body)?, fetched.max_age))
    }
}

/// The key set of one issuer entry of one tenant, or of one identity provider. Nothing is shared between them.
pub(super) struct RemoteKeys {
    /// How logs name it: the entry's id, or the provider's URL.
    name: String,
    source: RemoteSource,
    fetcher: Arc<Fetcher>,
    state: Mutex<State>,
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys")
            .field("name", &self.name)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    good: Option<FetchedKeys>,
    last_attempt: Option<DateTime<Utc>>,
    last_error: Option<FetchError>,
    /// Open while a fetch is under way.
    in_flight: Option<watch::Receiver<()>>,
    fetches: u64,
    failures: u64,
}

#[derive(Debug)]
struct FetchedKeys {
    keys: Arc<KeySet>,
    fetched: DateTime<Utc>,
    life: Duration,
}

#[derive(Debug, PartialEq, Eq)]
enum Age {
    Fresh,
    /// Past four fifths of its life: renew it in the background.
    Renew,
    /// Past its life: renew first, and serve the old set only if that fails or failed before.
    Stale,
    /// Older than any set may be.
    Dead,
}

impl FetchedKeys {
    fn age(&self, now: DateTime<Utc>, settings: &JwksSettings) -> Age {
        // A clock that was set back proves nothing about freshness.
        let Ok(age) = (now - self.fetched).to_std() else {
            return Age::Stale;
        };
        if age >= settings.max_stale {
            Age::Dead
        } else if age >= self.life {
            Age::Stale
        } else if age >= self.life / 5 * 4 {
            Age::Renew
        } else {
            Age::Fresh
        }
    }
}

impl State {
    fn cooling(&self, now: DateTime<Utc>, cooldown: Duration) -> Option<Duration> {
        let since = (now - self.last_attempt?).to_std().ok()?;
        cooldown.checked_sub(since).filter(|left| !left.is_zero())
    }

    fn usable(&self, now: DateTime<Utc>, settings: &JwksSettings) -> Option<Arc<KeySet>> {
        let good = self.good.as_ref()?;
        (good.age(now, settings) != Age::Dead).then(|| Arc::clone(&good.keys))
    }

    fn unavailable(&self, now: DateTime<Utc>, settings: &JwksSettings) -> KeysUnavailable {
        let left = self.cooling(now, settings.cooldown).unwrap_or_default();
        KeysUnavailable {
            retry_after: left.max(Duration::from_secs(1)),
        }
    }
}

/// The result of fetching an issuer's keys again for one token.
#[derive(Debug)]
pub(super) enum SecondLook {
    /// Another set than the one tried before.
    Keys(Arc<KeySet>),
    /// No newer set: the last fetch was within the cool-down.
    Unchanged,
}

impl RemoteKeys {
    pub(super) fn new(name: String, source: RemoteSource, fetcher: Arc<Fetcher>) -> Arc<Self> {
        Arc::new(Self {
            name,
            source,
            fetcher,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The set to judge by now.
    pub(super) async fn current(self: &Arc<Self>) -> Result<Arc<KeySet>, KeysUnavailable> {
        let settings = &self.fetcher.settings;
        let fetch = {
            let now = self.fetcher.clock.now();
            let mut state = self.state();
            let age = state
                .good
                .as_ref()
                .map(|good| (good.age(now, settings), Arc::clone(&good.keys)));
            match age {
                Some((Age::Fresh, keys)) => return Ok(keys),
                Some((Age::Renew, keys)) => {
                    self.start(&mut state, now);
                    return Ok(keys);
                }
                // An issuer that is known to be down keeps nobody waiting.
                Some((Age::Stale, keys)) if state.last_error.is_some() => {
                    self.start(&mut state, now);
                    return Ok(keys);
                }
                Some((Age::Stale | Age::Dead, _)) | None => self.start(&mut state, now),
            }
        };
        self.finished(fetch).await;
        let now = self.fetcher.clock.now();
        let state = self.state();
        state
            .usable(now, settings)
            .ok_or_else(|| state.unavailable(now, settings))
    }

    /// Starts a fetch unless the set is fresh, and waits for nothing.
    pub(super) fn warm(self: &Arc<Self>) {
        let now = self.fetcher.clock.now();
        let mut state = self.state();
        let age = state.good.as_ref();
        let age = age.map(|good| good.age(now, &self.fetcher.settings));
        if age != Some(Age::Fresh) {
            self.start(&mut state, now);
        }
    }

    /// Fetches the set now, whatever is known of it and whenever it was tried last: for checks of a configuration.
    pub(super) async fn fetch_now(&self) -> Result<(), FetchError> {
        let now = self.fetcher.clock.now();
        {
            let mut state = self.state();
            state.last_attempt = Some(now);
            state.fetches += 1;
        }
        let result = self.source.fetch(&self.fetcher.outbound, now).await;
        let error = result.as_ref().err().cloned();
        self.settle(result);
        error.map_or(Ok(()), Err)
    }

    /// Why the last fetch failed; `None` after a good one, and before the first.
    pub(super) fn last_error(&self) -> Option<FetchError> {
        self.state().last_error.clone()
    }

    /// Looks again because the set `tried` does not verify a token: its key may be new, or another under the same id. At most one
    /// fetch per cool-down, whatever is sent.
    pub(super) async fn second_look(
        self: &Arc<Self>,
        tried: &Arc<KeySet>,
    ) -> Result<SecondLook, KeysUnavailable> {
        let settings = &self.fetcher.settings;
        let fetch = {
            let now = self.fetcher.clock.now();
            let mut state = self.state();
            // Another request may have fetched meanwhile.
            if let Some(keys) = state
                .usable(now, settings)
                .filter(|keys| !Arc::ptr_eq(keys, tried))
            {
                return Ok(SecondLook::Keys(keys));
            }
            self.start(&mut state, now)
        };
        let in_time = self.finished(fetch).await;
        let now = self.fetcher.clock.now();
        let state = self.state();
        if !in_time || state.last_error.is_some() {
            return Err(state.unavailable(now, settings));
        }
        Ok(match state.usable(now, settings) {
            Some(keys) if !Arc::ptr_eq(&keys, tried) => SecondLook::Keys(keys),
            _ => SecondLook::Unchanged,
        })
    }

    /// Starts a fetch, or joins the one under way. `None` during the cool-down.
    fn start(
        self: &Arc<Self>,
        state: &mut State,
        now: DateTime<Utc>,
    ) -> Option<watch::Receiver<()>> {
        // The sender is gone when the fetch ended, however it ended.
        let open = |fetch: &&watch::Receiver<()>| fetch.has_changed().is_ok();
        if let Some(fetch) = state.in_flight.as_ref().filter(open) {
            return Some(fetch.clone());
        }
        if state.cooling(now, self.fetcher.settings.cooldown).is_some() {
            return None;
        }
        let (done, fetch) = watch::channel(());
        state.in_flight = Some(fetch.clone());
        state.last_attempt = Some(now);
        state.fetches += 1;
        let keys = Arc::clone(self);
        let fetching = async move {
            let result = keys.source.fetch(&keys.fetcher.outbound, now).await;
            keys.settle(result);
            drop(done);
        };
        self.fetcher
            .tracker
            .spawn_on(fetching, &self.fetcher.runtime);
        Some(fetch)
    }

    /// `false` where the fetch was still under way when the patience ended.
    async fn finished(&self, fetch: Option<watch::Receiver<()>>) -> bool {
        let Some(mut fetch) = fetch else { return true };
        // Nothing is ever sent: the wait ends when the sender is dropped.
        let ended = async { while fetch.changed().await.is_ok() {} };
        tokio::time::timeout(self.fetcher.settings.wait, ended)
            .await
            .is_ok()
    }

    fn settle(&self, result: Result<(KeySet, Option<Duration>), FetchError>) {
        let now = self.fetcher.clock.now();
        let settings = &self.fetcher.settings;
        let label = result.as_ref().err().map_or("ok", FetchError::as_label);
        self.fetcher.metrics.jwks_fetch(label);
        let mut state = self.state();
        match result {
            Ok((keys, max_age)) => {
                let life = max_age
                    .unwrap_or(settings.refresh)
                    .max(settings.refresh_floor)
                    .min(settings.refresh_ceiling);
                tracing::info!(
                    issuer.id = self.name,
                    keys = keys.keys().len(),
                    skipped = keys.skipped().len(),
                    "signing keys fetched"
                );
                for skipped in keys.skipped() {
                    let (index, kid) = (skipped.index, skipped.kid.as_deref());
                    let reason = skipped.reason.as_label();
                    tracing::warn!(issuer.id = self.name, index, kid, reason, "key skipped");
                }
                state.last_error = None;
                state.good = Some(FetchedKeys {
                    keys: Arc::new(keys),
                    fetched: now,
                    life,
                });
            }
            Err(error) => {
                tracing::warn!(issuer.id = self.name, reason = error.as_label(), %error, "signing keys not fetched");
                state.last_error = Some(error);
                state.failures += 1;
            }
        }
    }

    /// Its state, as that of this issuer.
    pub(super) fn health(&self, issuer: IssuerId) -> KeyHealth {
        let now = self.fetcher.clock.now();
        let state = self.state();
        let good = state.good.as_ref();
        let is_usable = state.usable(now, &self.fetcher.settings).is_some();
        KeyHealth {
            issuer,
            state: match (is_usable, &state.last_error) {
                (true, None) => KeyState::Good,
                (true, Some(_)) => KeyState::Failing,
                (false, Some(_)) => KeyState::Missing,
                (false, None) => KeyState::NotFetched,
            },
            keys: good.map_or(0, |good| good.keys.keys().len()),
            age: good.map(|good| (now - good.fetched).to_std().unwrap_or_default()),
            fetches: state.fetches,
            failures: state.failures,
            last_error: state.last_error.clone(),
        }
    }
}

/// The state of the keys that are fetched for one issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// The last fetch succeeded.
    Good,
    /// The last fetch failed, and earlier keys may still be used for a while.
    Failing,
    /// The last fetch failed, and no key may be used: tokens can't be verified.
    Missing,
    /// No token has needed keys yet, or not for so long that the last ones are too old.
    NotFetched,
}

impl KeyState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Good, Self::Failing, Self::Missing, Self::NotFetched];

    /// Stable name for metrics.
    pub fn as_label(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Failing => "failing",
            Self::Missing => "missing",
            Self::NotFetched => "not_fetched",
        }
    }
}

/// State of one issuer's fetched keys, for metrics and for the issuer's admins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHealth {
    pub issuer: IssuerId,
    pub state: KeyState,
    /// Usable keys of the last good set; 0 before the first.
    pub keys: usize,
    /// Time since the last good fetch.
    pub age: Option<Duration>,
    /// Fetches started.
    pub fetches: u64,
    /// Fetches that failed.
    pub failures: u64,
    /// Why the last fetch failed; `None` after a good one.
    pub last_error: Option<FetchError>,
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Handle;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::auth::fetcher::MemoryBudget;
    use crate::auth::{IntrospectionSettings, OutboundPolicy};
    use crate::clock::Clock;
    use crate::telemetry::metrics::Metrics;

    fn set() -> KeySet {
        let key = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "kid": "k",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        KeySet::admit(&serde_json::json!({ "keys": [key] })).unwrap()
    }

    #[tokio::test]
    async fn a_set_that_another_request_fetched_meanwhile_needs_no_fetch() {
        let fetcher = Fetcher {
            outbound: Outbound::new(OutboundPolicy::default()).unwrap(),
            settings: JwksSettings::default(),
            introspection: IntrospectionSettings::default(),
            room: MemoryBudget::new(0),
            clock: Clock::manual(DateTime::UNIX_EPOCH),
            tracker: TaskTracker::new(),
            runtime: Handle::current(),
            metrics: Metrics::new(),
        };
        let source = RemoteSource {
            place: KeyLocation::JwksUrl(Url::parse("https://id.example.com/keys").unwrap()),
            roots: None,
        };
        let id = IssuerId(uuid::Uuid::nil());
        let keys = RemoteKeys::new(id.to_string(), source, Arc::new(fetcher));
        keys.settle(Ok((set(), None)));
        let tried = Arc::new(set());
        let SecondLook::Keys(found) = keys.second_look(&tried).await.unwrap() else {
            panic!("the newer set was not offered");
        };
        assert!(!Arc::ptr_eq(&found, &tried));
        assert_eq!(keys.health(id).fetches, 0);
    }
}

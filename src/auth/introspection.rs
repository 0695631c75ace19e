//! Opaque tokens: who they are for, their issuer's endpoint says (RFC 7662).
//!
//! What it said is believed for a short while, never longer than the token lives. Nothing is shared between issuers, so a slow endpoint
//! holds up its own tenant's users alone; and the number of requests to it is bounded.

mod cache;
mod check;
mod judge;
mod request;
mod throttle;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

use super::AuthError;
use super::entries::{FaultReason, IssuerEntry};
use super::fetcher::Fetcher;
use super::jws::MAX_TOKEN_BYTES;
use super::lenient;
use super::refusal::Refusal;
use crate::crypto::mac::{Fingerprint, Fingerprints};
use crate::domain::ids::IssuerId;
use crate::domain::issuer::{Introspection, IssuerConfig};

use cache::TokenCache;
use judge::{Introspected, check_issuer, check_type, judge};
use request::{Endpoint, IntrospectionAnswer, IntrospectionError};
use throttle::{Throttle, ThrottledBy};

/// How long the refusal of a token is remembered.
const REFUSED_FOR: TimeDelta = TimeDelta::seconds(10);
/// Bytes of one issuer's good tokens that are remembered, and of its refused ones, about.
const GOOD_BYTES: usize = 8 * 1024 * 1024;
const REFUSED_BYTES: usize = 256 * 1024;
/// Bytes of everybody's together.
pub(super) const ALL_BYTES: usize = 128 * 1024 * 1024;

/// Whether a text that came as a token is no JWS, so that only its issuer can say anything about it. What is too long for a token is
/// left to those who refuse it.
pub fn is_opaque(token: &str) -> bool {
    if token.len() > MAX_TOKEN_BYTES {
        return false;
    }
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(_), Some(_), None) => lenient::object(header).is_none(),
        _ => true,
    }
}

/// RFC 6750, 2.1: what is no bearer token by its form is not worth a question.
pub(super) fn check_form(token: &str) -> Result<(), Refusal> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Refusal::TooLarge);
    }
    let bare = token.trim_end_matches('=');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if bare.is_empty() || !bare.bytes().all(is_plain) {
        return Err(Refusal::Malformed);
    }
    Ok(())
}

/// The introspection endpoint of one issuer entry, and the answers that are remembered.
pub(super) struct Introspector {
    id: IssuerId,
    config: IssuerConfig,
    about: Introspection,
    secret: SecretString,
    fingerprints: Fingerprints,
    fetcher: Arc<Fetcher>,
    state: Mutex<State>,
}

type Answer = Result<Arc<Introspected>, AuthError>;

struct State {
    good: TokenCache<Arc<Introspected>>,
    refused: TokenCache<Refusal>,
    under_way: HashMap<Fingerprint, watch::Receiver<Option<Answer>>>,
    pace: Throttle,
}

impl fmt::Debug for Introspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspector")
            .field("id", &self.id)
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}

impl Introspector {
    /// Nothing is known yet. `about` is the entry's.
    pub(super) fn new(
        entry: &IssuerEntry,
        about: &Introspection,
        fetcher: Arc<Fetcher>,
    ) -> Result<Arc<Self>, FaultReason> {
        let state = State {
            good: TokenCache::new(GOOD_BYTES, fetcher.room.clone()),
            refused: TokenCache::new(REFUSED_BYTES, fetcher.room.clone()),
            under_way: HashMap::new(),
            pace: Throttle::default(),
        };
        Ok(Arc::new(Self {
            id: entry.id,
            config: entry.config.clone(),
            about: about.clone(),
            secret: secret_of(entry).ok_or(FaultReason::Secret)?,
            fingerprints: Fingerprints::new()?,
            fetcher,
            state: Mutex::new(state),
        }))
    }

    /// Whether what is known of tokens holds for this entry, too: nothing of it has changed.
    pub(super) fn serves(&self, entry: &IssuerEntry) -> bool {
        let secret = secret_of(entry);
        self.config == entry.config
            && secret.is_some_and(|secret| secret.expose_secret() == self.secret.expose_secret())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom a token names: by what is known, else by asking, once for however many wait. `from` is where it came from.
    pub(super) async fn judge(self: &Arc<Self>, token: &str, from: Option<IpAddr>) -> Answer {
        check_form(token)?;
        let fingerprint = self.fingerprints.fingerprint(token.as_bytes());
        let mut question = {
            let now = self.fetcher.clock.now();
            let mut state = self.state();
            if let Some(known) = state.good.find(&fingerprint, now) {
                return Ok(known);
            }
            if let Some(refusal) = state.refused.find(&fingerprint, now) {
                return Err(refusal.into());
            }
            self.start(&mut state, fingerprint, token, from, now)?
        };
        let answered = question.wait_for(Option::is_some);
        let answered = tokio::time::timeout(self.fetcher.settings.wait, answered).await;
        match answered {
            Ok(Ok(answer)) => (*answer).clone().unwrap_or(Err(UNAVAILABLE)),
            // It takes long, and goes on: who asks again may find it known.
            Ok(Err(_)) | Err(_) => Err(UNAVAILABLE),
        }
    }

    /// Asks, or joins who asks about the same token.
    fn start(
        self: &Arc<Self>,
        state: &mut State,
        fingerprint: Fingerprint,
        token: &str,
        from: Option<IpAddr>,
        now: DateTime<Utc>,
    ) -> Result<watch::Receiver<Option<Answer>>, AuthError> {
        if let Some(question) = state.under_way.get(&fingerprint) {
            return Ok(question.clone());
        }
        let settings = &self.fetcher.introspection;
        if state.under_way.len() >= settings.in_flight {
            return Err(UNAVAILABLE);
        }
        let counted = state.pace.admit(from, settings.per_second, now);
        counted.map_err(|held| match held {
            ThrottledBy::Address(retry_after) => AuthError::TooManyRefused { retry_after },
            ThrottledBy::Endpoint(retry_after) => {
                AuthError::IntrospectionUnavailable { retry_after }
            }
        })?;
        let (answer, question) = watch::channel(None);
        state.under_way.insert(fingerprint, question.clone());
        let asking = Asking {
            of: Arc::clone(self),
            fingerprint,
        };
        let token = SecretString::from(token);
        let ask = async move {
            let said = asking.of.admit(&token).await;
            let judged = asking.of.settle(fingerprint, from, said);
            drop(asking);
            _ = answer.send(Some(judged));
        };
        self.fetcher.tracker.spawn_on(ask, &self.fetcher.runtime);
        Ok(question)
    }

    async fn admit(&self, token: &SecretString) -> Result<IntrospectionAnswer, IntrospectionError> {
        let endpoint = Endpoint {
            about: &self.about,
            roots: self.config.root_certificates(),
            secret: &self.secret,
        };
        let (outbound, now) = (&self.fetcher.outbound, self.fetcher.clock.now());
        endpoint
            .introspect(outbound, token.expose_secret(), now)
            .await
    }

    /// Judges what was said, and remembers that. A failure says nothing about a token, so nothing is known after it.
    fn settle(
        &self,
        fingerprint: Fingerprint,
        from: Option<IpAddr>,
        said: Result<IntrospectionAnswer, IntrospectionError>,
    ) -> Answer {
        let now = self.fetcher.clock.now();
        let judged = match said {
            Ok(IntrospectionAnswer::Active(members)) => judge(&members, &self.config, now),
            Ok(IntrospectionAnswer::Inactive) => Err(Refusal::Inactive),
            Err(error) => {
                let reason = error.as_label();
                self.fetcher.metrics.introspection(reason);
                tracing::warn!(issuer.id = %self.id, reason, %error, "a token was not introspected");
                self.state().pace.failed(now);
                return Err(UNAVAILABLE);
            }
        };
        let result = judged.as_ref().err().map_or("ok", |_| "refused");
        self.fetcher.metrics.introspection(result);
        let mut state = self.state();
        state.pace.answered(from, judged.is_err(), now);
        match judged {
            Ok(known) => {
                let life = TimeDelta::seconds(self.about.cache_seconds().into());
                let until = known.expires.min(now + life);
                let bytes = serde_json::to_vec(&known.facts).map_or(usize::MAX, |json| json.len());
                let known = Arc::new(known);
                state
                    .good
                    .add(fingerprint, Arc::clone(&known), bytes, until, now);
                Ok(known)
            }
            Err(refusal) => {
                let until = now + REFUSED_FOR;
                state.refused.add(fingerprint, refusal, 0, until, now);
                Err(refusal.into())
            }
        }
    }

    /// Drops expired entries.
    pub(super) fn tidy(&self) {
        let now = self.fetcher.clock.now();
        let mut state = self.state();
        state.good.tidy(now);
        state.refused.tidy(now);
    }
}

/// A question under way, until this is dropped, however it ends.
struct Asking {
    of: Arc<Introspector>,
    fingerprint: Fingerprint,
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.of.state().under_way.remove(&self.fingerprint);
    }
}

const UNAVAILABLE: AuthError = AuthError::IntrospectionUnavailable {
    retry_after: Duration::from_secs(1),
};

fn secret_of(entry: &IssuerEntry) -> Option<SecretString> {
    let [secret] = entry.secrets.as_slice() else {
        return None;
    };
    let text = std::str::from_utf8(secret.expose_secret()).ok()?;
    Some(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_jws_is_opaque_and_only_bearer_tokens_are_asked_about() {
        let jws = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.c2ln";
        let jwe = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXY.dGV4dA.dGFn";
        for (token, opaque, form) in [
            ("2YotnFZFEjr1zCsicMWpAA", true, Ok(())),
            ("ory_at_FAAA-b~c+d/e==", true, Ok(())),
            ("two.parts", true, Ok(())),
            ("not.a.header", true, Ok(())),
            (jwe, true, Ok(())),
            (jws, false, Ok(())),
            ("eyJhbGciOiJSUzI1NiJ9.!.!", false, Err(Refusal::Malformed)),
            ("with space", true, Err(Refusal::Malformed)),
            ("a=b", true, Err(Refusal::Malformed)),
            ("===", true, Err(Refusal::Malformed)),
            ("", true, Err(Refusal::Malformed)),
            ("line\nbreak", true, Err(Refusal::Malformed)),
            ("quote\"", true, Err(Refusal::Malformed)),
            ("per%20cent", true, Err(Refusal::Malformed)),
            ("fünf", true, Err(Refusal::Malformed)),
        ] {
            assert_eq!(is_opaque(token), opaque, "{token:?}");
            assert_eq!(check_form(token), form, "{token:?}");
        }
        assert_eq!(check_form(&"a".repeat(MAX_TOKEN_BYTES)), Ok(()));
        let large = "a".repeat(MAX_TOKEN_BYTES + 1);
        assert_eq!(check_form(&large), Err(Refusal::TooLarge));
        assert!(!is_opaque(&large));
    }
}

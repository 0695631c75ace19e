//! Keeps memory up to date: listens for changes, and compares revisions now and then in case a notice was lost. Everything is read at the start
//! and whenever notices may have been lost; else what is read is bounded by what changed, and not by how many tenants there are.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::domain::ids::TenantId;
use crate::lifecycle::{Lifecycle, Part};
use crate::sources::Sources;
use crate::store::StoreError;
use crate::store::changes::{Change, ChangeScope, Changes, Notice};
use crate::telemetry::metrics::{Metrics, Task};
use crate::tenants::access::{Access, Revisions};
use crate::tenants::master_keys::{self, MasterKeyRefusal};

/// How often a page of the tenants' revisions is compared with what is known, in case a notice was lost.
const POLL: Duration = Duration::from_secs(5);
/// Tenants in such a page. The next poll takes the next.
const POLLED: usize = 2_000;
/// How long the listening connection may be silent before it is probed.
const PROBE: Duration = Duration::from_secs(1);
/// Shortest and longest pause between tries to reach a lost database.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Notes that changes arrive.
pub(super) struct Pulse {
    clock: Clock,
    metrics: Metrics,
}

impl Pulse {
    pub(super) fn new(clock: &Clock, metrics: &Metrics) -> Self {
        Self {
            clock: clock.clone(),
            metrics: metrics.clone(),
        }
    }

    fn beat(&self) {
        self.metrics.succeeded(Task::Refresh, self.clock.now());
    }
}

/// What is kept true.
pub(super) struct Refresher {
    access: Access,
    sources: Arc<Sources>,
    /// The revisions at which it was last read who may call.
    seen: Revisions,
    /// Where the last poll ended; `None` where the next begins from the first tenant.
    polled: Option<TenantId>,
    /// Whether the database has been found to be one of these keys.
    recognised: bool,
    /// What was last logged of a database that can't be used.
    logged: Option<String>,
    /// How long what is known serves without the database.
    bridge: Option<Duration>,
    pulse: Pulse,
    /// Since when nothing can be read, if anything could before.
    lost: Option<Instant>,
    was_live: bool,
}

impl Refresher {
    /// Has read nothing yet. `logged` is what was logged of the database already.
    pub(super) fn new(
        access: Access,
        sources: Arc<Sources>,
        bridge: Option<Duration>,
        pulse: Pulse,
        logged: Option<String>,
    ) -> Self {
        Self {
            access,
            sources,
            seen: Revisions::new(),
            polled: None,
            recognised: false,
            logged,
            bridge,
            pulse,
            lost: None,
            was_live: false,
        }
    }

    /// One try at start-up, so that a service whose database is there is ready at once.
    pub(super) async fn try_now(&mut self, lifecycle: &Lifecycle) {
        let read = match self.recognise().await {
            Ok(()) => self.read_everything().await,
            Err(error) => Err(error),
        };
        match read {
            Ok(()) => self.works(lifecycle),
            Err(error) => self.fails(&error),
        }
    }

    /// Tells what is wrong once, however often it is met, and again when something else is.
    fn fails(&mut self, error: &StoreError) {
        let text = error.to_string();
        if self.logged.as_ref() != Some(&text) {
            tracing::warn!(error = text, "what is live can't be read");
            self.logged = Some(text);
        }
    }

    /// Whether users are served all the same, for a while.
    fn is_bridged(&mut self) -> bool {
        let lost = *self.lost.get_or_insert_with(Instant::now);
        self.was_live && self.bridge.is_some_and(|longest| lost.elapsed() < longest)
    }

    fn works(&mut self, lifecycle: &Lifecycle) {
        (self.was_live, self.lost) = (true, None);
        lifecycle.report(Part::Live, true);
        if self.logged.take().is_some() {
            tracing::info!("the database is there");
        }
    }

    /// Listens until the process stops; after any error everything is read again.
    pub(super) async fn run(mut self, lifecycle: Lifecycle) {
        let mut backoff = BACKOFF.0;
        loop {
            let listened = self.listen(&lifecycle, &mut backoff).await;
            self.sources.notices_end();
            match listened {
                Ok(()) => tracing::debug!("the listening connection ended"),
                Err(error) => {
                    // Only where nothing can be read: a row that makes no sense must not take the instance away.
                    if error.is_transient() && !self.is_bridged() {
                        lifecycle.report(Part::Live, false);
                    }
                    self.fails(&error);
                }
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF.1);
        }
    }

    async fn listen(
        &mut self,
        lifecycle: &Lifecycle,
        backoff: &mut Duration,
    ) -> Result<(), StoreError> {
        // Listen first, read then: nothing can change unseen in between.
        let mut changes = self.access.database.listen().await?;
        self.recognise().await?;
        self.read_everything().await?;
        self.works(lifecycle);
        self.sources.notices_begin();
        self.pulse.beat();
        *backoff = BACKOFF.0;
        let mut probes = tokio::time::interval_at(Instant::now() + PROBE, PROBE);
        let mut polls = tokio::time::interval_at(Instant::now() + POLL, POLL);
        loop {
            tokio::select! {
                notice = changes.next() => {
                    let Some(notice) = notice? else { return Ok(()) };
                    self.heard(notice, &mut changes).await?;
                }
                _ = probes.tick() => {
                    changes.probe().await?;
                    // What arrived before that answer must count first.
                    if let Some(notice) = changes.buffered() {
                        self.heard(notice, &mut changes).await?;
                    }
                    self.sources.notices_go_on();
                    self.pulse.beat();
                }
                _ = polls.tick() => self.poll().await?,
            }
        }
    }

    /// A database that was down at the start is recognised when it comes: until then nothing is served. Once is enough: a running
    /// instance goes on hearing of changes while others begin to seal with a new key.
    async fn recognise(&mut self) -> Result<(), StoreError> {
        if self.recognised {
            return Ok(());
        }
        let recognised = master_keys::recognise(&self.access.database, &self.access.keys).await;
        recognised.map_err(|error| match error {
            MasterKeyRefusal::Store(error) => error,
            refused => StoreError::Unsafe(refused.to_string()),
        })?;
        self.recognised = true;
        Ok(())
    }

    async fn read_everything(&mut self) -> Result<(), StoreError> {
        self.seen = self.access.read_all().await?;
        self.polled = None;
        for (tenant, revision) in &self.seen {
            self.sources.heard(*tenant, *revision);
        }
        Ok(())
    }

    /// Takes in a notice and all that came with it: changes come in bursts, and a tenant is read once for all of its own.
    async fn heard(&mut self, notice: Notice, changes: &mut Changes) -> Result<(), StoreError> {
        let mut touched = BTreeSet::new();
        let mut shared = false;
        for notice in std::iter::once(notice).chain(std::iter::from_fn(|| changes.buffered())) {
            let change = match notice {
                Notice::Config(change) => change,
                Notice::Preferences(change) => {
                    self.sources.preferences_changed(&change);
                    continue;
                }
            };
            self.sources.heard(change.tenant, change.revision);
            match change.touched {
                ChangeScope::Access => _ = touched.insert(change.tenant),
                ChangeScope::SharedIssuers => shared = true,
                ChangeScope::Content => self.pass_over(change),
            }
        }
        if !touched.is_empty() {
            self.read(touched).await?;
        }
        if shared {
            self.access.read_shared().await?;
        }
        Ok(())
    }

    /// A change that is no matter of who may call needs no reading, unless one before it went unheard.
    fn pass_over(&mut self, change: Change) {
        if let Some(seen) = self.seen.get_mut(&change.tenant)
            && *seen + 1 == change.revision
        {
            *seen = change.revision;
        }
    }

    async fn read(&mut self, tenants: BTreeSet<TenantId>) -> Result<(), StoreError> {
        let tenants: Vec<TenantId> = tenants.into_iter().collect();
        let read = self.access.read_some(&tenants).await?;
        for tenant in &tenants {
            match read.get(tenant) {
                Some(revision) => _ = self.seen.insert(*tenant, *revision),
                None => _ = self.seen.remove(tenant),
            }
        }
        Ok(())
    }

    /// Compares a page of the tenants with what is known: new ones, changed ones and those that are gone are read. Of shared
    /// issuers, which have no revision and are few, all are.
    async fn poll(&mut self) -> Result<(), StoreError> {
        let limit = i64::try_from(POLLED).unwrap_or(i64::MAX);
        let mut tx = self.access.database.platform().await?;
        let page = tx.revisions(self.polled, limit).await?;
        tx.commit().await?;
        for (tenant, revision) in &page {
            self.sources.heard(*tenant, *revision);
        }
        let begin = self.polled.map_or(Bound::Unbounded, Bound::Excluded);
        let last = page.last().map(|(tenant, _)| *tenant);
        let last = last.filter(|_| page.len() >= POLLED);
        let end = last.map_or(Bound::Unbounded, Bound::Included);
        let page: Revisions = page.into_iter().collect();
        let known = self.seen.range((begin, end));
        let gone = known.filter(|(tenant, _)| !page.contains_key(tenant));
        let gone = gone.map(|(tenant, _)| *tenant);
        let other = page
            .iter()
            .filter(|(tenant, revision)| self.seen.get(tenant) != Some(revision));
        let differing = gone.chain(other.map(|(tenant, _)| *tenant)).collect();
        self.polled = last;
        self.read(differing).await?;
        self.access.read_shared().await
    }
}

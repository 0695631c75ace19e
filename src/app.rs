//! The composition root: one straight line from settings to a listening service, and from a signal to its end.

mod descriptors;
mod house;
mod inside;
mod refresh;
mod server;
mod unparsed;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::anam::{Anam, AnamOptions};
use crate::auth::{
    Authenticator, IntrospectionSettings, JwksSettings, OutboundPolicy, OutboundSetupError,
};
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::password::{HashError, Passwords};
use crate::crypto::seal::KeyRing;
use crate::gateway::Gateway;
use crate::ledger::{Ledger, Spool, SpoolError, Writer};
use crate::lifecycle::Lifecycle;
use crate::limits::{LimitOptions, Limits};
use crate::mail::Mail;
use crate::places::Places;
use crate::refusals::Refusals;
use crate::repeats::Repeats;
use crate::shared::{SetUpError as SharedSetUpError, Shared};
use crate::sources::Sources;
use crate::store::rights::RightsError;
use crate::store::{Database, DatabaseOptions, StoreError};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::traces::{TraceSetUpError, Traces};
use crate::tenants::access::{Access, Origins};
use crate::tenants::master_keys::{MasterKeyRefusal, recognise};
use crate::tenants::quota_warnings;
use crate::web::address::TrustedProxies;
use crate::work::{Work, WorkOptions};

/// Warnings of quotas that wait to be mailed.
const QUOTA_WARNINGS: usize = 64;

/// How long an admin's request may wait for a work thread.
const WORK_PATIENCE: Duration = Duration::from_secs(10);

/// How long an admin's request may occupy a work thread.
const WORK_LONGEST: Duration = Duration::from_secs(30);

/// The end of the grace time, in which connections are not made any more, and those that were made are served.
const LAST_CALL: Duration = Duration::from_millis(500);

/// Stopping takes this much longer than the grace time and the shutdown time-out together, at most.
const CLOSING: Duration = Duration::from_secs(6);

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The login role has too many rights or too few, or the schema is not this program's.
    #[error(transparent)]
    Rights(#[from] RightsError),
    /// The master keys are not those of the database.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyRefusal),
    /// The database URL can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The client for issuers' keys can't be set up.
    #[error(transparent)]
    Outbound(#[from] OutboundSetupError),
    /// The client for Anam can't be set up.
    #[error(transparent)]
    Anam(#[from] crate::anam::SetUpError),
    #[error(transparent)]
    Mail(#[from] crate::mail::SetUpError),
    #[error(transparent)]
    Shared(#[from] SharedSetUpError),
    /// `outage.spool` is no folder that sessions could be kept in.
    #[error("outage.spool (GATEWAY__OUTAGE__SPOOL): {0}")]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Traces(#[from] TraceSetUpError),
    #[error(transparent)]
    Passwords(#[from] HashError),
    /// A listener can't be opened.
    #[error("can't listen on {address}: {source}. Choose another with {setting} ({variable})", variable = variable(setting))]
    Listen {
        address: SocketAddr,
        setting: &'static str,
        source: std::io::Error,
    },
}

#[derive(Debug)]
pub struct App {
    /// The public listener's address.
    pub address: SocketAddr,
    /// The operations listener's address.
    pub ops_address: SocketAddr,
    /// The services, for tests and for `dev`.
    pub gateway: Arc<Gateway>,
    pub lifecycle: Lifecycle,
    door: server::Door,
    handles: [ServerHandle; 2],
    databases: [Database; 4],
    traces: Traces,
    drain_grace: Duration,
    shutdown_timeout: Duration,
}

impl App {
    /// Starts everything. The database may still be down: then the service listens, is not ready, and tries again.
    pub async fn start(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        // First, since a port that is in use is the most likely reason not to start.
        let listeners = server::Listeners::open(&settings.server)?;
        let lifecycle = Lifecycle::default();
        let metrics = Metrics::naming(settings.metrics.tenants);
        let traces = traces(settings, &metrics)?;
        // A pool for each kind of work, so that none takes the connections of another.
        let own = own_database(settings);
        let mints = own.apart("mints", settings.database.mint_connections);
        let users = own.apart("users", settings.database.user_connections);
        let admins = own
            .apart("admins", settings.database.admin_connections)
            .patient();
        let logged = refuse_powerful_roles(&own).await?;

        let keys = KeyRing::new(&settings.master_keys);
        refuse_wrong_keys(&own, &keys).await?;

        let auth = authenticator(settings, &clock, &lifecycle, &metrics)?;
        let origins = Arc::new(Origins::default());
        let bridge = settings.outage.as_ref().map(|outage| outage.max_stale);
        let sources = Arc::new(Sources::new(
            mints.clone(),
            keys.clone(),
            settings.anam.api_key.as_ref(),
            loads(),
            bridge,
            metrics.clone(),
        ));
        let (ledger, mut writer) = Ledger::new(
            own.clone(),
            settings.database.statement_timeout + settings.database.acquire_timeout,
            spool(settings, &keys, &clock)?,
            metrics.clone(),
        );
        if let Some(replayer) = writer.replayer(own.clone()) {
            lifecycle.spawn_vital("replay", replayer.run());
        }
        let shared = share(settings, &keys, &clock, &metrics, &lifecycle).await?;
        let refusals = Refusals::new(own.clone(), clock.clone());
        let mail = start_mail(settings, &own, &metrics, &clock, &lifecycle, &mut writer)?;
        let anam = Anam::new(anam_options(settings), clock.clone(), metrics.clone())?;
        let gateway = Arc::new(Gateway {
            auth: auth.clone(),
            limits: Limits::new(limit_options(settings)).shared(shared.clone()),
            sources: sources.clone(),
            ledger,
            refusals: refusals.clone(),
            repeats: Repeats::shared(shared),
            places: Places::new(mints.clone(), settings.anam.places, metrics.clone()),
            anam: Arc::new(anam),
            mail,
            finisher: lifecycle.finisher(),
            database: admins.clone(),
            users_database: users.clone(),
            keys: keys.clone(),
            work: work(settings.server.work_threads),
            passwords: Passwords::new()?,
            sso: auth.single_sign_on(),
            clock: clock.clone(),
            metrics: metrics.clone(),
        });

        // Dropped before what the tasks from here on work for.
        let start = lifecycle.start();
        lifecycle.spawn_to_the_end("ledger", writer.run(lifecycle.clone()));
        lifecycle.spawn("refusals", move || refusals.clone().run());
        let access = Access::new(own.clone(), keys, auth, origins.clone());
        let pulse = refresh::Pulse::new(&clock, &metrics);
        let mut refresher = refresh::Refresher::new(access, sources, bridge, pulse, logged);
        refresher.try_now(&lifecycle).await;
        lifecycle.spawn_vital("refresh", refresher.run(lifecycle.clone()));
        house::keep(&lifecycle, &gateway, &own, settings.ledger.unknown_after);

        let databases = [own, mints, users, admins];
        let services = server::Services {
            gateway: gateway.clone(),
            origins,
            lifecycle: lifecycle.clone(),
            metrics,
            proxies: TrustedProxies(settings.server.trusted_proxies.clone()),
            databases: databases.clone(),
            traces: traces.clone(),
        };
        let (address, ops_address) = (listeners.address, listeners.ops_address);
        let door = listeners.door()?;
        let (public, ops) = listeners.serve(&services, settings)?;
        let handles = [public.handle(), ops.handle()];
        lifecycle.spawn_to_the_end("listener", server::serve(public));
        lifecycle.spawn_to_the_end("operations listener", server::serve(ops));
        start.done();
        tracing::info!(%address, %ops_address, "listening");
        Ok(Self {
            address,
            ops_address,
            gateway,
            lifecycle,
            door,
            handles,
            databases,
            traces,
            drain_grace: settings.server.drain_grace,
            shutdown_timeout: settings.server.shutdown_timeout,
        })
    }

    /// Drains: answers close their connections and readiness turns false, then requests under way end, then the ledger is
    /// written out. False where something had to be cut off. It takes the grace time, the shutdown time-out and six seconds at most.
    pub async fn stop(self) -> bool {
        self.lifecycle.start_draining();
        let last_call = LAST_CALL.min(self.drain_grace);
        tokio::time::sleep(self.drain_grace.saturating_sub(last_call)).await;
        // Whoever is connected is still served; whoever connects now finds the port closed in a moment.
        self.door.close();
        tokio::time::sleep(last_call).await;

        let cut_off = Instant::now() + self.shutdown_timeout;
        let [public, ops] = self.handles;
        let stopped = timeout_at(cut_off, public.stop(true)).await.is_ok();
        ops.stop(false).await;
        // What requests left behind has the rest of their time, and this time in any case.
        let cut_off = cut_off.max(Instant::now() + CLOSING / 2);
        _ = timeout_at(cut_off, self.gateway.refusals.flush()).await;
        // The ledger's writer ends when the last handle to its queue is gone.
        drop(self.gateway);
        let left = cut_off.saturating_duration_since(Instant::now());
        let finished = self.lifecycle.finish(left).await;
        let closing = join_all(self.databases.iter().map(Database::close));
        let closing = tokio::time::timeout(CLOSING / 2, closing);
        let (closed, ()) = tokio::join!(closing, self.traces.stop(CLOSING / 2));
        let closed = closed.is_ok();
        let clean = stopped && finished && closed;
        tracing::info!(clean, "stopped");
        clean
    }
}

/// Refuses to start with a database role that could get around row security. A database that is down does not end the start:
/// its roles are checked once it can be reached. Returns the error that was logged then.
async fn refuse_powerful_roles(database: &Database) -> Result<Option<String>, RightsError> {
    match database.check_rights().await {
        Err(RightsError::Store(error)) if error.may_pass() => {
            let text = error.to_string();
            tracing::warn!(
                error = text,
                "the service starts without its database and goes on trying"
            );
            Ok(Some(text))
        }
        checked => {
            if let Some(notice) = checked?.notice() {
                tracing::warn!("{notice}");
            }
            Ok(None)
        }
    }
}

/// What makes traces; nothing does where no receiver is set.
fn traces(settings: &Settings, metrics: &Metrics) -> Result<Traces, TraceSetUpError> {
    let proxy = settings.proxy.as_ref();
    let traces = settings.traces.as_ref();
    let traces = traces.map(|traces| Traces::set_up(traces, proxy, metrics.clone()));
    Ok(traces.transpose()?.unwrap_or_default())
}

fn variable(setting: &str) -> String {
    format!("GATEWAY__{}", setting.replace('.', "__").to_uppercase())
}

/// Refuses to start with a key ring that can't open what the database holds, rather than fail one request after another.
async fn refuse_wrong_keys(database: &Database, keys: &KeyRing) -> Result<(), MasterKeyRefusal> {
    match recognise(database, keys).await {
        Err(MasterKeyRefusal::Store(error)) if error.may_pass() => Ok(()),
        recognised => recognised,
    }
}

/// What sends mail, if a server is configured. What delivers it ends when the last handle to its queue is gone.
fn start_mail(
    settings: &Settings,
    own: &Database,
    metrics: &Metrics,
    clock: &Clock,
    lifecycle: &Lifecycle,
    ledger: &mut Writer,
) -> Result<Option<Mail>, StartError> {
    let Some(settings) = &settings.mail else {
        return Ok(None);
    };
    let (mail, postman) = Mail::set_up(settings, own.clone(), metrics.clone(), clock.clone())?;
    lifecycle.spawn_to_the_end("mail", postman.run());
    let (warned, warnings) = mpsc::channel(QUOTA_WARNINGS);
    ledger.warn_to(warned);
    let writing = quota_warnings::run(mail.clone(), own.clone(), warnings);
    lifecycle.spawn_to_the_end("quota warnings", writing);
    Ok(Some(mail))
}

/// What instances share in Redis, if one is configured. It may be away: then each goes on by itself.
async fn share(
    settings: &Settings,
    keys: &KeyRing,
    clock: &Clock,
    metrics: &Metrics,
    lifecycle: &Lifecycle,
) -> Result<Option<Shared>, SharedSetUpError> {
    let Some(settings) = &settings.limits.redis else {
        return Ok(None);
    };
    let (keys, clock) = (keys.clone(), clock.clone());
    let (shared, mut keeper) = Shared::set_up(settings, keys, clock, metrics.clone())?;
    keeper.try_now().await;
    lifecycle.spawn_vital("redis", keeper.run());
    Ok(Some(shared))
}

/// Where sessions are kept while the database is away; `None` if they are not.
fn spool(settings: &Settings, keys: &KeyRing, clock: &Clock) -> Result<Option<Spool>, SpoolError> {
    let outage = settings.outage.as_ref();
    let spool = outage.map(|outage| {
        Spool::open(
            &outage.spool,
            outage.spool_max_bytes,
            keys.clone(),
            clock.clone(),
        )
    });
    spool.transpose()
}

/// Threads for admins' requests. A job holds its thread while it waits for the database, so there are more than processors.
fn work(threads: usize) -> Work {
    let threads = match threads {
        0 => 4 * processors(),
        threads => threads,
    };
    let options = WorkOptions {
        threads,
        of_tenant: threads / 4,
        patience: WORK_PATIENCE,
        longest: WORK_LONGEST,
        niceness: 10,
    };
    Work::new(options, tokio::runtime::Handle::current())
}

/// Threads for reading what is live. Mints wait for them, so they have priority over admins' requests.
fn loads() -> Work {
    let options = WorkOptions {
        threads: 2 * processors(),
        of_tenant: 1,
        patience: Duration::from_secs(5),
        longest: Duration::from_secs(10),
        niceness: 5,
    };
    Work::new(options, tokio::runtime::Handle::current())
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn own_database(settings: &Settings) -> Database {
    let settings = &settings.database;
    let options = DatabaseOptions {
        acquire_timeout: settings.acquire_timeout,
        statement_timeout: settings.statement_timeout,
        lock_timeout: settings.lock_timeout,
        transaction_timeout: settings.transaction_timeout,
    };
    Database::new(
        &settings.url,
        settings.direct_url.as_ref(),
        "own",
        settings.own_connections,
        options,
    )
}

fn authenticator(
    settings: &Settings,
    clock: &Clock,
    lifecycle: &Lifecycle,
    metrics: &Metrics,
) -> Result<Arc<Authenticator>, OutboundSetupError> {
    let outbound = OutboundPolicy {
        allow: settings.auth.outbound_allow.clone(),
        ports: settings.auth.outbound_ports.clone(),
        proxy: settings.proxy.clone(),
    };
    let authenticator = Authenticator::new(
        outbound,
        jwks_settings(settings),
        IntrospectionSettings {
            per_second: settings.auth.introspections_per_second,
            in_flight: settings.auth.introspections_in_flight,
        },
        clock.clone(),
        lifecycle.tracker().clone(),
        tokio::runtime::Handle::current(),
        metrics.clone(),
    )?;
    Ok(Arc::new(authenticator))
}

fn jwks_settings(settings: &Settings) -> JwksSettings {
    JwksSettings {
        cooldown: settings.auth.jwks_cooldown,
        refresh: settings.auth.jwks_refresh,
        refresh_floor: settings.auth.jwks_refresh_floor,
        refresh_ceiling: settings.auth.jwks_refresh_ceiling,
        max_stale: settings.auth.jwks_max_stale,
        wait: settings.auth.jwks_wait,
    }
}

fn limit_options(settings: &Settings) -> LimitOptions {
    LimitOptions {
        tenant_per_minute: settings.limits.tenant_mints_per_minute,
        user_per_minute: settings.limits.user_mints_per_minute,
        address_per_minute: settings.limits.address_requests_per_minute,
        admin_per_minute: settings.limits.admin_requests_per_minute,
        admin_in_flight: settings.limits.admin_requests_in_flight,
        tenant_in_flight: settings.limits.tenant_mints_in_flight,
        in_flight: settings.limits.mints_in_flight,
        in_progress: settings.limits.mints_in_progress,
    }
}

fn anam_options(settings: &Settings) -> AnamOptions {
    AnamOptions {
        base_url: settings.anam.base_url.clone(),
        proxy: settings.proxy.clone(),
        connect_timeout: settings.anam.connect_timeout,
        timeout: settings.anam.timeout,
        deadline: settings.anam.deadline,
        max_body_bytes: settings.anam.max_body_bytes,
        retries: settings.anam.retries,
        breaker_failures: settings.anam.breaker_failures,
    }
}

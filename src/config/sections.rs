//! Reads each section into its type, with the bounds and the cross-checks.

use std::{
    fs,
    num::NonZeroU32,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::EnvFilter;
use url::Url;

use super::{
    database_url::DatabaseUrl,
    mail_url::{MailSender, MailUrl},
    master_key::MasterKeys,
    read::Reader,
    redis_url::RedisUrl,
    settings::{
        AnamSettings, AuthSettings, ConsoleSettings, DatabaseSettings, LedgerSettings,
        LimitSettings, LogFormat, LogSettings, MailSettings, MetricsSettings, OutageSettings,
        RedisSettings, ServerSettings, TraceSampler, TraceSettings,
    },
    web_proxy::{Bypass, WebProxy},
};
use crate::anam_sdk::Sdk;
use crate::domain::places::MAX_PLACES;
use crate::domain::web_url;

/// Longest time that a setting may give: a day, in milliseconds.
const DAY_MS: i64 = 86_400_000;
const DAY_SECONDS: i64 = 86_400;
const MIB: i64 = 1024 * 1024;
const PORTS: RangeInclusive<i64> = 0..=65535;

const NETWORK: &str = "a network such as 10.0.0.0/8 or 127.0.0.1/32";

/// All sections, read before the first error is reported.
pub(super) struct Parts {
    pub(super) server: Option<ServerSettings>,
    pub(super) database: Option<Pools>,
    pub(super) database_url: Option<DatabaseUrl>,
    pub(super) direct_url: Option<DatabaseUrl>,
    pub(super) migrate_url: Option<DatabaseUrl>,
    pub(super) anam: Option<AnamSettings>,
    pub(super) auth: Option<AuthSettings>,
    pub(super) proxy: Option<WebProxy>,
    pub(super) limits: Option<LimitSettings>,
    pub(super) ledger: Option<LedgerSettings>,
    pub(super) outage: Option<OutageSettings>,
    pub(super) mail: Option<MailSettings>,
    pub(super) console: Option<ConsoleSettings>,
    pub(super) metrics: Option<MetricsSettings>,
    pub(super) traces: Option<TraceSettings>,
    pub(super) log: Option<LogSettings>,
}

impl Parts {
    pub(super) fn read(read: &mut Reader<'_>) -> Self {
        Self {
            server: server(read),
            database: pools(read),
            database_url: postgres_url(read, "database.url"),
            direct_url: postgres_url(read, "database.direct_url"),
            migrate_url: postgres_url(read, "database.migrate_url"),
            anam: anam(read),
            auth: auth(read),
            proxy: proxy(read),
            limits: limits(read),
            ledger: ledger(read),
            outage: outage(read),
            mail: mail(read),
            console: console(read),
            metrics: metrics(read),
            traces: traces(read),
            log: log(read),
        }
    }
}

/// [`DatabaseSettings`] without a URL.
pub(super) struct Pools {
    own_connections: u32,
    mint_connections: u32,
    user_connections: u32,
    admin_connections: u32,
    acquire_timeout: Duration,
    statement_timeout: Duration,
    lock_timeout: Duration,
    transaction_timeout: Duration,
}

impl Pools {
    pub(super) fn with(
        self,
        url: DatabaseUrl,
        direct_url: Option<DatabaseUrl>,
    ) -> DatabaseSettings {
        DatabaseSettings {
            url,
            direct_url,
            own_connections: self.own_connections,
            mint_connections: self.mint_connections,
            user_connections: self.user_connections,
            admin_connections: self.admin_connections,
            acquire_timeout: self.acquire_timeout,
            statement_timeout: self.statement_timeout,
            lock_timeout: self.lock_timeout,
            transaction_timeout: self.transaction_timeout,
        }
    }
}

// Each of these reads every key of its section before it gives up on one.

fn server(read: &mut Reader<'_>) -> Option<ServerSettings> {
    let address = "an IP address such as 127.0.0.1";
    let host = read.parsed("server.host", address);
    let port = read.integer("server.port", PORTS);
    let ops_host = read.parsed("server.ops_host", address);
    let ops_port = read.integer("server.ops_port", PORTS);
    if port == ops_port && port.is_some_and(|port: u16| port != 0) {
        read.reject(
            "server.ops_port",
            "is the same as server.port: choose another",
        );
    }
    let workers = read.integer("server.workers", 0..=1024);
    let work_threads = read.integer("server.work_threads", 0..=1024);
    let public_url = public_url(read);
    let max_body_bytes = read.integer("server.max_body_bytes", 1024..=16 * MIB);
    let max_admin_body_bytes = read.integer("server.max_admin_body_bytes", 65_536..=64 * MIB);
    let client_timeout = read.millis("server.client_timeout_ms", 100..=DAY_MS);
    let body_timeout = read.millis("server.body_timeout_ms", 100..=DAY_MS);
    let keep_alive = read.seconds("server.keep_alive_seconds", 1..=DAY_SECONDS);
    let drain_grace = read.millis("server.drain_grace_ms", 0..=DAY_MS);
    let shutdown_timeout = read.millis("server.shutdown_timeout_ms", 0..=DAY_MS);
    let trusted_proxies = read.list("server.trusted_proxies", NETWORK);
    Some(ServerSettings {
        host: host?,
        port: port?,
        ops_host: ops_host?,
        ops_port: ops_port?,
        workers: workers?,
        work_threads: work_threads?,
        public_url,
        max_body_bytes: max_body_bytes?,
        max_admin_body_bytes: max_admin_body_bytes?,
        client_timeout: client_timeout?,
        body_timeout: body_timeout?,
        keep_alive: keep_alive?,
        drain_grace: drain_grace?,
        shutdown_timeout: shutdown_timeout?,
        trusted_proxies: trusted_proxies?,
        shows_design: false,
    })
}

fn pools(read: &mut Reader<'_>) -> Option<Pools> {
    let own_connections = read.integer("database.own_connections", 2..=1000);
    let mint_connections = read.integer("database.mint_connections", 1..=1000);
    let user_connections = read.integer("database.user_connections", 1..=1000);
    let admin_connections = read.integer("database.admin_connections", 1..=1000);
    let acquire_timeout = read.millis("database.acquire_timeout_ms", 10..=DAY_MS);
    let statement_timeout = read.millis("database.statement_timeout_ms", 10..=DAY_MS);
    let lock_timeout = read.millis("database.lock_timeout_ms", 10..=DAY_MS);
    let transaction_timeout = read.millis("database.transaction_timeout_ms", 10..=DAY_MS);
    in_order(
        read,
        ("database.statement_timeout_ms", statement_timeout),
        ("database.transaction_timeout_ms", transaction_timeout),
    );
    Some(Pools {
        own_connections: own_connections?,
        mint_connections: mint_connections?,
        user_connections: user_connections?,
        admin_connections: admin_connections?,
        acquire_timeout: acquire_timeout?,
        statement_timeout: statement_timeout?,
        lock_timeout: lock_timeout?,
        transaction_timeout: transaction_timeout?,
    })
}

fn anam(read: &mut Reader<'_>) -> Option<AnamSettings> {
    let base_url = service_url(read, "anam.base_url", "https://api.anam.ai");
    let api_key = read.secret("anam.api_key");
    if let Some(key) = &api_key
        && !key
            .expose_secret()
            .bytes()
            .all(|byte| byte.is_ascii_graphic())
    {
        read.reject(
            "anam.api_key",
            "has a space, a line break or a character outside ASCII: copy the key again",
        );
    }
    let connect_timeout = read.millis("anam.connect_timeout_ms", 10..=DAY_MS);
    let timeout = read.millis("anam.timeout_ms", 10..=DAY_MS);
    let deadline = read.millis("anam.deadline_ms", 10..=DAY_MS);
    in_order(
        read,
        ("anam.connect_timeout_ms", connect_timeout),
        ("anam.timeout_ms", timeout),
    );
    in_order(
        read,
        ("anam.timeout_ms", timeout),
        ("anam.deadline_ms", deadline),
    );
    let places = read.integer("anam.places", 0..=i64::from(MAX_PLACES));
    let max_body_bytes = read.integer("anam.max_body_bytes", 1024..=16 * MIB);
    let retries = read.integer("anam.retries", 0..=1);
    let breaker_failures = read.integer("anam.breaker_failures", 0..=1_000_000);
    Some(AnamSettings {
        base_url: base_url?,
        api_key,
        places: NonZeroU32::new(places?),
        connect_timeout: connect_timeout?,
        timeout: timeout?,
        deadline: deadline?,
        max_body_bytes: max_body_bytes?,
        retries: retries?,
        breaker_failures: breaker_failures?,
    })
}

fn auth(read: &mut Reader<'_>) -> Option<AuthSettings> {
    let jwks_cooldown = read.seconds("auth.jwks_cooldown_seconds", 1..=DAY_SECONDS);
    let jwks_refresh = read.seconds("auth.jwks_refresh_seconds", 1..=DAY_SECONDS);
    let floor = (
        "auth.jwks_refresh_floor_seconds",
        "auth.jwks_refresh_ceiling_seconds",
    );
    let jwks_refresh_floor = read.seconds(floor.0, 1..=DAY_SECONDS);
    let jwks_refresh_ceiling = read.seconds(floor.1, 1..=DAY_SECONDS);
    in_order(
        read,
        (floor.0, jwks_refresh_floor),
        (floor.1, jwks_refresh_ceiling),
    );
    let jwks_max_stale = read.seconds("auth.jwks_max_stale_seconds", 1..=7 * DAY_SECONDS);
    let jwks_wait = read.millis("auth.jwks_wait_ms", 10..=60_000);
    let introspections_per_second = read.integer("auth.introspections_per_second", 1..=10_000);
    let introspections_in_flight = read.integer("auth.introspections_in_flight", 1..=10_000);
    let outbound_allow = read.list("auth.outbound_allow", NETWORK);
    let outbound_ports = read.list("auth.outbound_ports", "a port such as 443");
    Some(AuthSettings {
        jwks_cooldown: jwks_cooldown?,
        jwks_refresh: jwks_refresh?,
        jwks_refresh_floor: jwks_refresh_floor?,
        jwks_refresh_ceiling: jwks_refresh_ceiling?,
        jwks_max_stale: jwks_max_stale?,
        jwks_wait: jwks_wait?,
        introspections_per_second: introspections_per_second?,
        introspections_in_flight: introspections_in_flight?,
        outbound_allow: outbound_allow?,
        outbound_ports: outbound_ports?,
    })
}

fn proxy(read: &mut Reader<'_>) -> Option<WebProxy> {
    let bypass = read.list("proxy.bypass", Bypass::FORM);
    let url = read.secret("proxy.url")?;
    let proxy = WebProxy::new(&url, bypass.unwrap_or_default());
    if proxy.is_none() {
        read.reject("proxy.url", format!("must be {}", WebProxy::FORM));
    }
    proxy
}

fn limits(read: &mut Reader<'_>) -> Option<LimitSettings> {
    let mut limit = |key| read.integer(key, 0..=100_000_000).map(NonZeroU32::new);
    let tenant_mints_per_minute = limit("limits.tenant_mints_per_minute");
    let user_mints_per_minute = limit("limits.user_mints_per_minute");
    let address_requests_per_minute = limit("limits.address_requests_per_minute");
    let admin_requests_per_minute = limit("limits.admin_requests_per_minute");
    let admin_requests_in_flight = limit("limits.admin_requests_in_flight");
    let tenant_mints_in_flight = limit("limits.tenant_mints_in_flight");
    let mints_in_flight = limit("limits.mints_in_flight");
    let mints_in_progress = limit("limits.mints_in_progress");
    let redis = redis(read);
    Some(LimitSettings {
        tenant_mints_per_minute: tenant_mints_per_minute?,
        user_mints_per_minute: user_mints_per_minute?,
        address_requests_per_minute: address_requests_per_minute?,
        admin_requests_per_minute: admin_requests_per_minute?,
        admin_requests_in_flight: admin_requests_in_flight?,
        tenant_mints_in_flight: tenant_mints_in_flight?,
        mints_in_flight: mints_in_flight?,
        mints_in_progress: mints_in_progress?,
        redis,
    })
}

/// `None` without a server: then each instance counts by itself.
fn redis(read: &mut Reader<'_>) -> Option<RedisSettings> {
    let timeout = read.millis("limits.redis_timeout_ms", 1..=10_000);
    let key = "limits.redis_root_certificates";
    let roots = read.text(key).map(str::trim);
    let url = read.secret("limits.redis_url")?;
    let parsed = RedisUrl::parse(&url);
    if parsed.is_none() {
        read.reject("limits.redis_url", format!("must be {}", RedisUrl::FORM));
    }
    let roots = match roots? {
        "" => None,
        path => Some(root_certificates(read, key, path)?),
    };
    Some(RedisSettings {
        url: parsed?,
        timeout: timeout?,
        roots,
    })
}

fn ledger(read: &mut Reader<'_>) -> Option<LedgerSettings> {
    let unknown_after = read.seconds("ledger.unknown_after_seconds", 10..=DAY_SECONDS);
    let retention_months = read
        .integer("ledger.retention_months", 0..=1200)
        .map(NonZeroU32::new);
    Some(LedgerSettings {
        unknown_after: unknown_after?,
        retention_months: retention_months?,
    })
}

/// `None` without a spool: then nothing is served while Postgres is away.
fn outage(read: &mut Reader<'_>) -> Option<OutageSettings> {
    let spool = read.text("outage.spool").map(str::trim);
    let spool_max_mib = read.integer::<i64>("outage.spool_max_mib", 1..=1024 * 1024);
    let max_stale = read.seconds("outage.max_stale_seconds", 1..=DAY_SECONDS);
    let settings = OutageSettings {
        spool: PathBuf::from(spool?),
        spool_max_bytes: (spool_max_mib? * MIB).unsigned_abs(),
        max_stale: max_stale?,
    };
    Some(settings).filter(|settings| !settings.spool.as_os_str().is_empty())
}

/// `None` without a server: then links are passed on by hand.
fn mail(read: &mut Reader<'_>) -> Option<MailSettings> {
    let timeout = read.millis("mail.timeout_ms", 100..=60_000);
    let from = read.text("mail.from").map(str::trim);
    let key = "mail.root_certificates";
    let roots = read.text(key).map(str::trim);
    let url = read.secret("mail.url")?;
    let parsed = MailUrl::parse(&url);
    if parsed.is_none() {
        read.reject("mail.url", format!("must be {}", MailUrl::FORM));
    }
    let sender = MailSender::parse(from?);
    if sender.is_none() {
        read.reject(
            "mail.from",
            format!("must be {}, since mail.url is set", MailSender::FORM),
        );
    }
    let public = read.text("server.public_url").filter(|url| !url.is_empty());
    if public.is_none() {
        read.reject(
            "server.public_url",
            "must be set if mail.url is: links in mails lead there",
        );
    }
    let public = web_url::parse(public?).ok();
    let extra_roots = match roots? {
        "" => None,
        path => Some(root_certificates(read, key, path)?),
    };
    Some(MailSettings {
        url: parsed?,
        from: sender?,
        links_to: public?.origin().ascii_serialization(),
        timeout: timeout?,
        extra_roots,
    })
}

fn root_certificates(read: &mut Reader<'_>, key: &str, path: &str) -> Option<Vec<u8>> {
    match fs::read(path) {
        Ok(pem) if String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") => {
            Some(pem)
        }
        Ok(_) => {
            read.reject(key, format!("{path} has no certificate in PEM"));
            None
        }
        Err(error) => {
            read.reject(key, format!("can't read {path}: {error}"));
            None
        }
    }
}

fn console(read: &mut Reader<'_>) -> Option<ConsoleSettings> {
    let key = "console.anam_sdk";
    let file = read.text(key)?.trim();
    let anam_sdk = if file.is_empty() {
        Ok(Sdk::none())
    } else {
        Sdk::read(Path::new(file))
    };
    let anam_sdk = anam_sdk.map_err(|fault| read.reject(key, fault.to_string()));
    Some(ConsoleSettings {
        anam_sdk: anam_sdk.ok()?,
        anam_is_stand_in: false,
    })
}

fn metrics(read: &mut Reader<'_>) -> Option<MetricsSettings> {
    Some(MetricsSettings {
        tenants: read.integer("metrics.tenants", 0..=10_000)?,
    })
}

/// `None` where no endpoint is set; a wrong one has left an error behind.
fn traces(read: &mut Reader<'_>) -> Option<TraceSettings> {
    let endpoint = trace_endpoint(read);
    let headers = trace_headers(read);
    let service_name = read.text("traces.service_name").map(str::to_owned);
    let sampler = trace_sampler(read);
    Some(TraceSettings {
        endpoint: endpoint?,
        headers: headers?,
        service_name: service_name?,
        sampler: sampler?,
    })
}

/// A receiver is mostly beside the gateway, so plain http may go anywhere in its network.
fn trace_endpoint(read: &mut Reader<'_>) -> Option<Url> {
    let key = "traces.endpoint";
    let text = read.text(key)?.trim();
    if text.is_empty() {
        return None;
    }
    let url = web_url::parse(&format!("{}/v1/traces", text.trim_end_matches('/')));
    let url = url.ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    if url.is_none() {
        read.reject(
            key,
            "must be the address of a receiver of OTLP over HTTP, such as http://localhost:4318, without a user name, a password or a query",
        );
    }
    url
}

/// As OpenTelemetry writes them: `name=value,name=value`, values percent-encoded.
fn trace_headers(read: &mut Reader<'_>) -> Option<Vec<(String, SecretString)>> {
    let key = "traces.headers";
    let text = read.text(key)?;
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let is_name = |name: &str| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let value = percent_encoding::percent_decode_str(value.trim())
            .decode_utf8()
            .ok()?;
        let is_value = value.bytes().all(|b| (0x20..0x7f).contains(&b));
        let name = name.trim();
        (is_name(name) && is_value)
            .then(|| (name.to_owned(), SecretString::from(value.into_owned())))
    });
    let headers: Option<Vec<_>> = pairs.collect();
    if headers.is_none() {
        read.reject(key, "must be headers as in `name=value,name=value`");
    }
    headers
}

fn trace_sampler(read: &mut Reader<'_>) -> Option<TraceSampler> {
    let words = [
        ("always_on", (false, Some(1.0))),
        ("always_off", (false, Some(0.0))),
        ("traceidratio", (false, None)),
        ("parentbased_always_on", (true, Some(1.0))),
        ("parentbased_always_off", (true, Some(0.0))),
        ("parentbased_traceidratio", (true, None)),
    ];
    let chosen = read.choice("traces.sampler", &words);
    let key = "traces.sampler_arg";
    let share: Option<f64> = read.parsed(key, "a number from 0 to 1");
    let fits = |share: &f64| (0.0..=1.0).contains(share);
    if share.is_some_and(|share| !fits(&share)) {
        read.reject(key, "must be a number from 0 to 1");
    }
    let share = share.filter(fits);
    let (follows_parent, fixed) = chosen?;
    Some(TraceSampler {
        follows_parent,
        ratio: fixed.or(share)?,
    })
}

fn log(read: &mut Reader<'_>) -> Option<LogSettings> {
    let formats = [("json", LogFormat::Json), ("text", LogFormat::Text)];
    let format = read.choice("log.format", &formats);
    let filter: Option<EnvFilter> =
        read.parsed("log.filter", "a filter such as \"info,sqlx=warn\"");
    Some(LogSettings {
        format: format?,
        filter: filter?.to_string(),
    })
}

pub(super) fn master_keys(read: &mut Reader<'_>) -> Option<MasterKeys> {
    let key = "security.master_key";
    let text = read.secret(key);
    let text = read.required(key, text, "the output of `openssl rand -base64 32`")?;
    match MasterKeys::parse(text.expose_secret()) {
        Ok(keys) => Some(keys),
        Err(error) => {
            read.reject(key, error.to_string());
            None
        }
    }
}

/// A time that must not be longer than another.
fn in_order(
    read: &mut Reader<'_>,
    short: (&str, Option<Duration>),
    long: (&str, Option<Duration>),
) {
    if let (Some(short_time), Some(long_time)) = (short.1, long.1)
        && short_time > long_time
    {
        read.reject(
            short.0,
            format!("is longer than {}: lower it or raise the other", long.0),
        );
    }
}

/// An empty setting is `None`, and so is a wrong one.
fn postgres_url(read: &mut Reader<'_>, key: &str) -> Option<DatabaseUrl> {
    let text = read.secret(key)?;
    let url = DatabaseUrl::parse(&text).and_then(|url| url.check_files().map(|()| url));
    url.map_err(|fault| read.reject(key, fault.to_string()))
        .ok()
}

fn public_url(read: &mut Reader<'_>) -> Option<Url> {
    let key = "server.public_url";
    if read.text(key)?.is_empty() {
        return None;
    }
    service_url(read, key, "https://gateway.example.com")
}

/// The address of a service: https, or http to this machine. Not shown in errors, since a wrong
/// one may hold a password.
fn service_url(read: &mut Reader<'_>, key: &str, example: &str) -> Option<Url> {
    let url = web_url::parse(read.text(key)?);
    let problem = match &url {
        Err(fault) => format!("{fault}, such as {example}"),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "must not hold a user name or password".to_owned()
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            "must not hold a query or a fragment".to_owned()
        }
        Ok(url)
            if url.scheme() == "https" || (url.scheme() == "http" && web_url::is_local(url)) =>
        {
            return Some(url.clone());
        }
        Ok(_) => "must be https (http is for this machine only, such as http://127.0.0.1:8080)"
            .to_owned(),
    };
    read.reject(key, problem);
    None
}

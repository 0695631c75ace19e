//! `dev`: everything on this machine, with a demo tenant, a page and a curl line to try.

mod data;
mod refusals;
mod workspace;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use secrecy::ExposeSecret;
use serde::Serialize;

use self::data::Data;
use self::workspace::Claim;
use super::signals::StopSignals;
use crate::app::App;
use crate::clock::Clock;
use crate::config::{LogFormat, LogSettings, Settings, environment};
use crate::crypto::seal::KeyRing;
use crate::crypto::token::random_token;
use crate::dev::emulator::{Emulator, EmulatorConfig, EmulatorHandle};
use crate::dev::issuer::{DevIssuer, DevIssuerHandle, DevIssuerKeys, TokenRequest};
use crate::dev::page::{self, Page, PageHandle, PageSettings};
use crate::dev::{private_file, seed};
use crate::store::migrate::{EarlierRoles, migrate};
use crate::telemetry::logging;

/// Where Anam's SDK finds Anam by itself.
const REAL_ANAM: &str = "https://api.anam.ai";
/// How long the printed user token lives, seconds.
const USER_TOKEN_SECONDS: i64 = 12 * 60 * 60;

/// Runs everything on this machine: its own Postgres, an issuer of user tokens, a stand-in for Anam, a demo tenant, and a page to try it.
///
/// With `DATABASE_URL` set (an owner's URL), that database is used. With `ANAM_API_KEY` set, the real Anam is used. Data
/// stay between starts; `--fresh` throws them away. Ctrl-C stops it all.
#[derive(Debug, clap::Args)]
pub struct DevArgs {
    /// Port of the gateway; the operations listener, the issuer, the emulator and the page take the next four. 0 takes free ones.
    #[arg(long, default_value_t = 8080, value_parser = clap::value_parser!(u16).range(..=i64::from(workspace::LAST_FIRST_PORT)))]
    port: u16,
    /// Print one line of JSON with every address and key first.
    #[arg(long)]
    json: bool,
    /// Throw away what earlier starts left.
    #[arg(long)]
    fresh: bool,
    /// Where data are kept, by one `dev` at a time: ./.data, or a folder of this directory's own in /var/lib/persona-gateway as root.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Anam's SDK for the page and the console, as `npm pack` writes it. Without it npm fetches it once, when it is first needed.
    #[arg(long, value_name = "FILE")]
    sdk: Option<PathBuf>,
}

/// Everything a newcomer or a test needs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    gateway: String,
    ops: String,
    console: String,
    issuer: String,
    anam: String,
    page: String,
    tenant: &'static str,
    user_token: String,
    admin_key: String,
    database_url: String,
    data_folder: String,
    admin_email: &'static str,
    admin_password: String,
}

/// Everything that runs, and has to be stopped.
struct Running {
    app: App,
    issuer: DevIssuerHandle,
    emulator: Option<EmulatorHandle>,
    page: PageHandle,
    data: Data,
    claim: Claim,
}

/// Runs until Ctrl-C.
pub async fn run(args: DevArgs) -> anyhow::Result<ExitCode> {
    let mut signals = StopSignals::install()?;
    let env = environment();
    // Before anything else: the first start may fetch a PostgreSQL, and says so.
    logging::init(&log_settings(&env))?;
    let running = tokio::select! {
        started = start(&args, &env) => started?,
        () = signals.next() => return Ok(ExitCode::FAILURE),
    };
    signals.next().await;
    running.page.stop().await;
    running.app.stop().await;
    running.issuer.stop().await;
    if let Some(emulator) = running.emulator {
        emulator.stop().await;
    }
    running.data.close().await?;
    drop(running.claim);
    Ok(ExitCode::SUCCESS)
}

/// Starts everything, and says what a newcomer needs.
async fn start(args: &DevArgs, env: &BTreeMap<String, String>) -> anyhow::Result<Running> {
    let folder = match &args.data {
        Some(folder) => folder.clone(),
        None => workspace::default_folder()?,
    };
    workspace::ports_are_free(host(env), args.port)?;
    let mut claim = Claim::take(&folder)?;
    let data = Data::open(&folder, args.fresh, env).await?;
    let clock = Clock::system();
    let issuer = start_issuer(args, &folder, &clock)?;
    let emulator = start_emulator(args, env)?;
    let mut settings = settings(args, env, &data, emulator.as_ref())?;
    let sdk = match &args.sdk {
        Some(file) => page::given(file.clone()),
        None => page::fetched_into(folder.join("anam-sdk")),
    };
    settings.console.anam_sdk = sdk.clone();
    settings.console.anam_is_stand_in = emulator.is_some();

    migrate(&data.owner_url, Some(&data.login_url), EarlierRoles::Keep).await?;
    let app = App::start(&settings, clock.clone()).await?;
    let keys = KeyRing::new(&settings.master_keys);
    let new_key = seed::seed(&app.gateway.database, &clock, &keys, issuer.url()).await?;
    let key_file = folder.join("admin-key");
    let password_file = folder.join("admin-password");
    if let Some(key) = new_key {
        private_file::write(&key_file, key.expose_secret())?;
        let password = random_token("")?;
        private_file::write(&password_file, password.expose_secret())?;
        let gateway = &app.gateway;
        seed::seed_admin(&gateway.database, &clock, &gateway.passwords, &password).await?;
    }
    claim.write_owner(&format!(
        "process {}, {}",
        std::process::id(),
        url(app.address)
    ))?;
    let anam = settings.anam.base_url.as_str().trim_end_matches('/');
    let page = PageSettings {
        gateway: app.address,
        issuer: issuer.url().to_owned(),
        anam: (anam != REAL_ANAM).then(|| anam.to_owned()),
        stand_in: emulator.is_some(),
    };
    let page = Page::start(local(next_port(args, 4)), page, sdk)?;
    let ready = Ready {
        gateway: url(app.address),
        ops: url(app.ops_address),
        console: format!("{}/console", url(app.address)),
        issuer: issuer.url().to_owned(),
        anam: anam.to_owned(),
        page: page.url().to_owned(),
        tenant: seed::TENANT,
        user_token: user_token(&issuer)?,
        admin_key: std::fs::read_to_string(&key_file).unwrap_or_default(),
        database_url: data.owner_url.to_url().expose_secret().to_owned(),
        data_folder: folder
            .canonicalize()
            .unwrap_or(folder)
            .display()
            .to_string(),
        admin_email: seed::ADMIN_EMAIL,
        admin_password: std::fs::read_to_string(&password_file).unwrap_or_default(),
    };
    wait_until_served(&app, &ready.user_token).await?;
    if args.json {
        super::say(serde_json::to_string(&ready)?)?;
    } else {
        let seen = app.gateway.refusals.watch();
        super::say(welcome(&ready, emulator.is_some())?)?;
        app.lifecycle
            .spawn_vital("refusals", refusals::print_refusals(seen));
    }
    Ok(Running {
        app,
        issuer,
        emulator,
        page,
        data,
        claim,
    })
}

/// Text for people, unless the environment says otherwise.
fn log_settings(env: &BTreeMap<String, String>) -> LogSettings {
    let json = env
        .get("GATEWAY__LOG__FORMAT")
        .is_some_and(|format| format == "json");
    let filter = env.get("GATEWAY__LOG__FILTER");
    LogSettings {
        format: if json {
            LogFormat::Json
        } else {
            LogFormat::Text
        },
        filter: filter
            .map_or("warn,persona_gateway=info", String::as_str)
            .to_owned(),
    }
}

fn start_issuer(args: &DevArgs, folder: &Path, clock: &Clock) -> anyhow::Result<DevIssuerHandle> {
    let kept = folder.join("issuer");
    let keys = if let Some(keys) = DevIssuerKeys::load(&kept)? {
        keys
    } else {
        let keys = DevIssuerKeys::generate()?;
        keys.save(&kept)?;
        keys
    };
    Ok(DevIssuer::start(
        local(next_port(args, 2)),
        seed::AUDIENCE,
        keys,
        clock.clone(),
    )?)
}

/// None where the real Anam is used.
fn start_emulator(
    args: &DevArgs,
    env: &BTreeMap<String, String>,
) -> anyhow::Result<Option<EmulatorHandle>> {
    if env.contains_key("ANAM_API_KEY") || env.contains_key("ANAM_API_KEY_FILE") {
        return Ok(None);
    }
    let config = EmulatorConfig {
        bind: local(next_port(args, 3)),
        ..EmulatorConfig::default()
    };
    Ok(Some(Emulator::start(config)?))
}

/// The settings of `serve`, with what only this machine knows filled in.
fn settings(
    args: &DevArgs,
    env: &BTreeMap<String, String>,
    data: &Data,
    emulator: Option<&EmulatorHandle>,
) -> anyhow::Result<Settings> {
    let mut env = env.clone();
    let mut default = |name: &str, value: &str| {
        env.entry(name.to_owned())
            .or_insert_with(|| value.to_owned());
    };
    default("GATEWAY__SERVER__HOST", "127.0.0.1");
    // Nobody balances a load here: Ctrl-C should not take its time.
    default("GATEWAY__SERVER__DRAIN_GRACE_MS", "0");
    default("GATEWAY__AUTH__OUTBOUND_ALLOW", "127.0.0.0/8,::1/128");
    // One person, one machine: a load test of it should not meet limits made for the internet.
    for limit in [
        "TENANT_MINTS_PER_MINUTE",
        "USER_MINTS_PER_MINUTE",
        "ADDRESS_REQUESTS_PER_MINUTE",
    ] {
        default(&format!("GATEWAY__LIMITS__{limit}"), "0");
    }
    if let Some(emulator) = emulator {
        default("ANAM_API_KEY", "emulator-key");
        env.insert("ANAM_BASE_URL".into(), emulator.url());
    }
    env.insert("GATEWAY__SERVER__PORT".into(), args.port.to_string());
    env.insert(
        "GATEWAY__SERVER__OPS_PORT".into(),
        next_port(args, 1).to_string(),
    );
    env.insert(
        "DATABASE_URL".into(),
        data.login_url.to_url().expose_secret().to_owned(),
    );
    env.entry("GATEWAY_MASTER_KEY".into())
        .or_insert_with(|| data.master_key.expose_secret().to_owned());
    let mut settings = Settings::load(&env, Path::new("config"))?;
    settings.server.shows_design = true;
    Ok(settings)
}

fn next_port(args: &DevArgs, offset: u16) -> u16 {
    if args.port == 0 {
        0
    } else {
        args.port.saturating_add(offset)
    }
}

/// Where the gateway will listen.
fn host(env: &BTreeMap<String, String>) -> IpAddr {
    let host = env.get("GATEWAY__SERVER__HOST");
    host.and_then(|host| host.parse().ok())
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn user_token(issuer: &DevIssuerHandle) -> anyhow::Result<String> {
    let mut asked = TokenRequest::new(seed::USER, seed::user_claims());
    asked.expires_in = USER_TOKEN_SECONDS;
    issuer.sign(&asked).context("no user token")
}

/// The curl line must work as soon as it is printed: waits until the service knows the demo's issuer.
async fn wait_until_served(app: &App, token: &str) -> anyhow::Result<()> {
    let served = async {
        while app.gateway.auth.authenticate(token).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let patience = tokio::time::timeout(Duration::from_secs(10), served);
    patience
        .await
        .context("the gateway does not serve the demo tenant; the log says why")
}

fn welcome(ready: &Ready, emulated: bool) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let Ready {
        gateway,
        ops,
        console,
        issuer,
        anam,
        page,
        tenant,
        user_token,
        database_url,
        data_folder,
        admin_key,
        admin_email,
        admin_password,
        ..
    } = ready;
    writeln!(text)?;
    writeln!(
        text,
        "The persona gateway is running. Open this page: sign in as somebody, choose, and talk."
    )?;
    writeln!(text)?;
    writeln!(text, "  {page}")?;
    writeln!(text)?;
    writeln!(
        text,
        "The tenant `{tenant}` has the contexts support, sales, training and default. What the page does, as a command: the logged-in user"
    )?;
    writeln!(
        text,
        "Sam asks for support, and gets a session token for a persona made for Sam."
    )?;
    writeln!(text)?;
    writeln!(text, "  curl -s -X POST {gateway}/v1/session-token \\")?;
    writeln!(text, "    -H 'Authorization: Bearer {user_token}' \\")?;
    writeln!(text, "    -H 'Content-Type: application/json' \\")?;
    writeln!(
        text,
        "    -d '{{\"context\":\"support\",\"metadata\":{{\"ticketId\":\"T-1042\",\"issue\":\"My invoice is wrong\"}}}}'"
    )?;
    writeln!(text)?;
    if emulated {
        writeln!(
            text,
            "What Anam was asked for (a stand-in here; set ANAM_API_KEY to ask the real one):"
        )?;
        writeln!(text)?;
        writeln!(text, "  curl -s {anam}/_emulator/requests")?;
        writeln!(text)?;
    }
    writeln!(
        text,
        "In a browser: the console, where personas are written."
    )?;
    writeln!(text)?;
    writeln!(text, "  {console}")?;
    writeln!(text, "  e-mail address {admin_email}")?;
    writeln!(text, "  password       {admin_password}")?;
    writeln!(text)?;
    writeln!(
        text,
        "  gateway   {gateway}   (the API to read and try: {gateway}/docs)"
    )?;
    writeln!(text, "  operators {ops}   (/healthz /readyz /metrics)")?;
    writeln!(
        text,
        "  issuer    {issuer}   (POST /token gives tokens for any user)"
    )?;
    writeln!(text, "  Anam      {anam}")?;
    writeln!(text, "  page      {page}   (its files: examples/page)")?;
    writeln!(text, "  database  psql '{database_url}'")?;
    writeln!(text, "  data      {data_folder}")?;
    writeln!(text, "  admin key {admin_key}   (docs/DEV.md)")?;
    writeln!(text)?;
    writeln!(
        text,
        "Ctrl-C stops it all; the data stay for the next start."
    )?;
    Ok(text)
}

//! Files, variables, and every mistake named at once.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use persona_gateway::config::{ConfigErrors, LogFormat, MigrateSettings, Settings, reference};
use secrecy::ExposeSecret;

const KEY: &str = "AAEC7DFoL95WGReVL/eKeore/9D+vDct0mhxkWxGxjA=";
const DATABASE: &str = "postgres://app:canary-password@db/gateway";

/// A folder for configuration files, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("pgw-config-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn with(file: &str, text: &str) -> Self {
        let folder = Self::new();
        fs::write(folder.0.join(file), text).unwrap();
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// What `serve` needs at least, plus `more`.
fn variables(more: &[(&str, &str)]) -> BTreeMap<String, String> {
    [("DATABASE_URL", DATABASE), ("GATEWAY_MASTER_KEY", KEY)]
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn load(more: &[(&str, &str)]) -> Result<Settings, ConfigErrors> {
    let folder = Folder::new();
    Settings::load(&variables(more), &folder.0)
}

/// The lines of the report of mistakes.
fn mistakes(more: &[(&str, &str)]) -> Vec<String> {
    lines(&load(more).unwrap_err())
}

fn lines(errors: &ConfigErrors) -> Vec<String> {
    errors.0.iter().map(ToString::to_string).collect()
}

#[test]
fn two_variables_are_enough_to_serve() {
    let settings = load(&[]).unwrap();
    assert!(
        settings
            .effective()
            .starts_with("# environment: production\n")
    );
    assert_eq!(settings.server.port, 8080);
    assert_eq!(settings.anam.base_url.as_str(), "https://api.anam.ai/");
    assert_eq!(settings.anam.timeout, Duration::from_secs(8));
    assert!(settings.anam.api_key.is_none());
    assert_eq!(settings.log.format, LogFormat::Json);
    assert_eq!(
        settings.database.url.to_url().expose_secret(),
        DATABASE.replace("@db/", "@db:5432/")
    );
}

#[test]
fn a_variable_beats_the_file_and_the_file_beats_the_default() {
    let folder = Folder::with(
        "production.toml",
        "[server]\nport = 1111\nworkers = 3\n[log]\nformat = \"text\"\n",
    );
    let env = variables(&[("GATEWAY__SERVER__PORT", "2222")]);
    let settings = Settings::load(&env, &folder.0).unwrap();
    assert_eq!(settings.server.port, 2222);
    assert_eq!(settings.server.workers, 3);
    assert_eq!(settings.server.ops_port, 9090);
    assert_eq!(settings.log.format, LogFormat::Text);
}

#[test]
fn the_environment_chooses_the_file_and_a_variable_the_folder() {
    let folder = Folder::with("staging.toml", "[server]\nport = 3333\n");
    let env = variables(&[
        ("GATEWAY_ENVIRONMENT", "staging"),
        ("GATEWAY_CONFIG_DIR", folder.0.to_str().unwrap()),
    ]);
    let settings = Settings::load(&env, Path::new("/nowhere")).unwrap();
    assert!(settings.effective().starts_with("# environment: staging\n"));
    assert_eq!(settings.server.port, 3333);
}

#[test]
fn a_file_that_was_asked_for_must_exist() {
    let report = mistakes(&[("GATEWAY_ENVIRONMENT", "staging")]);
    assert_eq!(report.len(), 1);
    assert!(
        report[0].contains("staging.toml: cannot be read"),
        "{report:?}"
    );
    let report = mistakes(&[("GATEWAY_ENVIRONMENT", "../secrets")]);
    assert!(
        report[0].starts_with("GATEWAY_ENVIRONMENT: \"../secrets\""),
        "{report:?}"
    );
}

#[test]
fn lists_come_from_toml_and_from_variables() {
    let folder = Folder::with(
        "production.toml",
        "[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\n",
    );
    let env = variables(&[
        ("GATEWAY__AUTH__OUTBOUND_ALLOW", "127.0.0.0/8, ::1/128"),
        ("GATEWAY__AUTH__OUTBOUND_PORTS", ""),
    ]);
    let settings = Settings::load(&env, &folder.0).unwrap();
    assert_eq!(settings.server.trusted_proxies.len(), 1);
    assert_eq!(settings.auth.outbound_allow.len(), 2);
    assert!(settings.auth.outbound_ports.is_empty());
}

#[test]
fn zero_is_no_limit() {
    let settings = load(&[("GATEWAY__LIMITS__USER_MINTS_PER_MINUTE", "0")]).unwrap();
    assert!(settings.limits.user_mints_per_minute.is_none());
    assert!(settings.limits.tenant_mints_in_flight.is_some());
}

#[test]
fn a_secret_may_stand_in_a_file_and_loses_its_line_end() {
    let folder = Folder::with("anam-key", "key-from-file\n");
    let path = folder.0.join("anam-key");
    let settings = load(&[("ANAM_API_KEY_FILE", path.to_str().unwrap())]).unwrap();
    assert_eq!(
        settings.anam.api_key.unwrap().expose_secret(),
        "key-from-file"
    );
    let report = mistakes(&[("ANAM_API_KEY_FILE", "/no/such/file")]);
    assert!(
        report[0].starts_with("anam.api_key (ANAM_API_KEY_FILE): cannot read"),
        "{report:?}"
    );
}

#[test]
fn files_and_variables_may_be_as_windows_and_clipboards_make_them() {
    let utf16 = |text: &str| -> Vec<u8> {
        let marked = format!("\u{feff}{text}");
        marked.encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    let folder = Folder::new();
    let path = folder.0.join("secret");
    fs::write(&path, utf16("anam-secret-of-windows\r\n")).unwrap();
    fs::write(
        folder.0.join("production.toml"),
        utf16("[server]\r\nport = 8123\r\n"),
    )
    .unwrap();
    let more = [
        ("ANAM_API_KEY_FILE", path.to_str().unwrap()),
        ("GATEWAY__SERVER__HOST", "\u{a0}127.0.0.1 "),
    ];
    let settings = Settings::load(&variables(&more), &folder.0).unwrap();
    assert_eq!(
        settings.anam.api_key.unwrap().expose_secret(),
        "anam-secret-of-windows"
    );
    assert_eq!(settings.server.port, 8123);
    assert_eq!(settings.server.host.to_string(), "127.0.0.1");

    let report = mistakes(&[("ANAM_API_KEY", "anam\u{200b}-canary")]);
    assert_eq!(
        report,
        [
            "anam.api_key (ANAM_API_KEY): character 5 is U+200B ZERO WIDTH SPACE, which is invisible: remove it, or copy the value again from its source"
        ]
    );
    let folder = Folder::with("production.toml", "[server]\nport =\u{a0}8123\n");
    let errors = Settings::load(&variables(&[]), &folder.0);
    let report = lines(&errors.unwrap_err());
    assert!(
        report[0].contains("production.toml:2")
            && report[0].contains("U+00A0 NO-BREAK SPACE is here"),
        "{report:?}"
    );
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let settings = load(&[("ANAM_API_KEY", ""), ("ANAM_BASE_URL", "")]).unwrap();
    assert!(settings.anam.api_key.is_none());
    assert_eq!(settings.anam.base_url.as_str(), "https://api.anam.ai/");
}

#[test]
fn what_can_be_no_setting_of_metrics_and_traces_is_refused_with_advice() {
    let table = [
        ("GATEWAY__METRICS__TENANTS", "-1", "is not an integer"),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "localhost:4318",
            "must be the address of a receiver",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://user:word@localhost:4318",
            "without a user name",
        ),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "a key",
            "must be headers as in `name=value,name=value`",
        ),
        (
            "OTEL_TRACES_SAMPLER",
            "xray",
            "is not `always_on` or `always_off`",
        ),
        (
            "OTEL_TRACES_SAMPLER_ARG",
            "half",
            "is not a number from 0 to 1",
        ),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5", "must be a number from 0"),
    ];
    for (variable, value, advice) in table {
        let report = mistakes(&[(variable, value)]);
        assert_eq!(report.len(), 1, "{variable}={value}: {report:?}");
        assert!(report[0].contains(advice), "{variable}={value}: {report:?}");
    }
}

#[test]
fn the_variables_of_opentelemetry_set_traces() {
    assert!(load(&[]).unwrap().traces.is_none());
    let settings = load(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otel.example/base/"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x-team = us"),
        ("OTEL_SERVICE_NAME", "gateway-eu"),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
    ]);
    let traces = settings.unwrap().traces.unwrap();
    assert_eq!(
        traces.endpoint.as_str(),
        "https://otel.example/base/v1/traces"
    );
    let headers = traces.headers.iter();
    let headers: Vec<_> = headers
        .map(|(name, value)| (name.as_str(), value.expose_secret()))
        .collect();
    assert_eq!(headers, [("api-key", "a b"), ("x-team", "us")]);
    assert_eq!(traces.service_name, "gateway-eu");
    assert!(!traces.sampler.follows_parent);
    assert!((traces.sampler.ratio - 0.25).abs() < f64::EPSILON);
}

#[test]
fn a_value_that_is_set_twice_is_refused() {
    let report = mistakes(&[
        ("ANAM_BASE_URL", "https://a.example"),
        ("GATEWAY__ANAM__BASE_URL", "https://b.example"),
    ]);
    assert_eq!(
        report,
        [
            "anam.base_url: set more than once, by GATEWAY__ANAM__BASE_URL and ANAM_BASE_URL: keep one"
        ]
    );
}

#[test]
fn all_mistakes_are_reported_at_once_each_with_its_place() {
    let folder = Folder::with(
        "production.toml",
        "[server]\nprot = 1\nport = 99999\n\n[anam]\nretries = true\ntimeout_ms = 60000\n",
    );
    let mut env = variables(&[
        ("GATEWAY__LOG__FORMAT", "xml"),
        ("GATEWAY__SERVER__HOTS", "x"),
    ]);
    env.remove("DATABASE_URL");
    let report = lines(&Settings::load(&env, &folder.0).unwrap_err());
    let file = folder.0.join("production.toml").display().to_string();
    let expected = [
        format!("server.prot ({file}:2): no such setting; did you mean server.port?"),
        "GATEWAY__SERVER__HOTS: no such setting; did you mean GATEWAY__SERVER__HOST?".to_owned(),
        format!("server.port ({file}:3): 99999 is not an integer from 0 to 65535"),
        format!(
            "anam.timeout_ms ({file}:7): is longer than anam.deadline_ms: lower it or raise the other"
        ),
        format!("anam.retries ({file}:6): (true or false) is not an integer from 0 to 1"),
        "log.format (GATEWAY__LOG__FORMAT): \"xml\" is not `json` or `text`".to_owned(),
        "database.url: not set: set DATABASE_URL (or DATABASE_URL_FILE) to a postgres:// URL"
            .to_owned(),
    ];
    assert_eq!(report, expected);
}

#[test]
fn a_proxy_and_what_goes_past_it_are_judged_apart() {
    let report = mistakes(&[
        (
            "GATEWAY__PROXY__URL",
            "https://gateway:hidden-word@proxy.example:3128",
        ),
        ("GATEWAY__PROXY__BYPASS", "10.0.0.0/8,*x"),
    ]);
    let [bypass, url] = report.as_slice() else {
        panic!("{report:?}")
    };
    assert!(
        bypass.starts_with("proxy.bypass (GATEWAY__PROXY__BYPASS): \"*x\" is not a name"),
        "{bypass}"
    );
    assert!(
        url.starts_with("proxy.url (GATEWAY__PROXY__URL): must be an http:// address"),
        "{url}"
    );
    assert!(!url.contains("hidden-word"), "{url}");
    assert!(load(&[]).unwrap().proxy.is_none());
}

#[test]
fn a_value_of_another_kind_is_refused_and_never_converted() {
    for (line, problem) in [
        (
            "port = 8080.0",
            "server.port: (a fraction) is not an integer",
        ),
        (
            "port = true",
            "server.port: (true or false) is not an integer",
        ),
        (
            "port = 2026-11-28",
            "server.port: (a date) is not an integer",
        ),
        ("port = \"yes\"", "server.port: \"yes\" is not an integer"),
        ("port = [8080]", "server.port: [\"8080\"] is not an integer"),
        (
            "port = 99999999999999999999",
            "server.port: (a huge integer) is not an integer",
        ),
        ("host = 7", "server.host: 7 is not a string"),
        (
            "host = true",
            "server.host: (true or false) is not a string",
        ),
        (
            "trusted_proxies = [\"10.0.0.0/8\", 1.5]",
            "server.trusted_proxies: (a list of something else than strings and integers) is not a list",
        ),
        (
            "trusted_proxies = [[\"10.0.0.0/8\"]]",
            "is not a list of which each item",
        ),
        (
            "trusted_proxies = 7",
            "server.trusted_proxies: 7 is not a list",
        ),
        (
            "port = { number = 1 }",
            "server.port.number: no such setting",
        ),
    ] {
        let folder = Folder::with("production.toml", &format!("[server]\n{line}\n"));
        let report = lines(&Settings::load(&variables(&[]), &folder.0).unwrap_err());
        let place = format!(" ({}:2)", folder.0.join("production.toml").display());
        let [mistake] = report.as_slice() else {
            panic!("{line}: {report:?}")
        };
        assert!(mistake.contains(&place), "{mistake}");
        assert!(mistake.replace(&place, "").contains(problem), "{mistake}");
    }
}

/// A variable, its wrong value, and what the report must say.
#[test]
fn every_kind_of_wrong_value_is_refused_with_advice() {
    let table = [
        (
            "GATEWAY__CONSOLE__ANAM_SDK",
            "/nowhere/sdk.tgz",
            "is not the file that `npm pack @anam-ai/js-sdk@",
        ),
        ("GATEWAY__SERVER__HOST", "localhost", "is not an IP address"),
        (
            "GATEWAY__SERVER__PORT",
            "eighty",
            "is not an integer from 0 to 65535",
        ),
        ("GATEWAY__SERVER__PORT", "-1", "is not an integer"),
        (
            "GATEWAY__SERVER__PORT",
            "9090",
            "is the same as server.port",
        ),
        ("GATEWAY__SERVER__WORKERS", "1.5", "is not an integer"),
        (
            "GATEWAY__SERVER__PUBLIC_URL",
            "gateway",
            "must start with https:// and a host, such as https://gateway.example.com",
        ),
        (
            "GATEWAY__SERVER__PUBLIC_URL",
            "http://gateway.example",
            "must be https",
        ),
        (
            "GATEWAY__SERVER__TRUSTED_PROXIES",
            "10.0.0.0/8,proxy",
            "\"proxy\" is not a network",
        ),
        (
            "GATEWAY__DATABASE__MIGRATE_URL",
            "mysql://x",
            "is no URL such as postgres://",
        ),
        (
            "GATEWAY__DATABASE__OWN_CONNECTIONS",
            "1",
            "is not an integer from 2",
        ),
        ("ANAM_BASE_URL", "http://api.anam.ai", "must be https"),
        (
            "ANAM_BASE_URL",
            "https://u:p@api.anam.ai",
            "must not hold a user name",
        ),
        (
            "ANAM_BASE_URL",
            "https://api.anam.ai/?x=1",
            "must not hold a query",
        ),
        ("ANAM_API_KEY", "two words", "copy the key again"),
        (
            "GATEWAY__ANAM__RETRIES",
            "2",
            "is not an integer from 0 to 1",
        ),
        (
            "GATEWAY__AUTH__OUTBOUND_PORTS",
            "443,https",
            "\"https\" is not a port",
        ),
        (
            "GATEWAY__AUTH__JWKS_REFRESH_FLOOR_SECONDS",
            "3000",
            "is longer than",
        ),
        ("GATEWAY__LOG__FILTER", "sqlx=loud", "is not a filter"),
        ("GATEWAY__LIMITS__MINTS_IN_FLIGHT", "", "is not an integer"),
        ("GATEWAY__SERVER", "x", "no such setting"),
        ("GATEWAY__server__port", "1", "no such setting"),
        (
            "GATEWAY_SERVER__PORT",
            "1",
            "did you mean GATEWAY__SERVER__PORT?",
        ),
        ("GATEWAY_MASTERKEY", "1", "did you mean GATEWAY_MASTER_KEY?"),
        ("ANAM_APIKEY", "1", "did you mean ANAM_API_KEY?"),
    ];
    for (name, value, advice) in table {
        let report = mistakes(&[(name, value)]);
        assert_eq!(report.len(), 1, "{name}={value}: {report:?}");
        assert!(report[0].contains(advice), "{name}={value}: {report:?}");
    }
}

#[test]
fn variables_that_kubernetes_makes_for_a_service_named_gateway_do_no_harm() {
    let made = [
        ("GATEWAY_PORT", "tcp://10.0.0.1:80"),
        ("GATEWAY_SERVICE_HOST", "10.0.0.1"),
        ("GATEWAY_PORT_80_TCP_ADDR", "10.0.0.1"),
    ];
    load(&made).unwrap();
}

#[test]
fn broken_toml_is_reported_by_line_and_never_quoted() {
    let folder = Folder::with(
        "production.toml",
        "[anam]\napi_key = \"canary-secret\n[security]\nmaster_key = canary-secret\n",
    );
    let error = Settings::load(&variables(&[]), &folder.0)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("production.toml:2: this is not TOML"),
        "{error}"
    );
    assert!(!error.contains("canary"), "{error}");
}

#[test]
fn no_secret_is_shown_by_errors_by_debug_or_by_the_effective_configuration() {
    let env = [
        ("ANAM_API_KEY", "canary-key"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=canary-key"),
        ("GATEWAY__LIMITS__REDIS_URL", "redis://:canary@localhost"),
    ];
    let settings = load(&env).unwrap();
    let shown = format!("{settings:?}\n{}", settings.effective());
    assert!(!shown.contains("canary") && !shown.contains(KEY), "{shown}");

    let wrong = [
        ("DATABASE_URL", "canary://x"),
        ("GATEWAY_MASTER_KEY", "canary"),
        ("ANAM_API_KEY", "canary\nkey"),
        ("MIGRATE_DATABASE_URL", "canary"),
        ("ANAM_BASE_URL", "https://canary@api.anam.ai"),
        ("GATEWAY__LIMITS__REDIS_URL", "http://:canary@localhost"),
    ];
    let report = mistakes(&wrong);
    assert_eq!(report.len(), wrong.len(), "{report:?}");
    assert!(!report.concat().contains("canary"), "{report:?}");
}

#[test]
fn redis_is_named_by_a_url_which_may_stand_in_a_file() {
    assert!(load(&[]).unwrap().limits.redis.is_none());
    let folder = Folder::with("redis", "rediss://gateway:secret@redis.example.com\n");
    let file = folder.0.join("redis");
    let file = file.to_str().unwrap();
    let settings = load(&[("GATEWAY__LIMITS__REDIS_URL_FILE", file)]).unwrap();
    let redis = settings.limits.redis.unwrap();
    assert_eq!(redis.url.host, "redis.example.com");
    assert_eq!(redis.timeout, Duration::from_millis(100));

    let said = mistakes(&[("GATEWAY__LIMITS__REDIS_URL", "localhost:6379")]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("must be an address such as redis://"),
        "{said:?}"
    );
    let said = mistakes(&[
        ("GATEWAY__LIMITS__REDIS_URL", "rediss://redis.example.com"),
        (
            "GATEWAY__LIMITS__REDIS_ROOT_CERTIFICATES",
            "/nowhere/ca.pem",
        ),
        ("GATEWAY__LIMITS__REDIS_TIMEOUT_MS", "0"),
    ]);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[1].contains("can't read /nowhere/ca.pem"), "{said:?}");
}

#[test]
fn the_effective_configuration_names_each_source() {
    let folder = Folder::with("production.toml", "[server]\nworkers = 2\n");
    let env = variables(&[("GATEWAY__SERVER__PORT", "1234")]);
    let settings = Settings::load(&env, &folder.0).unwrap();
    let line = |start: &str| {
        let mut lines = settings.effective().lines();
        lines
            .find(|line| line.starts_with(start))
            .unwrap()
            .to_owned()
    };
    assert!(line("port = \"1234\"").ends_with("# GATEWAY__SERVER__PORT"));
    assert!(line("workers = 2").ends_with("production.toml:2"));
    assert!(line("ops_port = 9090").ends_with("# built-in default"));
    assert!(line("master_key = \"***\"").ends_with("# GATEWAY_MASTER_KEY"));
}

#[test]
fn migrating_needs_one_url_and_prefers_the_owners() {
    let folder = Folder::new();
    let env = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    let app = ("DATABASE_URL", "postgres://app@db/x");
    let owner = ("MIGRATE_DATABASE_URL", "postgres://owner@db/x");
    let url =
        |pairs: &[_]| MigrateSettings::load(&env(pairs), &folder.0).map(|settings| settings.url);
    assert_eq!(url(&[app]).unwrap().user(), "app");
    assert_eq!(url(&[app, owner]).unwrap().user(), "owner");
    let report = lines(&url(&[]).unwrap_err());
    assert_eq!(report.len(), 1);
    assert!(report[0].contains("set MIGRATE_DATABASE_URL"), "{report:?}");
}

#[test]
fn the_reference_page_is_fresh_and_names_every_setting() {
    let page = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/docs/CONFIGURATION.md"
    ))
    .unwrap();
    assert!(
        page == reference(),
        "run `persona-gateway check-config --reference > docs/CONFIGURATION.md`"
    );
    let effective = load(&[]).unwrap();
    let settings = effective
        .effective()
        .lines()
        .filter(|line| line.contains(" = "))
        .count();
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, settings);
    assert!(!page.contains("|  |"), "a setting has no comment");
}

//! Which keys exist, taken from `default.toml`, and the environment variables that set them.

/// The defaults, which also list every key.
pub(super) const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Keys whose values are never shown, and which may also be given as `<VARIABLE>_FILE`.
const SECRETS: [&str; 9] = [
    "database.url",
    "database.direct_url",
    "database.migrate_url",
    "anam.api_key",
    "security.master_key",
    "proxy.url",
    "limits.redis_url",
    "mail.url",
    "traces.headers",
];

/// Short names that other tools and platforms know or set.
const SHORT_NAMES: [(&str, &str); 11] = [
    ("database.url", "DATABASE_URL"),
    ("database.direct_url", "DIRECT_DATABASE_URL"),
    ("database.migrate_url", "MIGRATE_DATABASE_URL"),
    ("anam.api_key", "ANAM_API_KEY"),
    ("anam.base_url", "ANAM_BASE_URL"),
    ("security.master_key", "GATEWAY_MASTER_KEY"),
    ("traces.endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ("traces.headers", "OTEL_EXPORTER_OTLP_HEADERS"),
    ("traces.service_name", "OTEL_SERVICE_NAME"),
    ("traces.sampler", "OTEL_TRACES_SAMPLER"),
    ("traces.sampler_arg", "OTEL_TRACES_SAMPLER_ARG"),
];

/// Selects `config/<its value>.toml`.
pub(super) const ENVIRONMENT: &str = "GATEWAY_ENVIRONMENT";
/// The folder of that file.
pub(super) const CONFIG_DIR: &str = "GATEWAY_CONFIG_DIR";

pub(super) fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key)
}

/// An environment variable that sets a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: String,
    /// Its value is the path of a file that holds the setting.
    pub(super) is_file: bool,
    /// An empty value counts as unset: compose files and CI pass variables on like that.
    pub(super) may_be_empty: bool,
}

/// `server.port` is `GATEWAY__SERVER__PORT`.
pub(super) fn long_name(key: &str) -> String {
    format!("GATEWAY__{}", key.replace('.', "__").to_uppercase())
}

pub(super) fn short_name(key: &str) -> Option<&'static str> {
    SHORT_NAMES
        .iter()
        .find(|(named, _)| *named == key)
        .map(|(_, name)| *name)
}

/// The name that messages and documents use.
pub(super) fn best_name(key: &str) -> String {
    short_name(key).map_or_else(|| long_name(key), str::to_owned)
}

/// Every variable that sets this key.
pub(super) fn variables(key: &str) -> Vec<Variable> {
    let mut variables = vec![Variable {
        name: long_name(key),
        is_file: false,
        may_be_empty: !is_secret(key),
    }];
    variables.extend(short_name(key).map(|name| Variable {
        name: name.to_owned(),
        is_file: false,
        may_be_empty: false,
    }));
    if is_secret(key) {
        let files: Vec<_> = variables
            .iter()
            .map(|variable| Variable {
                name: format!("{}_FILE", variable.name),
                is_file: true,
                may_be_empty: false,
            })
            .collect();
        variables.extend(files);
    }
    variables
}

//! What is behind the `?`. Each parameter that libpq knows is honoured or refused by name; others are refused.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::part::{decode, fault, port_of};
use super::{DatabaseTarget, DatabaseTls, DatabaseUrlFault};

/// The longest `connect_timeout`, in seconds.
const LONGEST_WAIT: u64 = 3600;
/// Longest name of an application, in bytes; Postgres would cut longer ones.
const LONGEST_NAME: usize = 63;
/// Files of system roots: the program's own roots are used in their place.
const PUBLIC_ROOTS: &str = "system";

#[derive(Default)]
pub(super) struct Parameters {
    pub(super) user: Option<String>,
    pub(super) password: Option<SecretString>,
    pub(super) host: Option<String>,
    /// One for each host, or one for all; none if it is not given.
    pub(super) ports: Vec<u16>,
    pub(super) target: Option<DatabaseTarget>,
    pub(super) database: Option<String>,
    pub(super) application_name: Option<String>,
    pub(super) connect_timeout: Option<Duration>,
    tls: Option<DatabaseTls>,
    /// The server has to prove that nobody is between.
    proven: bool,
    roots: Option<String>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

const MODES: [(&str, DatabaseTls); 5] = [
    ("disable", DatabaseTls::Disable),
    ("prefer", DatabaseTls::Prefer),
    ("require", DatabaseTls::Require),
    ("verify-ca", DatabaseTls::VerifyCa),
    ("verify-full", DatabaseTls::VerifyFull),
];

/// Which server is wanted.
pub(super) const TARGET: &str = "target_session_attrs";

const TARGETS: [(&str, DatabaseTarget); 3] = [
    ("any", DatabaseTarget::Any),
    ("primary", DatabaseTarget::Primary),
    ("read-write", DatabaseTarget::ReadWrite),
];

/// The word of libpq for it.
pub(super) fn name_of_target(target: DatabaseTarget) -> &'static str {
    TARGETS
        .iter()
        .find(|(_, known)| *known == target)
        .map_or("any", |(name, _)| *name)
}

/// The word of libpq for it.
pub(super) fn name_of(tls: DatabaseTls) -> &'static str {
    MODES
        .iter()
        .find(|(_, mode)| *mode == tls)
        .map_or("prefer", |(name, _)| *name)
}

/// Parameters of libpq that ask for nothing with these values, which are what happens anyway.
const AS_IT_IS: [(&str, &[&str]); 8] = [
    ("channel_binding", &["prefer", "disable"]),
    ("gssencmode", &["prefer", "disable"]),
    ("load_balance_hosts", &["disable"]),
    ("client_encoding", &["UTF8", "utf8", "UTF-8", "auto"]),
    ("sslcompression", &["0"]),
    ("sslsni", &["1"]),
    ("sslnegotiation", &["postgres"]),
    ("ssl_min_protocol_version", &["TLSv1", "TLSv1.1", "TLSv1.2"]),
];

/// Parameters that would be passed over, and what to do instead.
const REFUSED: [(&str, &str); 44] = [
    ("channel_binding", "it must be disable, prefer or require"),
    ("gssencmode", "there is no GSSAPI here: remove it"),
    (
        "load_balance_hosts",
        "only one server takes writes, and all use that: remove it",
    ),
    ("client_encoding", "it is always UTF8: remove it"),
    ("sslcompression", "TLS is not compressed: remove it"),
    ("sslsni", "the server's name is always sent: remove it"),
    ("sslnegotiation", "TLS is always tried first: remove it"),
    (
        "ssl_min_protocol_version",
        "it is TLSv1.2: remove it, and set the server's own",
    ),
    (
        "ssl_max_protocol_version",
        "it is the newest that both know: remove it",
    ),
    (
        "options",
        "no server settings come with the URL; the gateway sets those that it needs. Others: alter role ... set ...",
    ),
    (
        "search_path",
        "the gateway's tables are in the schema public, whatever the search path: remove it",
    ),
    (
        "schema",
        "the gateway's tables are in the schema public: remove it",
    ),
    (
        "currentSchema",
        "the gateway's tables are in the schema public: remove it",
    ),
    ("hostaddr", "write the address as the host"),
    (
        "passfile",
        "write the password into the URL, or the URL into a file that DATABASE_URL_FILE names",
    ),
    ("service", "write out what the service file says"),
    ("servicefile", "write out what the service file says"),
    ("fallback_application_name", "write application_name"),
    (
        "require_auth",
        "the server chooses the method: use sslmode=verify-full",
    ),
    (
        "sslpassword",
        "write the key into a file without a password that only the gateway can read",
    ),
    (
        "sslcrl",
        "lists of withdrawn certificates are not read: remove it",
    ),
    (
        "sslcrldir",
        "lists of withdrawn certificates are not read: remove it",
    ),
    (
        "sslcertmode",
        "a certificate is sent where sslcert names one: remove it",
    ),
    (
        "sslkeylogfile",
        "keys of connections are not written down: remove it",
    ),
    ("requiressl", "write sslmode=require"),
    ("requirepeer", "it is not checked: remove it"),
    (
        "keepalives",
        "the gateway finds out for itself whether the server is there: remove it",
    ),
    (
        "keepalives_idle",
        "the gateway finds out for itself whether the server is there: remove it",
    ),
    (
        "keepalives_interval",
        "the gateway finds out for itself whether the server is there: remove it",
    ),
    (
        "keepalives_count",
        "the gateway finds out for itself whether the server is there: remove it",
    ),
    (
        "tcp_user_timeout",
        "the gateway finds out for itself whether the server is there: remove it",
    ),
    ("replication", "the gateway does not replicate: remove it"),
    ("krbsrvname", "there is no Kerberos here: remove it"),
    ("gsslib", "there is no GSSAPI here: remove it"),
    ("gssdelegation", "there is no GSSAPI here: remove it"),
    ("min_protocol_version", "it is 3.0: remove it"),
    ("max_protocol_version", "it is 3.0: remove it"),
    (
        "ssl",
        "write sslmode=require, or better sslmode=verify-full",
    ),
    (
        "pgbouncer",
        "remove it; behind a pooler, set database.direct_url as well",
    ),
    (
        "connection_limit",
        "the numbers of connections are settings of [database]: remove it",
    ),
    (
        "pool_timeout",
        "it is the setting database.acquire_timeout_ms: remove it",
    ),
    (
        "statement_cache_mode",
        "remove it; behind a pooler, set database.direct_url as well",
    ),
    (
        "statement_timeout",
        "it is the setting database.statement_timeout_ms: remove it",
    ),
    (
        "lock_timeout",
        "it is the setting database.lock_timeout_ms: remove it",
    ),
];

const HONOURED: &str = "sslmode, channel_binding, sslrootcert, sslcert, sslkey, application_name, connect_timeout, target_session_attrs, host, port, dbname, user and password";

impl Parameters {
    pub(super) fn read(query: &str) -> Result<Self, DatabaseUrlFault> {
        let mut parameters = Self::default();
        let mut seen = BTreeSet::new();
        // With a password among them, a name may be a piece of it behind a `&`.
        let may_show = !query.contains("password");
        for part in query.split('&').filter(|_| !query.is_empty()) {
            let Some((name, value)) = part.split_once('=') else {
                return fault(
                    "has a parameter without a `=`: an & that belongs to a value is written %26",
                );
            };
            if !seen.insert(name) {
                return fault("has a parameter twice: keep one");
            }
            let value = decode(value, "a parameter's value")?;
            parameters.take(name, value, may_show)?;
        }
        Ok(parameters)
    }

    fn take(&mut self, name: &str, value: String, may_show: bool) -> Result<(), DatabaseUrlFault> {
        match name {
            _ if value.is_empty() => {
                return fault("has a parameter without a value: remove it, or write one");
            }
            "user" => self.user = Some(value),
            "password" => self.password = Some(SecretString::from(value)),
            "host" => self.host = Some(value),
            "port" => self.ports = value.split(',').map(port_of).collect::<Result<_, _>>()?,
            TARGET => self.target = Some(target_of(&value)?),
            "dbname" => self.database = Some(value),
            "application_name" => {
                let is_plain = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
                if !is_plain || value.len() > LONGEST_NAME {
                    return fault(format!(
                        "application_name must be at most {LONGEST_NAME} characters of ASCII"
                    ));
                }
                self.application_name = Some(value);
            }
            "connect_timeout" => {
                let seconds = value.parse().ok();
                let seconds = seconds.filter(|seconds| (1..=LONGEST_WAIT).contains(seconds));
                let Some(seconds) = seconds else {
                    return fault(format!(
                        "connect_timeout must be a number of seconds from 1 to {LONGEST_WAIT}"
                    ));
                };
                self.connect_timeout = Some(Duration::from_secs(seconds));
            }
            "sslmode" => self.tls = Some(mode_of(&value)?),
            "channel_binding" if value == "require" => self.proven = true,
            "sslrootcert" => self.roots = Some(value),
            "sslcert" => self.certificate = Some(PathBuf::from(value)),
            "sslkey" => self.key = Some(PathBuf::from(value)),
            other => refuse(other, &value, may_show)?,
        }
        Ok(())
    }

    /// How much the connection is protected, and with whose certificates. A file of them that would not be looked into is refused.
    pub(super) fn protection(&self) -> Result<(DatabaseTls, Option<PathBuf>), DatabaseUrlFault> {
        let tls = if self.proven {
            if self.tls == Some(DatabaseTls::Disable) {
                return fault(
                    "has channel_binding=require, for which there must be TLS: remove sslmode=disable",
                );
            }
            // Channels can't be bound here. Whoever asks for it wants nobody in between, and the certificate proves that.
            Some(DatabaseTls::VerifyFull)
        } else {
            self.tls
        };
        let Some(roots) = &self.roots else {
            return Ok((tls.unwrap_or(DatabaseTls::Prefer), None));
        };
        let tls = match tls {
            Some(DatabaseTls::VerifyFull) => DatabaseTls::VerifyFull,
            // As in libpq: certificates are given to be checked.
            Some(DatabaseTls::VerifyCa | DatabaseTls::Require) if roots != PUBLIC_ROOTS => {
                DatabaseTls::VerifyCa
            }
            _ => {
                return fault(
                    "has sslrootcert, which this sslmode ignores: write sslmode=verify-full too",
                );
            }
        };
        let file = (roots != PUBLIC_ROOTS).then(|| PathBuf::from(roots));
        Ok((tls, file))
    }

    /// Whether there must be TLS to a server that proves itself, which a socket has not.
    pub(super) fn needs_proof(&self) -> bool {
        self.proven
    }

    /// The certificate that logs in, with its key.
    pub(super) fn client_certificate(
        &self,
    ) -> Result<Option<(PathBuf, PathBuf)>, DatabaseUrlFault> {
        match (&self.certificate, &self.key) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some((certificate.clone(), key.clone()))),
            _ => fault("has one of sslcert and sslkey: they go together"),
        }
    }
}

fn target_of(text: &str) -> Result<DatabaseTarget, DatabaseUrlFault> {
    let target = TARGETS.iter().find(|(name, _)| *name == text);
    target.map_or_else(
        || {
            fault(format!(
                "{TARGET} must be read-write or primary, since the gateway writes"
            ))
        },
        |(_, target)| Ok(*target),
    )
}

fn mode_of(text: &str) -> Result<DatabaseTls, DatabaseUrlFault> {
    let mode = MODES.iter().find(|(name, _)| *name == text);
    mode.map_or_else(
        || {
            fault(if text == "allow" {
                "sslmode=allow would never encrypt here: write prefer, or better verify-full"
            } else {
                "sslmode must be disable, prefer, require, verify-ca or verify-full"
            })
        },
        |(_, mode)| Ok(*mode),
    )
}

/// Whatever is not honoured.
fn refuse(name: &str, value: &str, may_show: bool) -> Result<(), DatabaseUrlFault> {
    let as_it_is = AS_IT_IS.iter().find(|(known, _)| *known == name);
    if as_it_is.is_some_and(|(_, values)| values.contains(&value)) {
        return Ok(());
    }
    if let Some((_, advice)) = REFUSED.iter().find(|(known, _)| *known == name) {
        return fault(format!("has the parameter {name}: {advice}"));
    }
    let is_word = name.len() <= 40
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte));
    if may_show && is_word {
        return fault(format!(
            "has the parameter {name}, which means nothing here; known are {HONOURED}"
        ));
    }
    fault(format!(
        "has a parameter that means nothing here, or an & that belongs to a value (write %26); known are {HONOURED}"
    ))
}

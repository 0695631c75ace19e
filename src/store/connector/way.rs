//! One server of a URL: connecting to it, whether it is the right one, and why it can't be used.

use std::io::ErrorKind;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, Executor, PgConnection, Row};
use tokio::time::timeout;

use super::super::silence::silence;
use super::Unreachable;
use crate::config::{DatabaseHost, DatabasePlace, DatabaseTarget, DatabaseTls, DatabaseUrl};

/// The name of our connections in the server's lists, unless the URL gives another.
const NAME: &str = "persona-gateway";
/// Pause between tries to reach a server that is just starting.
const PAUSE: Duration = Duration::from_millis(20);
/// The same for one that takes no writes yet: each try logs in and asks.
const STANDBY_PAUSE: Duration = Duration::from_millis(100);

/// How one server is reached.
#[derive(Clone)]
pub(super) struct Way {
    /// With this place alone.
    url: DatabaseUrl,
    place: DatabasePlace,
    options: PgConnectOptions,
}

impl Way {
    pub(super) fn new(url: &DatabaseUrl, place: &DatabasePlace) -> Self {
        // Every field is set, since sqlx would take the others from the environment.
        let options = PgConnectOptions::new_without_pgpass()
            .port(place.port)
            .username(url.user())
            .password(url.password().map_or("", ExposeSecret::expose_secret))
            .database(url.database())
            .ssl_mode(match url.tls() {
                DatabaseTls::Disable => PgSslMode::Disable,
                DatabaseTls::Prefer => PgSslMode::Prefer,
                DatabaseTls::Require => PgSslMode::Require,
                DatabaseTls::VerifyCa => PgSslMode::VerifyCa,
                DatabaseTls::VerifyFull => PgSslMode::VerifyFull,
            })
            .application_name(url.application_name().unwrap_or(NAME))
            // Poolers refuse what they don't know, and numbers come as bytes, not as digits.
            .extra_float_digits(None);
        let options = match &place.host {
            DatabaseHost::Network(host) => options.host(host),
            DatabaseHost::Socket(folder) => options.socket(folder),
        };
        let options = match url.root_certificates() {
            Some(file) => options.ssl_root_cert(file),
            None => options,
        };
        let options = match url.client_certificate() {
            Some((certificate, key)) => options.ssl_client_cert(certificate).ssl_client_key(key),
            None => options,
        };
        Self {
            url: url.at(place),
            place: place.clone(),
            options,
        }
    }

    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// One connection, within the URL's own time if it has one. Without an end otherwise.
    pub(super) async fn connect(&self) -> Result<PgConnection, Unreachable> {
        let connecting = async {
            let mut connection = PgConnection::connect_with(&self.options)
                .await
                .map_err(|error| self.explain(&error))?;
            self.check(&mut connection).await?;
            Ok(connection)
        };
        match self.url.connect_timeout() {
            None => connecting.await,
            Some(end) => timeout(end, connecting)
                .await
                .unwrap_or_else(|_late| Err(self.silent())),
        }
    }

    /// Why there is none where nothing was heard.
    pub(super) fn silent(&self) -> Unreachable {
        self.explain(&silence())
    }

    /// Whether it is the right server. A pooler answers for the server behind it.
    async fn check(&self, connection: &mut PgConnection) -> Result<(), Unreachable> {
        let ask = match self.url.target() {
            DatabaseTarget::Any => return Ok(()),
            DatabaseTarget::Primary => "select not pg_is_in_recovery()",
            DatabaseTarget::ReadWrite => "select current_setting('transaction_read_only') = 'off'",
        };
        let asked = connection.fetch_one(sqlx::raw_sql(ask)).await;
        let is_right = asked
            .and_then(|row| row.try_get(0))
            .map_err(|error| self.explain(&error))?;
        if is_right {
            return Ok(());
        }
        let text = format!(
            "{} takes no writes: promote it if it is a standby, or name the server that takes them",
            self.url.address()
        );
        Err(Unreachable {
            text,
            may_pass: true,
            pause: Some(STANDBY_PAUSE),
        })
    }

    /// Puts a failure to connect into words.
    fn explain(&self, error: &sqlx::Error) -> Unreachable {
        let (text, may_pass) = match error {
            sqlx::Error::Io(error) => self.of_network(error),
            sqlx::Error::Tls(error) => (self.of_tls(&error.to_string()), false),
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default();
                self.of_server(&code, error.message())
            }
            // An answer that makes no sense comes from something else.
            sqlx::Error::Protocol(said) => (
                format!(
                    "what answers at {} does not speak PostgreSQL's protocol ({said}): check the host and the port",
                    self.url.address()
                ),
                false,
            ),
            other => (
                format!("no connection to {}: {other}", self.database()),
                true,
            ),
        };
        Unreachable {
            text,
            may_pass,
            pause: is_starting(error).then_some(PAUSE),
        }
    }

    /// `"gateway" at db:5432`.
    fn database(&self) -> String {
        format!("\"{}\" at {}", self.url.database(), self.url.address())
    }

    fn of_network(&self, error: &std::io::Error) -> (String, bool) {
        let address = self.url.address();
        let said = error.to_string();
        let text = match error.kind() {
            ErrorKind::ConnectionRefused => format!(
                "connection refused by {address}: start PostgreSQL there, or correct the host or the port"
            ),
            ErrorKind::NotFound => format!(
                "there is no socket {address}: start PostgreSQL, or correct `host` or the port"
            ),
            ErrorKind::PermissionDenied => {
                format!("this user may not use {address}: {said}")
            }
            ErrorKind::TimedOut => format!(
                "no answer from {address} in time: look at the host, the port, and firewalls between"
            ),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                format!("no route to {address} ({said}): check the host and the network")
            }
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                format!(
                    "{address} took the connection and closed it: look at the port, and at the server's log"
                )
            }
            ErrorKind::InvalidData => return (self.of_tls(&said), false),
            _ if said.contains("lookup address") => match &self.place.host {
                DatabaseHost::Network(host) => {
                    format!("there is no host `{host}`: look at its name, and at the name server")
                }
                DatabaseHost::Socket(_) => said,
            },
            _ => format!("no connection to {address}: {said}"),
        };
        (text, true)
    }

    /// What went wrong with certificates, and whose.
    fn of_tls(&self, said: &str) -> String {
        let address = self.url.address();
        let roots = self.url.root_certificates().map_or_else(
            || "a public authority: name the file of your own with sslrootcert".to_owned(),
            |file| {
                format!(
                    "{} (sslrootcert): write the certificate of its authority there",
                    file.display()
                )
            },
        );
        if said.contains("does not support TLS") {
            format!(
                "the server at {address} offers no TLS, which sslmode requires: set it up there"
            )
        } else if said.contains("CaUsedAsEndEntity") {
            format!(
                "the certificate of {address} is an authority's own (self-signed, with CA:TRUE), which a server's may not be: have it sign another for the server, and name its file with sslrootcert"
            )
        } else if said.contains("UnknownIssuer") {
            format!("the certificate of {address} is self-signed, or not signed by {roots}")
        } else if said.contains("not valid for name") || said.contains("NotValidForName") {
            format!(
                "the certificate of {address} is for another host ({said}): write the host that it names, or have it name this one"
            )
        } else if said.contains("xpired") {
            format!("the certificate of {address} has expired: renew it")
        } else if let Err(fault) = self.url.check_files() {
            fault.to_string()
        } else {
            format!("no TLS with {address}: {said}")
        }
    }

    fn of_server(&self, code: &str, said: &str) -> (String, bool) {
        let (user, database) = (self.url.user(), self.url.database());
        let address = self.url.address();
        let text = match code {
            "28P01" | "08P01" | "28000" if said.contains("password") || said.contains("SASL") => {
                if self.url.password().is_none() {
                    format!("{address} asks `{user}` for a password, and the URL has none")
                } else {
                    format!(
                        "{address} takes another password for `{user}`, or has no such role: correct the URL. `persona-gateway migrate` makes a login that is missing, and leaves one alone that is there"
                    )
                }
            }
            "28000"
                if said.contains("does not exist") || said.contains("not permitted to log in") =>
            {
                format!(
                    "{address} has no login `{user}` ({said}): `persona-gateway migrate` makes it when DATABASE_URL names it and MIGRATE_DATABASE_URL the owner"
                )
            }
            "28000" if said.contains("no encryption") || said.contains("SSL off") => format!(
                "{address} lets `{user}` in with TLS only: write sslmode=require, or better sslmode=verify-full"
            ),
            "28000" => format!("{address} does not let `{user}` in: {said}"),
            "3D000" => format!(
                "there is no database \"{database}\" at {address}: create it, or correct the URL"
            ),
            _ if said.contains("no such database") => format!(
                "there is no database \"{database}\" at {address}: create it, or correct the URL"
            ),
            "42501" => format!(
                "`{user}` may not connect to {}: grant connect on database \"{database}\" to \"{user}\"",
                self.database()
            ),
            "53300" => {
                return (
                    format!(
                        "{address} has no connection left ({said}): lower the numbers of connections in [database], or raise the server's max_connections"
                    ),
                    true,
                );
            }
            "57P03" => return (format!("{address} is not ready yet: {said}"), true),
            "08P01" if said.contains("startup parameter") => {
                format!("the pooler at {address} refuses: {said}")
            }
            _ => {
                let may_pass =
                    code.starts_with("08") || code.starts_with("57") || code.starts_with("53");
                return (
                    format!("no connection to {}: {said}", self.database()),
                    may_pass,
                );
            }
        };
        (text, false)
    }
}

/// Whether a server is there that takes no connections yet, or will be soon.
fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == ErrorKind::ConnectionRefused,
        // cannot_connect_now, too_many_connections.
        sqlx::Error::Database(error) => {
            matches!(error.code().as_deref(), Some("57P03" | "53300"))
        }
        _ => false,
    }
}

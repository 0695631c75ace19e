//! Reaching a database, and saying in words why that failed and what to do. The password is no part of it.

use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, Executor, PgConnection, Row};
use tokio::time::timeout;

use super::StoreError;
use super::pool::silence;
use crate::config::{DatabaseHost, DatabaseTls, DatabaseUrl};

/// The name of our connections in the server's lists, unless the URL gives another.
const NAME: &str = "persona-gateway";

/// So often is looked whether connections are handed out by transaction.
const ROUNDS: usize = 3;

/// Where a database is, and how it is reached.
#[derive(Clone)]
pub(super) struct Connector {
    url: DatabaseUrl,
    options: PgConnectOptions,
}

/// Why there is no connection, and what to do.
#[derive(Debug)]
pub struct Unreachable {
    text: String,
    may_pass: bool,
}

impl Connector {
    pub(super) fn new(url: &DatabaseUrl) -> Self {
        // Every field is set, since sqlx would take the others from the environment.
        let options = PgConnectOptions::new_without_pgpass()
            .port(url.port())
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
        let options = match url.host() {
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
            url: url.clone(),
            options,
        }
    }

    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// One connection, within the URL's own time if it has one.
    pub(super) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let connecting = PgConnection::connect_with(&self.options);
        match self.url.connect_timeout() {
            None => connecting.await,
            Some(end) => timeout(end, connecting)
                .await
                .unwrap_or_else(|_late| Err(silence())),
        }
    }

    /// The same within a time, with its failure in words.
    pub(super) async fn connect_within(&self, end: Duration) -> Result<PgConnection, Unreachable> {
        let connected = timeout(end, self.connect()).await;
        connected
            .unwrap_or_else(|_late| Err(silence()))
            .map_err(|error| self.explain(&error))
    }

    /// Whether connections are handed out by transaction: then the server process that one of ours has just used answers
    /// another. Should strangers take it in between, there is another round.
    pub(super) async fn is_shared(&self, end: Duration) -> Result<bool, StoreError> {
        let mut one = self.connect_within(end).await?;
        let mut other = self.connect_within(end).await?;
        let look = async {
            let mut is_shared = false;
            for _ in 0..ROUNDS {
                is_shared |= process_of(&mut one).await? == process_of(&mut other).await?;
            }
            one.close().await?;
            other.close().await?;
            Ok::<_, sqlx::Error>(is_shared)
        };
        let looked = timeout(end, look).await;
        Ok(looked.unwrap_or_else(|_late| Err(silence()))?)
    }

    /// Puts a failure to connect into words.
    pub(super) fn explain(&self, error: &sqlx::Error) -> Unreachable {
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
            other => (format!("no connection to {}: {other}", self.place()), true),
        };
        Unreachable { text, may_pass }
    }

    /// `"gateway" at db:5432`.
    fn place(&self) -> String {
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
            _ if said.contains("lookup address") => match self.url.host() {
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
                self.place()
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
                    format!("no connection to {}: {said}", self.place()),
                    may_pass,
                );
            }
        };
        (text, false)
    }
}

/// The number of the server process that answers.
async fn process_of(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let asked = sqlx::raw_sql("select pg_backend_pid()");
    let row = connection.fetch_one(asked).await?;
    row.try_get(0)
}

impl Unreachable {
    /// Whether waiting may help: a server that is not there yet may come; a wrong password stays wrong.
    pub fn may_pass(&self) -> bool {
        self.may_pass
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Without a source: the text says it all, and once.
impl std::error::Error for Unreachable {}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reach").field(&self.url).finish()
    }
}

//! The URL of a Postgres database, as one typed value. Nothing else in the program reads such a URL: what two readers take
//! for the password of `app:p@ss/w#rd` need not be the same.

mod certificates;
mod parameters;
mod parse;
mod part;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseHost {
    /// A name or an address; one of IPv6 without brackets.
    Network(String),
    /// The folder of a Unix socket.
    Socket(PathBuf),
}

/// A host with its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabasePlace {
    pub host: DatabaseHost,
    /// Also of a Unix socket.
    pub port: u16,
}

/// Which of the servers at these places is the right one, by the names that libpq gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseTarget {
    /// Whichever answers; it is not asked.
    Any,
    /// One that is no standby.
    Primary,
    /// The same, and new transactions may write.
    ReadWrite,
}

/// How much the connection is protected, by the names that libpq gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseTls {
    /// Not at all.
    Disable,
    /// Encrypted where the server offers it.
    Prefer,
    /// Encrypted, with whomever.
    Require,
    /// Encrypted, and the certificate is signed by somebody who is trusted.
    VerifyCa,
    /// The same, and it names the host.
    VerifyFull,
}

/// Why a text is no usable database URL, and what to write. Holds no part of the text but names of known parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DatabaseUrlFault(String);

#[derive(Clone)]
pub struct DatabaseUrl {
    /// In the order in which they are tried; at least one.
    places: Vec<DatabasePlace>,
    target: DatabaseTarget,
    user: String,
    password: Option<SecretString>,
    database: String,
    tls: DatabaseTls,
    root_certificates: Option<PathBuf>,
    client_certificate: Option<(PathBuf, PathBuf)>,
    application_name: Option<String>,
    connect_timeout: Option<Duration>,
}

/// What needs no escape in any part of a URL.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

impl DatabaseUrl {
    /// Reads a URL strictly: nothing is repaired, and nothing is passed over.
    pub fn parse(text: &SecretString) -> Result<Self, DatabaseUrlFault> {
        parse::parse(text.expose_secret())
    }

    /// Looks at the files that the URL names, so that a mistake shows with its path before anybody connects.
    pub fn check_files(&self) -> Result<(), DatabaseUrlFault> {
        certificates::check(self)
    }

    /// Where servers listen, in the order in which they are tried; at least one.
    pub fn places(&self) -> &[DatabasePlace] {
        &self.places
    }

    /// Which of them is the right one.
    pub fn target(&self) -> DatabaseTarget {
        self.target
    }

    /// The same URL with one of the places alone.
    #[must_use]
    pub fn at(&self, place: &DatabasePlace) -> Self {
        Self {
            places: vec![place.clone()],
            ..self.clone()
        }
    }

    /// Who logs in.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// For servers that ask for one.
    pub fn password(&self) -> Option<&SecretString> {
        self.password.as_ref()
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// How much the connection is protected.
    pub fn tls(&self) -> DatabaseTls {
        self.tls
    }

    /// The file with the certificates of those who are trusted beside the public ones.
    pub fn root_certificates(&self) -> Option<&PathBuf> {
        self.root_certificates.as_ref()
    }

    /// The files with the certificate that logs in, and its key.
    pub fn client_certificate(&self) -> Option<&(PathBuf, PathBuf)> {
        self.client_certificate.as_ref()
    }

    /// The name that the server's lists of connections show.
    pub fn application_name(&self) -> Option<&str> {
        self.application_name.as_deref()
    }

    /// Longest wait for a connection.
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    /// The same server and database with another login.
    #[must_use]
    pub fn as_login(&self, user: &str, password: &SecretString) -> Self {
        Self {
            user: user.to_owned(),
            password: Some(password.clone()),
            client_certificate: None,
            ..self.clone()
        }
    }

    /// `host:port`, as people write it; several with commas between.
    pub fn address(&self) -> String {
        let places: Vec<String> = self.places.iter().map(ToString::to_string).collect();
        places.join(",")
    }

    /// The URL in the one form that this program writes; [`DatabaseUrl::parse`] and libpq read it.
    pub fn to_url(&self) -> SecretString {
        let escaped = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
        let mut url = format!("postgres://{}", escaped(&self.user));
        if let Some(password) = &self.password {
            url += &[":", &escaped(password.expose_secret())].concat();
        }
        let mut parameters = Vec::new();
        let socket = self.places.iter().find_map(|place| match &place.host {
            DatabaseHost::Socket(folder) => Some((folder, place.port)),
            DatabaseHost::Network(_) => None,
        });
        match socket {
            None => url += &["@", &self.address()].concat(),
            Some((folder, port)) => {
                url += &["@localhost:", &port.to_string()].concat();
                parameters.push(("host", folder.display().to_string()));
            }
        }
        url += &["/", &escaped(&self.database)].concat();
        if self.target != DatabaseTarget::Any {
            let name = parameters::name_of_target(self.target);
            parameters.push((parameters::TARGET, name.to_owned()));
        }
        if self.tls != DatabaseTls::Prefer && socket.is_none() {
            parameters.push(("sslmode", parameters::name_of(self.tls).to_owned()));
        }
        if let Some(file) = &self.root_certificates {
            parameters.push(("sslrootcert", file.display().to_string()));
        }
        if let Some((certificate, key)) = &self.client_certificate {
            parameters.push(("sslcert", certificate.display().to_string()));
            parameters.push(("sslkey", key.display().to_string()));
        }
        if let Some(name) = &self.application_name {
            parameters.push(("application_name", name.clone()));
        }
        if let Some(timeout) = self.connect_timeout {
            parameters.push(("connect_timeout", timeout.as_secs().to_string()));
        }
        for (at, (name, value)) in parameters.iter().enumerate() {
            let mark = if at == 0 { "?" } else { "&" };
            url += &[mark, name, "=", &escaped(value)].concat();
        }
        SecretString::from(url)
    }
}

impl fmt::Display for DatabasePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match &self.host {
            DatabaseHost::Network(host) if host.contains(':') => write!(f, "[{host}]:{port}"),
            DatabaseHost::Network(host) => write!(f, "{host}:{port}"),
            DatabaseHost::Socket(folder) => write!(f, "{}/.s.PGSQL.{port}", folder.display()),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseUrl")
            .field("address", &self.address())
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl DatabaseUrlFault {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

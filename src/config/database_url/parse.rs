//! Takes a URL apart by hand: the `url` crate repairs what is not right, and a repaired password is another one.

use std::path::PathBuf;

use secrecy::SecretString;

use super::parameters::Parameters;
use super::part::{decode, fault, port_of};
use super::{
    DatabaseHost, DatabasePlace, DatabaseTarget, DatabaseTls, DatabaseUrl, DatabaseUrlFault,
};

/// Longest URL, in bytes.
const LONGEST: usize = 4096;
/// Longest name of a role or a database in Postgres, in bytes; it would cut longer ones.
const LONGEST_NAME: usize = 63;
/// Postgres' own port.
const PORT: u16 = 5432;

const SHAPE: &str = "postgres://user:password@host:5432/database";

pub(super) fn parse(text: &str) -> Result<DatabaseUrl, DatabaseUrlFault> {
    let rest = ["postgres://", "postgresql://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .ok_or_else(|| DatabaseUrlFault::new(format!("is no URL such as {SHAPE}")))?;
    if text.len() > LONGEST {
        return fault(format!("is longer than {LONGEST} bytes"));
    }
    refuse_unescaped(rest)?;
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let parameters = Parameters::read(query.unwrap_or_default())?;
    let (authority, path) = match rest.split_once('/') {
        Some((authority, path)) => (authority, path),
        None => (rest, ""),
    };
    let (login, place) = match authority.split_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, authority),
    };
    let (user, password) = login_of(login, &parameters)?;
    let places = places_of(place, &parameters)?;
    let target = parameters.target.unwrap_or(DatabaseTarget::Any);
    if places.len() > 1 && target == DatabaseTarget::Any {
        return fault(
            "names several hosts, of which one takes writes: write target_session_attrs=read-write too",
        );
    }
    let database = match (path, &parameters.database) {
        ("", None) => user.clone(),
        ("", Some(database)) => database.clone(),
        (_, Some(_)) => return fault("names the database twice, in its path and as `dbname`"),
        (path, None) if path.contains('/') => {
            return fault(
                "has a second `/` after the host: write %2F where it belongs to the database's name",
            );
        }
        (path, None) => decode(path, "the database's name")?,
    };
    for (what, name) in [("user", &user), ("database", &database)] {
        if name.len() > LONGEST_NAME {
            return fault(format!(
                "names a {what} of more than {LONGEST_NAME} bytes, which Postgres would cut"
            ));
        }
    }
    let is_socket = places.iter().any(is_at_a_socket);
    let (tls, root_certificates) = parameters.protection()?;
    if is_socket && parameters.needs_proof() {
        return fault(
            "has channel_binding=require, for which there must be TLS, and a socket has none: remove it",
        );
    }
    Ok(DatabaseUrl {
        places,
        target,
        user,
        password,
        database,
        // As in libpq: nobody else reads what goes through a socket of this machine.
        tls: if is_socket { DatabaseTls::Disable } else { tls },
        root_certificates: root_certificates.filter(|_| !is_socket),
        client_certificate: parameters.client_certificate()?.filter(|_| !is_socket),
        application_name: parameters.application_name,
        connect_timeout: parameters.connect_timeout,
    })
}

/// Characters that readers of URLs take for something else, wherever they stand. None of it is shown: it may be the password.
fn refuse_unescaped(rest: &str) -> Result<(), DatabaseUrlFault> {
    if rest.chars().any(char::is_control) {
        return fault("has a line break or another control character in it: copy it again");
    }
    if rest.contains(' ') {
        return fault("has a space in it: remove it, or write %20 where it belongs to a value");
    }
    if rest.contains('#') {
        return fault("has a `#` in it: in a password it is written %23");
    }
    for (at, _) in rest.match_indices('%') {
        let digits = rest.as_bytes().get(at + 1..at + 3).unwrap_or_default();
        if digits.len() < 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return fault(
                "has a `%` without two hexadecimal digits after it: in a password it is written %25",
            );
        }
    }
    let Some((before, after)) = rest.split_once('@') else {
        return Ok(());
    };
    if after.contains('@') {
        return fault("has a second `@` in it: in a password it is written %40");
    }
    match before.find(['/', '?']) {
        Some(at) if before.as_bytes().get(at) == Some(&b'/') => {
            fault("has a `/` before the `@`: in a password it is written %2F")
        }
        Some(_) => fault(
            "has a `?` before the `@`: in a password it is written %3F, and an `@` after the `?` is %40",
        ),
        None => Ok(()),
    }
}

fn login_of(
    login: Option<&str>,
    parameters: &Parameters,
) -> Result<(String, Option<SecretString>), DatabaseUrlFault> {
    let (user, password) = match login {
        None => (None, None),
        Some(login) => match login.split_once(':') {
            None => (Some(decode(login, "the user's name")?), None),
            Some((user, password)) => (
                Some(decode(user, "the user's name")?),
                Some(decode(password, "the password")?),
            ),
        },
    };
    let user = match (user.filter(|user| !user.is_empty()), &parameters.user) {
        (Some(_), Some(_)) => return fault("names the user twice, before the `@` and as `user`"),
        (Some(user), None) => user,
        (None, Some(user)) => user.clone(),
        (None, None) => return fault(format!("names no user: it looks like {SHAPE}")),
    };
    let password = match (
        password.filter(|word| !word.is_empty()),
        &parameters.password,
    ) {
        (Some(_), Some(_)) => {
            return fault("has the password twice, before the `@` and as `password`");
        }
        (Some(password), None) => Some(SecretString::from(password)),
        (None, password) => password.clone(),
    };
    Ok((user, password))
}

/// The hosts and their ports, from before the path or from parameters.
fn places_of(place: &str, parameters: &Parameters) -> Result<Vec<DatabasePlace>, DatabaseUrlFault> {
    let named: Vec<_> = place.split(',').map(named).collect::<Result<_, _>>()?;
    let named = match (named.as_slice(), &parameters.host) {
        // Readers that know no sockets want a host there.
        ([(host, port)], Some(others)) if host.is_empty() || host == "localhost" => others
            .split(',')
            .map(|other| (other.to_owned(), *port))
            .collect(),
        (_, Some(_)) => return fault("names the host twice, before the path and as `host`"),
        (_, None) => named,
    };
    let ports = &parameters.ports;
    if !ports.is_empty() && named.iter().any(|(_, port)| port.is_some()) {
        return fault("has the port twice, after the host and as `port`");
    }
    if ports.len() > 1 && ports.len() != named.len() {
        return fault(
            "has another number of ports than of hosts: write one for all, or one for each",
        );
    }
    let of_parameters = |at: usize| ports.get(at).or(ports.first()).copied();
    let places = named.into_iter().enumerate().map(|(at, (host, port))| {
        Ok(DatabasePlace {
            host: host_of(host)?,
            port: port.or_else(|| of_parameters(at)).unwrap_or(PORT),
        })
    });
    let places: Vec<DatabasePlace> = places.collect::<Result<_, _>>()?;
    if places.len() > 1 && places.iter().any(is_at_a_socket) {
        return fault("has a Unix socket among several hosts: name servers by name or address");
    }
    Ok(places)
}

fn is_at_a_socket(place: &DatabasePlace) -> bool {
    matches!(place.host, DatabaseHost::Socket(_))
}

/// One host before the path, decoded, and the port behind it.
fn named(place: &str) -> Result<(String, Option<u16>), DatabaseUrlFault> {
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else {
            return fault("has a `[` without its `]`: an address of IPv6 looks like [::1]");
        };
        if address.parse::<std::net::Ipv6Addr>().is_err() {
            return fault("has something else than an address of IPv6 between [ and ]");
        }
        match port.strip_prefix(':') {
            Some(port) => (address, Some(port)),
            None if port.is_empty() => (address, None),
            None => return fault("has something else than a port after the `]`"),
        }
    } else {
        match place.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return fault(
                    "has a second `:` in its host: write an IPv6 address in brackets, as in [::1]:5432",
                );
            }
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        }
    };
    let port = port.map(port_of).transpose()?;
    Ok((decode(host, "the host")?, port))
}

fn host_of(host: String) -> Result<DatabaseHost, DatabaseUrlFault> {
    if host.starts_with('/') {
        return Ok(DatabaseHost::Socket(PathBuf::from(host)));
    }
    if host.is_empty() {
        return fault(format!(
            "names no host: it looks like {SHAPE}; for a Unix socket write postgres://user@/database?host=/var/run/postgresql"
        ));
    }
    let is_address = host.parse::<std::net::Ipv6Addr>().is_ok();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !is_address && !host.chars().all(is_name) {
        return fault(
            "has a host that is neither a name nor an address: look whether the user or the password before it holds a `:`, `/`, `?` or `@` that must be percent-encoded",
        );
    }
    Ok(DatabaseHost::Network(host))
}

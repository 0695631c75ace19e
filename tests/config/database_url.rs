//! Database URLs: what is read, what is refused and with which advice, and that no password shows.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use persona_gateway::config::{DatabaseHost, DatabaseTarget, DatabaseTls, DatabaseUrl};
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};

fn read(text: &str) -> Result<DatabaseUrl, String> {
    DatabaseUrl::parse(&SecretString::from(text)).map_err(|fault| fault.to_string())
}

fn refused(text: &str) -> String {
    read(text).err().unwrap_or_default()
}

fn password(url: &DatabaseUrl) -> Option<&str> {
    url.password().map(ExposeSecret::expose_secret)
}

#[test]
fn the_usual_url_is_taken_apart() {
    let url = read("postgres://app:s%40f%2F%23%3F%25@db.example.com:6543/gateway?sslmode=verify-full&application_name=gw&connect_timeout=3").unwrap();
    assert_eq!(url.address(), "db.example.com:6543");
    assert_eq!((url.user(), password(&url)), ("app", Some("s@f/#?%")));
    assert_eq!(url.database(), "gateway");
    assert_eq!(url.tls(), DatabaseTls::VerifyFull);
    assert_eq!(url.application_name(), Some("gw"));
    assert_eq!(url.connect_timeout(), Some(Duration::from_secs(3)));
}

#[test]
fn what_is_left_out_has_libpqs_defaults() {
    let url = read("postgresql://app@db").unwrap();
    assert_eq!(
        (url.address().as_str(), url.database(), password(&url)),
        ("db:5432", "app", None)
    );
    assert_eq!(url.tls(), DatabaseTls::Prefer);
    let url = read("postgres://db/x?user=app&password=p%26q").unwrap();
    assert_eq!((url.user(), password(&url)), ("app", Some("p&q")));
    // A plus is a plus, and a colon in a password needs no escape.
    let url = read("postgres://app:a+b:c@db/x").unwrap();
    assert_eq!(password(&url), Some("a+b:c"));
}

#[test]
fn addresses_of_ipv6_and_sockets_are_hosts() {
    let url = read("postgres://app:p@[2001:db8::1]:6000/x").unwrap();
    assert_eq!(url.address(), "[2001:db8::1]:6000");
    for socket in [
        "postgres://app@localhost/x?host=/run/pg",
        "postgres://app@/x?host=/run/pg",
        "postgres://app@%2Frun%2Fpg/x",
    ] {
        let url = read(socket).unwrap();
        assert_eq!(
            &url.places()[0].host,
            &DatabaseHost::Socket("/run/pg".into()),
            "{socket}"
        );
        assert_eq!(url.tls(), DatabaseTls::Disable);
    }
}

#[test]
fn several_hosts_are_read_as_libpq_reads_them() {
    for (text, places) in [
        (
            "postgres://app:p@a,b:6000,[::1]:7000/x?target_session_attrs=read-write",
            "a:5432,b:6000,[::1]:7000",
        ),
        (
            "postgres://app:p@/x?host=a,b&port=1,2&target_session_attrs=read-write",
            "a:1,b:2",
        ),
        (
            "postgres://app:p@/x?host=a,::1&port=6000&target_session_attrs=read-write",
            "a:6000,[::1]:6000",
        ),
        (
            "postgres://app:p@a,b/x?port=6000&target_session_attrs=read-write",
            "a:6000,b:6000",
        ),
    ] {
        let url = read(text).expect(text);
        assert_eq!(url.address(), places, "{text}");
        assert_eq!(url.target(), DatabaseTarget::ReadWrite);
        let written = url.to_url();
        let again = DatabaseUrl::parse(&written).unwrap();
        assert_eq!(again.places(), url.places());
        assert_eq!(again.target(), DatabaseTarget::ReadWrite);
    }
    let url = read("postgres://app@db/x?target_session_attrs=primary").unwrap();
    assert_eq!(url.target(), DatabaseTarget::Primary);
    assert_eq!(
        read("postgres://app@db/x").unwrap().target(),
        DatabaseTarget::Any
    );
}

#[test]
fn what_is_not_percent_encoded_is_refused_with_what_to_write() {
    for (text, advice) in [
        ("postgres://app:p@ss/w#rd@db/x", "%23"),
        ("postgres://app:p@ss@db/x", "%40"),
        ("postgres://app:p/ss@db/x", "%2F"),
        ("postgres://app:p?ss@db/x", "%3F"),
        ("postgres://app:p%ss@db/x", "%25"),
        ("postgres://app:p ss@db/x", "%20"),
        ("postgres://app:p/ss", "no user"),
        ("postgres://app:pass@db/x?password=a&b", "%26"),
        ("postgres://app:pass@db/x/y", "%2F"),
        ("postgres://app:pass@::1:5432/x", "[::1]"),
        (
            "postgres://app:pass@a,b/x",
            "target_session_attrs=read-write",
        ),
        (
            "postgres://app:pass@a,b/x?target_session_attrs=any",
            "target_session_attrs=read-write",
        ),
        (
            "postgres://app:pass@a,/x?target_session_attrs=primary",
            "no host",
        ),
        ("postgres://app:pass@a,b/x?host=c", "host twice"),
        ("postgres://app:pass@a:1,b/x?port=2", "port twice"),
        ("postgres://app@/x?host=a,b&port=1,2,3", "number of ports"),
        (
            "postgres://app@/x?host=a,/run/pg&target_session_attrs=primary",
            "Unix socket",
        ),
        ("postgres://app:pass@a/x?host=b", "host twice"),
        ("postgres://app:pass@/x", "no host"),
        ("postgres://db/x", "no user"),
        ("postgres://app@db:0/x", "port"),
        ("mysql://app@db/x", "postgres://user"),
        ("host=db user=app", "postgres://user"),
    ] {
        let fault = refused(text);
        assert!(fault.contains(advice), "{text}: {fault}");
        assert!(!fault.contains("ss@") && !fault.contains("w#rd"), "{fault}");
    }
}

#[test]
fn each_parameter_is_honoured_or_refused_by_name() {
    for (parameter, word) in [
        ("channel_binding=required", "disable, prefer or require"),
        (
            "channel_binding=require&sslmode=disable",
            "remove sslmode=disable",
        ),
        ("sslmode=allow", "allow"),
        ("sslmode=verify", "verify-full"),
        ("sslrootcert=/ca.pem", "verify-full"),
        ("sslrootcert=/ca.pem&sslmode=prefer", "verify-full"),
        ("sslrootcert=system&sslmode=require", "verify-full"),
        ("sslcert=/c.pem", "go together"),
        ("options=-csearch_path%3Dx", "options"),
        ("search_path=x", "public"),
        ("target_session_attrs=standby", "read-write or primary"),
        ("load_balance_hosts=random", "load_balance_hosts"),
        ("connect_timeout=0", "from 1 to"),
        ("pgbouncer=true", "direct_url"),
        ("sslmod=require", "sslmod,"),
        ("sslmode=require&sslmode=disable", "twice"),
        ("sslmode=", "without a value"),
        ("sslmode", "without a `=`"),
    ] {
        let fault = refused(&format!("postgres://app:p@db/x?{parameter}"));
        assert!(fault.contains(word), "{parameter}: {fault}");
    }
    for parameter in [
        "channel_binding=prefer",
        "target_session_attrs=any",
        "target_session_attrs=read-write",
        "sslmode=verify-full&sslrootcert=system",
    ] {
        read(&format!("postgres://app:p@db/x?{parameter}")).expect(parameter);
    }
    let url = read("postgres://app:p@db/x?sslmode=require&sslrootcert=/ca.pem").unwrap();
    assert_eq!(url.tls(), DatabaseTls::VerifyCa);
}

#[test]
fn who_asks_for_bound_channels_gets_a_server_that_proves_itself() {
    for rest in [
        // As Neon prints it.
        "sslmode=require&channel_binding=require",
        "channel_binding=require&sslmode=prefer",
        "channel_binding=require",
        "channel_binding=require&sslmode=require&sslrootcert=/ca.pem",
        "channel_binding=require&sslmode=verify-ca&sslrootcert=/ca.pem",
        "channel_binding=require&sslrootcert=system",
    ] {
        let url = read(&format!("postgresql://app:p@ep-1.neon.example/x?{rest}")).unwrap();
        assert_eq!(url.tls(), DatabaseTls::VerifyFull, "{rest}");
        assert_eq!(url.root_certificates().is_some(), rest.contains("ca.pem"));
        let again = DatabaseUrl::parse(&url.to_url()).unwrap();
        assert_eq!(again.tls(), DatabaseTls::VerifyFull, "{rest}");
    }
    let fault = refused("postgres://app@/x?host=/run/pg&channel_binding=require");
    assert!(fault.contains("a socket has none"), "{fault}");
}

#[test]
fn files_are_looked_into_and_named_with_their_path() {
    let folder = std::env::temp_dir().join(format!("gateway-roots-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("ca.pem");
    let url = format!(
        "postgres://app:p@db/x?sslmode=verify-full&sslrootcert={}",
        file.display()
    );
    let url = read(&url).unwrap();
    let said = || url.check_files().unwrap_err().to_string();
    assert!(said().contains("ca.pem, can't be read"), "{}", said());
    std::fs::write(
        &file,
        "-----BEGIN CERTIFICATE-----\nnot base64\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    assert!(said().contains("holds no certificate"), "{}", said());
    let body = STANDARD_BODY.repeat(2);
    std::fs::write(
        &file,
        format!("words\n-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"),
    )
    .unwrap();
    url.check_files().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}

/// 36 bytes as base64.
const STANDARD_BODY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9äß_@:/?#%& .-]{1,20}"
}

proptest! {
    #[test]
    fn what_is_written_is_read_the_same(user in name(), secret in proptest::option::of("[^\\x00-\\x1f\\x7f-\\x9f]{1,30}"), database in name(),
                                        socket in any::<bool>(), port in 1_u16.., seconds in proptest::option::of(1_u64..3600)) {
        let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let word = secret.as_ref().map(|secret| format!(":{}", escaped(secret))).unwrap_or_default();
        let host = if socket { format!("%2Frun%2Fa%20b:{port}") } else { format!("[2001:db8::1]:{port}") };
        let mut text = format!("postgres://{}{word}@{host}/{}?application_name=a%3Db%26c", escaped(&user), escaped(&database));
        if !socket {
            text += "&sslmode=verify-full&sslrootcert=/etc/ca%20%26%20co.pem";
        }
        if let Some(seconds) = seconds {
            text += &["&connect_timeout=", &seconds.to_string()].concat();
        }
        let url = read(&text).map_err(TestCaseError::fail)?;
        prop_assert_eq!((url.user(), url.database(), url.places()[0].port), (user.as_str(), database.as_str(), port));
        prop_assert_eq!(password(&url), secret.as_deref());
        prop_assert_eq!(url.application_name(), Some("a=b&c"));
        let written = url.to_url();
        let again = DatabaseUrl::parse(&written).map_err(|fault| TestCaseError::fail(fault.to_string()))?;
        let twice = again.to_url();
        prop_assert_eq!(twice.expose_secret(), written.expose_secret());
        prop_assert_eq!((again.user(), again.database(), again.places()), (url.user(), url.database(), url.places()));
        prop_assert_eq!((password(&again), again.tls()), (password(&url), url.tls()));
        prop_assert_eq!((again.connect_timeout(), again.root_certificates()), (url.connect_timeout(), url.root_certificates()));
    }

    #[test]
    fn no_password_ever_shows(secret in "[a-z@/?#%&=: ]{0,6}zqxj[a-z0-9@/?#%&=:, \\[\\]]{0,12}", form in 0..4) {
        let text = match form {
            0 => format!("postgres://app:{secret}@db:5432/x?sslmode=require"),
            1 => format!("postgres://app@db/x?password={secret}&sslmode=require"),
            2 => format!("postgres://app:{secret}"),
            _ => format!("postgres://app:{secret}@db/x?sslmode=nonsense&{secret}=1"),
        };
        let shown = match read(&text) {
            Ok(url) => format!("{url:?} {}", url.address()),
            Err(fault) => fault,
        };
        // Where no `@` ends it, whatever stands there is a host or a database for any reader.
        if form != 2 {
            prop_assert!(!shown.contains("zqxj"), "{}", shown);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(postgres://)?[ -~ä]{0,60}") {
        _ = read(&text);
    }
}

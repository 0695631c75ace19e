//! Databases that can't be reached: what is said, how often, and what users get meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use persona_gateway::dev::seed;
use persona_gateway::domain::role::Role;
use reqwest::Method;
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::cli::{Ended, environment_of, program};
use crate::harness::postgres::TestDatabase;
use crate::harness::tenants::Bench;
use crate::harness::wait::until;
use crate::harness::wire::Wire;
use crate::harness::{TestOptions, context, problem, spawn, spawn_with};

const CANARY: &str = "canary-of-a-password";

/// Something that takes connections: gives its port, and how many came.
async fn listening(
    answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut bytes = [0; 1024];
                while let Ok(read @ 1..) = socket.read(&mut bytes).await {
                    match answer(&bytes[..read]) {
                        Some(words) => socket.write_all(&words).await.unwrap(),
                        // Silence, with the connection open.
                        None => std::future::pending().await,
                    }
                }
            });
        }
    });
    (port, count)
}

/// The answers of a server that offers no TLS and refuses with these words.
fn refusal(
    code: &'static str,
    message: &'static str,
) -> impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static {
    move |asked| {
        if asked.get(4..8) == Some(&[4, 210, 22, 47]) {
            return Some(b"N".to_vec());
        }
        let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
        let length = u32::try_from(fields.len() + 4).unwrap();
        Some([b"E".as_slice(), &length.to_be_bytes(), fields.as_bytes()].concat())
    }
}

async fn refusing(code: &'static str, message: &'static str) -> u16 {
    listening(refusal(code, message)).await.0
}

async fn run(args: &[&str], url: &str) -> Ended {
    program(args)
        .env("DATABASE_URL", url)
        // Somebody may run `dev` beside the tests.
        .env("GATEWAY__SERVER__PORT", "0")
        .env("GATEWAY__SERVER__OPS_PORT", "0")
        .env(
            "GATEWAY_MASTER_KEY",
            "bm9ib2R5IHdpbGwgZXZlciBndWVzcyB0aGlzIGtleSE=",
        )
        .run()
        .await
}

/// One line that says it once, without the password.
fn said_once(ended: &Ended, words: &str) {
    let err = &ended.err;
    assert_eq!(ended.code, Some(1), "{err}");
    assert_eq!(err.matches(words).count(), 1, "{words}: {err}");
    assert_eq!(err.trim().lines().count(), 1, "{err}");
    assert!(!err.contains(CANARY), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_keeps_a_command_from_its_database_is_told_apart_and_said_once() {
    let closed = {
        let probe = TcpListener::bind("127.0.0.1:0").await.unwrap();
        probe.local_addr().unwrap().port()
    };
    let (silent, _) = listening(|_| None).await;
    let (web, _) = listening(|_| Some(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())).await;
    let at = |port: u16| format!("127.0.0.1:{port}");
    let cases = [
        (at(closed), format!("connection refused by 127.0.0.1:{closed}")),
        ("no-such-host.invalid".to_owned(), "there is no host `no-such-host.invalid`".to_owned()),
        (at(silent), format!("no answer from 127.0.0.1:{silent} in time")),
        (at(web), format!("what answers at 127.0.0.1:{web} does not speak PostgreSQL's protocol")),
        (
            at(refusing("28P01", "password authentication failed for user \"app\"").await),
            "takes another password for `app`".to_owned(),
        ),
        (at(refusing("28000", "role \"app\" does not exist").await), "has no login `app`".to_owned()),
        (
            at(refusing("28000", "no pg_hba.conf entry for host \"::1\", user \"app\", database \"x\", no encryption").await),
            "with TLS only".to_owned(),
        ),
        (at(refusing("3D000", "database \"x\" does not exist").await), "there is no database \"x\"".to_owned()),
        (at(refusing("53300", "sorry, too many clients already").await), "has no connection left".to_owned()),
        (at(refusing("42501", "permission denied for database \"x\"").await), "grant connect on database".to_owned()),
    ];
    for (place, words) in cases {
        let url = format!("postgres://app:{CANARY}@{place}/x?connect_timeout=1");
        for args in [
            &["tenant", "list"][..],
            &["check-config", "--database"],
            &["migrate"],
        ] {
            let mut ended = run(args, &url).await;
            // What is in force is printed first.
            ended.out.clear();
            said_once(&ended, &words);
        }
    }
    let url = format!(
        "postgres://app:{CANARY}@{}/x?sslmode=require",
        at(refusing("28P01", "x").await)
    );
    said_once(
        &run(&["migrate"], &url).await,
        "offers no TLS, which sslmode requires",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_there_or_not_prepared_is_named_with_what_to_do() {
    let database = TestDatabase::create_empty().await;
    let login = database.login_url.expose_secret();
    let serve = run(&["serve"], login).await;
    said_once(&serve, "`persona-gateway migrate`");
    let missing = login.replace(&database.name, "no_such_database");
    for args in [&["serve"][..], &["check-config", "--database"]] {
        said_once(
            &run(args, &missing).await,
            "there is no database \"no_such_database\"",
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_schema_is_told() {
    let bench = Bench::new().await;
    bench
        .database
        .sql("insert into _sqlx_migrations values (99991231235959, 'later', now(), true, '', 0)")
        .await;
    let looked = program(&["check-config", "--database"])
        .envs(&environment_of(&bench))
        .run()
        .await;
    assert_eq!(looked.code, Some(0), "{}", looked.err);
    assert!(
        looked.err.contains("later version of persona-gateway"),
        "{}",
        looked.err
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_service_tells_of_an_outage_once_however_often_it_tries() {
    let (port, tries) = listening(refusal("53300", "sorry, too many clients already")).await;
    let running = program(&["serve"])
        .env(
            "DATABASE_URL",
            &format!("postgres://app:{CANARY}@127.0.0.1:{port}/x"),
        )
        .env(
            "GATEWAY_MASTER_KEY",
            "bm9ib2R5IHdpbGwgZXZlciBndWVzcyB0aGlzIGtleSE=",
        )
        .env("GATEWAY__SERVER__HOST", "127.0.0.1")
        .env("GATEWAY__SERVER__PORT", "0")
        .env("GATEWAY__SERVER__OPS_PORT", "0")
        .env("GATEWAY__DATABASE__ACQUIRE_TIMEOUT_MS", "50")
        .env("GATEWAY__SERVER__DRAIN_GRACE_MS", "0")
        .start();
    running.addresses().await;
    let before = tries.load(Ordering::SeqCst);
    until(
        "it has tried many times",
        Duration::from_secs(30),
        || async { (tries.load(Ordering::SeqCst) > before + 10).then_some(()) },
    )
    .await;
    running.signal("TERM").await;
    let ended = running.end().await;
    assert_eq!(
        ended.err.matches("has no connection left").count(),
        1,
        "{}",
        ended.err
    );
    assert!(!ended.err.contains(CANARY), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_comes_after_the_gateway_never_means_401_to_users_or_admins() {
    let first = spawn().await;
    let (token, key) = (
        first.user("user-1"),
        first.admin_key(seed::TENANT, Role::Owner).await,
    );
    let wire = Wire::closed(&first.database.login_url).await;
    let database = first.database.over(wire.url());
    let late = spawn_with(TestOptions {
        database: Some(database),
        no_demo: true,
        env: vec![("GATEWAY__DATABASE__ACQUIRE_TIMEOUT_MS".into(), "300".into())],
        ..TestOptions::default()
    })
    .await;
    let refused = late.mint(&token, &context("support")).await;
    assert!(refused.headers().contains_key("retry-after"));
    problem(refused, 503, "unavailable").await;
    let admin = || async {
        let read = late.request(Method::GET, "/v1/admin/documents", &key);
        read.send().await.unwrap()
    };
    let refused = admin().await;
    assert!(refused.headers().contains_key("retry-after"));
    problem(refused, 503, "unavailable").await;

    wire.open().await;
    until("users are served", Duration::from_secs(20), || async {
        let status = late
            .mint(&token, &context("support"))
            .await
            .status()
            .as_u16();
        assert!(status == 200 || status == 503, "{status}");
        (status == 200).then_some(())
    })
    .await;
    assert_eq!(admin().await.status(), 200);
    wire.cut().await;
    let gone = late.mint(&token, &context("support")).await;
    assert_eq!(
        gone.status(),
        503,
        "gone later is not the token's fault either"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_that_change_under_a_running_gateway_cost_nobody_an_error() {
    let app = spawn().await;
    let (token, key) = (
        app.user("user-1"),
        app.admin_key(seed::TENANT, Role::Owner).await,
    );
    let get = |path: &'static str| {
        let read = app.request(Method::GET, path, &key);
        async move { read.send().await.unwrap().status().as_u16() }
    };
    // Every statement is prepared on every connection that there is.
    for _ in 0..3 {
        assert_eq!(app.mint(&token, &context("support")).await.status(), 200);
        assert_eq!(get("/v1/admin/api-keys").await, 200);
        assert_eq!(get("/v1/admin/documents").await, 200);
    }
    app.database
        .sql(
            "alter table preference drop constraint preference_choices_check;
             alter table preference alter column choices type json;
             alter table api_key alter column name type varchar(300);
             alter table document alter column archived_at type timestamptz(3)",
        )
        .await;
    for _ in 0..3 {
        assert_eq!(app.mint(&token, &context("support")).await.status(), 200);
        assert_eq!(get("/v1/admin/api-keys").await, 200);
        assert_eq!(get("/v1/admin/documents").await, 200);
    }
}

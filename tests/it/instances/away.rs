//! Redis is away: nobody is refused for it, nobody waits long, and it is seen.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;

use super::{mint, sharing, stop, two, until_up};
use crate::harness::logs::logged;
use crate::harness::redis::Redis;
use crate::harness::{TestOptions, spawn, spawn_with};

/// The log's lines about this server that hold some words, with their level.
fn lines(redis: &Redis, words: &str) -> Vec<(String, String)> {
    let address = format!("127.0.0.1:{}", redis.port);
    let logged = logged();
    let lines = logged.lines().filter(|line| line.contains(words));
    let lines = lines.filter(|line| line.contains(&address));
    lines
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let level = line["level"].as_str().unwrap().to_owned();
            (level, line.to_string())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_each_instance_goes_on_counting_by_itself_and_with_it_all_again() {
    let mut redis = Redis::start().await;
    let instances = two(&redis, &[("LIMITS__USER_MINTS_PER_MINUTE", "2")]).await;
    let [ann, bob] = ["ann", "bob"].map(|user| instances[0].user(user));
    for _ in 0..2 {
        assert_eq!(mint(&instances[0], &ann).await.status(), 200);
    }
    assert_eq!(mint(&instances[1], &ann).await.status(), 429);
    assert_eq!(lines(&redis, "Redis is away"), []);

    redis.kill();
    for instance in &instances {
        until_up(instance, false).await;
    }
    // The first gave out two, and has not forgotten; the other none.
    assert_eq!(mint(&instances[0], &ann).await.status(), 429);
    for expected in [200, 200, 429] {
        assert_eq!(mint(&instances[1], &ann).await.status(), expected);
    }
    let ready = format!("http://{}/readyz", instances[0].app.ops_address);
    assert_eq!(reqwest::get(ready).await.unwrap().status(), 200);
    let warnings = lines(&redis, "Redis is away");
    assert_eq!(warnings.len(), 2, "one of each instance: {warnings:?}");
    assert!(warnings.iter().all(|(level, _)| level == "WARN"));

    redis.start_again().await;
    for instance in &instances {
        until_up(instance, true).await;
    }
    for _ in 0..2 {
        assert_eq!(mint(&instances[0], &bob).await.status(), 200);
    }
    assert_eq!(mint(&instances[1], &bob).await.status(), 429);
    let back = lines(&redis, "Redis answers");
    assert_eq!(back.len(), 4, "at the start and again: {back:?}");
    assert!(back.iter().all(|(level, _)| level == "INFO"));
    assert_eq!(lines(&redis, "Redis is away").len(), 2);
    stop(instances).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hangs_is_waited_for_once() {
    const LONGEST: Duration = Duration::from_secs(2);
    let redis = Redis::start().await;
    let app = spawn_with(sharing(
        &redis,
        &[
            ("LIMITS__REDIS_TIMEOUT_MS", "2000"),
            ("LIMITS__USER_MINTS_PER_MINUTE", "100"),
        ],
    ))
    .await;
    let users: Vec<String> = (0..20).map(|user| app.user(&format!("u{user}"))).collect();
    let all = || join_all(users.iter().map(|user| mint(&app, user)));
    assert!(all().await.iter().all(|answer| answer.status() == 200));

    redis.freeze();
    let began = Instant::now();
    assert!(all().await.iter().all(|answer| answer.status() == 200));
    let first = began.elapsed();
    assert!(first < 2 * LONGEST, "all wait at the same time: {first:?}");
    until_up(&app, false).await;
    let began = Instant::now();
    for user in &users {
        assert_eq!(mint(&app, user).await.status(), 200);
    }
    let then = began.elapsed();
    assert!(then < LONGEST, "nobody waits any more: {then:?}");

    redis.thaw();
    until_up(&app, true).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_starts_and_serves_with_a_redis_that_is_not_there() {
    let mut redis = Redis::start().await;
    redis.kill();
    let app = spawn_with(sharing(&redis, &[("LIMITS__USER_MINTS_PER_MINUTE", "2")])).await;
    until_up(&app, false).await;
    let ann = app.user("ann");
    for expected in [200, 200, 429] {
        assert_eq!(mint(&app, &ann).await.status(), expected);
    }
    assert_eq!(lines(&redis, "Redis is away").len(), 1);
    redis.start_again().await;
    until_up(&app, true).await;
    app.stop().await;
}

/// What docs/PRODUCTION.md says a user needs, and no more.
const USER: &[&str] = &[
    "--user",
    "default",
    "off",
    "--user",
    "gateway",
    "on",
    ">open/sesame",
    "resetkeys",
    "~persona-gateway:*",
    "-@all",
    "+set",
    "+get",
    "+del",
    "+eval",
    "+evalsha",
    "+time",
    "+select",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_few_rights_is_enough_and_a_wrong_password_is_said() {
    let redis = Redis::start_with(USER).await;
    let url = |password: &str| format!("redis://gateway:{password}@127.0.0.1:{}/1", redis.port);
    let with = |password: &str| {
        TestOptions::set(&[
            ("LIMITS__REDIS_URL", &url(password)),
            ("LIMITS__REDIS_TIMEOUT_MS", "10000"),
            ("LIMITS__USER_MINTS_PER_MINUTE", "2"),
        ])
    };
    let app = spawn_with(with("wrong-hush-hush")).await;
    until_up(&app, false).await;
    let answer = mint(&app, &app.user("ann")).await;
    assert_eq!(answer.status(), 200);
    let warnings = lines(&redis, "Redis is away");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let (_, warning) = &warnings[0];
    assert!(
        warning.contains("WRONGPASS") || warning.contains("authentication"),
        "{warning}"
    );
    app.stop().await;

    let app = spawn_with(with("open%2Fsesame")).await;
    until_up(&app, true).await;
    let ann = app.user("ann");
    let request = app.request(reqwest::Method::POST, "/v1/session-token", &ann);
    let request = request.header("idempotency-key", "one");
    assert_eq!(request.send().await.unwrap().status(), 200);
    for expected in [200, 429] {
        assert_eq!(mint(&app, &ann).await.status(), expected);
    }
    until_up(&app, true).await;
    app.stop().await;
    assert!(!logged().contains("hush-hush") && !logged().contains("open%2Fsesame"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_can_not_count_is_away_and_the_log_has_its_reason() {
    let standby: &[&str] = &["--replicaof", "127.0.0.1", "1"];
    let full: &[&str] = &["--maxmemory", "1"];
    let mut few_rights = USER.to_vec();
    few_rights.retain(|right| !right.starts_with("+eval"));
    let cases = [
        (standby, "", "READONLY"),
        (full, "", "OOM"),
        (&few_rights, "gateway:open%2Fsesame@", "NOPERM"),
    ];
    for (args, login, reason) in cases {
        let redis = Redis::start_with(args).await;
        let url = format!("redis://{login}127.0.0.1:{}", redis.port);
        let app = spawn_with(TestOptions::set(&[
            ("LIMITS__REDIS_URL", &url),
            ("LIMITS__USER_MINTS_PER_MINUTE", "1"),
        ]))
        .await;
        until_up(&app, false).await;
        for expected in [200, 429] {
            assert_eq!(mint(&app, &app.user("ann")).await.status(), expected);
        }
        let warnings = lines(&redis, "Redis is away");
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].1.contains(reason), "{warnings:?}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_tls_its_certificate_is_checked() {
    let redis = Redis::start_with_tls().await;
    let url = format!("rediss://localhost:{}", redis.port);
    let roots = redis.roots();
    let settings = [
        ("LIMITS__REDIS_URL", url.as_str()),
        ("LIMITS__REDIS_TIMEOUT_MS", "10000"),
        ("LIMITS__USER_MINTS_PER_MINUTE", "1"),
        ("LIMITS__REDIS_ROOT_CERTIFICATES", roots.as_str()),
    ];
    let app = spawn_with(TestOptions::set(&settings)).await;
    until_up(&app, true).await;
    assert_eq!(mint(&app, &app.user("ann")).await.status(), 200);
    // Another instance knows of it.
    let other = spawn_with(TestOptions {
        database: Some(app.database.clone()),
        no_demo: true,
        ..TestOptions::set(&settings)
    })
    .await;
    other.settle("demo").await;
    assert_eq!(mint(&other, &app.user("ann")).await.status(), 429);
    stop([app, other]).await;
    // The system's authorities have not signed it.
    let stranger = spawn_with(TestOptions::set(&settings[..3])).await;
    until_up(&stranger, false).await;
    stranger.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_setting_there_is_no_gauge() {
    let app = spawn().await;
    let metrics = app.metrics().await;
    assert!(!metrics.contains("\ngateway_redis_up"), "{metrics}");
    app.stop().await;
}

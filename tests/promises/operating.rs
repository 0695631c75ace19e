//! README, and the pages for whoever runs the gateway or calls it.

use super::sentences::{file, hold};
use super::sources::known;

const CONNECTIONS: &str = "database.own_connections + database.mint_connections + database.user_connections + database.admin_connections + 2";

/// How long stopping takes at most.
const STOPPING: &str =
    "server.drain_grace_ms / 1000 + server.shutdown_timeout_ms / 1000 + src/app.rs CLOSING";

#[test]
fn readme_and_production() {
    hold(
        "README.md",
        &[
            ("GATEWAY=http://127.0.0.1:{} ", &["server.port"]),
            (
                "PostgreSQL {} or later, which it fetches",
                &["src/dev/postgres/binaries.rs OLDEST"],
            ),
        ],
    );
    hold(
        "docs/PRODUCTION.md",
        &[
            ("six seconds more, {} s, before it is killed", &[STOPPING]),
            ("**Health**: port {} answers", &["server.ops_port"]),
            (
                "makes the next {} months",
                &["src/store/migrate.rs PARTITION_MONTHS_AHEAD"],
            ),
            (
                "warn {} months before the last one ends",
                &["src/sessions/sweep.rs WARN_BEFORE / 30.6666666666666667"],
            ),
            (
                "`ledger.retention_months` ({})",
                &["ledger.retention_months"],
            ),
            ("and two more: {}.", &[CONNECTIONS]),
            (
                "slower than `limits.redis_timeout_ms` ({}),",
                &["limits.redis_timeout_ms"],
            ),
            (
                "by a poll within {} seconds (for each {} tenants)",
                &["src/app/refresh.rs POLL", "src/app/refresh.rs POLLED"],
            ),
        ],
    );
}

#[test]
fn calling() {
    hold(
        "docs/API.md",
        &[
            (
                "`context` is one line of 1 to {} characters",
                &["src/domain/key.rs MAX_CHARS"],
            ),
            (
                "an object in a body of {} kB, nested {} levels deep",
                &[
                    "server.max_body_bytes / 1024",
                    "src/domain/json.rs MAX_DEPTH",
                ],
            ),
            (
                "with every fault, or the first {}.",
                &["src/domain/schema/run.rs MAX_TOLD"],
            ),
            (
                "| `displayName` | one line of up to {} characters |",
                &["src/domain/preferences/standard.rs MAX_DISPLAY_NAME_CHARS"],
            ),
            (
                "| `tone` | one line of up to {} characters, such",
                &["src/domain/preferences/standard.rs MAX_TONE_CHARS"],
            ),
            (
                "text of up to {} characters; used if the persona allows it",
                &["src/domain/preferences/standard.rs MAX_PROMPT_CHARS"],
            ),
            (
                "more than {} levels, a U+0000",
                &["src/domain/json.rs MAX_DEPTH"],
            ),
            (
                "browsers may keep that answer for {} hours",
                &["src/web/cors.rs MAX_AGE / 3600"],
            ),
            (
                "| a token | {} kB |",
                &["src/auth/jws.rs MAX_TOKEN_BYTES / 1024"],
            ),
            (
                "| a body | {} kB, {} levels |",
                &[
                    "server.max_body_bytes / 1024",
                    "src/domain/json.rs MAX_DEPTH",
                ],
            ),
            (
                "| time for headers, for the body | {} s, {} s |",
                &[
                    "server.client_timeout_ms / 1000",
                    "server.body_timeout_ms / 1000",
                ],
            ),
            (
                "| time for Anam's answer | {} s a try, {} s with the retry |",
                &["anam.timeout_ms / 1000", "anam.deadline_ms / 1000"],
            ),
            (
                "| requests of one user | {} a minute |",
                &["limits.user_mints_per_minute"],
            ),
            (
                "| at the same time for one tenant, for all | {}, {} |",
                &["limits.tenant_mints_in_flight", "limits.mints_in_flight"],
            ),
        ],
    );
}

#[test]
fn proxies() {
    hold(
        "docs/PROXIES.md",
        &[
            (
                "A token has up to {} kB",
                &["src/auth/jws.rs MAX_TOKEN_BYTES / 1024"],
            ),
            (
                "`server.keep_alive_seconds`, {} by default",
                &["server.keep_alive_seconds"],
            ),
            (
                "of the upstream) | 60 s | {}, the default",
                &["server.keep_alive_seconds"],
            ),
            (
                "after `server.client_timeout_ms`, {} s.",
                &["server.client_timeout_ms / 1000"],
            ),
            (
                "`server.body_timeout_ms` and `anam.deadline_ms`: {} s",
                &["server.body_timeout_ms / 1000 + anam.deadline_ms / 1000"],
            ),
            (
                "| the admin API | {} s in the queue and {} s of work |",
                &["src/app.rs WORK_PATIENCE", "src/app.rs WORK_LONGEST"],
            ),
            (
                "Bodies have {} kB at most, in the admin API {} MB",
                &[
                    "server.max_body_bytes / 1024",
                    "server.max_admin_body_bytes / 1048576",
                ],
            ),
        ],
    );
}

#[test]
fn databases() {
    hold(
        "docs/DATABASES.md",
        &[
            (
                "needs PostgreSQL {} or later",
                &["src/dev/postgres/binaries.rs OLDEST"],
            ),
            (
                "has held its lock for {} minutes",
                &["src/store/migrate.rs LOCK_PATIENCE"],
            ),
            (
                "says nothing for {} milliseconds, as when",
                &["src/store/connector.rs HEAD_START"],
            ),
            (
                "is tried first for {} minute, then",
                &["src/store/connector.rs REMEMBERED"],
            ),
        ],
    );
    hold(
        "docs/CONFIGURATION.md",
        &[
            (
                "more, for the ledger and to listen for changes: {} by default",
                &[CONNECTIONS],
            ),
            (
                "PostgreSQL {} or later. One",
                &["src/dev/postgres/binaries.rs OLDEST"],
            ),
        ],
    );
}

#[test]
fn the_map() {
    hold(
        "docs/ARCHITECTURE.md",
        &[
            (
                "every {} seconds it compares a page of {} tenants' revisions",
                &["src/app/refresh.rs POLL", "src/app/refresh.rs POLLED"],
            ),
            (
                "asked for in the last {} minutes,",
                &["src/app/house.rs IDLE_TENANT"],
            ),
            ("up to {} rows of each", &["src/ledger.rs BATCH"]),
            (
                "together take {} MiB at most",
                &["src/sources/known_users.rs MEMORY / 1048576"],
            ),
            ("JSON bodies above {} kB", &["src/web/body.rs LARGE / 1024"]),
            (
                "PostgreSQL {} or later; [migrations",
                &["src/dev/postgres/binaries.rs OLDEST"],
            ),
        ],
    );
}

const COMPOSE_FILES: [&str; 2] = ["docker-compose.yml", "deploy/scale/docker-compose.yml"];

#[test]
fn compose_waits_until_the_gateway_has_stopped_by_itself() {
    for name in COMPOSE_FILES {
        let compose = file(name);
        let grace = compose
            .lines()
            .find_map(|line| line.trim().strip_prefix("stop_grace_period: "))
            .and_then(|grace| grace.strip_suffix('s'));
        let granted: f64 = grace.unwrap().parse().unwrap();
        let takes = known(STOPPING);
        assert!(takes < granted, "{name}: {takes} s of {granted} s");
    }
}

/// Compose 1.29 and builders without `BuildKit` are what distributions have.
#[test]
fn container_files_suit_old_tools_too() {
    for name in COMPOSE_FILES {
        let compose = file(name);
        let tops = compose
            .lines()
            .filter(|line| line.starts_with(char::is_alphabetic));
        for top in tops {
            let top = top.split(':').next().unwrap();
            let known = ["services", "volumes", "networks"].contains(&top);
            assert!(known || top.starts_with("x-"), "{name} has {top}");
        }
        assert!(!compose.contains("--env "), "{name}: -e suits both");
    }
    for name in ["Dockerfile", "deploy/scale/pgbouncer/Dockerfile"] {
        for line in file(name).lines() {
            let words = ["--chmod", "--mount", "--link", "<<"];
            let new = words.iter().find(|word| line.contains(*word));
            assert_eq!(new, None, "{name}: {line}");
        }
    }
}

#[test]
fn no_container_gets_the_address_that_is_the_balancers() {
    let compose = file("deploy/scale/docker-compose.yml");
    let after = |what: &str| {
        let rest = compose.split_once(what).unwrap().1;
        rest.split([' ', ',', '}', '\n']).next().unwrap()
    };
    let balancer = after("ipv4_address: ");
    assert_eq!(
        after("TRUSTED_PROXIES: "),
        format!("{balancer}/32"),
        "the balancer alone is trusted"
    );
    let (net, host) = balancer.rsplit_once('.').unwrap();
    let range = after("ip_range: ");
    assert_eq!(range, format!("{net}.128/25"), "the upper half");
    assert!(host.parse::<u8>().unwrap() < 128, "{host}");
}

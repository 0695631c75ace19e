//! The private Postgres of `dev` and of all other tests, against the servers that this machine has.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at the first surprise"
)]

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use persona_gateway::config::environment;
use persona_gateway::dev::postgres::{Cluster, PostgresError, erase};
use sqlx::{Connection, Executor, PgConnection, Row};

const VICTIM: &str = "PERSONA_GATEWAY_TEST_VICTIM";

/// A folder that the server's user can reach, removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("pgw-test-{}-{name}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Runs one statement on a connection of its own; the answer's first column, if it has rows.
fn ask(url: &str, sql: &'static str) -> Option<String> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            let mut connection = PgConnection::connect(url).await.unwrap();
            let row = connection.fetch_optional(sql).await.unwrap();
            connection.close().await.unwrap();
            row.map(|row| row.get(0))
        })
}

/// Waits for what another process is about to do; the limit only ends a broken run.
fn wait_until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(
            begun.elapsed() < Duration::from_mins(1),
            "waited in vain: {what}"
        );
        std::thread::yield_now();
    }
}

fn we_are_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

#[test]
fn an_ephemeral_server_answers_and_is_gone_without_a_trace() {
    let cluster = Cluster::ephemeral().unwrap();
    let folder = cluster.folder().to_path_buf();
    assert!(cluster.is_owner());
    let version = ask(&cluster.url("postgres"), "show server_version_num").unwrap();
    assert!(version.parse::<u32>().unwrap() >= 150_000, "{version}");
    assert_eq!(
        ask(&cluster.url("postgres"), "show listen_addresses").unwrap(),
        ""
    );
    assert!(folder.exists());
    cluster.stop().unwrap();
    assert!(!folder.exists());
}

#[test]
fn two_ephemeral_servers_of_one_process_do_not_meet() {
    let one = Cluster::ephemeral().unwrap();
    let two = Cluster::ephemeral().unwrap();
    ask(&one.url("postgres"), "create database only_in_one");
    let count = "select count(*)::text from pg_database where datname = 'only_in_one'";
    assert_eq!(ask(&one.url("postgres"), count).unwrap(), "1");
    assert_eq!(ask(&two.url("postgres"), count).unwrap(), "0");
}

#[test]
fn a_role_without_a_password_logs_in_and_is_no_superuser() {
    let cluster = Cluster::ephemeral().unwrap();
    ask(&cluster.url("postgres"), "create role app login");
    let url = cluster.url_as("app", "postgres");
    assert_eq!(ask(&url, "select current_user::text").unwrap(), "app");
    assert_eq!(ask(&url, "show is_superuser").unwrap(), "off");
}

#[test]
fn psql_understands_the_url() {
    let cluster = Cluster::ephemeral().unwrap();
    let output = Command::new("psql")
        .args(["--no-psqlrc", "-Atc", "select 6 * 7"])
        .arg(cluster.url("postgres"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "42",
        "{output:?}"
    );
}

#[test]
fn the_server_never_runs_as_root_and_admits_its_user_only() {
    let cluster = Cluster::ephemeral().unwrap();
    let socket = cluster.url("postgres");
    let (_, folder) = socket.split_once("?host=").unwrap();
    let meta = fs::metadata(folder).unwrap();
    assert_eq!(meta.mode() & 0o777, 0o700);
    let data = ask(&cluster.url("postgres"), "show data_directory").unwrap();
    assert_ne!(fs::metadata(data).unwrap().uid(), 0);

    if we_are_root() {
        // A stranger with a passwd entry of its own cannot even reach the socket.
        let output = Command::new("psql")
            .args(["--no-psqlrc", "-Atc", "select 1"])
            .arg(cluster.url("postgres"))
            .current_dir("/")
            .uid(1)
            .gid(1)
            .output()
            .unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("Permission denied"), "{said}");
    }
}

#[test]
fn a_restart_finds_its_data_and_erase_throws_them_away() {
    let scratch = Scratch::new("restart");
    let folder = scratch.0.join("pg");

    let cluster = Cluster::persistent(&folder).unwrap();
    assert_eq!(ask(&cluster.url("postgres"), "show fsync").unwrap(), "on");
    ask(
        &cluster.url("postgres"),
        "create table kept as select 'still here' as word",
    );
    cluster.stop().unwrap();

    let cluster = Cluster::persistent(&folder).unwrap();
    assert_eq!(
        ask(&cluster.url("postgres"), "select word from kept").unwrap(),
        "still here"
    );
    assert!(matches!(erase(&folder), Err(PostgresError::InUse { .. })));
    cluster.stop().unwrap();

    erase(&folder).unwrap();
    let cluster = Cluster::persistent(&folder).unwrap();
    let gone = "select (to_regclass('kept') is null)::text";
    assert_eq!(ask(&cluster.url("postgres"), gone).unwrap(), "true");
}

#[test]
fn a_second_opener_of_a_folder_is_a_guest_of_the_first() {
    let scratch = Scratch::new("guest");
    let owner = Cluster::persistent(&scratch.0).unwrap();
    let guest = Cluster::persistent(&scratch.0).unwrap();
    assert!(owner.is_owner() && !guest.is_owner());
    assert_eq!(owner.url("postgres"), guest.url("postgres"));
    guest.stop().unwrap();
    assert_eq!(
        ask(&owner.url("postgres"), "select 'served'").unwrap(),
        "served"
    );
}

#[test]
fn data_of_another_major_are_refused_and_left_alone() {
    let scratch = Scratch::new("major");
    Cluster::persistent(&scratch.0).unwrap().stop().unwrap();
    let version = scratch.0.join("cluster/data/PG_VERSION");
    fs::write(&version, "9\n").unwrap();
    let error = Cluster::persistent(&scratch.0).unwrap_err().to_string();
    assert!(error.contains("made by PostgreSQL 9"), "{error}");
    assert_eq!(fs::read_to_string(version).unwrap(), "9\n");
}

/// Not a test of its own: the process that the tests below kill.
#[test]
#[ignore = "started, and killed, by other tests"]
fn victim() {
    let Some(folder) = environment().remove(VICTIM) else {
        return;
    };
    let cluster = if folder.is_empty() {
        Cluster::ephemeral().unwrap()
    } else {
        Cluster::persistent(Path::new(&folder)).unwrap()
    };
    println!(
        "\nstarted {} {}",
        cluster.folder().display(),
        cluster.url("postgres")
    );
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// Starts the victim, lets `act` use its server, kills it with SIGKILL; gives its folder.
fn kill_an_owner(folder: &str, act: impl FnOnce(&Path, &str)) -> PathBuf {
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "victim", "--nocapture"])
        .env(VICTIM, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let started = BufReader::new(victim.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
        .find(|line| line.starts_with("started "))
        .expect("the victim starts its server");
    let mut words = started.split(' ').skip(1);
    let (folder, url) = (words.next().unwrap(), words.next().unwrap());
    act(Path::new(folder), url);
    victim.kill().unwrap();
    victim.wait().unwrap();
    PathBuf::from(folder)
}

/// An owner of `folder` commits a row, then `act` happens, then the owner is killed. The next
/// owner comes at once, and must find the row.
fn the_row_survives(name: &str, act: impl FnOnce(&Path)) {
    let scratch = Scratch::new(name);
    let folder = scratch.0.join("pg");
    fs::create_dir(&folder).unwrap();
    kill_an_owner(folder.to_str().unwrap(), |folder, url| {
        ask(url, "create table acknowledged as select 'safe' as word");
        act(folder);
    });
    let cluster = Cluster::persistent(&folder).unwrap();
    assert!(cluster.is_owner());
    let word = ask(&cluster.url("postgres"), "select word from acknowledged");
    assert_eq!(word.unwrap(), "safe");
}

/// The postmaster's process id.
fn postmaster(folder: &Path) -> u32 {
    let pid_file = fs::read_to_string(folder.join("cluster/data/postmaster.pid")).unwrap();
    pid_file.lines().next().unwrap().parse().unwrap()
}

/// (process, its parent, its group) of all processes.
#[cfg(target_os = "linux")]
fn processes() -> Vec<(u32, u32, u32)> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let pid = path.file_name()?.to_str()?.parse().ok()?;
            // `pid (name) state parent group ...`; it may have ended meanwhile.
            let stat = fs::read_to_string(path.join("stat")).ok()?;
            let (_, rest) = stat.rsplit_once(") ")?;
            let mut fields = rest.split(' ').skip(1).map(|field| field.parse().unwrap());
            Some((pid, fields.next()?, fields.next()?))
        })
        .collect()
}

fn kill(pids: &[u32]) {
    let pids = pids.iter().map(ToString::to_string);
    let status = Command::new("/bin/sh")
        .args(["-c", r#"kill -KILL "$@""#, "sh"])
        .args(pids)
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn an_ephemeral_server_dies_with_an_owner_killed_by_sigkill_and_leaves_nothing() {
    let folder = kill_an_owner("", |_, url| {
        assert_eq!(ask(url, "select 'alive'").unwrap(), "alive");
    });
    wait_until("its folder is removed", || !folder.exists());
}

#[test]
fn what_was_committed_before_a_sigkill_is_there_for_the_next_owner() {
    the_row_survives("sigkill", |_| {});
}

#[test]
fn a_server_that_crashed_recovers() {
    the_row_survives("crash", |folder| kill(&[postmaster(folder)]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_lost_its_watchdog_too_is_stopped_by_the_next_owner() {
    the_row_survives("orphan", |folder| {
        let server = postmaster(folder);
        let all = processes();
        let group = all.iter().find(|(pid, _, _)| *pid == server).unwrap().2;
        let watchdog: Vec<u32> = all
            .iter()
            .filter(|(pid, _, its_group)| *its_group == group && *pid != server)
            .map(|(pid, _, _)| *pid)
            .collect();
        assert!(watchdog.len() >= 3, "shell, guard and cat: {watchdog:?}");
        kill(&watchdog);
    });
}

//! The embedded Postgres: starting, sharing, dying, coming back.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection, Row as _};
use tandem::postgres::{self, Embedded, Mode, Settings};

use crate::support::PATIENCE;
use crate::support::cluster;

/// A cluster of one test's own that keeps its data; deleted at the test's end.
struct Own {
    settings: Settings,
}

impl Own {
    fn new(name: &str) -> Self {
        Self { settings: Settings { mode: Mode::Durable, ..cluster::settings(&cluster::temporary(name)) } }
    }

    async fn start(&self) -> Embedded {
        postgres::start(self.settings.clone()).await.expect("a running cluster")
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.settings.cluster_dir);
    }
}

async fn ask(postgres: &Embedded, sql: &'static str) -> String {
    let mut connection = PgConnection::connect_with(&postgres.connect_options()).await.expect("a connection");
    let row = sqlx::query(sql).fetch_one(&mut connection).await.expect("an answer");
    row.get(0)
}

async fn keep(postgres: &Embedded, word: &str) {
    let mut connection = PgConnection::connect_with(&postgres.connect_options()).await.expect("a connection");
    sqlx::query("CREATE TABLE IF NOT EXISTS kept (word text)").execute(&mut connection).await.expect("a table");
    sqlx::query("INSERT INTO kept VALUES ($1)").bind(word).execute(&mut connection).await.expect("a row");
}

fn is_alive(pid: i32) -> bool {
    // A process that has ended, but was not yet collected, has no working directory.
    if Path::new("/proc/self/cwd").exists() {
        return std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok();
    }
    Command::new("kill").args(["-0", &pid.to_string()]).output().is_ok_and(|kill| kill.status.success())
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_survives_a_restart_and_only_the_login_is_used() {
    let own = Own::new("restart");
    let first = own.start().await;
    keep(&first, "kept").await;
    let pid = first.server_pid().expect("a server");
    first.stop().await.expect("a clean stop");
    assert!(!is_alive(pid), "the last user stops the server and waits for its end");

    let second = own.start().await;
    assert_eq!(ask(&second, "SELECT word FROM kept").await, "kept");
    assert_eq!(ask(&second, "SELECT current_user::text").await, "tandem");
    let role = ask(
        &second,
        "SELECT concat_ws(' ', rolsuper, rolbypassrls, rolcreaterole, rolcreatedb) FROM pg_roles WHERE rolname = current_user",
    );
    assert_eq!(role.await, "f f t t");
    let place = "SELECT concat_ws(' ', pg_encoding_to_char(encoding), pg_get_userbyid(datdba), lower('Ä'), 'Z' < 'a') \
                 FROM pg_database WHERE datname = current_database()";
    assert_eq!(ask(&second, place).await, "UTF8 tandem ä t");
    assert_eq!(ask(&second, "SELECT current_setting('listen_addresses')").await, "");
    assert_eq!(ask(&second, "SELECT current_setting('fsync')").await, "on");
    let mode = std::fs::metadata(&own.settings.cluster_dir).expect("the folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "nobody else may come near the socket");

    // The URL means the same as the options.
    let mut by_url = PgConnection::connect(&second.url()).await.expect("a connection by URL");
    let word: String = sqlx::query("SELECT word FROM kept").fetch_one(&mut by_url).await.expect("a row").get(0);
    assert_eq!(word, "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_users_share_a_server_and_the_last_one_stops_it() {
    let own = Own::new("shared-use");
    let first = own.start().await;
    let second = own.start().await;
    let pid = first.server_pid();
    assert_eq!(second.server_pid(), pid, "the second one attaches");

    first.stop().await.expect("the starter leaves");
    assert_eq!(second.server_pid(), pid, "the server outlives its starter");
    assert_eq!(ask(&second, "SELECT 'still here'").await, "still here");

    drop(second);
    assert!(!is_alive(pid.expect("a server")), "dropping the last one stops the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_comes_back_with_its_data() {
    let own = Own::new("killed");
    let first = own.start().await;
    keep(&first, "before the kill").await;
    // A client that is connected keeps a server process busy while the postmaster dies.
    let _busy = PgConnection::connect_with(&first.connect_options()).await.expect("a connection");
    let pid = first.server_pid().expect("a server");
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill").success());
    eventually("the postmaster is gone", || first.server_pid() != Some(pid));

    // The first user still holds the cluster; a restart must not need it to leave.
    let second = own.start().await;
    assert_ne!(second.server_pid(), Some(pid));
    assert_eq!(ask(&second, "SELECT word FROM kept").await, "before the kill");
    drop(first);
    assert_eq!(ask(&second, "SELECT word FROM kept").await, "before the kill");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_started_again_for_those_who_use_it() {
    let own = Own::new("crashed");
    let user = own.start().await;
    keep(&user, "before the kill").await;
    let pid = user.server_pid().expect("a server");
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill").success());
    eventually("another server runs", || user.server_pid().is_some_and(|now| now != pid));
    eventually("it takes connections", || {
        std::fs::read_to_string(own.settings.cluster_dir.join("data/postmaster.pid")).is_ok_and(|s| s.contains("ready"))
    });
    assert_eq!(ask(&user, "SELECT word FROM kept").await, "before the kill");
    let pid = user.server_pid().expect("a server");
    drop(user);
    assert!(!is_alive(pid), "the second server is stopped like the first");
}

/// As when its disk is full: the server crashes, and ends by itself each time it is started, until what it needs is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_could_not_recover_comes_back_once_it_can() {
    let own = Own::new("full");
    let user = own.start().await;
    keep(&user, "before the crash").await;
    let pid = user.server_pid().expect("a server");
    let (control, away) =
        (own.settings.cluster_dir.join("data/global/pg_control"), own.settings.cluster_dir.join("away"));
    std::fs::rename(&control, &away).expect("put its control file aside");
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill").success());
    let tries = || {
        let said = std::fs::read_to_string(own.settings.cluster_dir.join("server.log")).expect("the server's log");
        said.matches("global/pg_control").count()
    };
    eventually("it was started again in vain, and again", || tries() >= 2);
    assert!(!is_alive(pid));

    std::fs::rename(&away, &control).expect("put it back");
    let old = pid.to_string();
    eventually("another server takes connections", || {
        std::fs::read_to_string(own.settings.cluster_dir.join("data/postmaster.pid"))
            .is_ok_and(|said| said.lines().next() != Some(&old) && said.contains("ready"))
    });
    assert_eq!(ask(&user, "SELECT word FROM kept").await, "before the crash");
    let pid = user.server_pid().expect("a server");
    user.stop().await.expect("a clean stop");
    assert!(!is_alive(pid), "it is stopped like the first, and not started again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pid_file_that_names_another_process_does_not_stop_the_start() {
    let own = Own::new("stale");
    own.start().await.stop().await.expect("a clean stop");
    // As after a power cut: the number in the file now belongs to somebody else, here to this test.
    let data = own.settings.cluster_dir.join("data");
    let text = format!("{}\n{}\n0\n5432\n/nowhere\n\n0 0\nready\n", std::process::id(), data.display());
    std::fs::write(data.join("postmaster.pid"), text).expect("a stale pid file");
    let postgres = own.start().await;
    assert_eq!(ask(&postgres, "SELECT 'up'").await, "up");
}

#[tokio::test(flavor = "multi_thread")]
async fn first_starts_that_race_end_in_one_server() {
    let own = Own::new("race");
    let starts = (0..4).map(|_| tokio::spawn(postgres::start(own.settings.clone()))).collect::<Vec<_>>();
    let mut users = Vec::new();
    for start in starts {
        users.push(start.await.expect("no panic").expect("a running cluster"));
    }
    let pid = users[0].server_pid();
    assert!(pid.is_some() && users.iter().all(|user| user.server_pid() == pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_too_long_for_a_socket_puts_the_socket_elsewhere() {
    let mut own = Own::new("long");
    let top = own.settings.cluster_dir.clone();
    own.settings.cluster_dir = top.join("a-long-name-".repeat(9)).join("cluster");
    let postgres = own.start().await;
    let sockets = postgres.socket_dir().to_owned();
    assert!(sockets.as_os_str().len() < 90 && sockets.starts_with("/tmp"), "{}", sockets.display());
    assert_eq!(std::fs::metadata(&sockets).expect("the folder").permissions().mode() & 0o777, 0o700);
    let second = own.start().await;
    assert_eq!(ask(&second, "SELECT 'attached'").await, "attached");
    drop((postgres, second));
    assert!(!sockets.exists(), "a folder outside the cluster is not left behind");
    let _ = std::fs::remove_dir_all(top);
}

/// Runs this test binary's [`throwaway_user`] as a process of its own, which waits with a throw-away cluster in `dir`.
fn spawn_user(dir: &Path) -> std::process::Child {
    let mut child = Command::new(std::env::current_exe().expect("this test binary"))
        .args(["--exact", "embedded::throwaway_user", "--ignored", "--nocapture"])
        .env("TANDEM_TEST_CLUSTER", dir)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a second process");
    eventually("the second process starts its server", || {
        assert!(child.try_wait().expect("its state").is_none(), "the second process ended");
        std::fs::read_to_string(dir.join("data/postmaster.pid")).is_ok_and(|text| text.contains("ready"))
    });
    child
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the tests that need a second process"]
async fn throwaway_user() {
    let dir = PathBuf::from(std::env::var_os("TANDEM_TEST_CLUSTER").expect("the folder of the cluster"));
    let _cluster = postgres::start(cluster::settings(&dir)).await.expect("a running cluster");
    tokio::time::sleep(2 * PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_neither_server_nor_folder() {
    // Under a name that the sweep of another test does not take for its own.
    let dir = std::env::temp_dir().join(format!("tandem-abandoned-{}", std::process::id()));
    let mut user = spawn_user(&dir);
    let text = std::fs::read_to_string(dir.join("data/postmaster.pid")).expect("the pid file");
    let pid: i32 = text.lines().next().expect("a first line").parse().expect("a process id");
    user.kill().expect("kill -9");
    user.wait().expect("its end");
    eventually("the server ends", || !is_alive(pid));
    eventually("the folder is deleted", || !dir.exists());
}

/// A folder whose `postgres` says what it is told to say.
fn fake_programs(name: &str, says: &str) -> PathBuf {
    let bin = cluster::temporary(name);
    std::fs::create_dir_all(&bin).expect("a folder");
    for program in ["postgres", "initdb"] {
        let path = bin.join(program);
        std::fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).expect("a program");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    std::fs::set_permissions(&bin, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    std::fs::canonicalize(bin).expect("a path")
}

async fn refusal(own: &Own) -> String {
    let error = postgres::start(own.settings.clone()).await.expect_err("a refusal");
    format!("{error:#}").replace(&cluster::temporary("").display().to_string(), "/TMP-")
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_that_will_not_do_are_refused_in_one_sentence() {
    let mut own = Own::new("refused");
    let old = fake_programs("old", "postgres (PostgreSQL) 14.9");
    own.settings.pg_bin = Some(old.clone());
    assert_eq!(refusal(&own).await, "TANDEM_PG_BIN is /TMP-old with Postgres 14, but 15 or newer is needed");

    own.settings.pg_bin = Some(cluster::temporary("absent"));
    let said = refusal(&own).await;
    assert!(
        said.starts_with(
            "TANDEM_PG_BIN is /TMP-absent, but that is not a folder with working Postgres server programs: cannot open"
        ),
        "{said}"
    );

    own.settings.pg_bin = None;
    own.start().await.stop().await.expect("a clean stop");
    let new = fake_programs("new", "postgres (PostgreSQL) 99.1");
    own.settings.pg_bin = Some(new.clone());
    let said = refusal(&own).await;
    assert!(
        said.starts_with("TANDEM_PG_BIN is /TMP-new with Postgres 99, but the data was made by Postgres 1"),
        "{said}"
    );
    for folder in [old, new] {
        std::fs::remove_dir_all(folder).expect("the fake programs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_test_has_a_database_of_its_own() {
    let (one, other) = tokio::join!(cluster::database(), cluster::database());
    sqlx::query("CREATE TABLE only_here (id int)").execute(&one.pool).await.expect("a table");
    let seen: bool = sqlx::query("SELECT to_regclass('only_here') IS NOT NULL")
        .fetch_one(&other.second_pool().await)
        .await
        .expect("an answer")
        .get(0);
    assert!(!seen, "a table of one test is seen by another");
    let mut by_url = PgConnection::connect(one.url()).await.expect("a connection by URL");
    sqlx::query("SELECT id FROM only_here")
        .fetch_all(&mut by_url)
        .await
        .expect("the URL leads to this test's database");
}

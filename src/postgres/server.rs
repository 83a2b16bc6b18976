//! Starting, attaching to and leaving a cluster's server. Everything here blocks.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::account::Account;
use super::cluster::{Cluster, same_file};
use super::programs::{self, Programs};
use super::{DATABASE, Embedded, LOGIN, Mode, PORT, Settings};

/// How long a server may take until it takes connections; after an unclean end it first replays its log.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long a start is tried again after an unclean end, while the dead server's last processes go.
const RETRY_FOR: Duration = Duration::from_secs(10);
/// A server log beyond this many bytes is put aside at the next start.
const LARGE_LOG: u64 = 10 << 20;

/// Runs the server, and stops it when the users' lock can be had alone, which
/// the kernel also grants when the last user was killed. Ends with the server,
/// except that one which was killed or crashed is started again, so that those
/// who use it need not be; so is one that gave up after it had run (its disk was
/// full, say), more and more seldom, for as long as anybody uses it. Nothing signals a number that may have become another
/// process: the server is this shell's own child until `wait`.
const KEEPER: &str = r#"
trap '' HUP INT QUIT
lock=$1 signal=$2 remove=$3 sockets=$4 cluster=$5 postgres=$6; shift 6
last='trap "" TERM
kill -"$1" "$0" 2>/dev/null
while kill -0 "$0" 2>/dev/null; do sleep 0.05; done
rm -rf "$3"
if [ "$2" = yes ]; then rm -rf "$4"; fi'
unused() {
  if command -v flock >/dev/null; then
    flock -n -x "$lock" true
  elif command -v perl >/dev/null; then
    perl -e 'use Fcntl ":flock"; open(my $f, "<", shift) or exit 1; exit(flock($f, LOCK_EX | LOCK_NB) ? 0 : 1)' "$lock"
  else
    false
  fi
}
pause=1
rm -f "$cluster/settled"
while :; do
  started=$(date +%s)
  "$postgres" "$@" </dev/null &
  server=$!
  if command -v flock >/dev/null; then
    flock -x "$lock" sh -c "$last" "$server" "$signal" "$remove" "$sockets" "$cluster" &
    watch=$!
  elif command -v perl >/dev/null; then
    perl -e 'use Fcntl ":flock"; $^F = 255; open(my $f, "<", shift) or exit 1; flock($f, LOCK_EX) or exit 1; exec @ARGV' \
      "$lock" sh -c "$last" "$server" "$signal" "$remove" "$sockets" "$cluster" &
    watch=$!
  else
    watch=
  fi
  wait "$server"
  ended=$?
  if [ -n "$watch" ]; then kill "$watch"; wait "$watch"; fi 2>/dev/null
  if [ "$remove" = yes ] || [ "$ended" -eq 0 ]; then exit; fi
  # Above is 128 and the signal's number: it did not end by itself. A start that fails is told to who asked for it.
  if [ "$ended" -le 128 ] && [ "$(cat "$cluster/settled" 2>/dev/null)" != $$ ]; then exit; fi
  if [ $(($(date +%s) - started)) -ge 60 ]; then pause=1; fi
  sleep "$pause"
  pause=$((pause * 2))
  if [ "$pause" -gt 30 ]; then pause=30; fi
  if [ ! -e "$lock" ]; then exit; fi
  if unused; then rm -rf "$sockets"; exit; fi
  # Who came meanwhile has started it.
  if read -r other 2>/dev/null <"$cluster/data/postmaster.pid" && [ "$other" != "$server" ] && kill -0 "$other" 2>/dev/null; then exit; fi
done
"#;

/// Starts or attaches; see [`super::start`].
pub(super) fn start(settings: &Settings) -> anyhow::Result<Embedded> {
    let account = Account::choose(&settings.cluster_dir)?;
    let parent = settings.cluster_dir.parent().context("a cluster cannot lie in the root of the file system")?;
    let name = settings.cluster_dir.file_name().context("the cluster's folder has no name")?;
    loop {
        let cluster = Cluster { dir: account.path_to(parent, &settings.data_dir)?.join(name), mode: settings.mode };
        account.private_folder(&cluster.dir)?;
        let lock = cluster.users_lock();
        // A throw-away cluster may be deleted by its last user at any point of this.
        let users = match cluster.open_lock(&lock, Some(&account)) {
            Err(error) if cluster.dir.exists() => return Err(error),
            Err(_) => continue,
            Ok(users) => users,
        };
        // Whoever holds it alone is stopping the server; wait for that to end.
        users.lock_shared().with_context(|| format!("cannot lock {}", lock.display()))?;
        if same_file(&users, &lock) {
            return start_as_user(settings, &account, cluster, users);
        }
    }
}

fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

fn start_as_user(settings: &Settings, account: &Account, cluster: Cluster, users: File) -> anyhow::Result<Embedded> {
    let started = attach_or_launch(settings, account, &cluster);
    match started {
        Ok((socket_dir, keeper)) => Ok(Embedded { cluster, socket_dir, users: Some(users), keeper }),
        Err(error) => {
            // Nothing is left behind by a start that failed, and its reason is what counts.
            if let Err(left) = leave(&cluster, users) {
                tracing::debug!("after a failed start: {left:#}");
            }
            Err(error)
        }
    }
}

fn attach_or_launch(
    settings: &Settings,
    account: &Account,
    cluster: &Cluster,
) -> anyhow::Result<(PathBuf, Option<Child>)> {
    let gate = cluster.open_lock(&cluster.start_lock(), Some(account))?;
    gate.lock().context("cannot lock the cluster for its start")?;
    let keeper = if attach(cluster)? { None } else { launch(settings, account, cluster)? };
    let socket_dir = cluster.running_socket_dir().context("the Postgres server ended right after its start")?;
    Ok((socket_dir, keeper))
}

/// Whether a running server takes connections; one that is ending is waited for.
fn attach(cluster: &Cluster) -> anyhow::Result<bool> {
    let deadline = Instant::now() + READY_WITHIN;
    while cluster.postmaster().is_some() {
        if cluster.ready() {
            return Ok(true);
        }
        if Instant::now() > deadline {
            bail!(
                "a Postgres server runs in {} but takes no connections: see {}",
                cluster.dir.display(),
                cluster.log().display()
            );
        }
        pause();
    }
    Ok(false)
}

/// Starts the server of an unused cluster, initialising it first when it is new. The caller holds the start lock.
/// `None` when the server's own keeper was quicker.
fn launch(settings: &Settings, account: &Account, cluster: &Cluster) -> anyhow::Result<Option<Child>> {
    let programs = programs::find(settings, account, cluster.data_version())?;
    if !cluster.initialised() {
        initialise(&programs, account, cluster)?;
    }
    // A clean start that fails would fail again.
    let unclean = cluster.data().join("postmaster.pid").exists() || cluster.orphans();
    let retry_until = Instant::now() + if unclean { RETRY_FOR } else { Duration::ZERO };
    loop {
        clear_after_unclean_end(cluster, retry_until)?;
        if attach(cluster)? {
            return Ok(None);
        }
        let mut keeper = spawn(&programs, account, cluster)?;
        match wait_until_ready(cluster, &mut keeper) {
            Ok(()) => {
                // Tells its keeper that it has run. Where that can't be written, its keeper takes every end for one of a
                // start that failed.
                let _ = std::fs::write(cluster.settled(), keeper.id().to_string());
                return Ok(Some(keeper));
            }
            Err(error) if Instant::now() >= retry_until => return Err(error),
            Err(error) => {
                tracing::debug!("Postgres did not start, trying again: {error:#}");
                std::thread::sleep(Duration::from_millis(500));
            }
        }
    }
}

/// After a kill of the postmaster its children need a moment to notice and go. A pid file is left to Postgres to
/// judge, except where it cannot: when its number now belongs to another process, Postgres takes that for a server.
fn clear_after_unclean_end(cluster: &Cluster, until: Instant) -> anyhow::Result<()> {
    while cluster.orphans() && cluster.postmaster().is_none() && Instant::now() < until {
        pause();
    }
    let pid_file = cluster.data().join("postmaster.pid");
    if cluster.pid_of_another() && !cluster.orphans() {
        std::fs::remove_file(&pid_file).with_context(|| format!("cannot delete the stale {}", pid_file.display()))?;
    }
    Ok(())
}

fn spawn(programs: &Programs, account: &Account, cluster: &Cluster) -> anyhow::Result<Child> {
    let socket_dir = cluster.socket_dir();
    account.private_folder(&socket_dir)?;
    let log = open_log(cluster, account)?;
    let durable = cluster.mode == Mode::Durable;
    let mut options = vec![
        "listen_addresses=".to_owned(),
        format!("unix_socket_directories={}", quoted(&socket_dir)),
        "unix_socket_permissions=0700".to_owned(),
        format!("port={PORT}"),
        "jit=off".to_owned(),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
        "logging_collector=off".to_owned(),
        "log_checkpoints=off".to_owned(),
    ];
    let by_mode: &[&str] = if durable {
        &["shared_buffers=32MB", "max_connections=80"]
    } else {
        &[
            "shared_buffers=64MB",
            "max_connections=200",
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "autovacuum=off",
            "max_wal_senders=0",
            "wal_level=minimal",
        ]
    };
    options.extend(by_mode.iter().map(|&option| option.to_owned()));
    let mut command = account.command("/bin/sh");
    command
        .args(["-c", KEEPER, "tandem-postgres"])
        .arg(cluster.users_lock())
        .arg(if durable { "INT" } else { "QUIT" })
        .arg(if durable { "no" } else { "yes" })
        .args([&socket_dir, &cluster.dir])
        .arg(programs.program("postgres"))
        .arg("-D")
        .arg(cluster.data());
    for option in &options {
        command.arg("-c").arg(option);
    }
    command
        .current_dir(&cluster.dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("cannot share the server's log")?)
        .stderr(log)
        // Out of the terminal's foreground group: Ctrl-C is for us, and we stop the server in our own time.
        .process_group(0)
        .spawn()
        .context("cannot start /bin/sh")
}

/// A path as an item of a list in Postgres' configuration.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('"', "\"\""))
}

fn open_log(cluster: &Cluster, account: &Account) -> anyhow::Result<File> {
    let path = cluster.log();
    if std::fs::metadata(&path).is_ok_and(|log| log.len() > LARGE_LOG) {
        let _ = std::fs::rename(&path, path.with_extension("log.1"));
    }
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    std::os::unix::fs::fchown(&log, Some(account.uid), Some(account.gid))
        .context("cannot hand over the server's log")?;
    Ok(log)
}

fn wait_until_ready(cluster: &Cluster, keeper: &mut Child) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        if cluster.ready() && cluster.postmaster().is_some() {
            return Ok(());
        }
        if keeper.try_wait().context("cannot ask after the Postgres server")?.is_some() {
            bail!("the Postgres server did not start: {}", last_words(&cluster.log()));
        }
        if Instant::now() > deadline {
            bail!(
                "the Postgres server takes no connections after {} s: {}",
                READY_WITHIN.as_secs(),
                last_words(&cluster.log())
            );
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The last thing that a server or program complained about.
fn last_words(log: &Path) -> String {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let complaint = text.lines().rev().find(|line| line.contains("FATAL") || line.contains("PANIC"));
    let line = complaint.or_else(|| text.lines().rev().find(|line| !line.trim().is_empty()));
    format!("{} (log: {})", line.unwrap_or("it said nothing").trim(), log.display())
}

/// Makes the data directory with the login and its database, aside and then moved into place, so that an interrupted
/// first start leaves nothing that looks initialised.
fn initialise(programs: &Programs, account: &Account, cluster: &Cluster) -> anyhow::Result<()> {
    let aside = cluster.dir.join("data.new");
    let mut said = String::new();
    for locale in programs.locales() {
        if aside.exists() {
            std::fs::remove_dir_all(&aside).with_context(|| format!("cannot delete {}", aside.display()))?;
        }
        let mut initdb = account.command(programs.program("initdb"));
        initdb
            .arg("-D")
            .arg(&aside)
            .args(["-U", "postgres", "-E", "UTF8", "--auth=trust", "--lc-messages=C"])
            .args(*locale)
            .current_dir(&cluster.dir);
        if cluster.mode == Mode::Throwaway {
            initdb.arg("--no-sync");
        }
        match run(&mut initdb, "") {
            Ok(()) => {
                make_login(programs, account, cluster, &aside)?;
                return std::fs::rename(&aside, cluster.data())
                    .context("cannot move the new data directory into place");
            }
            // The next locale is one that every machine has.
            Err(error) => said = format!("{error:#}"),
        }
    }
    bail!("cannot initialise Postgres in {}: {said}", cluster.dir.display())
}

/// Before anybody can connect, in single-user mode: the one thing that is done as superuser.
fn make_login(programs: &Programs, account: &Account, cluster: &Cluster, data: &Path) -> anyhow::Result<()> {
    let mut single = account.command(programs.program("postgres"));
    single.args(["--single", "-j", "-D"]).arg(data).current_dir(&cluster.dir);
    if cluster.mode == Mode::Throwaway {
        single.args(["-c", "fsync=off"]);
    }
    single.arg("postgres");
    // With -j a statement ends at a semicolon followed by an empty line.
    let sql = format!(
        "CREATE ROLE {LOGIN} LOGIN NOSUPERUSER NOBYPASSRLS CREATEROLE CREATEDB;\n\nCREATE DATABASE {DATABASE} OWNER {LOGIN};\n\n"
    );
    run(&mut single, &sql).context("cannot make the login in the new cluster")
}

/// Runs a program to its end; its last line of complaint becomes the error.
fn run(command: &mut Command, input: &str) -> anyhow::Result<()> {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // It may end before it has read everything; then its own words say more than a broken pipe.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().with_context(|| format!("cannot wait for {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    // Single-user mode goes on after an error and ends well.
    let error =
        said.lines().find(|line| ["ERROR:", "FATAL:", "PANIC:", "error:"].iter().any(|word| line.contains(word)));
    if let Some(error) = error {
        bail!("{}", error.trim());
    }
    if !output.status.success() {
        bail!("{name} failed ({}): {}", output.status, said.lines().last().unwrap_or("it said nothing").trim());
    }
    Ok(())
}

/// Gives the shared lock back; whoever is then alone stops the server, and the call returns when it has ended.
pub(super) fn leave(cluster: &Cluster, users: File) -> anyhow::Result<()> {
    users.unlock().context("cannot release the cluster")?;
    if users.try_lock().is_ok() {
        if !same_file(&users, &cluster.users_lock()) {
            // The keeper has deleted the cluster.
            return Ok(());
        }
        cluster.stop_server()?;
        if cluster.mode == Mode::Throwaway {
            cluster.remove()?;
        }
        return users.unlock().context("cannot release the cluster");
    }
    if users.try_lock_shared().is_err() {
        // The keeper was quicker and is stopping the server: its end is the end of our leaving.
        users.lock_shared().context("cannot wait for the server's end")?;
    }
    // Closing the file is not enough: a child that is just being forked may hold a copy of it for a moment.
    users.unlock().context("cannot release the cluster")
}

/// Collects a keeper that ends now; one whose server has other users goes on without us.
pub(super) fn reap(keeper: &mut Child) {
    for _ in 0..50 {
        if !matches!(keeper.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

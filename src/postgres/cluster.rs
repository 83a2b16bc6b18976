//! What lies in a cluster's folder: its paths, its locks, and whether its server runs.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sha2::{Digest as _, Sha256};

use super::Mode;
use super::account::Account;

/// The longest socket directory that leaves room for `/.s.PGSQL.5432.lock` in
/// `sun_path`, which holds 104 bytes on macOS and 108 on Linux.
const LONGEST_SOCKET_DIR: usize = 84;

/// How long a server may take to write its last checkpoint, before it is ended without one.
const STOP_WITHIN: Duration = Duration::from_secs(60);

/// How old a folder without a lock must be before [`sweep`] takes it for a leftover.
const NEW: Duration = Duration::from_secs(120);

/// A cluster by its folder, which is canonical.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    pub(super) dir: PathBuf,
    pub(super) mode: Mode,
}

impl Cluster {
    /// The server's data directory.
    pub(super) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Held shared by every user of the cluster.
    pub(super) fn users_lock(&self) -> PathBuf {
        self.dir.join("users.lock")
    }

    /// Held by the one process that initialises or starts.
    pub(super) fn start_lock(&self) -> PathBuf {
        self.dir.join("start.lock")
    }

    /// Names the keeper whose server has taken connections.
    pub(super) fn settled(&self) -> PathBuf {
        self.dir.join("settled")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    pub(super) fn initialised(&self) -> bool {
        self.data().join("PG_VERSION").exists()
    }

    /// The major version that made the data, `None` before there is any.
    pub(super) fn data_version(&self) -> Option<u32> {
        std::fs::read_to_string(self.data().join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    /// Where a server's socket goes: into the cluster, or under /tmp when that path is too long for a socket.
    pub(super) fn socket_dir(&self) -> PathBuf {
        let inside = self.dir.join("socket");
        if inside.as_os_str().len() <= LONGEST_SOCKET_DIR {
            return inside;
        }
        let digest = Sha256::digest(self.dir.as_os_str().as_encoded_bytes());
        Path::new("/tmp").join(format!("tandem-{}", hex::encode(&digest[..8])))
    }

    /// The socket directory of the running server, from its pid file (line 5, see `miscadmin.h`).
    pub(super) fn running_socket_dir(&self) -> Option<PathBuf> {
        self.pid_file_line(4).map(PathBuf::from)
    }

    /// The running server's process id; `None` when none runs, even if a stale pid file names one.
    pub(super) fn postmaster(&self) -> Option<i32> {
        let pid: i32 = self.pid_file_line(0)?.parse().ok()?;
        runs_in(pid, &self.data()).then_some(pid)
    }

    /// Whether the pid file names a living process that is certainly no server of this cluster.
    pub(super) fn pid_of_another(&self) -> bool {
        let pid: Option<i32> = self.pid_file_line(0).and_then(|line| line.parse().ok());
        // Without /proc there is no certainty.
        pid.is_some_and(|pid| {
            Path::new(&format!("/proc/{pid}/cwd")).symlink_metadata().is_ok() && !runs_in(pid, &self.data())
        })
    }

    /// Whether the server takes connections (line 8 of its pid file).
    pub(super) fn ready(&self) -> bool {
        self.pid_file_line(7).is_some_and(|status| status.trim() == "ready")
    }

    fn pid_file_line(&self, line: usize) -> Option<String> {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        text.lines().nth(line).map(str::to_owned)
    }

    /// Whether server processes are left that outlived their postmaster.
    pub(super) fn orphans(&self) -> bool {
        let data = self.data();
        let Ok(processes) = std::fs::read_dir("/proc") else { return false };
        processes
            .flatten()
            .filter(|process| process.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
            .any(|process| std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == data))
    }

    /// Opens a lock file of this cluster, owned by the account that the server runs as.
    pub(super) fn open_lock(&self, path: &Path, account: Option<&Account>) -> anyhow::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(account.is_some())
            .mode(0o600)
            .open(path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        if let Some(account) = account {
            std::os::unix::fs::fchown(&file, Some(account.uid), Some(account.gid))
                .with_context(|| format!("cannot give {} to the account that runs Postgres", path.display()))?;
        }
        Ok(file)
    }

    /// Ends the server and waits for that; disconnects its clients, keeps its data.
    pub(super) fn stop_server(&self) -> anyhow::Result<()> {
        if let Some(pid) = self.postmaster() {
            // Data that is about to be deleted needs no last checkpoint.
            let gentle = if self.mode == Mode::Durable { Signal::INT } else { Signal::QUIT };
            if !self.ends_upon(pid, gentle, STOP_WITHIN) && !self.ends_upon(pid, Signal::QUIT, STOP_WITHIN) {
                bail!("the Postgres server in {} (process {pid}) does not end", self.dir.display());
            }
        }
        // A killed server leaves its socket; where that lies under /tmp nothing may be left behind.
        let _ = std::fs::remove_dir_all(self.socket_dir());
        Ok(())
    }

    fn ends_upon(&self, pid: i32, signal: Signal, within: Duration) -> bool {
        if let Some(process) = Pid::from_raw(pid) {
            // It may have ended by itself, which is what we want.
            let _ = kill_process(process, signal);
        }
        let deadline = Instant::now() + within;
        while self.postmaster() == Some(pid) {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// Deletes a throw-away cluster. The caller holds its users' lock alone.
    pub(super) fn remove(&self) -> anyhow::Result<()> {
        match std::fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot delete {}", self.dir.display()))
            }
            _ => Ok(()),
        }
    }
}

/// Whether `path` still leads to the file that `file` has open.
pub(super) fn same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => open.ino() == named.ino() && open.dev() == named.dev(),
        _ => false,
    }
}

/// Whether process `pid` is a server of this data directory, not another that got the number of a dead one.
fn runs_in(pid: i32, data: &Path) -> bool {
    let Some(process) = Pid::from_raw(pid) else { return false };
    if test_kill_process(process).is_err() {
        return false;
    }
    if Path::new("/proc/self/cwd").exists() {
        // A server changes into its data directory; a zombie has no working directory any more.
        return std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data);
    }
    std::process::Command::new("ps")
        .args(["-o", "command=", "-p", &pid.to_string()])
        .output()
        .is_ok_and(|ps| String::from_utf8_lossy(&ps.stdout).contains("postgres"))
}

/// Deletes the throw-away clusters in `parent` whose folder's name begins with
/// `prefix` and that nobody uses: what killed runs left behind. Returns how many.
pub fn sweep(parent: &Path, prefix: &str) -> usize {
    let Ok(entries) = std::fs::read_dir(parent) else { return 0 };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .filter_map(|entry| std::fs::canonicalize(entry.path()).ok())
        .filter(|dir| sweep_one(Cluster { dir: dir.clone(), mode: Mode::Throwaway }))
        .count()
}

fn sweep_one(cluster: Cluster) -> bool {
    let path = cluster.users_lock();
    // Without a lock file it is either about to be used or was never used.
    let Ok(lock) = cluster.open_lock(&path, None) else {
        let old = std::fs::metadata(&cluster.dir).and_then(|found| found.modified()).is_ok_and(is_old);
        return !path.exists() && old && cluster.remove().is_ok();
    };
    lock.try_lock().is_ok() && same_file(&lock, &path) && cluster.stop_server().is_ok() && cluster.remove().is_ok()
}

fn is_old(at: std::time::SystemTime) -> bool {
    at.elapsed().is_ok_and(|age| age > NEW)
}

//! Which account of the machine the server runs as, since Postgres refuses to run as root.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

/// Accounts to fall to when root starts us, best first: the one that a
/// distribution's Postgres brings (`_postgres` on macOS), else the one that owns nothing.
const CANDIDATES: [&str; 3] = ["postgres", "_postgres", "nobody"];

/// The account that owns the cluster and runs its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Whether we are root and change to that account.
    drops: bool,
}

impl Account {
    /// Our own account; for root, the owner of the cluster when there is one, else the best candidate.
    pub(super) fn choose(cluster_dir: &Path) -> anyhow::Result<Self> {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        if uid != 0 {
            return Ok(Self { uid, gid, drops: false });
        }
        // The owner stays, whatever accounts come and go: the server must be able to read its files.
        if let Ok(data) = std::fs::metadata(cluster_dir.join("data"))
            && data.uid() != 0
        {
            return Ok(Self { uid: data.uid(), gid: data.gid(), drops: true });
        }
        CANDIDATES
            .iter()
            .find_map(|name| Some(Self { uid: id("-u", name)?, gid: id("-g", name)?, drops: true }))
            .filter(|account| account.uid != 0)
            .context("Postgres refuses to run as root and there is no account `postgres` or `nobody` to run it as: start tandem as an ordinary user")
    }

    /// A command that runs as this account. Of our environment it gets only what finds programs and libraries: no
    /// token of ours is shown to another account, and no `PG…` variable changes what the server does.
    pub(super) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().env("LC_ALL", "C");
        for name in ["PATH", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        if self.drops {
            // Without supplementary groups: the standard library clears them when root changes its user.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Makes a folder that this account alone may enter; an existing one is kept, and closed again if it stood open.
    pub(super) fn private_folder(&self, folder: &Path) -> anyhow::Result<()> {
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(error).with_context(|| format!("cannot make the folder {}", folder.display()));
            }
            _ => {}
        }
        let found = std::fs::symlink_metadata(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        if !found.is_dir() {
            bail!("{} is not a folder, but Postgres needs a folder of its own there", folder.display());
        }
        if self.drops && found.uid() == 0 {
            std::os::unix::fs::chown(folder, Some(self.uid), Some(self.gid))
                .with_context(|| format!("cannot give {} to the account that runs Postgres", folder.display()))?;
        } else if found.uid() != self.uid {
            bail!(
                "{} belongs to the account with id {}, but Postgres runs as {}: start tandem as that account, or set TANDEM_DATA_DIR to another folder",
                folder.display(),
                found.uid(),
                self.uid
            );
        }
        if found.permissions().mode() & 0o777 != 0o700 {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
                .with_context(|| format!("cannot close {} to others", folder.display()))?;
        }
        Ok(())
    }

    /// Makes `folder` with its parents, and lets this account walk to it: parents in `data_dir` are opened for passing
    /// through when root closed them, those above must be open already.
    pub(super) fn path_to(&self, folder: &Path, data_dir: &Path) -> anyhow::Result<PathBuf> {
        let folder = std::path::absolute(folder).with_context(|| format!("{} is not a path", folder.display()))?;
        let data_dir =
            std::path::absolute(data_dir).with_context(|| format!("{} is not a path", data_dir.display()))?;
        let mut path = PathBuf::new();
        for part in folder.components() {
            path.push(part);
            if matches!(part, Component::ParentDir | Component::CurDir) {
                continue;
            }
            self.open_parent(&path, path.starts_with(&data_dir))?;
        }
        std::fs::canonicalize(&folder).with_context(|| format!("cannot read {}", folder.display()))
    }

    fn open_parent(&self, path: &Path, ours: bool) -> anyhow::Result<()> {
        let made = match std::fs::create_dir(path) {
            Ok(()) => true,
            Err(_) if path.is_dir() => false,
            Err(error) => return Err(error).with_context(|| format!("cannot make the folder {}", path.display())),
        };
        if !self.drops {
            if made {
                let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700));
            }
            return Ok(());
        }
        let found = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        if self.may_pass(&found) && !made {
            return Ok(());
        }
        if (made || ours) && found.uid() == 0 {
            // Passing through is not listing: what lies beside the cluster keeps its own permissions.
            let mode = if made { 0o711 } else { found.permissions().mode() & 0o7777 | 0o011 };
            return std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
                .with_context(|| format!("cannot open {} for the account that runs Postgres", path.display()));
        }
        bail!(
            "Postgres refuses to run as root, and the account that it runs as instead (id {}) may not enter {}: set TANDEM_DATA_DIR to a folder that others may pass through, such as /var/lib/tandem",
            self.uid,
            path.display()
        )
    }

    fn may_pass(&self, folder: &std::fs::Metadata) -> bool {
        let mode = folder.permissions().mode();
        if folder.uid() == self.uid {
            mode & 0o100 != 0
        } else if folder.gid() == self.gid {
            mode & 0o010 != 0
        } else {
            mode & 0o001 != 0
        }
    }
}

/// `id -u NAME`: asks the machine's own directory of accounts, not only /etc/passwd.
fn id(what: &str, name: &str) -> Option<u32> {
    let found = Command::new("id").args([what, name]).stderr(std::process::Stdio::null()).output().ok()?;
    String::from_utf8(found.stdout).ok()?.trim().parse().ok()
}

//! `tandem keys`, and where the master keys come from.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;

use super::Done;
use super::open::open;
use crate::app::installation;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Database};
use crate::vault::{Key, MasterKeys};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Encrypt every stored token under the first key of TANDEM_SECRET_KEY; the service may go on running
    Rotate,
}

/// The key file's name in the data directory.
const FILE: &str = "secret.key";

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<Done> {
    let Command::Rotate = command;
    let keys = master_keys(config)?;
    let opened = open(config, 2).await?;
    let rotated = installation::rotate(&opened.store, &keys, SystemClock.now()).await?;
    opened.close().await?;
    let name = keys.first().name();
    if rotated == installation::Rotated::default() {
        println!("Everything is encrypted under the first key ({name}) already.");
    } else {
        println!(
            "Encrypted anew under the first key ({name}): tokens of {} for {}. The other keys can be taken out of \
             TANDEM_SECRET_KEY.",
            count(rotated.workspaces, "workspace"),
            count(rotated.organisations, "organisation"),
        );
    }
    Ok(Done::Well)
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// The keys of `TANDEM_SECRET_KEY`, else those of the key file, which is made where it is missing.
pub(super) fn master_keys(config: &Config) -> anyhow::Result<MasterKeys> {
    if let Some(keys) = &config.secret_keys {
        return Ok(keys.clone());
    }
    let path = config.data_dir.join(FILE);
    if matches!(config.database, Database::Url(_)) {
        tracing::warn!(
            path = %path.display(),
            "TANDEM_SECRET_KEY is not set: tokens are encrypted under a key file of this machine; without that file, \
             or on another machine, they can't be read"
        );
    }
    read_or_make(&path)
}

fn read_or_make(path: &Path) -> anyhow::Result<MasterKeys> {
    let shown = path.display();
    let list = match fs::read_to_string(path) {
        Ok(list) => list,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(path).with_context(|| format!("the key file {shown} can't be made"))?;
            fs::read_to_string(path).with_context(|| format!("the key file {shown} can't be read"))?
        }
        Err(error) => return Err(error).with_context(|| format!("the key file {shown} can't be read")),
    };
    let mode = fs::metadata(path)?.permissions().mode();
    anyhow::ensure!(
        mode & 0o077 == 0,
        "the key file {shown} can be read by others (mode {:o}); run `chmod 600 {shown}`",
        mode & 0o777
    );
    MasterKeys::parse(&list).map_err(|error| anyhow::anyhow!("the key file {shown}: {error}"))
}

/// Makes the file whole or not at all; where another process was first, its file stays.
fn make(path: &Path) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let draft = dir.join(format!("{FILE}.{}", std::process::id()));
    // A draft of an earlier process with this id is nobody's.
    let _ = fs::remove_file(&draft);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(Key::random().to_base64().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_file_is_made_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new").join(FILE);
        let first = read_or_make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_or_make(&path).unwrap().first().name(), first.first().name());
        make(&path).unwrap();
        assert_eq!(
            read_or_make(&path).unwrap().first().name(),
            first.first().name(),
            "who comes second changes nothing"
        );
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let open = read_or_make(&path).unwrap_err().to_string();
        assert!(open.contains("can be read by others (mode 644); run `chmod 600"), "{open}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "half a ke").unwrap();
        let broken = read_or_make(&path).unwrap_err().to_string();
        assert!(broken.contains("key 1 is not base64"), "{broken}");
    }
}

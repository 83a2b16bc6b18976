//! Where the server programs are: named, in the usual places, on PATH, or fetched.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};

use super::account::Account;
use super::{Search, Settings, fetch};

/// The oldest server that the SQL is written for.
const OLDEST: u32 = 15;

/// Folders that hold one folder per version, how its name begins, and where the programs are in it:
/// Debian and Ubuntu, the PGDG packages for Red Hat, SUSE, Alpine, Homebrew on both
/// kinds of Mac, Postgres.app, the EDB installer, MacPorts.
const VERSIONED: [(&str, &str, &str); 9] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/lib", "postgresql", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ("/Library/PostgreSQL", "", "bin"),
    ("/opt/local/lib", "postgresql", "bin"),
];

/// Folders that hold the programs of one version: Arch and Fedora, Alpine's default, a build from source.
const PLAIN: [&str; 4] = ["/usr/bin", "/usr/libexec/postgresql", "/usr/local/pgsql/bin", "/usr/local/bin"];

/// A folder with `postgres` and `initdb` of a known major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    bin: PathBuf,
    major: u32,
}

impl Programs {
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Options for initdb, best first. UTF-8 rules for letters and bytewise order, the same on every machine; where
    /// the system has no `C.UTF-8` the letters are Postgres' own from 17 on, and ASCII's before.
    pub(super) fn locales(&self) -> &'static [&'static [&'static str]] {
        if self.major >= 17 {
            &[
                &["--locale=C.UTF-8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
                &["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
            ]
        } else {
            &[&["--locale=C.UTF-8"], &["--locale=C"]]
        }
    }
}

/// Finds programs of version 15 or newer; of exactly `made_by`, when data of that version exists already.
pub(super) fn find(settings: &Settings, account: &Account, made_by: Option<u32>) -> anyhow::Result<Programs> {
    if let Some(bin) = &settings.pg_bin {
        return named(bin, account, made_by);
    }
    let mut seen = Vec::new();
    if settings.search == Search::Usual {
        for bin in usual_places() {
            let Ok(found) = look(&bin, account) else { continue };
            if found.major >= OLDEST && made_by.is_none_or(|version| version == found.major) {
                return Ok(found);
            }
            seen.push(found.major);
        }
    }
    if let Some(version) = made_by
        && version != fetch::MAJOR
    {
        bail!(
            "{} was made by Postgres {version}, whose programs are not on this machine{}: install Postgres {version}, or set TANDEM_PG_BIN to its folder of programs",
            settings.cluster_dir.display(),
            listed(&seen),
        );
    }
    let bin = fetch::fetched(&settings.data_dir, account).with_context(|| {
        format!(
            "there are no Postgres server programs ({OLDEST} or newer) on this machine{}, and they cannot be fetched. \
             Install them (Debian, Ubuntu: `apt-get install postgresql`; Fedora: `dnf install postgresql-server`; \
             macOS: `brew install postgresql@18`), or set TANDEM_PG_BIN to the folder that holds `postgres` and `initdb`",
            listed(&seen)
        )
    })?;
    look(&bin, account).with_context(|| format!("the fetched Postgres in {} does not run", bin.display()))
}

fn listed(seen: &[u32]) -> String {
    if seen.is_empty() {
        return String::new();
    }
    let versions: Vec<_> = seen.iter().map(u32::to_string).collect();
    format!(" (found: {})", versions.join(", "))
}

fn named(bin: &Path, account: &Account, made_by: Option<u32>) -> anyhow::Result<Programs> {
    let found = look(bin, account).with_context(|| {
        format!("TANDEM_PG_BIN is {}, but that is not a folder with working Postgres server programs", bin.display())
    })?;
    if found.major < OLDEST {
        bail!("TANDEM_PG_BIN is {} with Postgres {}, but {OLDEST} or newer is needed", bin.display(), found.major);
    }
    if let Some(version) = made_by
        && version != found.major
    {
        bail!(
            "TANDEM_PG_BIN is {} with Postgres {}, but the data was made by Postgres {version}: name the folder of that version",
            bin.display(),
            found.major
        );
    }
    Ok(found)
}

/// Folders where programs may be, in the order in which they are tried.
fn usual_places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    for (parent, prefix, bin) in VERSIONED {
        places.extend(newest_first(Path::new(parent), prefix).into_iter().map(|folder| folder.join(bin)));
    }
    places.extend(PLAIN.iter().map(PathBuf::from));
    if let Some(path) = std::env::var_os("PATH") {
        places.extend(std::env::split_paths(&path));
    }
    // A link on PATH often leads to a folder that holds `initdb` as well.
    let mut folders = Vec::new();
    for place in places {
        let Ok(program) = std::fs::canonicalize(place.join("postgres")) else { continue };
        let Some(bin) = program.parent().map(Path::to_owned) else { continue };
        if !folders.contains(&bin) {
            folders.push(bin);
        }
    }
    folders
}

/// The folders in `parent` that are called `prefix` and a version, the highest version first.
fn newest_first(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.split('.').next()?.parse().ok()?;
            Some((version, entry.path()))
        })
        .collect();
    found.sort_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// Asks the programs for their version, as the account that will run them.
fn look(bin: &Path, account: &Account) -> anyhow::Result<Programs> {
    let bin = std::fs::canonicalize(bin).with_context(|| format!("cannot open {}", bin.display()))?;
    if !bin.join("initdb").exists() {
        bail!("there is no `initdb` in {}", bin.display());
    }
    let program = bin.join("postgres");
    let output = account
        .command(&program)
        .arg("--version")
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let major = major_version(&said).with_context(|| {
        format!(
            "{} --version says nothing of a version: {}",
            program.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        )
    })?;
    Ok(Programs { bin, major })
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `18beta1` or `9.6.24`.
fn major_version(said: &str) -> Option<u32> {
    let version = said.split_once("(PostgreSQL)")?.1.trim_start();
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_servers_say() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_version("postgres (PostgreSQL) 9.6.24\n"), Some(9));
        assert_eq!(major_version("postgres 15\n"), None);
        assert_eq!(major_version(""), None);
    }

    #[test]
    fn versions_are_tried_newest_first_by_number_not_by_letter() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        for name in ["pgsql-9.6", "pgsql-16", "pgsql-15", "pgsql-latest", "other-17"] {
            std::fs::create_dir(parent.path().join(name)).expect("a folder");
        }
        let names: Vec<_> = newest_first(parent.path(), "pgsql-")
            .iter()
            .filter_map(|folder| folder.file_name()?.to_str().map(str::to_owned))
            .collect();
        assert_eq!(names, ["pgsql-16", "pgsql-15", "pgsql-9.6"]);
    }
}

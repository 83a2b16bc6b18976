//! `tandem manifest`: the app manifests ready to upload.

use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use url::Url;

use super::Done;
use super::teams::guid;
use crate::config::Config;
use crate::{slack, teams};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    platform: Platform,
    /// The public address of `tandem serve`, for example https://tandem.example.com; not needed for Socket Mode
    #[arg(long)]
    base_url: Option<Url>,
    /// Folder to write to; without it, one manifest is printed: for HTTP where --base-url is given, else for Socket Mode
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Platform {
    Slack,
    Teams,
}

pub(super) fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    if let Some(url) = &args.base_url {
        anyhow::ensure!(
            matches!(url.scheme(), "https" | "http") && url.host().is_some(),
            "--base-url is \"{url}\"; expected for example https://tandem.example.com"
        );
    }
    if args.platform == Platform::Teams {
        return teams(&args, config);
    }
    let socket = ("slack-socket.json", slack::manifest("", true));
    let http = args.base_url.map(|url| ("slack-http.json", slack::manifest(url.as_str(), false)));
    let Some(out) = args.out else {
        let (_, manifest) = http.unwrap_or(socket);
        println!("{}", serde_json::to_string_pretty(&manifest)?);
        return Ok(Done::Well);
    };
    std::fs::create_dir_all(&out).with_context(|| format!("{} can't be made", out.display()))?;
    for (name, manifest) in http.into_iter().chain([socket]) {
        let path = out.join(name);
        std::fs::write(&path, serde_json::to_string_pretty(&manifest)? + "\n")
            .with_context(|| format!("{} can't be written", path.display()))?;
        println!("Wrote {}.", path.display());
    }
    Ok(Done::Well)
}

/// The package names the bot, whose id only the configuration knows.
fn teams(args: &Args, config: &Config) -> anyhow::Result<Done> {
    let base_url = args.base_url.as_ref().filter(|url| url.scheme() == "https").context(
        "Teams calls https only: --base-url has to name the public address, for example https://tandem.example.com",
    )?;
    let app_id = config.teams.app_id.as_deref().context(
        "TEAMS_APP_ID is not set: the Teams manifest names the bot by it; it is the app registration's Application (client) ID",
    )?;
    let app_id = guid("TEAMS_APP_ID", app_id)?;
    let Some(out) = &args.out else {
        println!("{}", serde_json::to_string_pretty(&teams::manifest::manifest(&app_id, base_url))?);
        return Ok(Done::Well);
    };
    std::fs::create_dir_all(out).with_context(|| format!("{} can't be made", out.display()))?;
    let path = out.join("tandem-teams.zip");
    std::fs::write(&path, teams::manifest::package(&app_id, base_url)?)
        .with_context(|| format!("{} can't be written", path.display()))?;
    println!("Wrote {}.", path.display());
    Ok(Done::Well)
}

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
    /// The public address of `tandem serve`, for example https://tandem.example.com
    #[arg(long)]
    base_url: Url,
    /// Folder to write to; without it, the manifest is printed
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Platform {
    Slack,
    Teams,
}

pub(super) fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    anyhow::ensure!(
        matches!(args.base_url.scheme(), "https" | "http") && args.base_url.host().is_some(),
        "--base-url is \"{}\"; expected for example https://tandem.example.com",
        args.base_url
    );
    if args.platform == Platform::Teams {
        return teams(&args, config);
    }
    let base = args.base_url.as_str().trim_end_matches('/');
    let Some(out) = args.out else {
        println!("{}", serde_json::to_string_pretty(&slack::manifest(base, false))?);
        return Ok(Done::Well);
    };
    std::fs::create_dir_all(&out).with_context(|| format!("{} can't be made", out.display()))?;
    let path = out.join("slack-http.json");
    std::fs::write(&path, serde_json::to_string_pretty(&slack::manifest(base, false))?)
        .with_context(|| format!("{} can't be written", path.display()))?;
    println!("Wrote {}.", path.display());
    Ok(Done::Well)
}

/// The package names the bot, whose id only the configuration knows.
fn teams(args: &Args, config: &Config) -> anyhow::Result<Done> {
    anyhow::ensure!(
        args.base_url.scheme() == "https",
        "--base-url is \"{}\"; Teams calls https only, for example https://tandem.example.com",
        args.base_url
    );
    let app_id = config.teams.app_id.as_deref().context(
        "TEAMS_APP_ID is not set: the Teams manifest names the bot by it; it is the app registration's Application (client) ID",
    )?;
    let app_id = guid("TEAMS_APP_ID", app_id)?;
    let Some(out) = &args.out else {
        println!("{}", serde_json::to_string_pretty(&teams::manifest::manifest(&app_id, &args.base_url))?);
        return Ok(Done::Well);
    };
    std::fs::create_dir_all(out).with_context(|| format!("{} can't be made", out.display()))?;
    let path = out.join("tandem-teams.zip");
    std::fs::write(&path, teams::manifest::package(&app_id, &args.base_url)?)
        .with_context(|| format!("{} can't be written", path.display()))?;
    println!("Wrote {}.", path.display());
    Ok(Done::Well)
}

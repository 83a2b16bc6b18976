//! `tandem manifest`: the app manifests ready to upload.

use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use url::Url;

use super::Done;
use crate::slack;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    platform: Platform,
    /// The public address of `tandem serve`, for example https://tandem.example.com
    #[arg(long)]
    base_url: Url,
    /// Folder to write to; without it, the HTTP manifest is printed
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Platform {
    Slack,
}

pub(super) fn run(args: Args) -> anyhow::Result<Done> {
    let Platform::Slack = args.platform;
    anyhow::ensure!(
        matches!(args.base_url.scheme(), "https" | "http") && args.base_url.host().is_some(),
        "--base-url is \"{}\"; expected for example https://tandem.example.com",
        args.base_url
    );
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

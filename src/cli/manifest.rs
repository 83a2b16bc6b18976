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
}

pub(super) fn run(args: Args) -> anyhow::Result<Done> {
    let Platform::Slack = args.platform;
    if let Some(url) = &args.base_url {
        anyhow::ensure!(
            matches!(url.scheme(), "https" | "http") && url.host().is_some(),
            "--base-url is \"{url}\"; expected for example https://tandem.example.com"
        );
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

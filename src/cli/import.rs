//! `tandem import`

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::open::open;
use super::{Done, Format};
use crate::app::import::{self, Input, Report};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::row::RowKind;
use crate::ingest;
use crate::store::audit::Actor;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long)]
    org: String,
    /// people.csv, accounts.ndjson.gz, …; the stem says the kind. `-` reads standard input and needs --kind
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// people, accounts, contacts, signals, outcomes, quotas or holidays
    #[arg(long)]
    kind: Option<RowKind>,
    /// Try everything, keep nothing
    #[arg(long)]
    dry_run: bool,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Rejected rows printed per file; JSON has all that are listed.
const PRINTED: usize = 50;

pub(super) async fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    // Before the database is opened: a mistyped path should cost nothing.
    let mut inputs = Vec::new();
    for path in &args.paths {
        let named = ingest::recognise(path, args.kind).map_err(|refused| anyhow::anyhow!("{refused}"))?;
        inputs.push(Input { name: named.name, kind: named.kind, format: named.format, reader: reader(path)? });
    }
    let opened = open(config, 4).await?;
    let organisation = opened.organisation(&args.org).await?;
    let reports =
        import::files(&opened.store, &organisation, inputs, Actor::System, args.dry_run, SystemClock.now()).await?;
    opened.close().await?;
    match args.format {
        Format::Json => println!("{}", serde_json::json!({"dry_run": args.dry_run, "files": reports})),
        Format::Text => reports.iter().for_each(|report| print(report, args.dry_run)),
    }
    Ok(if reports.iter().any(|report| report.rejected > 0) { Done::WithFaults } else { Done::Well })
}

fn reader(path: &Path) -> anyhow::Result<Box<dyn Read + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    match File::open(path) {
        Ok(file) if file.metadata()?.is_dir() => anyhow::bail!("{} is a folder; name its files", path.display()),
        Ok(file) => Ok(Box::new(file)),
        Err(error) => anyhow::bail!("{} can't be read: {error}", path.display()),
    }
}

fn print(report: &Report, dry_run: bool) {
    let would = if dry_run { " (dry run: nothing is kept)" } else { "" };
    println!(
        "{}: {} accepted, {} unchanged, {} rejected{would}",
        report.file, report.accepted, report.unchanged, report.rejected
    );
    for note in &report.notes {
        println!("  {note}");
    }
    for rejected in report.rejections.iter().take(PRINTED) {
        println!("  {rejected}");
    }
    let more = report.rejected.saturating_sub(PRINTED as u64);
    if more > 0 {
        println!("  … and {more} more");
    }
}

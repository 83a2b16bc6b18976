//! `tandem export`: everything that is kept about an organisation, as files.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::open::open;
use super::{Done, progress};
use crate::app::export::{self, Progress};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long)]
    org: String,
    /// A folder that is not there yet, or empty; it and its files are readable by you alone
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) async fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    // Before the database is opened: a mistyped path should cost nothing.
    export::check(&args.out)?;
    let opened = open(config, 2).await?;
    let organisation = opened.organisation(&args.org).await?;
    let progress = Arc::new(Progress::default());
    let watching = progress::line({
        let progress = Arc::clone(&progress);
        move || {
            let (file, rows) = progress.now();
            if file.is_empty() { file } else { format!("{file}: {} rows", progress::grouped(rows)) }
        }
    });
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let exported = tokio::select! {
        done = export::export(&opened.store, &organisation, &args.out, &progress, SystemClock.now()) => done,
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted; nothing was exported")),
        _ = terminate.recv() => Err(anyhow::anyhow!("stopped; nothing was exported")),
    };
    drop(watching);
    let exported = match exported {
        Ok(exported) => exported,
        Err(error) => {
            opened.close().await?;
            return Err(error);
        }
    };
    opened.close().await?;
    println!(
        "Exported {}: {} rows in {} files, in {}; README.txt there says what is in each.",
        args.org,
        progress::grouped(exported.rows),
        exported.files.len(),
        args.out.display()
    );
    if exported.refused > 0 {
        println!(
            "{} rows would be refused by an import today, such as signals that the policy has no measure for any more; \
             they are in refused_rows.ndjson, each with the reason.",
            progress::grouped(exported.refused)
        );
    }
    Ok(Done::Well)
}

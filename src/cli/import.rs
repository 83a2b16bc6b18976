//! `tandem import`

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use secrecy::SecretString;

use super::open::open;
use super::progress::{Gauge, watch};
use super::{Done, Format};
use crate::app::import::{self, Input, Report, Source};
use crate::app::inbox;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::row::RowKind;
use crate::ingest;
use crate::store::audit::Actor;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long)]
    org: String,
    /// people.csv, accounts.ndjson.gz, signals-support.csv, …; the name's first word says the kind. `-` reads
    /// standard input and needs --kind
    #[arg(required_unless_present = "query_file", conflicts_with = "query_file")]
    paths: Vec<PathBuf>,
    /// Where the rows of --query-file are: env:NAME, a variable that holds postgres://…, or the address itself.
    /// Without it, the query's first line says so: -- from: NAME
    #[arg(long, requires = "query_file", value_name = "env:NAME|postgres://…")]
    from: Option<String>,
    /// One SELECT whose columns are named as those of the files; its name's first word says the kind
    #[arg(long, value_name = "FILE")]
    query_file: Option<PathBuf>,
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
    let query = args.query_file.as_deref().map(|path| query(path, args.from.as_deref(), config)).transpose()?;
    let (mut sources, mut gauges) = sources(&args)?;
    let opened = open(config, 4).await?;
    let organisation = opened.organisation(&args.org).await?;
    if let (Some((address, sql)), Some(path)) = (query, &args.query_file) {
        let mut input = inbox::result_of(&address, &sql, path, args.kind, &organisation).await?;
        let gauge = Gauge::new(input.name.clone(), None);
        input.reader = Box::new(gauge.counting(input.reader));
        let rejected_to = Some(ingest::beside(path));
        sources.push(Source { rejected_to, progress: gauge.progress(), ..Source::from(input) });
        gauges.push(gauge);
    }
    let watching = watch(gauges);
    let reports =
        import::files(&opened.store, &organisation, sources, Actor::System, args.dry_run, SystemClock.now()).await;
    drop(watching);
    // What came of the files before is told also where the database ended the import.
    let (reports, error) = match reports {
        Ok(reports) => (reports, None),
        Err(import::Broken { reports, error }) => (reports, Some(error)),
    };
    match args.format {
        Format::Json => println!("{}", serde_json::json!({"dry_run": args.dry_run, "files": reports})),
        Format::Text => reports.iter().for_each(|report| print(report, args.dry_run)),
    }
    if let Some(error) = error {
        return Err(error);
    }
    opened.close().await?;
    Ok(if reports.iter().any(|report| report.rejected > 0) { Done::WithFaults } else { Done::Well })
}

/// The warehouse's address and the query.
fn query(path: &Path, from: Option<&str>, config: &Config) -> anyhow::Result<(SecretString, String)> {
    let sql = inbox::read_query(path).map_err(|error| anyhow::anyhow!("{} can't be read: {error}", path.display()))?;
    let address = match from {
        Some(address) if inbox::is_postgres(address) => {
            if address.contains('@') && address.split('@').next().is_some_and(|user| user.matches(':').count() > 1) {
                eprintln!(
                    "tandem: others on this machine can read a password on a command line; put the address into a \
                     variable and say --from env:NAME"
                );
            }
            address.to_owned().into()
        }
        Some(from) => match from.strip_prefix("env:") {
            Some(name) => inbox::address(&config.warehouses, name)?.clone(),
            None => anyhow::bail!("--from can't be read; expected env:NAME or an address that begins with postgres://"),
        },
        None => {
            let name = inbox::named_warehouse(&sql).with_context(|| {
                format!(
                    "{}: where are its rows? Say --from env:NAME, or write -- from: NAME into its first line",
                    path.display()
                )
            })?;
            inbox::address(&config.warehouses, name)?.clone()
        }
    };
    Ok((address, sql))
}

fn sources(args: &Args) -> anyhow::Result<(Vec<Source>, Vec<Gauge>)> {
    let (mut sources, mut gauges) = (Vec::new(), Vec::new());
    let mut taken = BTreeSet::new();
    for path in &args.paths {
        if args.paths.iter().any(|source| source != path && asides(source).contains(path)) {
            continue;
        }
        anyhow::ensure!(!path.is_dir(), "{} is a folder; name its files", path.display());
        let named = ingest::recognise(path, args.kind).map_err(|refused| anyhow::anyhow!("{refused}"))?;
        let (reader, bytes) = reader(path)?;
        let name = if shares_name(path, &args.paths) { path.display().to_string() } else { named.name };
        let gauge = Gauge::new(name.clone(), bytes);
        let reader = Box::new(gauge.counting(reader));
        let input = Input { name, kind: named.kind, format: named.format, reader };
        // What was set aside of a file is older than the file, and would undo what it says now.
        let (mut left_out, free): (Vec<PathBuf>, Vec<PathBuf>) =
            asides(path).into_iter().partition(|aside| aside != path && args.paths.contains(aside));
        left_out.dedup();
        let notes = left_out.iter().map(|aside| {
            format!(
                "{} was left out: its rows are of an earlier import of {}; mended, it is imported without that file.",
                aside.file_name().unwrap_or_default().display(),
                input.name
            )
        });
        let notes = notes.collect();
        let rejected_to = free.into_iter().find(|aside| path != Path::new("-") && taken.insert(aside.clone()));
        sources.push(Source { input, rejected_to, notes, progress: gauge.progress() });
        gauges.push(gauge);
    }
    Ok((sources, gauges))
}

/// Whether another file of another folder has the same name, so that the name alone would not tell them apart.
fn shares_name(path: &Path, all: &[PathBuf]) -> bool {
    all.iter().any(|other| other != path && other.file_name() == path.file_name())
}

/// Where a file's rejected rows may go. The second keeps its whole name: for signals.csv beside signals.csv.gz, and where
/// the first is given to be imported.
fn asides(path: &Path) -> [PathBuf; 2] {
    let whole = path.file_name().unwrap_or_default().display();
    [ingest::beside(path), path.with_file_name(format!("{whole}.rejected.csv"))]
}

/// And how many bytes it will give, where that is known.
fn reader(path: &Path) -> anyhow::Result<(Box<dyn Read + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    match File::open(path) {
        Ok(file) => {
            let bytes = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|about| about.len());
            Ok((Box::new(ingest::Sound::from(file)), bytes))
        }
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
    if let Some(aside) = &report.rejected_file {
        let (which, what) = set_aside(aside.rows, report.rejected);
        println!("  {which} in {}, with the reason in the last column.", aside.path.display());
        println!("  Mend {what} there and import that file.");
    }
}

/// Which of so many rejected rows are in the file to mend, and the word for them after that.
fn set_aside(rows: u64, rejected: u64) -> (String, &'static str) {
    match (rows, rejected) {
        (1, 1) => ("The rejected row is".to_owned(), "it"),
        (1, _) => (format!("Of the {rejected} rejected rows, 1 can be mended and is"), "it"),
        _ if rows == rejected => ("The rejected rows are".to_owned(), "them"),
        _ => (format!("Of the {rejected} rejected rows, {rows} can be mended and are"), "them"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_to_mend_is_said_in_the_singular() {
        let said = [(1, 1), (1, 2), (2, 2), (2, 3)].map(|(rows, rejected)| {
            let (which, what) = set_aside(rows, rejected);
            format!("{which}: mend {what}")
        });
        insta::assert_snapshot!(said.join("\n"), @r"
        The rejected row is: mend it
        Of the 2 rejected rows, 1 can be mended and is: mend it
        The rejected rows are: mend them
        Of the 3 rejected rows, 2 can be mended and are: mend them
        ");
    }
}

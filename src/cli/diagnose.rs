//! `tandem diagnose`

use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::NaiveDate;

use super::open::open;
use super::{Done, Format, progress, serve, unprinted};
use crate::app::night::{self, Run, RunReport};
use crate::app::{App, inbox};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::calendar;
use crate::domain::diagnosis::{Band, Change, Diagnosis, GuardChange};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long)]
    org: String,
    /// Today in the organisation's time zone, unless given; any other date writes history only
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = crate::ingest::date)]
    date: Option<NaiveDate>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(args: Args, config: &Config) -> anyhow::Result<Done> {
    let opened = open(config, 4).await?;
    let organisation = opened.organisation(&args.org).await?;
    let app = App::new(opened.store.clone(), Arc::new(SystemClock));
    let today = calendar::local_date(organisation.timezone, SystemClock.now());
    let date = args.date.unwrap_or(today);
    // Another date is history: what waits in the inbox belongs to today.
    if date == today {
        let app = app.clone().with_inbox(serve::inbox(config));
        for taken in inbox::take(&app, &organisation).await? {
            match taken.outcome {
                Ok(report) => eprintln!(
                    "tandem: {}: {} accepted, {} unchanged, {} rejected",
                    taken.name, report.accepted, report.unchanged, report.rejected
                ),
                Err(sentence) => eprintln!("tandem: {sentence}"),
            }
        }
    }
    let (run, format) = (Run::on(date, today), args.format);
    let mut out = BufWriter::new(io::stdout());
    let (mut lines, mut printed) = (Vec::new(), Ok(()));
    let so_far = Arc::new(AtomicU64::new(0));
    // Lines of JSON show it themselves.
    let watching = (format == Format::Text).then(|| progress::diagnosed(Arc::clone(&so_far)));
    let report = night::diagnose_each(&app, organisation.id, date, run, &mut |diagnosis| match format {
        Format::Text => {
            so_far.fetch_add(1, Ordering::Relaxed);
            lines.push(Line::from(diagnosis));
        }
        // A reader that has seen enough, such as head, does not keep the night from being stored.
        Format::Json if printed.is_ok() => printed = print_json(&mut out, &diagnosis),
        Format::Json => {}
    })
    .await?;
    drop(watching);
    if format == Format::Text {
        printed = print_table(&mut out, &report, lines);
    }
    printed = printed.and_then(|()| out.flush());
    if let Err(error) = &printed {
        unprinted(&error.to_string());
    }
    for event in &report.guard_events {
        let what = match event.change {
            GuardChange::Raised => "is silent or zero; its rules are withheld and last night's values stand",
            GuardChange::Recovered => "delivers again",
            GuardChange::GivenUp => "has been silent for too long and counts as unknown from now on",
        };
        eprintln!("tandem: {} {what} ({} of {} accounts)", event.source, event.silent, event.had);
    }
    for rejected in &report.rejected {
        eprintln!("tandem: account {} could not be read: {}", rejected.account_id, rejected.reason);
    }
    opened.close().await?;
    Ok(if report.rejected.is_empty() && printed.is_ok() { Done::Well } else { Done::WithFaults })
}

fn print_json(out: &mut impl Write, diagnosis: &Diagnosis) -> io::Result<()> {
    serde_json::to_writer(&mut *out, diagnosis)?;
    writeln!(out)
}

/// One account's line of the table.
struct Line {
    health: Option<u8>,
    band: Band,
    change: Change,
    name: String,
    id: String,
    cause: String,
}

impl From<Diagnosis> for Line {
    fn from(diagnosis: Diagnosis) -> Self {
        let cause = diagnosis.causes.into_iter().next().map(|cause| cause.headline);
        Self {
            health: diagnosis.health,
            band: diagnosis.band,
            change: diagnosis.change,
            name: diagnosis.name,
            id: diagnosis.account_id.0,
            cause: cause.unwrap_or_default(),
        }
    }
}

fn print_table(out: &mut impl Write, report: &RunReport, mut lines: Vec<Line>) -> io::Result<()> {
    // Worst first; what is not known stands last.
    lines.sort_by(|a, b| {
        (a.health.is_none(), a.health, a.band != Band::AtRisk, &a.id).cmp(&(
            b.health.is_none(),
            b.health,
            b.band != Band::AtRisk,
            &b.id,
        ))
    });
    let bands = [Band::AtRisk, Band::Watch, Band::Healthy, Band::Unknown];
    let counts = bands.map(|band| format!("{} {}", report.bands.get(&band).unwrap_or(&0), band.label()));
    let history = if report.run == Run::History { " (history only)" } else { "" };
    writeln!(out, "{}{history}: {} accounts: {}", report.date, report.accounts, counts.join(", "))?;
    let wide = |text: &dyn Fn(&Line) -> usize| lines.iter().map(text).max().unwrap_or(0).min(40);
    let (id, name) = (wide(&|line| line.id.chars().count()), wide(&|line| line.name.chars().count()));
    for line in &lines {
        let health = line.health.map_or_else(|| "–".to_owned(), |health| health.to_string());
        let row = format!(
            "{health:>3}  {:<8}  {:<6}  {:<id$}  {:<name$}  {}",
            line.band.label(),
            line.change.as_str(),
            line.id,
            line.name,
            line.cause
        );
        writeln!(out, "{}", row.trim_end())?;
    }
    Ok(())
}

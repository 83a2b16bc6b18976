//! `tandem diagnose`

use std::io::Write;
use std::sync::Arc;

use chrono::NaiveDate;

use super::open::open;
use super::serve;
use super::{Done, Format};
use crate::app::night::{self, Run, RunReport};
use crate::app::{App, inbox};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::calendar;
use crate::domain::diagnosis::{Band, Change, Diagnosis, GuardChange};
use crate::domain::person::OrgId;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long)]
    org: String,
    /// Today in the organisation's time zone, unless given; any other date writes history only
    #[arg(long, value_name = "YYYY-MM-DD")]
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
                Err(sentence) => eprintln!("tandem: {}: {sentence}", taken.name),
            }
        }
    }
    let report = night::diagnose(&app, organisation.id, date, Run::on(date, today)).await?;
    match args.format {
        Format::Json => print_json(&app, &report, organisation.id).await?,
        Format::Text => print_table(&app, &report, organisation.id).await?,
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
    Ok(if report.rejected.is_empty() { Done::Well } else { Done::WithFaults })
}

async fn print_json(app: &App, report: &RunReport, org: OrgId) -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    night::each_diagnosis(app, org, report.date, |diagnosis| {
        serde_json::to_writer(&mut out, diagnosis)?;
        Ok(writeln!(out)?)
    })
    .await?;
    Ok(out.flush()?)
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

impl From<&Diagnosis> for Line {
    fn from(diagnosis: &Diagnosis) -> Self {
        let cause = diagnosis.causes.first().map(|cause| cause.headline.clone());
        Self {
            health: diagnosis.health,
            band: diagnosis.band,
            change: diagnosis.change,
            name: diagnosis.name.clone(),
            id: diagnosis.account_id.to_string(),
            cause: cause.unwrap_or_default(),
        }
    }
}

async fn print_table(app: &App, report: &RunReport, org: OrgId) -> anyhow::Result<()> {
    let mut lines: Vec<Line> = Vec::new();
    night::each_diagnosis(app, org, report.date, |diagnosis| {
        lines.push(diagnosis.into());
        Ok(())
    })
    .await?;
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
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
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
    Ok(out.flush()?)
}

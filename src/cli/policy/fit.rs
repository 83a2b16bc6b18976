//! `tandem policy fit`

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Context;
use serde_json::{Value as Json, json};

use super::super::open::open;
use super::super::{Format, progress};
use crate::app::App;
use crate::app::policy::fit::{self, Fitted, Progress, Wish};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::domain::message::policy_fit::{self, Setting};
use crate::domain::policy::Policy;
use crate::domain::policy_fit::{Estimate, Verdict, Worth};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[arg(long)]
    org: String,
    /// Part of the accounts that is held out and measured on, from 0.1 to 0.9
    #[arg(long, default_value_t = 0.3, value_parser = share)]
    holdout: f64,
    /// Another seed holds out other accounts; the same gives the same fit
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Days before an outcome as of which accounts are read [default: the longest of 60, 30 and 14 that the data allow]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=730))]
    lead_days: Option<u32>,
    /// File to write the fit to, as a policy file [default: ORG-fit.toml]; an earlier fit there is replaced, anything
    /// else is not
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.1..=0.9).contains(share));
    share.ok_or_else(|| "expected a part from 0.1 to 0.9, such as 0.3".to_owned())
}

pub(in crate::cli) async fn run(args: Args, config: &Config) -> anyhow::Result<()> {
    let out = args.out.unwrap_or_else(|| PathBuf::from(format!("{}-fit.toml", args.org)));
    // Before the work, so that it is not done for nothing.
    check_free(&out)?;
    let opened = open(config, 2).await?;
    let organisation = opened.organisation(&args.org).await?;
    let app = App::new(opened.store.clone(), Arc::new(SystemClock));
    let wish = Wish { lead_days: args.lead_days, holdout: args.holdout, seed: args.seed };
    let so_far = Arc::new(Progress::default());
    let watched = Arc::clone(&so_far);
    let watching = progress::line(move || {
        let [read, looked_over] = [&watched.read, &watched.looked_over].map(|count| count.load(Ordering::Relaxed));
        match (watched.fitting.load(Ordering::Relaxed), looked_over) {
            (true, _) => "fitting".to_owned(),
            (false, 0) => format!("{} accounts with outcomes read", progress::grouped(read)),
            (false, _) => {
                format!("{} accounts looked over for the medians of past nights", progress::grouped(looked_over))
            }
        }
    });
    let fitted = fit::fit(&app, organisation.id, wish, &so_far).await;
    drop(watching);
    opened.close().await?;
    let fitted = fitted?;
    let setting = Setting {
        organisation: &fitted.organisation,
        lead_days: fitted.lead_days,
        without_data: fitted.without_data,
        without_score: fitted.without_score,
    };
    check_free(&out)?;
    write(&out, &policy_fit::file(&fitted.fit, setting, &fitted.toml))?;
    match args.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&as_json(&fitted, &out))?),
        Format::Text => {
            print!("{}", policy_fit::text(&fitted.fit, setting));
            println!("\nWrote {} (policy {}). The policy in use stays.", out.display(), fitted.fit.policy.version());
            if fitted.fit.verdict == Verdict::Better {
                println!("What it would change: tandem policy check {} --org {}", out.display(), args.org);
            }
        }
    }
    Ok(())
}

/// Refuses a file that somebody wrote or changed.
fn check_free(out: &Path) -> anyhow::Result<()> {
    let there = match std::fs::read_to_string(out) {
        Ok(there) => there,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => String::new(),
        Err(error) => anyhow::bail!("{} can't be written: {error}", out.display()),
    };
    let untouched = Policy::from_toml(&there).is_ok_and(|policy| policy_fit::is_untouched(&there, &policy.version()));
    anyhow::ensure!(
        untouched,
        "{} is there already and is no fit as it was written; name another file with --out",
        out.display()
    );
    Ok(())
}

/// Whole or not at all: beside it first, then in its place.
fn write(out: &Path, text: &str) -> anyhow::Result<()> {
    let name = out.file_name().with_context(|| format!("{} is no file", out.display()))?;
    let beside = out.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
    let written = std::fs::File::create(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, out)
    });
    if written.is_err() {
        // What could not be made can't be removed either, and the first error says why.
        let _ = std::fs::remove_file(&beside);
    }
    written.with_context(|| format!("{} can't be written", out.display()))
}

fn as_json(fitted: &Fitted, out: &Path) -> Json {
    let Fitted { fit, .. } = fitted;
    let worth = |policy: &str, worth: &Worth| {
        json!({
            "policy": policy,
            "auc": estimate(worth.auc),
            "lift_at_10": estimate(worth.lift_at_10),
            "recall_at_20": estimate(worth.recall_at_20),
            "calibration_error": {
                "value": rounded(worth.calibration_error.value),
                "chance_low": rounded(worth.calibration_error.chance_low),
                "chance_high": rounded(worth.calibration_error.chance_high),
            },
        })
    };
    json!({
        "organisation": fitted.organisation,
        "seed": fit.seed,
        "holdout": fit.holdout,
        "lead_days": fitted.lead_days,
        "fitted_on": fit.fitted_on,
        "held_out": fit.held_out,
        "left_out": {"without_data": fitted.without_data, "without_score": fitted.without_score},
        "in_use": worth(&fitted.in_use, &fit.in_use),
        "fit": worth(&fit.policy.version(), &fit.fit),
        "auc_difference": estimate(fit.auc_difference),
        "verdict": fit.verdict,
        "shrinkage": fit.shrinkage,
        "unscored_by_fit": fit.unscored,
        "numbers": fit.numbers,
        "file": out.display().to_string(),
    })
}

/// Four decimals: more would only show how floats are printed.
fn rounded(number: f64) -> f64 {
    // Zero has no sign.
    (number * 10_000.0).round() / 10_000.0 + 0.0
}

fn estimate(of: Estimate) -> Json {
    json!({"value": rounded(of.value), "low": rounded(of.low), "high": rounded(of.high)})
}

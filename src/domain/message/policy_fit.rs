//! Purpose: what a fit of the policy came to, for whoever decides whether to use it.

use std::fmt::Write as _;

use crate::domain::policy_fit::{Estimate, Fit, Number, Verdict};

/// What stands beside the fit itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting<'a> {
    pub organisation: &'a str,
    pub lead_days: u32,
    pub without_data: u32,
    pub without_score: u32,
}

/// The first line of a file that a fit wrote.
const MARK: &str = "# A fit of the diagnosis policy of ";

/// How one figure is written and what it means.
struct Figure {
    label: &'static str,
    means: &'static str,
    /// By how much the value is multiplied, with how many decimals and what behind it is it written.
    times: f64,
    decimals: usize,
    unit: &'static str,
}

const FIGURES: [Figure; 4] = [
    Figure {
        label: "AUC",
        means: "of a lost and a kept account, how often the lost one had the higher risk; 0.5 is a coin toss",
        times: 1.0,
        decimals: 2,
        unit: "",
    },
    Figure {
        label: "lift at 10 %",
        means: "losses among the tenth with the highest risk, as a multiple of the average; 1 is a coin toss",
        times: 1.0,
        decimals: 1,
        unit: "",
    },
    Figure {
        label: "recall at 20 %",
        means: "of all losses, those among the fifth with the highest risk; 20 % is a coin toss",
        times: 100.0,
        decimals: 0,
        unit: " %",
    },
    Figure {
        label: "calibration error",
        means: "how far the chance of loss that a risk meant among the fitted accounts is off here, on average",
        times: 100.0,
        decimals: 1,
        unit: " points",
    },
];

impl Figure {
    fn number(&self, value: f64) -> String {
        format!("{:.*}", self.decimals, value * self.times)
    }

    /// "0.71 (0.60 to 0.81)"
    fn with_interval(&self, of: Estimate) -> String {
        let [value, low, high] = [of.value, of.low, of.high].map(|value| self.number(value));
        format!("{value}{} ({low} to {high})", self.unit)
    }
}

/// All of it, for a terminal.
pub fn text(fit: &Fit, setting: Setting<'_>) -> String {
    let mut text = String::new();
    let (on, out) = (fit.fitted_on, fit.held_out);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{}: {} outcomes of {} accounts, {} of them lost (churned or contracted).",
        setting.organisation,
        on.outcomes + out.outcomes,
        on.accounts + out.accounts,
        on.outcomes_lost + out.outcomes_lost,
    );
    let _ = writeln!(
        text,
        "Each account was read as its signals stood {} days before it decided, or announced its decision.",
        setting.lead_days
    );
    for (left_out, why) in [
        (setting.without_data, "no data at all by then"),
        (setting.without_score, "too little data by then for a score"),
    ] {
        if left_out > 0 {
            let _ = writeln!(text, "Left out: {left_out} with {why}.");
        }
    }
    let _ = writeln!(
        text,
        "Fitted on {} accounts ({} lost), measured on {} others ({} lost); seed {}.\n",
        on.accounts, on.accounts_lost, out.accounts, out.accounts_lost, fit.seed
    );
    let rows = rows(fit);
    let wide = rows.iter().map(|row| row.1.chars().count()).max().unwrap_or(0).max("policy in use".len());
    let _ = writeln!(text, "{:<17}  {:<wide$}  the fit", "On those others", "policy in use");
    for (figure, in_use, fitted) in rows {
        let _ = writeln!(text, "{:<17}  {in_use:<wide$}  {fitted}\n    {}", figure.label, figure.means);
    }
    let _ = writeln!(text, "In brackets: the 95 % interval, from drawing those accounts anew 1,000 times.\n");
    let _ = write!(text, "{}", moved(&fit.numbers));
    let _ = writeln!(text, "{}", verdict(fit));
    if fit.in_use.auc.low <= 0.5 {
        let _ = writeln!(text, "On these accounts the policy in use can't be told from a coin toss.");
    }
    if fit.unscored > 0 {
        let _ = writeln!(
            text,
            "Under the fit {} of {} outcomes would have had too little data for a score.",
            fit.unscored, out.outcomes
        );
    }
    text
}

fn rows(fit: &Fit) -> Vec<(Figure, String, String)> {
    let values = fit.in_use.all().into_iter().zip(fit.fit.all());
    FIGURES
        .into_iter()
        .zip(values)
        .map(|(figure, (in_use, fit))| {
            let (in_use, fit) = (figure.with_interval(in_use), figure.with_interval(fit));
            (figure, in_use, fit)
        })
        .collect()
}

/// The numbers that are not what they were; nothing where all are.
fn moved(numbers: &[Number]) -> String {
    let moved: Vec<&Number> = numbers.iter().filter(|number| number.fit != number.in_use).collect();
    let wide = moved.iter().map(|number| number.key.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for number in &moved {
        let _ = writeln!(text, "{:<wide$}  {} → {}", number.key, number.in_use, number.fit);
    }
    if !moved.is_empty() {
        text.push('\n');
    }
    text
}

/// Whether to change, in one or two sentences.
pub fn verdict(fit: &Fit) -> String {
    let Estimate { value, low, high } = fit.auc_difference;
    let difference = format!("{} ({} to {})", signed(value), signed(low), signed(high));
    match fit.verdict {
        Verdict::Better => format!(
            "The fit is better: on accounts that it had not seen, its AUC is higher by {value:.3} ({low:.3} to {high:.3})."
        ),
        Verdict::NotBetter if high < 0.0 => {
            format!("The fit is worse than the policy in use: AUC {difference}. Keep the policy in use.")
        }
        Verdict::NotBetter => format!(
            "The fit is not better than the policy in use: the difference in AUC, {difference}, may be chance. \
             Keep the policy in use."
        ),
        Verdict::Same => {
            "The fit is not better than the policy in use: no other weights foretell these outcomes better \
                          than chance would. Keep the policy in use."
                .to_owned()
        }
    }
}

fn signed(value: f64) -> String {
    let text = format!("{value:+.3}");
    if text == "-0.000" { "+0.000".to_owned() } else { text.replace('-', "−") }
}

/// The fit as a policy file: what was found stands on top, as comments, and below it the policy.
pub fn file(fit: &Fit, setting: Setting<'_>, toml: &str) -> String {
    let (on, out) = (fit.fitted_on, fit.held_out);
    let mut lines = vec![
        format!("{MARK}{}.", setting.organisation),
        format!(
            "# {} outcomes ({} lost), read {} days before they were decided. Fitted on {} accounts, measured on {} others; seed {}.",
            on.outcomes + out.outcomes,
            on.outcomes_lost + out.outcomes_lost,
            setting.lead_days,
            on.accounts,
            out.accounts,
            fit.seed
        ),
    ];
    for (figure, in_use, fitted) in rows(fit) {
        lines.push(format!("# {}: {fitted}; before {in_use}", figure.label));
    }
    lines.push(format!("# {}", verdict(fit)));
    lines.push(format!("{VERSION}{}", fit.policy.version()));
    format!("{}\n\n{}", lines.join("\n"), without_head(toml))
}

const VERSION: &str = "# Policy ";

/// A policy without what an earlier fit wrote on top.
fn without_head(toml: &str) -> &str {
    if !toml.starts_with(MARK) {
        return toml;
    }
    let lines = toml.split_inclusive('\n');
    let head: usize = lines.take_while(|line| line.starts_with('#')).map(str::len).sum();
    toml[head..].trim_start_matches('\n')
}

/// Whether a file is what a fit wrote and nobody has changed since: `version` is that of the policy in it.
pub fn is_untouched(file: &str, version: &str) -> bool {
    file.starts_with(MARK) && file.lines().any(|line| line.strip_prefix(VERSION) == Some(version))
}

//! Purpose: what a fit of the policy came to, for whoever decides whether to use it.

use std::fmt::Write as _;

use crate::domain::policy_fit::{Estimate, Fit, Number, Verdict, Worth};

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

const AUC: Figure = Figure {
    label: "AUC",
    means: "of a lost and a kept account, how often the lost one had the higher risk; 0.5 is a coin toss",
    times: 1.0,
    decimals: 2,
    unit: "",
};
const LIFT: Figure = Figure {
    label: "lift at 10 %",
    means: "losses among the tenth with the highest risk, as a multiple of the average; 1 is a coin toss",
    times: 1.0,
    decimals: 1,
    unit: "",
};
const RECALL: Figure = Figure {
    label: "recall at 20 %",
    means: "of all losses, those among the fifth with the highest risk; 20 % is a coin toss",
    times: 100.0,
    decimals: 0,
    unit: " %",
};
const CALIBRATION: Figure = Figure {
    label: "calibration error",
    means: "how far off the chance of loss is that a risk stood for on the fitted accounts, on average",
    times: 100.0,
    decimals: 1,
    unit: " points",
};

impl Figure {
    /// "0.71 (0.60 to 0.81)"
    fn between(&self, value: f64, low: f64, high: f64) -> String {
        let [value, low, high] = [value, low, high].map(|value| format!("{:.*}", self.decimals, value * self.times));
        format!("{value}{} ({low} to {high})", self.unit)
    }

    fn row(self, fit: &Fit, of: impl Fn(&Worth) -> Estimate) -> Row {
        let [in_use, fit] = [&fit.in_use, &fit.fit].map(&of).map(|of| self.between(of.value, of.low, of.high));
        Row { figure: self, in_use, fit }
    }
}

/// One figure of both policies.
struct Row {
    figure: Figure,
    in_use: String,
    fit: String,
}

fn rows(fit: &Fit) -> [Row; 4] {
    let calibration = |worth: &Worth| {
        let of = worth.calibration_error;
        CALIBRATION.between(of.value, of.chance_low, of.chance_high)
    };
    [
        AUC.row(fit, |worth| worth.auc),
        LIFT.row(fit, |worth| worth.lift_at_10),
        RECALL.row(fit, |worth| worth.recall_at_20),
        Row { figure: CALIBRATION, in_use: calibration(&fit.in_use), fit: calibration(&fit.fit) },
    ]
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
        "Each account was read as its signals stood {} days before it decided, or said that it would; those kept\n\
         as long before as those lost. What is known only as it is now (contacts, contract dates) was not read.",
        setting.lead_days
    );
    for (left_out, why) in
        [(setting.without_data, "no data at all"), (setting.without_score, "too little data for a score")]
    {
        if left_out > 0 {
            let _ = writeln!(text, "Left out: {left_out} outcomes with {why} by then.");
        }
    }
    let _ = writeln!(
        text,
        "Fitted on {} accounts ({} lost), measured on {} others ({} lost); seed {}.\n",
        on.accounts, on.accounts_lost, out.accounts, out.accounts_lost, fit.seed
    );
    let rows = rows(fit);
    let wide = rows.iter().map(|row| row.in_use.chars().count()).max().unwrap_or(0).max("policy in use".len());
    let _ = writeln!(text, "{:<17}  {:<wide$}  the fit", "On those others", "policy in use");
    for Row { figure, in_use, fit } in rows {
        let _ = writeln!(text, "{:<17}  {in_use:<wide$}  {fit}\n    {}", figure.label, figure.means);
    }
    let _ = writeln!(text, "In brackets: the 95 % interval; of the calibration error, what luck alone gives.\n");
    let _ = write!(text, "{}", moved(&fit.numbers));
    let _ = writeln!(text, "{}", verdict(fit));
    if fit.in_use.auc.low <= 0.5 {
        let _ = writeln!(text, "On these accounts the policy in use can't be told from a coin toss.");
    }
    for (whose, worth) in [("the policy in use", &fit.in_use), ("the fit", &fit.fit)] {
        if worth.calibration_error.value > worth.calibration_error.chance_high {
            let _ = writeln!(
                text,
                "The calibration error of {whose} is more than luck gives: take its risk as an order, not as a chance."
            );
        }
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
        Verdict::NotBetter if low > 0.0 => {
            format!("The fit is better by too little to matter: AUC {difference}. Keep the policy in use.")
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
    for Row { figure, in_use, fit } in rows(fit) {
        lines.push(format!("# {}: {fit}; policy in use {in_use}", figure.label));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Policy;
    use crate::domain::policy_fit::{Calibration, Part};

    const SETTING: Setting<'_> =
        Setting { organisation: "acme-software", lead_days: 60, without_data: 31, without_score: 0 };

    fn estimate(value: f64, low: f64, high: f64) -> Estimate {
        Estimate { value, low, high }
    }

    fn fit(verdict: Verdict, difference: Estimate) -> Fit {
        let worth = |auc: Estimate, error: f64| Worth {
            auc,
            lift_at_10: estimate(2.04, 0.9, 2.71),
            recall_at_20: estimate(0.262, 0.15, 0.36),
            calibration_error: Calibration { value: error, chance_low: 0.029, chance_high: 0.118 },
        };
        let number = |key: &str, in_use: f64, fit: f64| Number { key: key.to_owned(), in_use, fit };
        let part = |accounts: u32, lost: u32| Part {
            accounts,
            accounts_lost: lost,
            outcomes: accounts + 10,
            outcomes_lost: lost + 1,
        };
        Fit {
            holdout: 0.3,
            seed: 1,
            fitted_on: part(280, 92),
            held_out: part(120, 40),
            in_use: worth(estimate(0.604, 0.49, 0.71), 0.034),
            fit: worth(estimate(0.771, 0.67, 0.85), 0.127),
            auc_difference: difference,
            verdict,
            shrinkage: Some(0.01),
            numbers: vec![
                number("weights.usage.established", 35.0, 1.0),
                number("weights.crm.established", 25.0, 25.0),
                number("measures.minutes.weight", 1.0, 2.82843),
            ],
            unscored: 2,
            policy: Policy::default(),
        }
    }

    #[test]
    fn a_fit_says_what_it_is_worth_and_what_each_figure_means() {
        insta::assert_snapshot!(text(&fit(Verdict::Better, estimate(0.167, 0.094, 0.244)), SETTING), @"
        acme-software: 420 outcomes of 400 accounts, 134 of them lost (churned or contracted).
        Each account was read as its signals stood 60 days before it decided, or said that it would; those kept
        as long before as those lost. What is known only as it is now (contacts, contract dates) was not read.
        Left out: 31 outcomes with no data at all by then.
        Fitted on 280 accounts (92 lost), measured on 120 others (40 lost); seed 1.

        On those others    policy in use             the fit
        AUC                0.60 (0.49 to 0.71)       0.77 (0.67 to 0.85)
            of a lost and a kept account, how often the lost one had the higher risk; 0.5 is a coin toss
        lift at 10 %       2.0 (0.9 to 2.7)          2.0 (0.9 to 2.7)
            losses among the tenth with the highest risk, as a multiple of the average; 1 is a coin toss
        recall at 20 %     26 % (15 to 36)           26 % (15 to 36)
            of all losses, those among the fifth with the highest risk; 20 % is a coin toss
        calibration error  3.4 points (2.9 to 11.8)  12.7 points (2.9 to 11.8)
            how far off the chance of loss is that a risk stood for on the fitted accounts, on average
        In brackets: the 95 % interval; of the calibration error, what luck alone gives.

        weights.usage.established  35 → 1
        measures.minutes.weight    1 → 2.82843

        The fit is better: on accounts that it had not seen, its AUC is higher by 0.167 (0.094 to 0.244).
        On these accounts the policy in use can't be told from a coin toss.
        The calibration error of the fit is more than luck gives: take its risk as an order, not as a chance.
        Under the fit 2 of 130 outcomes would have had too little data for a score.
        ");
    }

    #[test]
    fn a_fit_that_is_no_better_says_so() {
        let said = [
            fit(Verdict::NotBetter, estimate(0.012, -0.031, 0.05)),
            fit(Verdict::NotBetter, estimate(-0.08, -0.12, -0.01)),
            fit(Verdict::NotBetter, estimate(0.007, 0.001, 0.015)),
            fit(Verdict::Same, estimate(0.0, 0.0, 0.0)),
        ];
        insta::assert_snapshot!(said.iter().map(verdict).collect::<Vec<_>>().join("\n"), @"
        The fit is not better than the policy in use: the difference in AUC, +0.012 (−0.031 to +0.050), may be chance. Keep the policy in use.
        The fit is worse than the policy in use: AUC −0.080 (−0.120 to −0.010). Keep the policy in use.
        The fit is better by too little to matter: AUC +0.007 (+0.001 to +0.015). Keep the policy in use.
        The fit is not better than the policy in use: no other weights foretell these outcomes better than chance would. Keep the policy in use.
        ");
    }

    #[test]
    fn a_file_carries_one_head_and_is_known_until_it_is_changed() {
        let fit = fit(Verdict::Better, estimate(0.167, 0.094, 0.244));
        let mine = "# Ours since spring.\n[work]\nhold_days = 5\n";
        let once = file(&fit, SETTING, mine);
        insta::assert_snapshot!(once, @"
        # A fit of the diagnosis policy of acme-software.
        # 420 outcomes (134 lost), read 60 days before they were decided. Fitted on 280 accounts, measured on 120 others; seed 1.
        # AUC: 0.77 (0.67 to 0.85); policy in use 0.60 (0.49 to 0.71)
        # lift at 10 %: 2.0 (0.9 to 2.7); policy in use 2.0 (0.9 to 2.7)
        # recall at 20 %: 26 % (15 to 36); policy in use 26 % (15 to 36)
        # calibration error: 12.7 points (2.9 to 11.8); policy in use 3.4 points (2.9 to 11.8)
        # The fit is better: on accounts that it had not seen, its AUC is higher by 0.167 (0.094 to 0.244).
        # Policy e059d8771442

        # Ours since spring.
        [work]
        hold_days = 5
        ");
        assert_eq!(file(&fit, SETTING, &once), once);
        let version = |text: &str| Policy::from_toml(text).unwrap().version();
        assert!(is_untouched(&once, &version(&once)));
        let changed = once.replace("hold_days = 5", "hold_days = 4");
        assert!(!is_untouched(&changed, &version(&changed)) && !is_untouched(mine, &version(mine)));
    }
}

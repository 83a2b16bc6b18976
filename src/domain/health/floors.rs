//! Floors: decisions beat indicators. A floor always gives `at_risk`.
//!
//! Decision: while the feed guard withholds a source, what it measured cannot be
//! read anew, so its floors stand as they stood the night before. Decisions are
//! no readings: they were made on a day, and stand whether or not the CRM delivers.

use super::case::Case;
use super::{Observation, Rule, crm};
use crate::domain::signal::Source;

/// The floors that stand, with the risk each gives at least. `stood` are the rules
/// whose floors stood in the previous diagnosis.
pub(in crate::domain) fn floors(case: &Case<'_>, stood: &[String]) -> Vec<(Rule, f64)> {
    let (evidence, rules) = (case.evidence, &case.policy.floors);
    let decided = |rule: Rule| evidence.crm.decided(rule).is_some();
    let measured = |rule: Rule, now: bool| match case.withheld(rule.family()) {
        true => stood.iter().any(|name| name == rule.name()),
        false => now,
    };
    let sev1 = evidence.support.sev1.and_then(Observation::known);
    let sev1 = sev1.is_some_and(|open| open.value > f64::from(rules.sev1_days));
    let invoice = evidence.billing.overdue.and_then(Observation::known).is_some_and(|overdue| {
        overdue.value > f64::from(rules.invoice_days)
            && evidence.billing.beyond(overdue) >= f64::from(rules.invoice_beyond_own_days)
    });
    let all = [
        (Rule::NoticeServed, decided(Rule::NoticeServed), rules.notice_served),
        (Rule::AutoRenewOff, decided(Rule::AutoRenewOff), rules.auto_renew_off),
        (Rule::DowngradeRequested, decided(Rule::DowngradeRequested), rules.downgrade_requested),
        (Rule::ChampionDeparted, decided(Rule::ChampionDeparted), rules.champion_departed),
        (
            Rule::OptOutNearSilent,
            measured(Rule::OptOutNearSilent, opt_out_near_silent(case)),
            rules.opt_out_near_silent,
        ),
        (Rule::Sev1Open, measured(Rule::Sev1Open, sev1), rules.sev1_open),
        (Rule::InvoiceOverdue, measured(Rule::InvoiceOverdue, invoice), rules.invoice_overdue),
    ];
    let on = |rule: Rule| case.on(rule, Some(0.0)).1.is_some() && on_source(case, rule.family());
    all.into_iter().filter(|(rule, stands, _)| *stands && on(*rule)).map(|(rule, _, risk)| (rule, risk)).collect()
}

/// A source whose rules are off leaves only its measures: no floors either.
fn on_source(case: &Case<'_>, source: Source) -> bool {
    case.policy.built_in(source)
}

fn opt_out_near_silent(case: &Case<'_>) -> bool {
    let rules = &case.policy.floors;
    let Some(opt_out) = case.account.opt_out_date() else { return false };
    let near = (0..=i64::from(rules.opt_out_days)).contains(&(opt_out - case.date).num_days());
    let long = i64::from(case.account.term_months_or_default()) >= i64::from(rules.opt_out_term_months);
    let silent = crm::silent_days(case).is_some_and(|(days, _)| days >= i64::from(rules.opt_out_silent_days));
    near && long && silent
}

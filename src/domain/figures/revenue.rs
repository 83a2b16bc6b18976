//! The account manager's figures: renewals, growth, margin, pipeline.

use std::collections::{BTreeMap, BTreeSet};

use super::customers::{Ledger, Margin, kept_at_all, money, own, retained};
use super::{Facts, Figure, FigureId, Value, share};
use crate::domain::account::AccountId;
use crate::domain::diagnosis::WindowKind;
use crate::domain::digest::Sum;
use crate::domain::message::phrase::count;
use crate::domain::money::Money;
use crate::domain::renewal::half_term;
use crate::domain::row::OutcomeKind;

pub(super) fn figures(facts: &Facts, ledger: &Ledger<'_>) -> Vec<Figure> {
    let cohort = ledger.cohort(facts.span, &facts.rates);
    let growth = cohort.end.saturating_sub(cohort.start);
    let margin = Margin::of(&facts.accounts, &facts.rates);
    let sold = sold(facts, ledger);
    vec![
        renewal_rate(facts, ledger),
        money(Figure::of(FigureId::RevenueGrowth, retained(facts, &cohort, growth)), &cohort),
        money(Figure::of(FigureId::NetRetention, retained(facts, &cohort, cohort.end)), &cohort),
        Figure::of(FigureId::GrossMargin, margin.share().map(Value::Share))
            .note(margin.without, |n| format!("Left out: {} without ARR or cost to serve.", count(n, "account"))),
        coverage(facts, &sold),
        upsell(facts, sold),
    ]
}

fn renewal_rate(facts: &Facts, ledger: &Ledger<'_>) -> Figure {
    let (mut kept, mut lost, mut undecided) = (0, 0, 0);
    for line in &ledger.lines {
        for decision in line.decisions.iter().filter(|decision| facts.span.contains(decision.on)) {
            match decision.kind {
                OutcomeKind::Renewed | OutcomeKind::Contracted => kept += 1,
                OutcomeKind::Churned => lost += 1,
                OutcomeKind::Expanded => {}
            }
        }
        if let Some(due) = line.account.renewal_date.filter(|due| line.account.is_active() && facts.span.contains(*due))
        {
            let half = half_term(due, line.account.term_months.unwrap_or(12));
            let mut ends = line.decisions.iter().filter(|decision| decision.ends_the_term());
            undecided += usize::from(!ends.any(|decision| (decision.on - due).abs() <= half));
        }
    }
    let value = share(f64::from(kept), f64::from(kept + lost), "no renewal was decided in the period");
    Figure::of(FigureId::RenewalRate, value)
        .note(undecided, |n| format!("Not decided yet: {} whose renewal date has passed.", count(n, "account")))
}

/// What was added to the ARR of existing customers.
struct Sold {
    amounts: Vec<Money>,
    cross_sell: Vec<Money>,
    /// Expansions and wins without an amount.
    without: usize,
}

fn sold(facts: &Facts, ledger: &Ledger<'_>) -> Sold {
    let mut sold = Sold { amounts: Vec::new(), cross_sell: Vec::new(), without: 0 };
    for line in &ledger.lines {
        for decision in line.decisions.iter().filter(|decision| facts.span.contains(decision.on)) {
            match (decision.kind, decision.added()) {
                (OutcomeKind::Expanded | OutcomeKind::Renewed, Some(added)) => sold.amounts.push(added),
                (OutcomeKind::Expanded, None) => sold.without += 1,
                _ => {}
            }
        }
        for win in line.wins.iter().filter(|win| facts.span.contains(win.on)) {
            match win.amount {
                Some(amount) => {
                    sold.amounts.push(amount);
                    if win.kind == Some(WindowKind::CrossSell) {
                        sold.cross_sell.push(amount);
                    }
                }
                None => sold.without += 1,
            }
        }
    }
    sold
}

fn upsell(facts: &Facts, sold: Sold) -> Figure {
    let value = if let Err(why) = kept_at_all(facts) {
        Err(why)
    } else if sold.amounts.is_empty() && sold.without > 0 {
        Err("what was sold names no amount".to_owned())
    } else {
        Ok(Value::Money(Sum::of(sold.amounts, &facts.rates)))
    };
    let cross_sell = Sum::of(sold.cross_sell, &facts.rates);
    let mut figure = Figure::of(FigureId::Upsell, value)
        .note(sold.without, |n| format!("Left out: {} without an amount.", count(n, "sale")));
    if !cross_sell.amounts().is_empty() {
        figure.notes.push(format!("Of it {cross_sell} cross-sell, by windows won."));
    }
    if let Ok(Value::Money(sum)) = &figure.value
        && !sum.unrated.is_empty()
    {
        figure.notes.push("Currencies without a rate in the policy are not summed.".to_owned());
    }
    figure
}

fn coverage(facts: &Facts, sold: &Sold) -> Figure {
    let id = FigureId::PipelineCoverage;
    let unknown = |why: String| Figure::of(id, Err(why));
    if facts.period.quarters().is_empty() {
        return unknown("quotas are set by quarter; ask for a quarter or a year".to_owned());
    }
    if facts.quotas.is_empty() {
        return unknown(format!("no quota is imported for {}", facts.period));
    }
    let quota = Sum::of(facts.quotas.iter().copied(), &facts.rates);
    let had = Sum::of(sold.amounts.iter().copied(), &facts.rates);
    if !quota.unrated.is_empty() || !had.unrated.is_empty() {
        return unknown("a quota or a sale is in a currency without a rate in the policy".to_owned());
    }
    let missing = quota.own.minor.saturating_sub(had.own.minor);
    if missing <= 0 {
        return unknown(format!("the quota is met: {had} sold of {quota}"));
    }
    // What the CRM says of an account goes before the windows on it.
    let currency: BTreeMap<&AccountId, Money> =
        facts.accounts.iter().filter_map(|account| Some((&account.id, account.arr?))).collect();
    let by_crm: Vec<_> = facts.answers.iter().filter(|answer| answer.kind == "opportunity_amount").collect();
    let known: BTreeSet<&AccountId> = by_crm.iter().map(|answer| &answer.account).collect();
    let (mut open, mut unrated) = (0_i64, 0);
    let mut add = |amount: Option<Money>| match amount.and_then(|amount| own(&facts.rates, amount)) {
        Some(minor) => open = open.saturating_add(minor),
        None => unrated += 1,
    };
    for answer in &by_crm {
        // An account without ARR has no currency of its own: the organisation's.
        let currency = currency.get(&answer.account).map_or(facts.rates.own, |arr| arr.currency);
        add(Some(Money::new(10_i64.pow(currency.exponent()), currency).scale(answer.number)));
    }
    for (_, amount) in facts.pipeline.iter().flatten().filter(|(account, _)| !known.contains(account)) {
        add(*amount);
    }
    if by_crm.is_empty() && facts.pipeline.is_none() {
        return unknown("the CRM's opportunities of that time are not imported".to_owned());
    }
    Figure::of(id, Ok(Value::Times(open as f64 / missing as f64)))
        .note(unrated, |n| format!("Left out: {} without an amount or a rate.", count(n, "opportunity")))
}

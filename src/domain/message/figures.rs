//! Purpose: key figures as a message, each with what it means, and the failure
//! measures of the organisation models.

use chrono::NaiveDate;

use super::chart::{Bar, Chart};
use super::{Block, Message, Text, phrase};
use crate::domain::figures::failure::{Asymmetric, Combined, DAYS, Measure, Pair, QUIET_DAYS};
use crate::domain::figures::fit::{Fit, Verdict};
use crate::domain::figures::precision::{RuleUse, Trial};
use crate::domain::figures::{Figure, FigureId, Side, Value};
use crate::domain::routing::Model;

#[derive(Debug, Clone, PartialEq)]
pub struct FiguresView {
    /// "Dana", "your team", "Acme Software".
    pub whose: String,
    /// "Q4 2026".
    pub period: String,
    /// The last day that is counted, where the period goes on.
    pub until: Option<NaiveDate>,
    /// Which figures are shown, in this order.
    pub sides: Vec<Side>,
    pub figures: Vec<Figure>,
    pub failures: Vec<Measure>,
    /// Of the organisation.
    pub rules: Vec<RuleUse>,
    /// Over so many days they are counted.
    pub rule_days: u32,
    pub trials: Vec<Trial>,
}

/// Rules that a message names, the least useful first; the JSON has all.
const MOST_RULES: usize = 12;

pub fn message(view: &FiguresView, today: NaiveDate) -> Message {
    let title = format!("Key figures of {}, {}", view.whose, view.period);
    let mut blocks = vec![Block::Heading(title.clone())];
    let until = view.until.map(|until| format!("Until {}. ", phrase::date(until, today))).unwrap_or_default();
    blocks.push(Block::Context(
        format!(
            "{until}An account counts for whoever has it today. Another period: /tandem kpi 2026-Q3, 2026-11 or 2026."
        )
        .into(),
    ));
    blocks.extend(chart(view).map(Block::Chart));
    for side in &view.sides {
        let figures: Vec<&Figure> = view.figures.iter().filter(|figure| figure.id.definition().side == *side).collect();
        if figures.is_empty() {
            continue;
        }
        blocks.push(Block::Heading(side.label().to_owned()));
        let lines: Vec<Text> = figures.iter().filter_map(|figure| line(figure)).collect();
        if !lines.is_empty() {
            blocks.push(Block::Bullets(lines));
        }
        blocks.extend(unknown(&figures).map(Block::Context));
    }
    if !view.failures.is_empty() {
        blocks.push(Block::Heading("How the model holds".to_owned()));
        blocks.push(Block::Bullets(view.failures.iter().map(|measure| Text::plain(failure(measure))).collect()));
    }
    if !view.rules.is_empty() || !view.trials.is_empty() {
        blocks.push(Block::Heading("Precision of the rules".to_owned()));
        let (mut rules, liked): (Vec<&RuleUse>, Vec<&RuleUse>) =
            view.rules.iter().partition(|used| used.not_useful > 0);
        let precision = |used: &RuleUse| used.precision().unwrap_or(1.0);
        rules.sort_by(|a, b| precision(a).total_cmp(&precision(b)).then_with(|| b.shown.cmp(&a.shown)));
        let mut lines: Vec<Text> =
            rules.into_iter().take(MOST_RULES).map(|used| rule_used(used, view.rule_days)).collect();
        if !liked.is_empty() {
            let cards = liked.iter().map(|used| used.shown).sum();
            lines.push(Text::plain(format!(
                "{} led {} in {} days; none of them was called not useful.",
                phrase::count(liked.len(), if lines.is_empty() { "rule" } else { "other rule" }),
                phrase::count(cards, "card"),
                view.rule_days
            )));
        }
        lines.extend(view.trials.iter().map(|trial| rule_on_trial(trial, today)));
        blocks.push(Block::Bullets(lines));
    }
    blocks.extend(sources(view).map(Block::Context));
    Message { summary: summary(view, &title), blocks }
}

/// Where the definitions come from, each source once.
fn sources(view: &FiguresView) -> Option<Text> {
    let mut by_source: Vec<(&str, Vec<String>)> = Vec::new();
    let shown = view.figures.iter().map(|figure| figure.id.definition());
    for definition in shown.filter(|definition| view.sides.contains(&definition.side)) {
        let label = lower(definition.label);
        match by_source.iter_mut().find(|(source, _)| *source == definition.source) {
            Some((_, labels)) => labels.push(label),
            None => by_source.push((definition.source, vec![label])),
        }
    }
    let said: Vec<String> =
        by_source.iter().map(|(source, labels)| format!("{source}: {}", phrase::and(labels))).collect();
    (!said.is_empty()).then(|| format!("Where the definitions come from. {}.", said.join("; ")).into())
}

/// "usage_trend led 24 cards in 90 days; 9 were called not useful, so 62.5% were useful."
pub(super) fn rule_used(used: &RuleUse, days: u32) -> Text {
    let useful = used.precision().map(|share| format!(", so {} were useful", Value::Share(share))).unwrap_or_default();
    let judged = match used.not_useful {
        0 => "none was called not useful".to_owned(),
        1 => format!("1 was called not useful{useful}"),
        many => format!("{many} were called not useful{useful}"),
    };
    Text::strong(&used.rule).then(format!(" led {} in {days} days; {judged}.", phrase::count(used.shown, "card")))
}

/// "nps_low is on trial since 3 Sep: it would have been shown on 25 accounts; 19 of them fell at risk, left or shrank later (76%)."
pub(super) fn rule_on_trial(trial: &Trial, today: NaiveDate) -> Text {
    let share = trial.precision().map(|share| format!(" ({})", Value::Share(share))).unwrap_or_default();
    Text::strong(&trial.rule).then(format!(
        " is on trial since {}: it would have been shown on {}; {} of them fell at risk, left or shrank later{share}.",
        phrase::date(trial.since, today),
        phrase::count(trial.fired, "account"),
        trial.right
    ))
}

/// Whether a model fits, as one sentence.
pub fn verdict(fit: &Fit) -> String {
    let model = fit.model.as_str();
    match (fit.verdict, fit.model) {
        (Verdict::Fits, _) => format!("The model {model} fits."),
        (Verdict::Strained, _) => {
            format!(
                "The model {model} fits in kind, but too few people carry it: more people, pools or better sharing would help."
            )
        }
        (Verdict::Mixed, _) => format!("The numbers on the model {model} disagree."),
        (Verdict::DoesNotFit, Model::Combined) => {
            format!("The model {model} does not fit: parting the roles between a CSM and an AM would pay.")
        }
        (Verdict::DoesNotFit, Model::Pair | Model::Asymmetric) => {
            format!("The model {model} does not fit: one person for both roles would cost less than the split gives.")
        }
    }
}

/// The verdict with the numbers that say so, as one paragraph.
pub fn fit(fit: &Fit) -> Text {
    let findings: String = fit.findings.iter().map(|finding| format!(" {}", finding.sentence)).collect();
    Text::strong(verdict(fit)).then(findings)
}

/// In the middle of a sentence; what stands in brackets keeps its capitals.
fn lower(label: &str) -> String {
    let mut letters = label.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// At most 20 characters, as the chart has room for; `None` for what is no share of which more is better.
fn bar_label(id: FigureId) -> Option<&'static str> {
    Some(match id {
        FigureId::CustomerRetention => "Customers kept",
        FigureId::GrossRetention => "GRR",
        FigureId::Adoption => "Adoption",
        FigureId::RenewalRate => "Renewal rate",
        FigureId::NetRetention => "NRR",
        FigureId::GrossMargin => "Gross margin",
        FigureId::SlaAttainment => "Accepted in time",
        FigureId::CsqlAcceptance => "Leads accepted",
        FigureId::CsqlConversion => "Leads won",
        FigureId::Churn
        | FigureId::LifetimeValue
        | FigureId::Nps
        | FigureId::Csat
        | FigureId::TimeToValue
        | FigureId::PortfolioHealth
        | FigureId::Upsell
        | FigureId::RevenueGrowth
        | FigureId::PipelineCoverage
        | FigureId::TimeToAcknowledge => return None,
    })
}

/// The shares of which more is better, beside each other.
fn chart(view: &FiguresView) -> Option<Chart> {
    let shown = view.figures.iter().filter(|figure| view.sides.contains(&figure.id.definition().side));
    let bars = shown.filter_map(|figure| match (bar_label(figure.id), &figure.value) {
        (Some(label), Ok(Value::Share(share))) => {
            let said = Value::Share(*share).to_string();
            Some(Bar { label: label.to_owned(), value: share.max(0.0) * 100.0, said })
        }
        _ => None,
    });
    Chart::bars(format!("Shares, {}", view.period), bars.collect())
}

/// "Key figures of Dana, Q4 2026: retention 96%, GRR 91%": what is known of the first ones.
fn summary(view: &FiguresView, title: &str) -> String {
    let shown = view.figures.iter().filter(|figure| view.sides.contains(&figure.id.definition().side));
    let known = shown.filter_map(|figure| {
        let value = figure.value.as_ref().ok()?;
        Some(format!("{} {value}", lower(figure.id.definition().label)))
    });
    let known: Vec<String> = known.take(3).collect();
    if known.is_empty() { title.to_owned() } else { format!("{title}: {}", known.join(", ")) }
}

/// "Renewal rate: 92%. Contracts renewed …": the value first, then what it means and what was left out. `None` where it
/// is not known.
fn line(figure: &Figure) -> Option<Text> {
    let value = figure.value.as_ref().ok()?;
    let definition = figure.id.definition();
    let text = Text::strong(definition.label).then(": ").then_strong(value.to_string()).then(". ");
    let notes: String = figure.notes.iter().map(|note| format!(" {note}")).collect();
    Some(text.then_emphasis(definition.formula).then(notes))
}

/// "Not known. Renewal rate: no renewal was decided in the period; …": together, since there is nothing to read off them.
fn unknown(figures: &[&Figure]) -> Option<Text> {
    let said: Vec<String> = figures
        .iter()
        .filter_map(|figure| {
            let why = figure.value.as_ref().err()?;
            let notes: String = figure.notes.iter().map(|note| format!(". {}", note.trim_end_matches('.'))).collect();
            Some(format!("{}: {why}{notes}", figure.id.definition().label))
        })
        .collect();
    (!said.is_empty()).then(|| format!("Not known. {}.", said.join("; ")).into())
}

/// What a model is known to fail at, as one paragraph with its numbers.
pub fn failure(measure: &Measure) -> String {
    match measure {
        Measure::Pair(pair) => pair_line(pair),
        Measure::Combined(combined) => combined_line(combined),
        Measure::Asymmetric(asymmetric) => asymmetric_line(asymmetric),
    }
}

fn pair_line(pair: &Pair) -> String {
    if pair.offered == 0 {
        return format!("No handoff was offered in the last {DAYS} days.");
    }
    let parts: Vec<String> = [
        (pair.in_time, "accepted in time"),
        (pair.late, "late"),
        (pair.expired, "expired"),
        (pair.declined, "declined"),
        (pair.withdrawn, "taken back"),
        (pair.waiting, "still in time"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, word)| format!("{number} {word}"))
    .collect();
    let median = pair.hours_to_accept.map(|hours| match hours * 60.0 < 1.0 {
        true => " Half were accepted at once.".to_owned(),
        false => format!(" Half were accepted within {}.", Value::Hours(hours)),
    });
    format!(
        "{} offered in the last {DAYS} days: {}.{}",
        phrase::count(pair.offered, "handoff"),
        phrase::and(&parts),
        median.unwrap_or_default()
    )
}

fn combined_line(combined: &Combined) -> String {
    let percent = |share: f64| format!("{:.0}%", share * 100.0);
    let done = match combined.done_on_value() {
        Some(value) => format!(
            "Of {} in the last {DAYS} days {} served value and {} revenue",
            phrase::count(combined.value_done + combined.revenue_done, "action"),
            percent(value),
            percent(1.0 - value)
        ),
        None => format!("Nobody did anything in the last {DAYS} days"),
    };
    let open = match combined.open_on_value() {
        Some(value) => format!(
            "of what is open {} is value ({}) and {} revenue ({} to sell or renew).",
            percent(value),
            phrase::count(combined.value_open, "risk"),
            percent(1.0 - value),
            combined.revenue_open
        ),
        None => "nothing is open.".to_owned(),
    };
    format!("{done}; {open}")
}

fn asymmetric_line(asymmetric: &Asymmetric) -> String {
    if asymmetric.windows + asymmetric.risks == 0 {
        return format!("Accounts without an AM had no window and no risk in the last {QUIET_DAYS} days.");
    }
    let counted = |windows, risks| format!("{} and {}", phrase::count(windows, "window"), phrase::count(risks, "risk"));
    let untouched = match (asymmetric.windows_untouched, asymmetric.risks_untouched) {
        (0, 0) => "somebody worked on each".to_owned(),
        (windows, risks) => format!("nobody touched {}", counted(windows, risks)),
    };
    format!(
        "Accounts without an AM had {} in the last {QUIET_DAYS} days; {untouched}.",
        counted(asymmetric.windows, asymmetric.risks)
    )
}

#[cfg(test)]
mod tests {
    use super::super::card::sample;
    use super::super::text::to_text;
    use super::*;
    use crate::domain::digest::{Rates, Sum};
    use crate::domain::money::Currency;

    fn figure(id: FigureId, value: Result<Value, String>) -> Figure {
        Figure { id, value, notes: Vec::new() }
    }

    #[test]
    fn figures_with_what_they_mean() {
        let rates = Rates::new(Currency::USD, std::collections::BTreeMap::new());
        let mut retention = figure(FigureId::CustomerRetention, Ok(Value::Share(0.964)));
        retention.notes.push("Left out: 1 account that left at an unknown date.".into());
        let view = FiguresView {
            whose: "your team".into(),
            period: "Q4 2026".into(),
            until: Some(sample::today()),
            sides: vec![Side::Csm, Side::AccountManager],
            figures: vec![
                retention,
                figure(FigureId::Churn, Ok(Value::Share(0.036))),
                figure(FigureId::Csat, Err("no satisfaction score is imported for the period".into())),
                figure(FigureId::Upsell, Ok(Value::Money(Sum::of([sample::usd(38_000)], &rates)))),
                figure(FigureId::NetRetention, Ok(Value::Share(1.031))),
                figure(FigureId::SlaAttainment, Ok(Value::Share(0.5))),
            ],
            failures: vec![
                Measure::Pair(Pair { offered: 4, in_time: 3, late: 1, hours_to_accept: Some(26.5), ..Pair::default() }),
                Measure::Pair(Pair { offered: 1, in_time: 1, hours_to_accept: Some(0.01), ..Pair::default() }),
                Measure::Pair(Pair::default()),
                Measure::Combined(Combined { value_done: 6, revenue_done: 18, value_open: 9, revenue_open: 3 }),
                Measure::Combined(Combined::default()),
                Measure::Asymmetric(Asymmetric { windows: 7, windows_untouched: 3, risks: 2, risks_untouched: 0 }),
                Measure::Asymmetric(Asymmetric { windows: 1, ..Asymmetric::default() }),
                Measure::Asymmetric(Asymmetric::default()),
            ],
            rules: vec![
                RuleUse { rule: "seat_use".into(), shown: 12, not_useful: 0 },
                RuleUse { rule: "usage_trend".into(), shown: 24, not_useful: 9 },
            ],
            rule_days: 90,
            trials: vec![Trial { rule: "nps_low".into(), since: sample::day("2026-09-03"), fired: 25, right: 19 }],
        };
        let message = message(&view, sample::today());
        insta::assert_snapshot!(format!("({})\n{}", message.summary, to_text(&message, 110)), @"
        (Key figures of your team, Q4 2026: customer retention rate 96.4%, churn rate 3.6%, upsell and cross-sell revenue $38k)
        Key figures of your team, Q4 2026
        =================================
          Until Tue 3 Nov. An account counts for whoever has it today. Another period: /tandem kpi 2026-Q3, 2026-11 or
          2026.

        Shares, Q4 2026
        Customers kept ███████████ 96.4%
        NRR ████████████ 103.1%


        Value (CSM)
        ===========
        - Customer retention rate: 96.4%. Customers of the period's start that did not leave in it, divided by the
          customers of its start. Left out: 1 account that left at an unknown date.
        - Churn rate: 3.6%. Customers of the period's start that left in it, divided by the customers of its start.
          Not known. Customer satisfaction (CSAT): no satisfaction score is imported for the period.

        Revenue (AM)
        ============
        - Upsell and cross-sell revenue: $38k. ARR added to existing customers in the period: expansions, increases at
          renewal, and windows won that no imported outcome covers.
        - Net revenue retention (NRR): 103.1%. ARR at the period's end of the customers of its start, with what they
          added, divided by their ARR of the start.

        How the model holds
        ===================
        - 4 handoffs offered in the last 30 days: 3 accepted in time and 1 late. Half were accepted within 26.5 hours.
        - 1 handoff offered in the last 30 days: 1 accepted in time. Half were accepted at once.
        - No handoff was offered in the last 30 days.
        - Of 24 actions in the last 30 days 25% served value and 75% revenue; of what is open 75% is value (9 risks)
          and 25% revenue (3 to sell or renew).
        - Nobody did anything in the last 30 days; nothing is open.
        - Accounts without an AM had 7 windows and 2 risks in the last 90 days; nobody touched 3 windows and 0 risks.
        - Accounts without an AM had 1 window and 0 risks in the last 90 days; somebody worked on each.
        - Accounts without an AM had no window and no risk in the last 90 days.

        Precision of the rules
        ======================
        - usage_trend led 24 cards in 90 days; 9 were called not useful, so 62.5% were useful.
        - 1 other rule led 12 cards in 90 days; none of them was called not useful.
        - nps_low is on trial since Thu 3 Sep: it would have been shown on 25 accounts; 19 of them fell at risk, left
          or shrank later (76%).
          Where the definitions come from. Farris, Bendle, Pfeifer and Reibstein, Marketing Metrics: customer
          retention rate, churn rate and customer satisfaction (CSAT); SaaS Metrics Standards Board: upsell and
          cross-sell revenue and net revenue retention (NRR).
        ");
    }
}

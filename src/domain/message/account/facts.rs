//! Purpose: where an account stands, as label and value: its change, its risk,
//! its deadlines, its people and its size.

use chrono::NaiveDate;

use super::super::view::{DeadlineKind, RenewalState, RiskState};
use super::super::{Text, phrase};
use super::AccountAnswer;
use crate::domain::account::{AccountStatus, Segment};
use crate::domain::diagnosis::Change;

pub(super) fn pairs(view: &AccountAnswer, today: NaiveDate) -> Vec<(String, Text)> {
    let account = &view.account;
    let mut facts: Vec<(String, Text)> = Vec::new();
    let mut add = |label: &str, text: String| {
        if !text.is_empty() {
            facts.push((label.to_owned(), text.into()));
        }
    };
    if view.status == AccountStatus::Churned {
        add("Status", super::LEFT.to_owned());
    } else if let Some(on) = view.diagnosis.as_ref().and_then(|diagnosis| diagnosis.churned_on) {
        add("Status", format!("churned on {}", phrase::date(on, today)));
    }
    if view.diagnosis.is_some() {
        add("Change", change(view));
    }
    if let Some(risk) = &view.risk {
        add("Risk", format!("since {}. {}", phrase::date(risk.since, today), risk_state(&risk.state, today)));
        if let Some(raised) = &risk.raised {
            let why = phrase::sentence(&phrase::cut(&raised.text, 300));
            add("Raised", format!("{}, {}: {why}", raised.by, phrase::date(raised.on, today)));
        }
    }
    add("Deadline", deadlines(view, today));
    if let Some(renewal) = &view.renewal {
        let owner = renewal.owner.as_ref().map(|owner| format!(", owner: {owner}")).unwrap_or_default();
        add("Renewal", format!("{}{owner}", renewal_state(&renewal.state, today)));
    }
    let pair = [("CSM", &account.csm), ("AM", &account.account_manager)];
    add("People", pair.map(|(role, who)| format!("{role}: {}", who.as_deref().unwrap_or("none"))).join(" · "));
    let size = [
        account.segment.map(Segment::label).unwrap_or_default().to_owned(),
        view.plan.as_ref().map(|plan| format!("plan {plan}")).unwrap_or_default(),
        view.seats.and_then(|seats| usize::try_from(seats).ok()).map(|n| phrase::count(n, "seat")).unwrap_or_default(),
    ];
    add("Size", size.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · "));
    facts
}

fn change(view: &AccountAnswer) -> String {
    match (view.account.change, view.account.previous_health) {
        (Change::New, _) => "first diagnosis".to_owned(),
        (Change::Worse, Some(was)) => format!("worse: health was {was}"),
        (Change::Worse, None) => "worse".to_owned(),
        (Change::Better, Some(was)) => format!("better: health was {was}"),
        (Change::Better, None) => "better".to_owned(),
        (Change::Same, _) => "steady".to_owned(),
    }
}

fn risk_state(state: &RiskState, today: NaiveDate) -> String {
    let on = |day: &NaiveDate| phrase::date(*day, today);
    match state {
        RiskState::Open => "Not acknowledged yet.".to_owned(),
        RiskState::Acknowledged { by, step, due, .. } => match step {
            Some(step) => {
                format!("With {by}: {}, due {}.", phrase::cut(step, 150).trim_end_matches('.'), on(due))
            }
            None => format!("Acknowledged by {by}, next step due {}.", on(due)),
        },
        RiskState::Snoozed { by, until, .. } => format!("Snoozed by {by} until {}.", on(until)),
        RiskState::Resolved { by, on: day, how, .. } => format!("Resolved by {by} on {}: {}.", on(day), how.label()),
        RiskState::Ended { on: day, left: true } => format!("Ended on {}: the account has left.", on(day)),
        RiskState::Ended { on: day, left: false } => format!("Ended on {}: health came back.", on(day)),
    }
}

fn renewal_state(state: &RenewalState, today: NaiveDate) -> String {
    let on = |day: &NaiveDate| phrase::date(*day, today);
    match state {
        RenewalState::Upcoming => "not started".to_owned(),
        RenewalState::Preparing { since } => format!("in preparation since {}", on(since)),
        RenewalState::Negotiating { since } => format!("in negotiation since {}", on(since)),
        RenewalState::Renewed { on: day, .. } => format!("renewed on {}", on(day)),
        RenewalState::Contracted { on: day, .. } => format!("renewed for less on {}", on(day)),
        RenewalState::Lost { on: day, .. } => format!("lost on {}", on(day)),
    }
}

fn deadlines(view: &AccountAnswer, today: NaiveDate) -> String {
    let Some(read) = view.diagnosis.as_ref().map(|diagnosis| &diagnosis.renewal) else { return String::new() };
    match read.rolls_every {
        Some(1) => return "none: renews by itself every month".to_owned(),
        Some(months) => return format!("none: renews by itself every {months} months"),
        None => {}
    }
    let mut parts = Vec::new();
    // What doesn't renew by itself needs no notice; and a day that is both dates is told once.
    let opt_out = read.opt_out_date.filter(|on| read.auto_renew != Some(false) && Some(*on) != read.renewal_date);
    if let Some(opt_out) = opt_out {
        let tense = if opt_out < today { "opt-out date was" } else { "opt-out date" };
        parts.push(format!("{tense} {}", phrase::date_and_distance(opt_out, today)));
    }
    let causes = view.diagnosis.iter().flat_map(|diagnosis| &diagnosis.causes);
    let notice_served = causes.into_iter().any(|cause| cause.rule == "notice_served");
    if let Some(renewal) = read.renewal_date {
        let how = match read.auto_renew {
            _ if notice_served => "notice served, ends",
            Some(true) => "renews by itself",
            Some(false) => "ends unless renewed",
            None => "renewal date",
        };
        let is_next = read.deadline().is_some_and(|deadline| deadline.kind == DeadlineKind::Renewal);
        let when = if is_next { phrase::date_and_distance(renewal, today) } else { phrase::date(renewal, today) };
        parts.push(format!("{how} {when}"));
    }
    if read.notice_period_missing {
        parts.push("notice period missing: the real deadline may be earlier".to_owned());
    }
    parts.join(" · ")
}

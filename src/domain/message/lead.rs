//! Purpose: what a lead reads in the morning: the team's money at risk and its
//! change, this quarter's renewals, what is stuck, and each person's load.

use std::cmp::Reverse;

use chrono::NaiveDate;

use super::{Block, Button, Buttons, Text, figures, phrase};
use crate::domain::action::{Action, Subject, Verb};
use crate::domain::figures::failure::Measure;
use crate::domain::figures::fit::Fit;
use crate::domain::money::Money;

#[derive(Debug, Clone, PartialEq)]
pub struct TeamView {
    pub at_risk: usize,
    /// One sum a currency.
    pub arr_at_risk: Vec<Money>,
    /// The reader's date, where a message of another day is drawn again: the team is shown as it stands now.
    pub now: Option<NaiveDate>,
    /// The same at the reader's last morning before this one; `None` on the first.
    pub previous: Option<Previous>,
    pub renewals: QuarterView,
    /// The most urgent first.
    pub stuck: Vec<Stuck>,
    pub people: Vec<PersonLine>,
    /// Once a week.
    pub weekly: Option<WeeklyView>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Previous {
    pub on: NaiveDate,
    pub arr_at_risk: Vec<Money>,
}

/// The renewals of one quarter.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QuarterView {
    /// "Q4 2026".
    pub quarter: String,
    pub due: usize,
    pub arr: Vec<Money>,
    pub settled: usize,
    pub lost: usize,
    /// Due, open, and the account is at risk.
    pub at_risk: usize,
    /// First seen after the opt-out date.
    pub found_late: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Stuck {
    pub kind: StuckKind,
    pub account: String,
    /// "more seats", "risk".
    pub what: String,
    pub amount: Option<Money>,
    /// Whose turn it is.
    pub who: Option<String>,
    /// It is the reader's own turn: there is nobody to remind.
    pub own: bool,
    pub since: NaiveDate,
    /// What nudging and reassigning are about.
    pub subject: Subject,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StuckKind {
    Escalated,
    Late,
    Unclaimed,
}

impl StuckKind {
    fn label(self) -> &'static str {
        match self {
            StuckKind::Escalated => "escalated",
            StuckKind::Late => "late",
            StuckKind::Unclaimed => "unclaimed",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct PersonLine {
    pub name: String,
    pub accounts: usize,
    pub at_risk: usize,
    pub arr_at_risk: Vec<Money>,
    /// Shown and not yet answered.
    pub waiting: usize,
    pub late: usize,
    /// Last day away.
    pub away_until: Option<NaiveDate>,
}

/// The models' own failures, measured.
#[derive(Debug, Clone, PartialEq)]
pub struct WeeklyView {
    /// Of each model in use.
    pub failures: Vec<Measure>,
    /// Models that do not fit well; said at most monthly.
    pub fits: Vec<Fit>,
}

pub(super) fn summary(team: &TeamView) -> String {
    let sum = phrase::amounts(&team.arr_at_risk).unwrap_or_else(|| "nothing".to_owned());
    let whose = if team.now.is_some() { "team now" } else { "team" };
    let mut out = format!("{whose}: {sum} at risk{}", change(team).map(|c| format!(", {c}")).unwrap_or_default());
    let stuck = [StuckKind::Escalated, StuckKind::Late, StuckKind::Unclaimed]
        .map(|kind| (team.stuck.iter().filter(|stuck| stuck.kind == kind).count(), kind));
    for (number, kind) in stuck.into_iter().filter(|(number, _)| *number > 0) {
        out.push_str(&format!("; {number} {}", kind.label()));
    }
    out
}

/// How many stuck matters are shown with buttons; the rest is one line each.
const WITH_BUTTONS: usize = 5;
const STUCK_LINES: usize = 15;
/// Of a larger team those are listed for whom most is late or waiting.
const PEOPLE_LINES: usize = 20;

pub(super) fn blocks(team: &TeamView, today: NaiveDate) -> Vec<Block> {
    let title = match team.now {
        Some(now) => format!("Your team now, {}", phrase::date(now, today)),
        None => "Your team".to_owned(),
    };
    let mut blocks = vec![Block::Heading(title), Block::Facts(facts(team, today))];
    if !team.stuck.is_empty() {
        blocks.push(Block::Heading(format!("Stuck ({})", team.stuck.len())));
        for stuck in team.stuck.iter().take(WITH_BUTTONS) {
            blocks.push(Block::Text(stuck_line(stuck, today)));
            let button = |verb| Button::new(Action::new(verb, stuck.subject.clone()), &stuck.account);
            let nudge = (!stuck.own).then(|| button(Verb::Nudge));
            let shown = nudge.into_iter().chain([button(Verb::Reassign)]).collect();
            blocks.push(Block::Buttons(Buttons { shown, more: Vec::new() }));
        }
        let lines: Vec<Text> =
            team.stuck.iter().skip(WITH_BUTTONS).take(STUCK_LINES).map(|stuck| stuck_line(stuck, today)).collect();
        if !lines.is_empty() {
            blocks.push(Block::Bullets(lines));
        }
        let left = team.stuck.len().saturating_sub(WITH_BUTTONS + STUCK_LINES);
        if left > 0 {
            blocks.push(Block::Context(format!("and {left} more: /tandem handoffs").into()));
        }
    }
    if !team.people.is_empty() {
        blocks.push(Block::Heading("Each person".to_owned()));
        let mut people: Vec<&PersonLine> = team.people.iter().collect();
        let left = people.len().saturating_sub(PEOPLE_LINES);
        if left > 0 {
            people.sort_by_key(|person| Reverse((person.late, person.waiting, person.at_risk)));
            people.truncate(PEOPLE_LINES);
        }
        blocks.push(Block::Bullets(people.into_iter().map(|person| person_line(person, today)).collect()));
        if left > 0 {
            let more = phrase::count(left, "colleague");
            blocks.push(Block::Context(format!("and {more} more, with less waiting for them").into()));
        }
    }
    if let Some(weekly) = &team.weekly {
        blocks.push(Block::Heading("This week".to_owned()));
        blocks.push(Block::Bullets(weekly_lines(weekly)));
    }
    blocks
}

/// "up $30k since Mon 2 Nov" per currency; `None` without a previous morning.
fn change(team: &TeamView) -> Option<String> {
    let previous = team.previous.as_ref()?;
    let before = |money: &Money| {
        previous.arr_at_risk.iter().find(|was| was.currency == money.currency).map_or(0, |was| was.minor)
    };
    let gone = previous
        .arr_at_risk
        .iter()
        .filter(|was| team.arr_at_risk.iter().all(|now| now.currency != was.currency))
        .map(|was| Money::new(0, was.currency));
    let said: Vec<String> = team
        .arr_at_risk
        .iter()
        .copied()
        .chain(gone)
        .filter_map(|now| match now.minor.saturating_sub(before(&now)) {
            0 => None,
            more @ 1.. => Some(format!("up {}", Money::new(more, now.currency))),
            less => Some(format!("down {}", Money::new(less.saturating_neg(), now.currency))),
        })
        .collect();
    Some(if said.is_empty() { "unchanged".to_owned() } else { phrase::and(&said) })
}

fn facts(team: &TeamView, today: NaiveDate) -> Vec<(String, Text)> {
    let sum = phrase::amounts(&team.arr_at_risk).unwrap_or_else(|| "nothing".to_owned());
    let change = match (&team.previous, change(team)) {
        (Some(previous), Some(change)) => format!(", {change} since {}", phrase::date(previous.on, today)),
        _ => String::new(),
    };
    let at_risk = match team.at_risk {
        0 => format!("nothing{change}"),
        many => format!("{sum} in {}{change}", phrase::count(many, "account")),
    };
    let quarter = &team.renewals;
    let mut renewals = match phrase::amounts(&quarter.arr) {
        Some(sum) => format!("{} due, {sum}; {} settled, {} lost", quarter.due, quarter.settled, quarter.lost),
        None => format!("{} due; {} settled, {} lost", quarter.due, quarter.settled, quarter.lost),
    };
    if quarter.at_risk > 0 {
        renewals.push_str(&format!("; {} still open and at risk", quarter.at_risk));
    }
    if quarter.found_late > 0 {
        renewals.push_str(&format!("; {} found after the opt-out date", quarter.found_late));
    }
    vec![("ARR at risk".to_owned(), at_risk.into()), (format!("Renewals {}", quarter.quarter), renewals.into())]
}

fn stuck_line(stuck: &Stuck, today: NaiveDate) -> Text {
    let amount = stuck.amount.map(|amount| format!(", {amount}")).unwrap_or_default();
    let who = stuck.who.as_ref().map(|who| format!(" · with {who}")).unwrap_or_default();
    Text::strong(&stuck.account).then(format!(
        " · {}{amount} · {} since {}{who}",
        stuck.what,
        stuck.kind.label(),
        phrase::date(stuck.since, today)
    ))
}

fn person_line(person: &PersonLine, today: NaiveDate) -> Text {
    let mut out = format!(": {}", phrase::count(person.accounts, "account"));
    if person.at_risk > 0 {
        let sum = phrase::amounts(&person.arr_at_risk).map(|sum| format!(" ({sum})")).unwrap_or_default();
        out.push_str(&format!(", {} at risk{sum}", person.at_risk));
    }
    if person.waiting > 0 {
        out.push_str(&format!(", {} waiting", person.waiting));
    }
    if person.late > 0 {
        out.push_str(&format!(", {} late", person.late));
    }
    if let Some(until) = person.away_until {
        out.push_str(&format!(", away until {}", phrase::date(until, today)));
    }
    Text::strong(&person.name).then(out)
}

fn weekly_lines(weekly: &WeeklyView) -> Vec<Text> {
    let mut lines: Vec<Text> = weekly.failures.iter().map(|measure| Text::plain(figures::failure(measure))).collect();
    lines.extend(weekly.fits.iter().map(figures::fit));
    lines
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::Message;
    use super::super::card::sample;
    use super::super::digest::{Basis, DigestView, Totals, message};
    use super::super::text::to_text;
    use super::super::view::Angle;
    use super::*;
    use crate::domain::figures::failure::Pair;

    fn team() -> TeamView {
        let stuck = |kind, account: &str, who: Option<&str>| Stuck {
            kind,
            account: account.into(),
            what: "more seats".into(),
            amount: Some(sample::usd(12_000)),
            who: who.map(str::to_owned),
            own: who == Some("you"),
            since: sample::day("2026-10-29"),
            subject: Subject::Handoff(Uuid::nil()),
        };
        TeamView {
            at_risk: 14,
            arr_at_risk: vec![sample::usd(410_000)],
            now: None,
            previous: Some(Previous { on: sample::day("2026-11-02"), arr_at_risk: vec![sample::usd(380_000)] }),
            renewals: QuarterView {
                quarter: "Q4 2026".into(),
                due: 9,
                arr: vec![sample::usd(900_000)],
                settled: 4,
                lost: 1,
                at_risk: 2,
                found_late: 1,
            },
            stuck: vec![
                stuck(StuckKind::Escalated, "Acme", Some("Kim")),
                stuck(StuckKind::Escalated, "Initech", Some("you")),
                stuck(StuckKind::Unclaimed, "Globex", None),
            ],
            people: vec![
                PersonLine {
                    name: "Dana".into(),
                    accounts: 42,
                    at_risk: 3,
                    arr_at_risk: vec![sample::usd(120_000)],
                    waiting: 2,
                    late: 1,
                    away_until: None,
                },
                PersonLine {
                    name: "Kim".into(),
                    accounts: 1,
                    at_risk: 0,
                    arr_at_risk: Vec::new(),
                    waiting: 0,
                    late: 0,
                    away_until: Some(sample::day("2026-11-06")),
                },
            ],
            weekly: Some(WeeklyView {
                failures: vec![Measure::Pair(Pair {
                    offered: 20,
                    in_time: 14,
                    late: 3,
                    expired: 1,
                    waiting: 2,
                    hours_to_accept: Some(5.5),
                    ..Pair::default()
                })],
                fits: Vec::new(),
            }),
        }
    }

    #[test]
    fn a_large_team_shows_those_who_need_a_look() {
        let quiet = |n: usize| PersonLine {
            name: format!("P{n}"),
            accounts: 1,
            at_risk: 0,
            arr_at_risk: Vec::new(),
            waiting: 0,
            late: usize::from(n == 299),
            away_until: None,
        };
        let team = TeamView { people: (0..300).map(quiet).collect(), ..team() };
        let said = to_text(&Message { summary: String::new(), blocks: blocks(&team, sample::today()) }, 100);
        assert!(said.contains("P299: 1 account, 1 late") && said.contains("and 280 colleagues more"), "{said}");
        assert!(!said.contains("P200"), "{said}");
    }

    #[test]
    fn the_leads_morning() {
        let view = DigestView {
            digest: Uuid::nil(),
            name: "Robin".into(),
            date: sample::today(),
            angle: Angle::Both,
            basis: Some(Basis {
                diagnosed_on: sample::today(),
                read_on: sample::today(),
                hours_old: 6,
                delayed: false,
            }),
            totals: Totals::default(),
            news: Some("Acme served notice".into()),
            first_read: None,
            sections: Vec::new(),
            moved: Vec::new(),
            rest: Vec::new(),
            withheld: Vec::new(),
            sources: Vec::new(),
            gaps: None,
            team: Some(team()),
        };
        let message = message(&view);
        insta::assert_snapshot!(format!("({})\n{}", message.summary, to_text(&message, 100)), @"
        (Team: $410k at risk, up $30k; 2 escalated; 1 unclaimed; Acme served notice)
        Good morning, Robin · Tuesday 3 November 2026
        =============================================
          Based on the diagnosis of Tue 3 Nov.

        Your team
        =========
        ARR at risk        $410k in 14 accounts, up $30k since Mon 2 Nov
        Renewals Q4 2026   9 due, $900k; 4 settled, 1 lost; 2 still open and at risk; 1 found after the
                           opt-out date

        Stuck (3)
        =========

        Acme · more seats, $12k · escalated since Thu 29 Oct · with Kim
        [Nudge] [Reassign]

        Initech · more seats, $12k · escalated since Thu 29 Oct · with you
        [Reassign]

        Globex · more seats, $12k · unclaimed since Thu 29 Oct
        [Nudge] [Reassign]

        Each person
        ===========
        - Dana: 42 accounts, 3 at risk ($120k), 2 waiting, 1 late
        - Kim: 1 account, away until Fri 6 Nov

        This week
        =========
        - 20 handoffs offered in the last 30 days: 14 accepted in time, 3 late, 1 expired and 2 still in
          time. Half were accepted within 5.5 hours.
        ");
    }

    #[test]
    fn a_message_of_an_earlier_day_says_that_it_shows_the_team_as_it_is_now() {
        let team = TeamView { now: Some(sample::day("2026-11-05")), ..team() };
        let said = to_text(&Message { summary: String::new(), blocks: blocks(&team, sample::today()) }, 100);
        assert!(said.starts_with("Your team now, Thu 5 Nov\n"), "{said}");
        assert!(summary(&team).starts_with("team now: $410k at risk"), "{}", summary(&team));
    }

    #[test]
    fn nothing_at_risk_is_one_word() {
        let team = TeamView { at_risk: 0, arr_at_risk: Vec::new(), ..team() };
        let said = to_text(&Message { summary: String::new(), blocks: blocks(&team, sample::today()) }, 100);
        assert!(said.contains("nothing, down $380k since Mon 2 Nov"), "{said}");
    }

    #[test]
    fn a_quiet_book_of_ones_own_is_told_from_the_team() {
        let view = DigestView {
            digest: Uuid::nil(),
            name: "Lea".into(),
            date: sample::today(),
            angle: Angle::Csm,
            basis: Some(Basis {
                diagnosed_on: sample::today(),
                read_on: sample::today(),
                hours_old: 6,
                delayed: false,
            }),
            totals: Totals { accounts: 1, ..Totals::default() },
            news: None,
            first_read: None,
            sections: Vec::new(),
            moved: Vec::new(),
            rest: Vec::new(),
            withheld: Vec::new(),
            sources: Vec::new(),
            gaps: None,
            team: Some(team()),
        };
        let said = to_text(&message(&view), 100);
        assert!(
            said.contains("Your own accounts\n=================\n\nNothing needs you today. 1 account, none at risk."),
            "{said}"
        );
    }

    #[test]
    fn a_currency_that_came_or_went_is_a_change() {
        let mut team = team();
        team.arr_at_risk = vec![Money::new(1_000_000, crate::domain::money::Currency::EUR)];
        assert_eq!(change(&team).as_deref(), Some("up €10k and down $380k"));
        team.previous = None;
        assert_eq!(change(&team), None);
    }
}

//! The figures of time and the failure measure, counted a second time: from
//! what `tandem audit export --format json` prints, by code that shares nothing
//! with the product's. Three weeks of seeded clicks by slow, quick and absent
//! people come before.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tandem::app::{Asker, Who, act};
use tandem::domain::action::{Action, Subject, Verb};
use tandem::domain::figures::failure::Measure;
use tandem::domain::figures::{FigureId, Whose};
use tandem::domain::message::Answers;
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;
use tandem::store::directory::{Platform, Workspace};

use crate::support::bot::{TEAM, TestBot};
use crate::support::program::Program;

const PEOPLE: &str = "email,name,roles,timezone,manager_email\n\
    lea@x.eu,Lea Lead,lead,Europe/Berlin,\n\
    dana@x.eu,Dana Reyes,csm,Europe/Berlin,lea@x.eu\n\
    kim@x.eu,Kim Okafor,account_manager,Europe/Berlin,lea@x.eu\n";

/// A small generator of our own, so that a failure can be run again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

async fn book() -> TestBot {
    let bot = TestBot::new(Model::Pair, "2026-11-01T12:00:00Z").await;
    bot.import(RowKind::People, PEOPLE).await;
    let mut accounts =
        "account_id,name,arr,seats,renewal_date,term_months,notice_period_days,csm_email,account_manager_email\n"
            .to_owned();
    let mut signals = "account_id,source,kind,observed_on,value\n".to_owned();
    for n in 0..16 {
        accounts += &format!("a{n},Account {n},{},100,2027-09-30,12,30,dana@x.eu,kim@x.eu\n", 10_000 + n * 1_000);
        for day in ["2026-10-04", "2026-10-11", "2026-10-18", "2026-10-25", "2026-11-01"] {
            signals += &format!("a{n},usage,active_users,{day},{}\n", if n < 10 { 95 } else { 60 });
        }
        if n >= 12 {
            signals += &format!("a{n},support,sev1_open_days,2026-11-01,20\n");
        }
    }
    bot.import(RowKind::Accounts, &accounts).await;
    bot.import(RowKind::Signals, &signals).await;
    bot
}

/// What is open and may be pressed, as (subject, state).
async fn open(bot: &TestBot) -> Vec<(Subject, String)> {
    let mut tx = bot.app.store.tenant(bot.org.id).await.unwrap();
    let handoffs = tandem::store::handoff::open(&mut tx).await.unwrap();
    let risks = tandem::store::risk::open(&mut tx).await.unwrap();
    let handoffs = handoffs.iter().map(|handoff| (Subject::Handoff(handoff.id), handoff.state_name().to_owned()));
    handoffs.chain(risks.iter().map(|risk| (Subject::Risk(risk.id), risk.state_name().to_owned()))).collect()
}

async fn someone_acts(bot: &TestBot, subject: Subject, state: &str, dice: &mut Dice) {
    let (who, verb) = match (state, dice.below(10)) {
        ("detected", 0..4) => ("dana", Verb::Qualify),
        ("detected", 4) => ("dana", Verb::Pass),
        ("offered", 0..3) => ("kim", Verb::Claim),
        ("offered", 3) => ("kim", Verb::Decline),
        ("qualified" | "declined" | "expired" | "handed_back", 0..4) => ("lea", Verb::Offer),
        ("qualified" | "declined" | "expired" | "handed_back", 4..7) => ("dana", Verb::Offer),
        ("accepted", 0) => ("kim", Verb::HandBack),
        ("accepted", 1..3) => ("kim", Verb::Won),
        ("accepted", 3) => ("kim", Verb::Lost),
        ("open", 0..3) => ("dana", Verb::Acknowledge),
        ("open", 3) => ("dana", Verb::Resolve),
        _ => return,
    };
    let asker = Asker {
        org: bot.org.id,
        workspace: Workspace { platform: Platform::Slack, id: TEAM.to_owned() },
        who: Who::Person(bot.person(who).await),
        channel: None,
    };
    let answers: Answers = [
        ("need", "seats"),
        ("contact", "Eva"),
        ("timing", "soon"),
        ("reason", "no budget"),
        ("note", "no time"),
        ("amount", "1000"),
        ("how", "fixed"),
        ("text", "done"),
    ]
    .into_iter()
    .map(|(id, answer)| (id.to_owned(), answer.to_owned()))
    .collect();
    let action = Action::new(verb, subject);
    // A press that does not fit any more is answered privately; only what moved is in the trail.
    if verb.opens_dialog() {
        act::submit(&bot.app, &asker, &action, &answers, None).await.unwrap();
    } else {
        act::press(&bot.app, &asker, &action, None).await.unwrap();
    }
}

pub(crate) fn time(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str().map(|text| text.parse().expect("a moment"))
}

/// What the second counting found.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Counted {
    pub(crate) offered: usize,
    pub(crate) in_time: usize,
    pub(crate) late: usize,
    pub(crate) expired: usize,
    pub(crate) declined: usize,
    pub(crate) withdrawn: usize,
    pub(crate) waiting: usize,
    pub(crate) hours_to_accept: Vec<f64>,
    pub(crate) hours_to_acknowledge: Vec<f64>,
    pub(crate) qualified_accepted: usize,
    pub(crate) qualified_refused: usize,
    pub(crate) won: usize,
    pub(crate) lost: usize,
}

pub(crate) fn middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[odd / 2]),
        even => Some(f64::midpoint(values[even / 2 - 1], values[even / 2])),
    }
}

fn hours(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).num_seconds() as f64 / 3_600.0
}

/// Counts over whole lines: a small machine of its own for each subject. `due` has the clocks of open offers.
pub(crate) fn count(
    lines: &[Value],
    due: &BTreeMap<String, DateTime<Utc>>,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Counted {
    let mut by_subject: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for line in lines {
        by_subject.entry(line["subject"].as_str().expect("a subject")).or_default().push(line);
    }
    let mut counted = Counted::default();
    for (subject, lines) in by_subject {
        let (mut offered, mut opened, mut qualified, mut accepted) = (None, None, false, false);
        for line in lines {
            let at = time(&line["at"]).expect("at");
            let person = line["actor"].as_str().expect("an actor").starts_with("person:");
            let ends = offered.filter(|made| *made >= since);
            match line["event"].as_str().expect("an event") {
                "risk.opened" | "risk.reopened" | "risk.woken" => opened = Some(at),
                "risk.ended" => opened = None,
                "risk.acknowledged" | "risk.step_set" | "risk.snoozed" | "risk.resolved" if person => {
                    let waited = opened.take().filter(|_| at >= since);
                    counted.hours_to_acknowledge.extend(waited.map(|from| hours(from, at)));
                }
                "handoff.qualified" => qualified = true,
                "handoff.offered" => {
                    offered = Some(at);
                    counted.offered += usize::from(at >= since);
                }
                "handoff.accepted" => {
                    accepted = true;
                    if let Some(made) = ends {
                        let in_time = time(&line["data"]["clock"]["due"]).is_none_or(|due| at <= due);
                        *(if in_time { &mut counted.in_time } else { &mut counted.late }) += 1;
                        counted.qualified_accepted += usize::from(qualified);
                        let shown = time(&line["data"]["clock"]["since"]).unwrap_or(made);
                        counted.hours_to_accept.push(hours(shown, at));
                    }
                    offered = None;
                }
                "handoff.reassigned" if matches!(line["data"]["state"].as_str(), Some("detected" | "qualified")) => {
                    counted.withdrawn += usize::from(ends.is_some());
                    offered = None;
                }
                ended @ ("handoff.declined" | "handoff.expired" | "handoff.withdrawn" | "window.passed"
                | "window.closed") => {
                    if ends.is_some() {
                        match ended {
                            "handoff.declined" => counted.declined += 1,
                            "handoff.expired" => counted.expired += 1,
                            _ => counted.withdrawn += 1,
                        }
                        let refused = matches!(ended, "handoff.declined" | "handoff.expired");
                        counted.qualified_refused += usize::from(qualified && refused);
                    }
                    counted.lost += usize::from(ended == "window.passed" && qualified && accepted && at >= since);
                    offered = None;
                }
                "handoff.won" => counted.won += usize::from(qualified && at >= since),
                "handoff.lost" => counted.lost += usize::from(qualified && at >= since),
                _ => {}
            }
        }
        if offered.is_some_and(|made| made >= since) {
            let id = subject.trim_start_matches("handoff:");
            let over = due.get(id).is_some_and(|due| *due < now);
            *(if over { &mut counted.late } else { &mut counted.waiting }) += 1;
        }
    }
    counted
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_counting_from_the_exported_trail_agrees() {
    let bot = book().await;
    let mut dice = Dice(20_261_101);
    let start: DateTime<Utc> = "2026-11-02T01:00:00Z".parse().unwrap();
    for day in 0..19 {
        let night = start + TimeDelta::days(day);
        bot.at(&night.to_rfc3339()).await;
        // 08:00 in Berlin: mornings, which start the clocks; then three looks a day, each at an uneven minute.
        bot.at(&(night + TimeDelta::hours(6)).to_rfc3339()).await;
        for look in 0..3 {
            bot.clock.set(night + TimeDelta::hours(7 + look * 3) + TimeDelta::minutes(dice.below(170).cast_signed()));
            for (subject, state) in open(&bot).await {
                if dice.below(3) == 0 {
                    someone_acts(&bot, subject, &state, &mut dice).await;
                }
            }
            bot.tick().await;
        }
    }
    let now = bot.app.now();
    let report = bot.report(Whose::Organisation, "2026-Q4").await;

    let dir = tempfile::tempdir().unwrap();
    let program = Program::bare(dir.path()).with("DATABASE_URL", bot.url());
    let printed = program.run(&["audit", "export", "--org", "north", "--format", "json"]).await.well();
    let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Clocks of open offers are no event yet: they stand in the handoffs themselves.
    let mut tx = bot.app.store.tenant(bot.org.id).await.unwrap();
    let handoffs = tandem::store::handoff::open(&mut tx).await.unwrap();
    drop(tx);
    let due = handoffs.iter().filter_map(|handoff| Some((handoff.id.to_string(), handoff.due()?))).collect();

    let thirty = count(&lines, &due, now - TimeDelta::days(30), now);
    let [Measure::Pair(pair)] = report.failures.as_slice() else { panic!("{:?}", report.failures) };
    let found = (pair.offered, pair.in_time, pair.late, pair.expired, pair.declined, pair.withdrawn, pair.waiting);
    let expected = (
        thirty.offered,
        thirty.in_time,
        thirty.late,
        thirty.expired,
        thirty.declined,
        thirty.withdrawn,
        thirty.waiting,
    );
    assert_eq!(found, expected);
    assert_eq!(pair.hours_to_accept, middle(thirty.hours_to_accept.clone()));
    assert!(
        pair.offered >= 10 && pair.in_time > 0 && pair.expired > 0 && pair.declined > 0,
        "the weeks say too little: {pair:?}"
    );

    let quarter = count(&lines, &due, "2026-09-30T22:00:00Z".parse().unwrap(), now);
    let number = |id| {
        let figure = report.figures.iter().find(|figure| figure.id == id).unwrap();
        figure.value.as_ref().unwrap_or_else(|why| panic!("{id:?}: {why}")).number()
    };
    let share = |part: usize, other: usize| part as f64 / (part + other) as f64;
    assert_eq!(number(FigureId::SlaAttainment), share(quarter.in_time, quarter.late + quarter.expired));
    assert_eq!(number(FigureId::CsqlAcceptance), share(quarter.qualified_accepted, quarter.qualified_refused));
    assert_eq!(number(FigureId::CsqlConversion), share(quarter.won, quarter.lost));
    assert_eq!(Some(number(FigureId::TimeToAcknowledge)), middle(quarter.hours_to_acknowledge));
    bot.set_aside().await;
}

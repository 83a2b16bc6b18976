//! Every figure against a book small enough to reckon by hand. Amounts are in
//! thousands; the organisation reckons in euros, a dollar is worth half a euro,
//! and nobody knows what a franc is worth.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::decisions::{Ended, Imported, Win};
use super::period::Period;
use super::trail::{Standing, Step, Stretch, What};
use super::*;
use crate::domain::action::Subject;
use crate::domain::diagnosis::WindowKind;
use crate::domain::money::Currency;
use crate::domain::routing::Model;
use crate::domain::row::OutcomeKind;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    format!("{text}:00Z").parse().unwrap()
}

fn person(n: u128) -> PersonId {
    PersonId(Uuid::from_u128(n))
}

const KIM: u128 = 1;
const PAT: u128 = 2;

fn eur(thousands: i64) -> Money {
    Money::new(thousands * 100_000, Currency::EUR)
}

fn usd(thousands: i64) -> Money {
    Money::new(thousands * 100_000, Currency::USD)
}

fn account(id: &str, arr: Option<Money>) -> AccountFact {
    AccountFact {
        id: id.into(),
        segment: None,
        status: AccountStatus::Active,
        arr,
        cost_to_serve: None,
        seats: None,
        start_date: Some(day("2024-05-01")),
        go_live_date: None,
        renewal_date: None,
        term_months: None,
        notice_period_days: None,
        csm: None,
        account_manager: None,
        pool: None,
    }
}

fn imported(id: &str, on: &str, kind: OutcomeKind, before: Option<Money>, after: Option<Money>) -> Imported {
    Imported { account: id.into(), on: day(on), kind, before, after }
}

fn lost(id: &str, on: &str, renewal_date: &str, before: Money) -> Ended {
    Ended {
        renewal: Uuid::nil(),
        account: id.into(),
        on: day(on),
        kind: OutcomeKind::Churned,
        renewal_date: Some(day(renewal_date)),
        before: Some(before),
        after: None,
    }
}

fn win(id: &str, on: &str, kind: WindowKind, amount: Money) -> Win {
    Win { handoff: Uuid::nil(), account: id.into(), on: day(on), kind: Some(kind), amount: Some(amount) }
}

fn answer(id: &str, kind: &str, reference: &str, on: &str, number: f64) -> Answer {
    Answer { account: id.into(), kind: kind.into(), reference: reference.into(), observed_on: day(on), number }
}

fn facts(period: &str) -> Facts {
    let period: Period = period.parse().unwrap();
    let span = period.until(day("2026-12-31")).unwrap();
    Facts {
        whose: Whose::Organisation,
        period,
        span,
        accounts: Vec::new(),
        imported: Vec::new(),
        ended: Vec::new(),
        wins: Vec::new(),
        outcomes_kept: false,
        answers: Vec::new(),
        health: Vec::new(),
        quotas: Vec::new(),
        pipeline: Some(Vec::new()),
        steps: Vec::new(),
        span_at: Stretch {
            from: span.first.and_time(chrono::NaiveTime::MIN).and_utc(),
            until: span.end().and_time(chrono::NaiveTime::MIN).and_utc(),
        },
        running: BTreeMap::new(),
        now: at("2026-12-31T12:00"),
        rates: Rates::new(Currency::EUR, BTreeMap::from([(Currency::USD, 0.5)])),
    }
}

/// The book of the arithmetic below.
fn book() -> Facts {
    use OutcomeKind::{Churned, Contracted, Expanded, Renewed};
    let franc = "CHF".parse().unwrap();
    let with = |mut account: AccountFact, change: &dyn Fn(&mut AccountFact)| {
        change(&mut account);
        account
    };
    let accounts = vec![
        with(account("a-grew", Some(eur(120))), &|a| {
            (a.cost_to_serve, a.seats, a.renewal_date) = (Some(eur(24)), Some(100), Some(day("2027-06-30")));
        }),
        with(account("b-left", Some(eur(80))), &|a| a.status = AccountStatus::Churned),
        with(account("c-shrank", Some(eur(45))), &|a| (a.cost_to_serve, a.seats) = (Some(eur(15)), Some(50))),
        with(account("d-dollars", Some(usd(220))), &|a| a.cost_to_serve = Some(usd(44))),
        with(account("e-clicked-lost", Some(eur(50))), &|a| a.start_date = None),
        with(account("f-new", Some(eur(30))), &|a| a.start_date = Some(day("2026-11-01"))),
        with(account("g-gone", Some(eur(10))), &|a| a.status = AccountStatus::Churned),
        account("h-francs", Some(Money::new(1_000_000, franc))),
        account("i-unpriced", None),
        with(account("j-won", Some(eur(40))), &|a| a.renewal_date = Some(day("2026-12-20"))),
        with(account("k-left-in-march", Some(eur(20))), &|a| a.status = AccountStatus::Churned),
    ];
    Facts {
        accounts,
        imported: vec![
            imported("a-grew", "2026-11-10", Expanded, Some(eur(100)), Some(eur(120))),
            imported("b-left", "2026-12-01", Churned, Some(eur(80)), None),
            imported("c-shrank", "2026-10-15", Contracted, Some(eur(60)), Some(eur(45))),
            imported("d-dollars", "2026-11-20", Renewed, Some(usd(200)), Some(usd(220))),
            imported("k-left-in-march", "2026-03-01", Churned, Some(eur(20)), None),
        ],
        ended: vec![
            lost("e-clicked-lost", "2026-12-10", "2026-12-31", eur(50)),
            // Somebody clicked it before the outcome came: the outcome counts, once.
            lost("b-left", "2026-11-25", "2026-12-31", eur(80)),
            lost("d-dollars", "2026-11-01", "2026-12-31", usd(200)),
        ],
        wins: vec![
            win("a-grew", "2026-10-20", WindowKind::Seats, eur(20)),
            win("j-won", "2026-12-15", WindowKind::CrossSell, eur(8)),
        ],
        outcomes_kept: true,
        answers: vec![
            answer("a-grew", "nps", "eva", "2026-10-02", 10.0),
            answer("a-grew", "nps", "tom", "2026-11-02", 9.0),
            answer("c-shrank", "nps", "", "2026-11-09", 9.0),
            answer("j-won", "nps", "", "2026-12-09", 8.0),
            answer("i-unpriced", "nps", "", "2026-12-09", 6.0),
            answer("a-grew", "csat", "q", "2026-11-30", 80.0),
            answer("a-grew", "csat", "p", "2026-10-30", 20.0),
            answer("c-shrank", "csat", "", "2026-12-01", 90.0),
            answer("a-grew", "active_users", "", "2026-12-20", 60.0),
            answer("c-shrank", "active_users", "", "2026-12-20", 45.0),
            answer("f-new", "first_value_days", "", "2026-11-21", 20.0),
            answer("a-grew", "opportunity_amount", "o1", "2026-12-01", 30_000.0),
            answer("a-grew", "opportunity_amount", "o2", "2026-12-01", 3_000.0),
        ],
        health: vec![Some(80), Some(61), None, Some(40)],
        quotas: vec![eur(40), eur(20)],
        pipeline: Some(vec![("a-grew".into(), Some(eur(12))), ("f-new".into(), Some(eur(11)))]),
        ..facts("2026-Q4")
    }
}

/// "word = value (notes)", one a line.
fn said(facts: &Facts) -> String {
    let lines = all(facts).into_iter().map(|figure| {
        let value = match &figure.value {
            Ok(value) => format!("{value}"),
            Err(why) => format!("not known: {why}"),
        };
        let notes: String = figure.notes.iter().map(|note| format!(" | {note}")).collect();
        format!("{} = {value}{notes}", figure.id.definition().word)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn number(facts: &Facts, id: FigureId) -> f64 {
    let figure = all(facts).into_iter().find(|figure| figure.id == id).unwrap();
    figure.value.unwrap().number()
}

#[test]
fn the_book_reckoned_by_hand() {
    let facts = book();
    let exactly = |id, expected: f64| {
        let found = number(&facts, id);
        assert!((found - expected).abs() < 1e-9, "{id:?}: {found}, not {expected}");
    };
    // Customers on 1 October: a, b, c, d, e (no start date: of before), h, i, j. Not f (new), g (left, nobody knows
    // when), k (left in March). Left in Q4: b (imported) and e (clicked).
    exactly(FigureId::CustomerRetention, 6.0 / 8.0);
    exactly(FigureId::Churn, 2.0 / 8.0);
    // ARR on 1 October, of those with a known and rated ARR: a 100, b 80, c 60, d 200 $ = 100, e 50, j 40; 430 in all.
    // At the end: a 120, b 0, c 45, d 220 $ = 110, e 0, j 40 and 8 won; 323 in all.
    // Each at most at its start: 100 + 0 + 45 + 100 + 0 + 40 = 285.
    exactly(FigureId::GrossRetention, 285.0 / 430.0);
    exactly(FigureId::NetRetention, 323.0 / 430.0);
    exactly(FigureId::RevenueGrowth, (323.0 - 430.0) / 430.0);
    // Active with both: a 120 and 24, c 45 and 15, d 110 and 22: 275 of ARR, 61 of cost.
    exactly(FigureId::GrossMargin, (275.0 - 61.0) / 275.0);
    // Average ARR of a 120, c 45, d 110, e 50, f 30, j 40: 395 ÷ 6. Customers on 1 January: the eight and k; left since:
    // b, e, k. 395,000 ÷ 6 × 214 ÷ 275 ÷ (3 ÷ 9) = 153,690.909…
    exactly(FigureId::LifetimeValue, 153_690.91);
    // c for less and d renewed, b and e lost. The click on d said lost before the outcome said renewed.
    exactly(FigureId::RenewalRate, 2.0 / 4.0);
    // a 20 by the outcome (which books the window won three weeks before), d 20 $ = 10, j 8 by the window alone.
    exactly(FigureId::Upsell, 38_000.0);
    // Quotas 60, sold 38, so 22 are missing. Open: a 33 by the CRM (which goes before the window of 12), f 11.
    exactly(FigureId::PipelineCoverage, 44.0 / 22.0);
    // 10, 9 and 9 promote, 6 detracts, of five: 60 % − 20 %.
    exactly(FigureId::Nps, 40.0);
    exactly(FigureId::Csat, (80.0 + 90.0) / 2.0);
    exactly(FigureId::Adoption, (60.0 + 45.0) / (100.0 + 50.0));
    exactly(FigureId::TimeToValue, 20.0);
    exactly(FigureId::PortfolioHealth, (80.0 + 61.0 + 40.0) / 3.0);
    insta::assert_snapshot!(said(&facts), @"
    customer_retention_rate = 75% | Counted as customers of before: 1 account without a start date. | Left out: 1 account that left at an unknown date.
    churn_rate = 25% | Counted as customers of before: 1 account without a start date. | Left out: 1 account that left at an unknown date.
    gross_revenue_retention = 66.3% | Left out: 1 account without a known ARR. | Left out: 1 account in a currency without a rate. | Left out: 1 account that left at an unknown date.
    customer_lifetime_value = €154k | Left out of the margin: 5 accounts without ARR or cost to serve.
    nps = 40 | From 5 answers.
    csat = 85
    product_adoption = 70% | Left out: 6 accounts without seats or recent usage.
    time_to_value = 20 days
    portfolio_health = 60.3 | Left out: 1 account with too little data.
    renewal_rate = 50% | Not decided yet: 1 account whose renewal date has passed.
    upsell_and_cross_sell_revenue = €38k | Of it €8k cross-sell, by windows won.
    account_revenue_growth = −24.9% | Left out: 1 account without a known ARR. | Left out: 1 account in a currency without a rate. | Left out: 1 account that left at an unknown date.
    net_revenue_retention = 75.1% | Left out: 1 account without a known ARR. | Left out: 1 account in a currency without a rate. | Left out: 1 account that left at an unknown date.
    gross_margin = 77.8% | Left out: 5 accounts without ARR or cost to serve.
    pipeline_coverage = 2×
    time_to_acknowledge = not known: no risk was answered in the period
    sla_attainment = not known: no offer of the period was accepted, expired or overdue
    csql_acceptance = not known: no offer of a qualified window was answered or expired in the period
    csql_conversion = not known: no qualified window was won or lost in the period
    ");
}

#[test]
fn without_data_a_figure_says_what_is_missing() {
    insta::assert_snapshot!(said(&facts("2026-11")), @"
    customer_retention_rate = not known: no outcome is imported, and no renewal or won window ended in Tandem
    churn_rate = not known: no outcome is imported, and no renewal or won window ended in Tandem
    gross_revenue_retention = not known: no outcome is imported, and no renewal or won window ended in Tandem
    customer_lifetime_value = not known: no active account has both ARR and cost_to_serve
    nps = not known: no NPS answer is imported for the period
    csat = not known: no satisfaction score is imported for the period
    product_adoption = not known: no account has both seats and active users of the last 45 days
    time_to_value = not known: no account reached first value in the period
    portfolio_health = not known: no account of the period has been diagnosed
    renewal_rate = not known: no renewal was decided in the period
    upsell_and_cross_sell_revenue = not known: no outcome is imported, and no renewal or won window ended in Tandem
    account_revenue_growth = not known: no outcome is imported, and no renewal or won window ended in Tandem
    net_revenue_retention = not known: no outcome is imported, and no renewal or won window ended in Tandem
    gross_margin = not known: no active account has both ARR and cost_to_serve
    pipeline_coverage = not known: quotas are set by quarter; ask for a quarter or a year
    time_to_acknowledge = not known: no risk was answered in the period
    sla_attainment = not known: no offer of the period was accepted, expired or overdue
    csql_acceptance = not known: no offer of a qualified window was answered or expired in the period
    csql_conversion = not known: no qualified window was won or lost in the period
    ");
}

#[test]
fn arr_is_read_off_the_decisions_around_a_day() {
    use OutcomeKind::{Churned, Contracted, Expanded, Renewed};
    let at = |outcomes: &[Imported], on: &str| {
        let accounts = [account("a", Some(eur(120)))];
        let ledger = Ledger::new(&accounts, outcomes, &[], &[]);
        ledger.lines[0].arr_before(day(on)).map(|arr| arr.minor / 100_000)
    };
    let grew = imported("a", "2026-06-01", Expanded, Some(eur(100)), Some(eur(110)));
    assert_eq!(at(&[], "2026-01-01"), Some(120), "nothing is known to have changed");
    assert_eq!(at(std::slice::from_ref(&grew), "2026-06-01"), Some(100));
    assert_eq!(at(std::slice::from_ref(&grew), "2026-06-02"), Some(110));
    let renewed = imported("a", "2026-08-01", Renewed, None, None);
    assert_eq!(at(std::slice::from_ref(&renewed), "2026-01-01"), Some(120), "renewed as it was");
    assert_eq!(at(&[renewed, grew.clone()], "2026-12-01"), Some(120));
    let shrank = imported("a", "2026-09-01", Contracted, None, None);
    assert_eq!(at(std::slice::from_ref(&shrank), "2026-01-01"), None, "it was more, nobody knows how much");
    assert_eq!(at(&[shrank, grew], "2026-09-02"), Some(120), "as it is now");
    let left = imported("a", "2026-09-01", Churned, None, None);
    assert_eq!((at(std::slice::from_ref(&left), "2026-01-01"), at(&[left], "2026-10-01")), (Some(120), Some(0)));
}

#[test]
fn a_sale_together_with_the_renewal_is_counted_once() {
    let renewed = |after| Ended {
        kind: OutcomeKind::Renewed,
        after: Some(after),
        ..lost("a", "2026-11-20", "2026-12-20", eur(100))
    };
    let mut facts = facts("2026-Q4");
    (facts.outcomes_kept, facts.accounts) = (true, vec![account("a", Some(eur(100)))]);
    facts.wins = vec![win("a", "2026-11-10", WindowKind::Seats, eur(20))];
    for (after, upsell, retention) in [(eur(120), 20_000.0, 1.2), (eur(100), 20_000.0, 1.2)] {
        facts.ended = vec![renewed(after)];
        let found = (number(&facts, FigureId::Upsell), number(&facts, FigureId::NetRetention));
        assert_eq!(found, (upsell, retention), "renewed at {after:?}");
    }
}

fn step(when: &str, by: Option<u128>, what: What, subject: Subject) -> Step {
    Step {
        at: at(when),
        by: by.map(person),
        what,
        subject,
        account: Some("a".into()),
        accountable: None,
        about_window: None,
        clock: None,
    }
}

fn risk(n: u128) -> Subject {
    Subject::Risk(Uuid::from_u128(n))
}

fn handoff(n: u128) -> Subject {
    Subject::Handoff(Uuid::from_u128(n))
}

fn clock(since: &str, due: &str) -> Option<Running> {
    Some(Running { since: at(since), due: at(due) })
}

/// Seven offers, three of them of qualified windows.
fn offers() -> Vec<Step> {
    let offered =
        |when: &str, n| Step { accountable: Some(person(KIM)), ..step(when, None, What::Offered, handoff(n)) };
    let qualified = |when: &str, n| step(when, Some(9), What::Qualified, handoff(n));
    let due = |n| clock("2026-10-06T08:00", n);
    vec![
        qualified("2026-10-06T07:00", 1),
        offered("2026-10-06T07:00", 1),
        Step { clock: due("2026-10-08T08:00"), ..step("2026-10-06T10:00", Some(KIM), What::Accepted, handoff(1)) },
        step("2026-11-02T10:00", Some(KIM), What::Won, handoff(1)),
        offered("2026-10-06T07:00", 2),
        Step { clock: due("2026-10-08T08:00"), ..step("2026-10-08T08:01", None, What::Expired, handoff(2)) },
        qualified("2026-10-06T07:00", 3),
        offered("2026-10-06T07:00", 3),
        Step { clock: due("2026-10-08T08:00"), ..step("2026-10-07T10:00", Some(KIM), What::Declined, handoff(3)) },
        qualified("2026-10-06T07:00", 4),
        offered("2026-10-06T07:00", 4),
        Step { accountable: Some(person(PAT)), ..step("2026-10-06T07:30", Some(9), What::Reassigned, handoff(4)) },
        Step { clock: due("2026-10-08T08:00"), ..step("2026-10-08T09:00", Some(PAT), What::Accepted, handoff(4)) },
        step("2026-11-03T10:00", Some(PAT), What::Lost, handoff(4)),
        offered("2026-12-28T07:00", 5),
        offered("2026-12-30T07:00", 6),
        offered("2026-10-06T07:00", 7),
        step("2026-10-06T09:00", Some(9), What::Withdrawn, handoff(7)),
    ]
}

fn running() -> BTreeMap<Uuid, Running> {
    let clock = |n, due: &str| Some((Uuid::from_u128(n), Running { since: at("2026-12-28T08:00"), due: at(due) }));
    [clock(5, "2026-12-30T08:00"), clock(6, "2027-01-02T08:00")].into_iter().flatten().collect()
}

#[test]
fn answers_and_offers_reckoned_by_hand() {
    let mut steps = vec![
        // 7.5, 12 and 48 hours; the fourth was never answered, the fifth was answered before the quarter.
        step("2026-10-05T02:00", None, What::RiskOpened, risk(1)),
        step("2026-10-05T09:30", Some(KIM), What::RiskAnswered, risk(1)),
        step("2026-10-05T10:00", Some(KIM), What::RiskAnswered, risk(1)),
        step("2026-10-06T02:00", None, What::RiskOpened, risk(2)),
        step("2026-10-06T14:00", Some(PAT), What::RiskAnswered, risk(2)),
        step("2026-10-07T02:00", None, What::RiskOpened, risk(3)),
        step("2026-10-09T02:00", Some(PAT), What::RiskAnswered, risk(3)),
        step("2026-10-07T02:00", None, What::RiskOpened, risk(4)),
        step("2026-12-07T02:00", None, What::RiskEnded, risk(4)),
        step("2026-09-07T02:00", None, What::RiskOpened, risk(5)),
        step("2026-09-07T03:00", Some(KIM), What::RiskAnswered, risk(5)),
    ];
    steps.extend(offers());
    let mut facts = Facts { steps, running: running(), ..facts("2026-Q4") };
    let read = |facts: &Facts| {
        [FigureId::TimeToAcknowledge, FigureId::SlaAttainment, FigureId::CsqlAcceptance, FigureId::CsqlConversion]
            .map(|id| number(facts, id))
    };
    // In time: 1. Missed: 2 expired, 4 accepted an hour late, 5 overdue. Of the qualified 1, 3 and 4 two were accepted;
    // 1 was won and 4 lost.
    assert_eq!(read(&facts), [12.0, 1.0 / 4.0, 2.0 / 3.0, 1.0 / 2.0]);
    // Kim answered one risk, and for offers 1, 2, 3, 5, 6; Pat has the fourth.
    facts.whose = Whose::Person(person(KIM));
    assert_eq!(read(&facts), [7.5, 1.0 / 3.0, 1.0 / 2.0, 1.0]);
    facts.whose = Whose::Team([person(PAT)].into());
    assert_eq!(number(&facts, FigureId::TimeToAcknowledge), (12.0 + 48.0) / 2.0);
    let standing: Vec<Standing> =
        trail::offers(&facts.steps, &facts.running).iter().map(|offer| offer.standing(facts.now)).collect();
    use Standing::{Declined, Expired, InTime, Late, Waiting, Withdrawn};
    assert_eq!(standing, [InTime, Expired, Declined, Late, Late, Waiting, Withdrawn]);
}

#[test]
fn each_models_failure_reckoned_by_hand() {
    use failure::{Asymmetric, Combined, Measure, OpenWork, Pair};
    let now = at("2026-10-20T12:00");
    let mut steps = offers();
    steps.retain(|step| step.at < now);
    let open = OpenWork {
        risks: vec!["a".into(), "a".into(), "elsewhere".into()],
        warnings: vec!["a".into()],
        windows: vec!["a".into()],
        renewals: Vec::new(),
        clocks: BTreeMap::new(),
    };
    let accounts = [account("a", None)];
    let measure = |model: Model, steps: &[Step]| {
        let mut measures = failure::measures(&accounts, |_| model, steps, &open, now);
        assert_eq!(measures.len(), 1);
        measures.remove(0)
    };
    // Accepted after 2 hours (shown at 8, taken at 10) and after 49.
    let pair = Pair {
        offered: 5,
        in_time: 1,
        late: 1,
        expired: 1,
        declined: 1,
        withdrawn: 1,
        waiting: 0,
        hours_to_accept: Some((2.0 + 49.0) / 2.0),
    };
    assert_eq!(measure(Model::Pair, &steps), Measure::Pair(pair));

    let about = |window| move |step: Step| Step { about_window: Some(window), ..step };
    let done = [
        step("2026-10-01T09:00", Some(KIM), What::RiskAnswered, risk(1)),
        about(false)(step("2026-10-01T09:00", Some(KIM), What::Accepted, handoff(1))),
        about(true)(step("2026-10-02T09:00", Some(KIM), What::Accepted, handoff(2))),
        step("2026-10-03T09:00", Some(KIM), What::Won, handoff(2)),
        step("2026-10-03T09:00", Some(KIM), What::RenewalMoved, Subject::Renewal(Uuid::nil())),
        // Too long ago, and no person's.
        step("2026-09-01T09:00", Some(KIM), What::RiskAnswered, risk(2)),
        step("2026-10-03T09:00", None, What::RenewalMoved, Subject::Renewal(Uuid::nil())),
    ];
    let combined = Combined { value_done: 2, revenue_done: 3, value_open: 3, revenue_open: 1 };
    assert_eq!(measure(Model::Combined, &done), Measure::Combined(combined));
    assert_eq!((combined.done_on_value(), combined.open_on_value()), (Some(0.4), Some(0.75)));

    let blind = [
        step("2026-08-01T02:00", None, What::WindowOpened, handoff(1)),
        step("2026-08-01T02:00", None, What::WindowOpened, handoff(2)),
        step("2026-08-03T09:00", Some(KIM), What::Qualified, handoff(2)),
        step("2026-09-01T02:00", None, What::RiskOpened, risk(1)),
        step("2026-09-20T02:00", None, What::RiskOpened, risk(1)),
        // Fresh, and older than a window is open.
        step("2026-10-18T02:00", None, What::WindowOpened, handoff(3)),
        step("2026-06-01T02:00", None, What::WindowOpened, handoff(4)),
    ];
    let asymmetric = Asymmetric { windows: 2, windows_untouched: 1, risks: 1, risks_untouched: 1 };
    assert_eq!(measure(Model::Asymmetric, &blind), Measure::Asymmetric(asymmetric));
}

#[test]
fn each_figure_is_defined_once() {
    for (n, definition) in DEFINITIONS.iter().enumerate() {
        assert_eq!(definition.id as usize, n, "{:?} stands in its place", definition.id);
        assert_eq!(definition.id.definition(), definition);
        assert!(definition.formula.ends_with('.') && !definition.source.is_empty());
        assert!(DEFINITIONS[n + 1..].iter().all(|other| other.word != definition.word), "{} twice", definition.word);
    }
}

//! Sample views for the tests of every message.

use chrono::NaiveDate;
use uuid::Uuid;

use super::super::view::*;
use super::Card;
use crate::domain::diagnosis::*;
use crate::domain::money::{Currency, Money};
use crate::domain::signal::Source;

pub(in super::super) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(in super::super) fn today() -> NaiveDate {
    day("2026-11-03")
}

pub(in super::super) fn usd(major: i64) -> Money {
    Money::new(major * 100, Currency::USD)
}

pub(in super::super) fn account() -> AccountView {
    AccountView {
        id: "a-1".into(),
        name: "Acme".into(),
        angle: Angle::Csm,
        url: None,
        arr: Some(usd(184_000)),
        segment: None,
        health: Some(34),
        previous_health: Some(52),
        band: Band::AtRisk,
        change: Change::Worse,
        csm: Some("Dana".into()),
        account_manager: Some("Kim".into()),
        detours: Vec::new(),
        risk: None,
        diagnosis: Some(Uuid::from_u128(0x7f3a_9c01_u128 << 96)),
    }
}

pub(in super::super) fn cause(headline: &str, csm: &str, account_manager: &str) -> Cause {
    Cause {
        rule: "usage_trend".into(),
        points: 31,
        floor: false,
        headline: headline.into(),
        actions: RoleActions { csm: csm.to_owned().into(), account_manager: account_manager.to_owned().into() },
        facts: vec![Fact {
            label: "Active users".into(),
            value: FactValue::Number(28.0),
            previous: Some(FactValue::Number(80.0)),
            unit: "users".into(),
            source: Source::Usage,
            as_of: day("2026-11-01"),
        }],
    }
}

pub(in super::super) fn causes() -> Vec<Cause> {
    vec![
        cause(
            "Active users fell from 80 to 28 in five weeks",
            "Ask the champion what changed and book a training for the team that stopped",
            "Hold the pitch until usage is back",
        ),
        cause("An invoice is 65 days late", "Ask who pays it", "Settle it before the renewal talk"),
    ]
}

pub(in super::super) fn window_line() -> WindowLine {
    WindowLine {
        handoff: Uuid::nil(),
        kind: WindowKind::Seats,
        amount: Some(usd(12_000)),
        estimated: true,
        closes_on: day("2027-01-29"),
        holder: Some("Kim".into()),
        withheld: None,
        co_term: false,
    }
}

pub(in super::super) fn risk() -> RiskView {
    RiskView {
        account: account(),
        risk: Uuid::nil(),
        state: RiskState::Open,
        since: day("2026-11-02"),
        raised: None,
        churned_on: None,
        causes: causes(),
        deadline: Some(Deadline { on: day("2026-11-27"), kind: DeadlineKind::OptOut }),
        windows: vec![window_line()],
        why: Why::New,
        handed: None,
        last_note: None,
        may_act: true,
        asked: false,
        leads: false,
    }
}

pub(in super::super) fn window() -> WindowView {
    WindowView {
        account: AccountView {
            health: Some(82),
            previous_health: Some(82),
            band: Band::Healthy,
            change: Change::Same,
            name: "Globex".into(),
            id: "g-1".into(),
            ..account()
        },
        handoff: Uuid::nil(),
        kind: WindowKind::Seats,
        reason: "96 of 100 seats in use for three weeks".into(),
        amount: Some(usd(12_000)),
        estimated: true,
        closes_on: day("2027-01-29"),
        co_term: false,
        deadline: Some(Deadline { on: day("2027-03-31"), kind: DeadlineKind::OptOut }),
        state: HandoffState::Detected { holder: "Dana".into(), until: Some(day("2026-11-06")) },
        withheld: None,
        timed_out: false,
        solo: false,
        qualification: None,
        raised_by: None,
        overridden: None,
        causes: Vec::new(),
        part: Part::Holder,
        why: Why::New,
        may_act: true,
        asked: false,
    }
}

pub(in super::super) fn renewal() -> RenewalView {
    RenewalView {
        account: account(),
        renewal: Uuid::nil(),
        state: RenewalState::Upcoming,
        part: RenewalPart::Owner,
        owner: Some("you".into()),
        other: Some("Dana".into()),
        read: RenewalRead {
            renewal_date: Some(day("2027-02-25")),
            notice_period_days: Some(90),
            opt_out_date: Some(day("2026-11-27")),
            days_to_opt_out: Some(24),
            next_deadline: Some(day("2026-11-27")),
            stage: Stage::D30,
            notice_period_missing: false,
            auto_renew: Some(true),
            rolls_every: None,
        },
        brief: None,
        causes: causes(),
        windows: Vec::new(),
        why: Why::LadderStep(30),
        may_act: true,
        asked: false,
        notice_served: false,
        leads: false,
    }
}

pub(in super::super) fn handed_risk() -> HandedRiskView {
    HandedRiskView {
        account: account(),
        handoff: Uuid::nil(),
        from: "Kim".into(),
        on: Some(day("2026-11-03")),
        note: "Budget cut of a third next year".into(),
        warning: true,
        state: HandoffState::Offered {
            to: "you".into(),
            answers_for_pool: None,
            by: Some("Kim".into()),
            until: Some(day("2026-11-05")),
        },
        causes: causes(),
        deadline: None,
        part: Part::Offered,
        may_act: true,
        asked: false,
    }
}

/// The same card, as somebody reads it from this side.
pub(in super::super) fn seen_from(mut card: Card, angle: Angle) -> Card {
    let account = match &mut card {
        Card::Risk(view) => &mut view.account,
        Card::Window(view) => &mut view.account,
        Card::Renewal(view) => &mut view.account,
        Card::HandedRisk(view) => &mut view.account,
    };
    account.angle = angle;
    card
}

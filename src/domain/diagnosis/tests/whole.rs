//! The whole read: every rule can fire, equal inputs give equal bytes, and one
//! diagnosis as it is printed.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::customer::{Customer, account, ago, ahead, today};
use crate::domain::account::Segment;
use crate::domain::diagnosis::Diagnosis;
use crate::domain::health::{Evidence, RULES};
use crate::domain::policy::Policy;
use crate::domain::signal::{KNOWN_KINDS, Shape, Signal, SignalValue};

/// One customer for each rule, in the order of the rules.
fn one_for_each_rule() -> Vec<Customer> {
    let slid = [&[1000.0; 12][..], &[600.0; 30][..]].concat();
    let surge = [&[2.0; 18][..], &[7.0; 2][..]].concat();
    let new = || account().onboarding();
    vec![
        account().weekly("active_users", &[80., 80., 80., 80., 80., 80., 80., 80., 80., 60., 50., 40., 30., 26.]),
        account().weekly("core_actions", &slid),
        account().saw("active_users", 1, 28.0),
        account().saw("features_used", 1, 5.0).saw("features_entitled", 1, 20.0),
        account().saw("notice_served", 17, true),
        account().saw("auto_renew", 60, true).saw("auto_renew", 5, false),
        account().saw("downgrade_requested", 2, true),
        account().champion_left(8),
        account().saw("competitor_named", 30, true),
        account().saw("meeting_rescheduled", 12, 1.0).saw("meeting_rescheduled", 5, 1.0),
        account().with(|a| a.segment = Some(Segment::Enterprise)).in_touch(0, 44),
        account().with(|a| a.segment = Some(Segment::Enterprise)).in_touch(1, 4),
        account().in_touch(3, 41).renews_in(80).notice_period(60),
        account().saw("sev1_open_days", 0, 16.0),
        account().saw("escalations", 20, 1.0).saw("escalations", 3, 1.0),
        account().weekly("csat", &[90., 90., 90., 90., 90., 90., 60., 60.]),
        account().weekly("tickets_opened", &surge),
        account().saw("oldest_ticket_days", 1, 45.0),
        account().usage(0.8).weekly("tickets_opened", &[0.0; 14]),
        account().weekly("invoice_overdue_days", &[5., 5., 5., 5., 45.]),
        account().saw("payment_failures", 30, 1.0).saw("payment_failures", 2, 1.0),
        account().saw("discount_expires_in_days", 10, 50.0),
        account().saw("nps", 17, 5.0),
        account().saw("csm_pulse", 6, "red"),
        new().saw("milestones_overdue", 2, 2.0).saw("milestones_total", 2, 9.0),
        new().saw("go_live_planned", 60, ago(10)).saw("go_live_forecast", 1, ahead(11)),
        new().saw("customer_engagement_pct", 2, 35.0),
        new().saw("first_value_days", 2, 120.0),
    ]
}

#[test]
fn every_rule_can_fire_and_says_its_number() {
    let all: Vec<Diagnosis> = one_for_each_rule().iter().map(Customer::diagnosis).collect();
    let said: Vec<&str> = all.iter().zip(RULES).map(|(diagnosis, rule)| diagnosis.headline(rule.name)).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    Active users fell from 80 to 28 in five weeks
    Core actions slid from a peak of 1,000 to 600 a week over seven months
    Only 28 of 100 paid seats were active in the last 28 days (28 %)
    Only 5 of the 20 features they pay for are in use, as of 19 Nov 2026
    Notice to end the contract was served on 3 Nov 2026
    Auto-renewal was switched off on 15 Nov 2026
    A downgrade was requested on 18 Nov 2026
    The champion left on 12 Nov 2026 and no other champion is active
    A competitor was named on 21 Oct 2026
    Two meetings were rescheduled in the last 60 days
    No two-way contact for 44 days; the aim is every 14 days
    Only one contact was in touch in the last 90 days; the aim is 6
    The opt-out date is in 20 days, on 10 Dec 2026, and there was no contact for 41 days
    A severity-1 ticket has been open for 16 days
    Two escalations in the last 30 days
    Satisfaction with support fell from 90 to 60 of 100 against the quarter before
    Tickets rose from 2 to 7 a week
    The oldest ticket has been open for 45 days
    No ticket in 90 days from 100 seats, while usage falls
    An invoice is 45 days overdue; this account is usually 5 days late
    Two payments failed in the last 90 days
    A discount expires in 40 days, on 30 Dec 2026
    NPS answer of 5 out of 10 on 3 Nov 2026
    The CSM's pulse was set to red on 14 Nov 2026
    Two of nine onboarding milestones are overdue as of 18 Nov 2026
    Go-live is forecast 21 days after plan: 1 Dec 2026 instead of 10 Nov 2026
    Customer engagement in onboarding is at 35 % as of 18 Nov 2026
    First value took 120 days; the aim is 90 days
    ");
    let mut actions = BTreeSet::new();
    for (diagnosis, rule) in all.iter().zip(RULES) {
        let cause = diagnosis.causes.iter().find(|cause| cause.rule == rule.name).unwrap();
        assert!(!cause.facts.is_empty() && cause.facts.iter().all(|fact| fact.source == rule.family), "{}", rule.name);
        assert!(cause.facts.iter().all(|fact| fact.as_of <= today()));
        for text in [&cause.actions.csm, &cause.actions.account_manager] {
            assert!(
                text.len() > 40 && actions.insert(text.clone()) || rule.name == "go_live_late",
                "{}: {text}",
                rule.name
            );
        }
    }
}

#[test]
fn who_is_blocked_decides_who_is_addressed() {
    let late = |kind: &str| {
        let diagnosis = account().onboarding().saw("milestones_overdue", 1, 3.0).saw(kind, 1, 2.0).diagnosis();
        (diagnosis.risk, diagnosis.causes[0].actions.csm.clone())
    };
    let (ours, theirs) = (late("blocked_by_us"), late("blocked_by_customer"));
    assert!(ours.1.starts_with("It is on us") && theirs.1.starts_with("It is on the customer"));
    assert_eq!(ours.0, theirs.0, "not the number");
}

#[test]
fn one_diagnosis_as_json() {
    let diagnosis = account()
        .weekly("active_users", &[80., 80., 80., 80., 80., 80., 80., 80., 80., 60., 50., 40., 30., 26.])
        .in_touch(3, 5)
        .saw("notice_served", 17, true)
        .saw("plan_limit_hit", 3, true)
        .renews_in(100)
        .notice_period(60)
        .diagnosis();
    insta::assert_json_snapshot!(diagnosis, @r#"
    {
      "id": "80c173b4-08e5-5aa8-8894-041826ea1d1b",
      "account_id": "acme",
      "name": "Acme",
      "date": "2026-11-20",
      "health": 7,
      "band": "at_risk",
      "risk": 93,
      "coverage": 0.63,
      "families": {
        "usage": 88,
        "crm": 100,
        "support": null,
        "billing": null,
        "sentiment": null,
        "onboarding": null
      },
      "not_checked": [
        "support",
        "billing",
        "sentiment"
      ],
      "stale": [],
      "causes": [
        {
          "rule": "notice_served",
          "points": 42,
          "floor": true,
          "headline": "Notice to end the contract was served on 3 Nov 2026",
          "actions": {
            "csm": "Ask for an exit call with the person who decided within five days; bring goals reached and the open issues, and listen for the reason",
            "account_manager": "Confirm dates and what the notice covers, reach the economic buyer with an executive of ours, and put a save offer on paper this week"
          },
          "facts": [
            {
              "label": "Notice served on",
              "value": "2026-11-03",
              "previous": null,
              "unit": "",
              "source": "crm",
              "as_of": "2026-11-03"
            }
          ]
        },
        {
          "rule": "usage_trend",
          "points": 33,
          "floor": false,
          "headline": "Active users fell from 80 to 28 in five weeks",
          "actions": {
            "csm": "Call the champion this week: ask what changed, which team stopped, and agree one use to win back by date",
            "account_manager": "Pause any expansion pitch; get from the CSM what changed before you talk about terms"
          },
          "facts": [
            {
              "label": "Active users",
              "value": 28.0,
              "previous": 80.0,
              "unit": "users",
              "source": "usage",
              "as_of": "2026-11-20"
            }
          ]
        },
        {
          "rule": "seat_use",
          "points": 18,
          "floor": false,
          "headline": "Only 26 of 100 paid seats were active in the last 28 days (26 %)",
          "actions": {
            "csm": "Get the list of idle seats, agree with the admin who is to be enabled or removed, and book the training",
            "account_manager": "Expect a request to cut seats: prepare a right-sized offer with a longer term before they ask"
          },
          "facts": [
            {
              "label": "Active users",
              "value": 26.0,
              "previous": null,
              "unit": "users",
              "source": "usage",
              "as_of": "2026-11-20"
            },
            {
              "label": "Seats",
              "value": 100.0,
              "previous": null,
              "unit": "seats",
              "source": "usage",
              "as_of": "2026-11-20"
            }
          ]
        }
      ],
      "windows": [
        {
          "kind": "usage",
          "reason": "The plan's limit was hit on 17 Nov 2026; estimated $24k a year",
          "amount": 24000.0,
          "currency": "USD",
          "opens_on": "2026-11-20",
          "closes_on": "2026-12-30",
          "co_term": true,
          "withheld_by": "notice_served"
        }
      ],
      "renewal": {
        "renewal_date": "2027-02-28",
        "notice_period_days": 60,
        "opt_out_date": "2026-12-30",
        "days_to_opt_out": 40,
        "next_deadline": "2026-12-30",
        "stage": "60",
        "notice_period_missing": false
      },
      "change": "new"
    }
    "#);
    let text = serde_json::to_string(&diagnosis).unwrap();
    assert_eq!(serde_json::from_str::<Diagnosis>(&text).unwrap(), diagnosis);
}

/// Kinds with values that their shape allows, on any day of two years up to a month ahead.
fn any_signals() -> impl Strategy<Value = Vec<Signal>> {
    let one = (0..KNOWN_KINDS.len(), 0_u64..760, 0_u32..300, 0_u8..3).prop_map(|(kind, day, value, reference)| {
        let kind = &KNOWN_KINDS[kind];
        let value = match kind.shape {
            Shape::Bool => SignalValue::Bool(value % 2 == 0),
            Shape::Pulse => SignalValue::Text(["green", "amber", "red"][value as usize % 3].to_owned()),
            Shape::Date => SignalValue::Date(ago(u64::from(value))),
            Shape::Gauge { max } => SignalValue::Number(f64::from(value).min(max.unwrap_or(f64::MAX)) / 3.0),
            Shape::Count => SignalValue::Number(f64::from(value)),
        };
        let observed_on = ahead(30) - chrono::Days::new(day);
        Signal { source: kind.source, kind: kind.name.to_owned(), observed_on, value, reference: reference.to_string() }
    });
    proptest::collection::vec(one, 0..250).prop_map(|mut signals| {
        // As stored: one value per source, kind, day and reference.
        let mut seen = BTreeSet::new();
        signals.retain(|s| seen.insert((s.kind.clone(), s.observed_on, s.reference.clone())));
        signals
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_signals_is_nothing(signals in any_signals(), seed in any::<u64>(), renewal in 0_u64..400, young in any::<bool>()) {
        let mut customer = account().renews_in(renewal).notice_period(45);
        if young {
            customer = customer.onboarding();
        }
        customer.signals = signals;
        let mut shuffled = customer.clone();
        let count = shuffled.signals.len().max(1);
        for i in 0..count.saturating_sub(1) {
            let other = (seed as usize).wrapping_mul(i + 7) % count;
            shuffled.signals.swap(i, other);
        }
        let (one, two) = (customer.diagnosis(), shuffled.diagnosis());
        prop_assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&two).unwrap());

        prop_assert_eq!(one.health.map(|health| 100 - health), one.risk);
        prop_assert!((0.0..=1.0).contains(&one.coverage));
        prop_assert_eq!(one.families.len(), 6);
        prop_assert!(one.causes.is_sorted_by(|a, b| (a.floor, a.points) >= (b.floor, b.points)));
        let points: u32 = one.causes.iter().map(|cause| u32::from(cause.points)).sum();
        // Points are parts of the measured risk; a floor alone may be lower than what little was measured.
        let most = if one.floors().is_empty() { one.risk.map_or(100, u32::from) } else { 100 };
        prop_assert!(points <= most + one.causes.len() as u32);
        prop_assert!(one.causes.iter().all(|cause| !cause.headline.contains("NaN") && !cause.headline.contains("inf")));
        prop_assert!(one.windows.iter().all(|w| w.opens_on <= today() && w.closes_on >= today()));
    }

    #[test]
    fn what_comes_after_the_date_is_not_seen(signals in any_signals()) {
        let mut customer = account();
        customer.signals = signals;
        let whole = customer.evidence(&Policy::default());
        customer.signals.retain(|signal| signal.observed_on <= today());
        prop_assert_eq!(whole, customer.evidence(&Policy::default()));
    }
}

#[test]
fn values_that_are_no_numbers_are_not_seen() {
    let broken = account().saw("active_users", 1, f64::NAN).saw("csat", 1, f64::INFINITY).content();
    assert_eq!(broken.diagnosis().health, account().content().diagnosis().health);
}

#[test]
fn a_policy_of_extremes_is_no_panic() {
    let numbers = [
        "interval_days_at_most",
        "recent_intervals",
        "baseline_intervals",
        "peak_intervals",
        "baseline_days",
        "history_days",
        "recent_days",
        "peak_days",
    ];
    let keys = numbers.map(|key| format!("{key} = 100000")).join("\n");
    let policy = Policy::from_toml(&format!("[reading]\n{keys}\n[validity]\nintervals = 100000")).unwrap();
    let mut customer = account().content().every(200, "sessions", &[5.0; 3]);
    customer.account.renewal_date = Some(chrono::NaiveDate::MAX);
    customer.account.notice_period_days = Some(i32::MAX);
    customer.account.term_months = Some(i32::MAX);
    customer.account.start_date = Some(chrono::NaiveDate::MIN);
    customer.account.seats = Some(i64::MAX);
    customer.signals[0].observed_on = chrono::NaiveDate::MIN;
    let diagnosis = customer.diagnosis_by(&policy, &crate::domain::diagnosis::Before::default());
    assert_eq!(diagnosis.families.len(), 6);
}

/// A hundred thousand accounts must fit beside each other in memory.
#[test]
fn evidence_is_small() {
    assert!(size_of::<Evidence>() <= 1_000, "{}", size_of::<Evidence>());
}

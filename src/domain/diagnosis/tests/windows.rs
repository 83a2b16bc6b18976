//! Expansion windows.

use super::customer::{Customer, account, ago, ahead, today};
use crate::domain::diagnosis::{Before, FoundWindow, WindowKind};
use crate::domain::policy::Policy;
use crate::domain::window::{Cooling, OpenWindow};

fn windows(customer: &Customer) -> Vec<FoundWindow> {
    customer.diagnosis().windows
}

fn kinds(customer: &Customer) -> Vec<WindowKind> {
    windows(customer).iter().map(|window| window.kind).collect()
}

fn one(customer: &Customer) -> FoundWindow {
    let mut all = windows(customer);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn seats() {
    let customer = account().weekly("seats_assigned", &[80.0, 86.0, 88.0, 90.0, 92.0]);
    let window = one(&customer);
    // 92 ÷ 0.75 = 122.7, so 23 more seats at $1,200.
    assert_eq!((window.kind, window.amount, window.co_term), (WindowKind::Seats, Some(27_600.0), false));
    assert_eq!((window.opens_on, window.closes_on), (today(), ahead(90)));
    assert_eq!(
        window.reason,
        "92 of 100 seats are assigned, 85 % or more since 30 Oct 2026; 23 more seats would bring that back to 75 %; \
         estimated $28k a year"
    );
    let with = |values: &[f64]| account().weekly("seats_assigned", values);
    assert!(kinds(&with(&[90.0, 90.0, 84.0, 90.0])).is_empty(), "every observation of 21 days");
    assert!(!kinds(&with(&[84.0, 85.0, 85.0, 85.0])).is_empty());
    assert!(kinds(&with(&[92.0])).is_empty(), "at least two");
    let monthly = |first: f64| account().every(30, "seats_assigned", &[10.0, first, 90.0]);
    assert!(kinds(&monthly(84.0)).is_empty() && kinds(&monthly(85.0)) == [WindowKind::Seats], "the last two");
    let small = |seats: i64, used: f64| {
        account().with(|account| account.seats = Some(seats)).weekly("seats_assigned", &[used; 4])
    };
    assert!(kinds(&small(9, 9.0)).is_empty() && kinds(&small(10, 9.0)) == [WindowKind::Seats]);
    // Active users stand in; what is assigned goes first.
    assert_eq!(kinds(&account().weekly("active_users", &[90.0; 4])), [WindowKind::Seats]);
    assert!(kinds(&account().weekly("active_users", &[90.0; 4]).weekly("seats_assigned", &[80.0; 4])).is_empty());
}

#[test]
fn usage_and_events() {
    let used = |pct: f64| account().saw("entitlement_used_pct", 2, pct);
    assert!(kinds(&used(89.0)).is_empty());
    assert_eq!((one(&used(90.0)).kind, one(&used(90.0)).amount), (WindowKind::Usage, Some(24_000.0)));
    let hit = |days| account().saw("plan_limit_hit", days, true).saw("plan_limit_hit", 0, false);
    assert_eq!((kinds(&hit(30)), kinds(&hit(31))), (vec![WindowKind::Usage], vec![]));
    let event = |kind: &'static str, days| account().saw(kind, days, true);
    assert_eq!(one(&event("new_department", 60)).kind, WindowKind::CrossSell);
    assert_eq!(one(&event("expansion_requested", 60)).amount, Some(24_000.0));
    assert!(kinds(&event("new_department", 61)).is_empty() && kinds(&event("expansion_requested", 61)).is_empty());
    let poor = event("expansion_requested", 1).with(|account| account.arr = None);
    assert_eq!((one(&poor).amount, one(&poor).currency), (None, None));
}

#[test]
fn growth_needs_four_weeks_and_health() {
    let grown = |weeks: usize| {
        let values = [vec![40.0; 26 - weeks], vec![52.0; weeks]].concat();
        account().with(|account| account.seats = Some(65)).in_touch(3, 3).weekly("active_users", &values)
    };
    // Recent is the last two weeks: with six weeks of it, growth is known of four weeks ago and of every week since.
    let window = one(&grown(6));
    assert_eq!((window.kind, window.amount), (WindowKind::Growth, Some(18_000.0)));
    assert_eq!(
        window.reason,
        "Use (active users) has been at least 25 % above its own baseline since 23 Oct 2026: 52 against 40; estimated $18k \
         a year"
    );
    assert!(one(&grown(7)).reason.contains("since 16 Oct 2026"));
    assert!(kinds(&grown(5)).is_empty(), "three weeks");
    assert!(kinds(&grown(6).saw("sev1_open_days", 0, 13.0).saw("competitor_named", 0, true)).is_empty(), "not healthy");
}

#[test]
fn a_window_closes_on_the_next_deadline_and_keeps_its_dates() {
    let asked = |in_days| account().saw("expansion_requested", 1, true).renews_in(in_days).notice_period(30);
    let near = one(&asked(80));
    assert_eq!((near.closes_on, near.co_term), (ahead(50), true));
    let far = one(&asked(121));
    assert_eq!((far.closes_on, far.co_term), (ahead(90), false));
    assert_eq!(one(&asked(30)).closes_on, ahead(30), "the opt-out date of today ends nothing that opens today");
    let open = [OpenWindow { kind: WindowKind::Requested, opens_on: ago(40), closes_on: ahead(7) }];
    let again = |open: &[OpenWindow], cooling: &[Cooling]| {
        let before = Before { open_windows: open, cooling, ..Before::default() };
        asked(121).diagnosis_by(&Policy::default(), &before).windows
    };
    assert_eq!((again(&open, &[])[0].opens_on, again(&open, &[])[0].closes_on), (ago(40), ahead(7)));
    let closed = [OpenWindow { closes_on: ago(1), ..open[0] }];
    assert_eq!(again(&closed, &[])[0].opens_on, today(), "a closed window is a new one");
}

#[test]
fn after_a_pass_the_same_evidence_opens_nothing() {
    let cooled = |kind: WindowKind, until, customer: Customer| {
        let cooling = [Cooling { kind, until }];
        let before = Before { cooling: &cooling, ..Before::default() };
        customer.diagnosis_by(&Policy::default(), &before).windows.len()
    };
    let full = || account().weekly("seats_assigned", &[92.0; 5]);
    assert_eq!(cooled(WindowKind::Seats, ahead(1), full()), 0);
    assert_eq!(cooled(WindowKind::Seats, today(), full()), 1);
    assert_eq!(cooled(WindowKind::Usage, ahead(1), full()), 1, "another kind");
    // Passed 20 days ago: the request of 30 days ago is the same, that of 10 days ago is another.
    let asked = |days| account().saw("expansion_requested", days, true);
    assert_eq!(cooled(WindowKind::Requested, ahead(70), asked(30)), 0);
    assert_eq!(cooled(WindowKind::Requested, ahead(70), asked(10)), 1);
}

#[test]
fn risk_withholds_all_but_a_request() {
    let customer = account().content().weekly("seats_assigned", &[92.0; 5]).saw("expansion_requested", 1, true).saw(
        "notice_served",
        1,
        true,
    );
    let found = windows(&customer);
    let withheld: Vec<_> = found.iter().map(|w| (w.kind, w.withheld_by.as_deref())).collect();
    assert_eq!(withheld, [(WindowKind::Seats, Some("notice_served")), (WindowKind::Requested, None)]);
}

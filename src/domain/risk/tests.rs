use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

const L: Limits = Limits { calm_health: 60, calm_nights: 3, same_episode_days: 14, worse_points: 10 };

fn person(n: u128) -> PersonId {
    PersonId(Uuid::from_u128(n))
}

fn day(n: u64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 2).unwrap() + Days::new(n)
}

/// The night of a day, 02:00 UTC.
fn night(n: u64) -> DateTime<Utc> {
    day(n).and_hms_opt(2, 0, 0).unwrap().and_utc()
}

/// That day at 10:00 UTC.
fn morning(n: u64) -> DateTime<Utc> {
    night(n) + TimeDelta::hours(8)
}

fn reading(health: u8, floors: &[&str]) -> Reading {
    let band = match health {
        70.. => Band::Healthy,
        50.. => Band::Watch,
        _ => Band::AtRisk,
    };
    let floors = floors.iter().map(|f| (*f).to_owned()).collect();
    Reading { health: Some(health), band, floors, churned: false, next_deadline: None }
}

const UNKNOWN: Reading =
    Reading { health: None, band: Band::Unknown, floors: BTreeSet::new(), churned: false, next_deadline: None };

/// Runs nights on from an episode; says what happened on each.
fn nights(mut latest: Option<Risk>, from: u64, readings: &[Reading]) -> (Option<Risk>, Vec<String>) {
    let mut heard = Vec::new();
    for (n, reading) in (from..).zip(readings) {
        let (next, events) = on_night(latest, &"acme".into(), Uuid::from_u128(n.into()), reading, day(n), night(n), L);
        latest = next;
        heard.push(events.iter().map(|event| event.as_str()).collect::<Vec<_>>().join("+"));
    }
    (latest, heard)
}

fn opened(health: u8, floors: &[&str]) -> Risk {
    nights(None, 0, &[reading(health, floors)]).0.unwrap()
}

#[test]
fn three_calm_nights_end_it_and_a_fall_soon_after_is_the_same_episode() {
    let rise: Vec<_> = [49, 62, 61, 59, 60, 60, 60].map(|h| reading(h, &[])).into();
    let (ended, heard) = nights(None, 0, &rise);
    assert_eq!(heard, ["risk.opened", "", "", "", "", "", "risk.ended"]);
    let first = ended.as_ref().unwrap().id;
    let (again, heard) = nights(ended.clone(), 20, &[reading(40, &[])]);
    assert_eq!((heard[0].as_str(), again.unwrap().id), ("risk.reopened", first));
    let (new, heard) = nights(ended, 21, &[reading(40, &[])]);
    assert_eq!(heard, ["risk.opened"]);
    assert_ne!(new.unwrap().id, first);
}

#[test]
fn a_night_that_was_not_measured_is_not_calm() {
    let (risk, heard) =
        nights(Some(opened(40, &[])), 1, &[reading(80, &[]), reading(80, &[]), UNKNOWN, reading(80, &[])]);
    assert!(risk.unwrap().is_open(), "{heard:?}");
}

#[test]
fn a_night_run_twice_counts_once_and_history_moves_nothing() {
    let risk = opened(40, &[]);
    let mut again = risk.clone();
    for _ in 0..5 {
        again = again.nightly(&reading(80, &[]), day(1), night(1), L).0;
    }
    assert!(again.is_open());
    let (same, events) = again.clone().nightly(&reading(10, &["notice_served"]), day(0), night(9), L);
    assert_eq!((same, events), (again, vec![]));
}

#[test]
fn acknowledging_twice_says_who_was_first() {
    let (risk, event) = opened(40, &[]).acknowledge(person(1), day(7), morning(0)).unwrap();
    assert_eq!(event.as_str(), "risk.acknowledged");
    let refused = risk.clone().acknowledge(person(2), day(7), morning(1)).unwrap_err();
    let present = Present { state: "acknowledged", who: Some(person(1)), since: morning(0) };
    assert_eq!(refused, Refused::Present(present));
    let (stepped, event) = risk.clone().set_next_step(person(2), " call Jo ", day(3), day(1), morning(1)).unwrap();
    assert_eq!(event.as_str(), "risk.step_set");
    let state = State::Acknowledged { by: person(2), next_step: Some("call Jo".to_owned()), due: day(3) };
    assert_eq!(stepped.state(), &state);
    let late = risk.set_next_step(person(2), "call Jo", day(0), day(1), morning(1));
    assert_eq!(late, Err(Refused::TooEarly { earliest: day(1) }));
}

#[test]
fn a_snooze_cannot_hide_a_loss() {
    let risk = opened(45, &["sev1_open"]);
    let snooze = |until, deadline| risk.clone().snooze(person(1), until, deadline, day(0), morning(0));
    assert_eq!(snooze(day(30), Some(day(20))), Err(Refused::PastDeadline { latest: day(20) }));
    assert_eq!(snooze(day(0), None), Err(Refused::TooEarly { earliest: day(1) }));
    assert_eq!(snooze(day(3), Some(day(0))), Err(Refused::DeadlineToday));
    assert!(snooze(day(20), Some(day(20))).is_ok());
    let past = NaiveDate::from_ymd_opt(2026, 10, 1);
    assert!(snooze(day(30), past).is_ok(), "a deadline that has passed holds nothing back");

    let snoozed = snooze(day(5), None).unwrap().0;
    let woke = |reading: Reading, n| snoozed.clone().nightly(&reading, day(n), night(n), L).1;
    assert_eq!(woke(reading(30, &["sev1_open"]), 1), [], "the same evidence, somewhat lower, lets it sleep");
    assert_eq!(woke(reading(45, &["sev1_open", "notice_served"]), 1), [RiskEvent::Woken(Woke::Decision)]);
    assert_eq!(woke(Reading { churned: true, ..reading(45, &["sev1_open"]) }, 1), [RiskEvent::Woken(Woke::Decision)]);
    assert_eq!(woke(reading(45, &["sev1_open"]), 5), [RiskEvent::Woken(Woke::Due)]);

    let (watched, _) = nights(Some(opened(45, &[])), 1, &[reading(55, &[])]);
    let snoozed = watched.unwrap().snooze(person(1), day(9), None, day(1), morning(1)).unwrap().0;
    let (woken, events) = snoozed.clone().nightly(&reading(49, &[]), day(2), night(2), L);
    assert_eq!((events, woken.state_name()), (vec![RiskEvent::Woken(Woke::LowerBand)], "open"));
    assert!(snoozed.nightly(&UNKNOWN, day(2), night(2), L).1.is_empty());
}

#[test]
fn a_deadline_that_comes_nearer_wakes_it() {
    let before = |n| Reading { next_deadline: Some(day(n)), ..reading(45, &[]) };
    let (risk, _) = nights(Some(opened(45, &[])), 1, &[before(90)]);
    let snoozed = risk.unwrap().snooze(person(1), day(60), Some(day(90)), day(1), morning(1)).unwrap().0;
    let woke = |n| snoozed.clone().nightly(&before(n), day(2), night(2), L).1;
    assert_eq!(woke(60), [], "a snooze may end on the deadline");
    assert_eq!(woke(59), [RiskEvent::Woken(Woke::Deadline)]);
    assert_eq!(woke(2), [RiskEvent::Woken(Woke::Deadline)], "today is the last day for it");
}

#[test]
fn what_turns_out_to_be_at_risk_wakes_it_and_reopens_it() {
    let raised = Raised { by: person(1), why: "their CFO told me".to_owned() };
    let (risk, _) = Risk::raise(Uuid::nil(), "acme".into(), raised, UNKNOWN, day(0), morning(0));
    let snoozed = risk.clone().snooze(person(1), day(9), None, day(0), morning(0)).unwrap().0;
    let next = |risk: &Risk, reading: Reading| risk.clone().nightly(&reading, day(1), night(1), L).1;
    assert_eq!(next(&snoozed, reading(40, &[])), [RiskEvent::Woken(Woke::LowerBand)]);
    assert_eq!(next(&snoozed, reading(55, &[])), [], "somebody knows more than nobody did");
    let resolved = risk.resolve(person(1), Resolution::NotARisk, morning(0)).unwrap().0;
    assert_eq!(next(&resolved, reading(40, &[])), [RiskEvent::Reopened]);
}

#[test]
fn a_churn_opens_an_episode_once_whatever_the_health() {
    let well = || reading(90, &[]);
    let churned = || Reading { churned: true, ..well() };
    let (risk, heard) = nights(None, 0, &[well(), churned(), churned(), churned(), churned(), churned()]);
    assert_eq!(heard, ["", "risk.opened", "", "", "", ""], "no night of it is calm");
    // Won back: three calm nights end it as any other.
    let (ended, heard) = nights(risk.clone(), 6, &[well(), well(), well()]);
    assert_eq!(heard, ["", "", "risk.ended"]);
    assert_eq!(nights(ended, 20, &[churned()]).1, ["risk.reopened"]);
    // Accepted as a loss, it does not come back while the account is still there; the churn of a later term does.
    let lost = risk.unwrap().resolve(person(1), Resolution::AcceptedLoss, morning(5)).unwrap().0;
    let (lost, heard) = nights(Some(lost), 6, &vec![churned(); 40]);
    assert_eq!(heard.concat(), "");
    let (stayed, heard) = nights(lost, 46, &[well()]);
    assert_eq!(heard, [""]);
    assert_eq!(nights(stayed, 400, &[churned()]).1, ["risk.opened"]);
}

#[test]
fn what_was_resolved_rests_on_the_same_evidence() {
    let resolved = |reason| opened(40, &["sev1_open"]).resolve(person(1), reason, morning(0)).unwrap().0;
    let next = |risk: &Risk, n, reading: Reading| nights(Some(risk.clone()), n, &[reading]).1.concat();
    for reason in Resolution::ALL {
        let risk = resolved(reason);
        assert_eq!(next(&risk, 1, reading(40, &["sev1_open"])), "");
        assert_eq!(next(&risk, 14, reading(31, &["sev1_open"])), "");
        assert_eq!(next(&risk, 14, reading(30, &["sev1_open"])), "risk.reopened");
        assert_eq!(next(&risk, 2, reading(40, &["notice_served"])), "risk.reopened");
        assert_eq!(next(&risk, 15, reading(40, &["sev1_open"])), "risk.opened", "a new episode");
    }
    let relapse = [reading(65, &[]), reading(45, &[])];
    assert_eq!(nights(Some(resolved(Resolution::Fixed)), 1, &relapse).1, ["", "risk.reopened"]);
    assert_eq!(nights(Some(resolved(Resolution::NotARisk)), 1, &relapse).1, ["", ""]);
}

#[test]
fn a_person_may_take_back_an_end_for_a_while() {
    let resolved = opened(40, &[]).resolve(person(1), Resolution::Fixed, morning(0)).unwrap().0;
    assert_eq!(resolved.clone().reopen(morning(14), L).unwrap().1, RiskEvent::Reopened);
    assert_eq!(resolved.reopen(morning(15), L), Err(Refused::TooOld { ended: day(0) }));
    assert!(matches!(opened(40, &[]).reopen(morning(1), L), Err(Refused::Present(_))));
}

#[test]
fn what_a_person_raised_waits_until_the_rules_have_seen_it() {
    let raised = Raised { by: person(1), why: "their CFO told me".to_owned() };
    let (risk, _) = Risk::raise(Uuid::nil(), "acme".into(), raised, reading(85, &[]), day(0), morning(0));
    let healthy = vec![reading(85, &[]); 5];
    let (risk, heard) = nights(Some(risk), 1, &healthy);
    assert_eq!(heard.concat(), "");
    let (_, heard) = nights(risk, 6, &[reading(45, &[]), reading(80, &[]), reading(80, &[]), reading(80, &[])]);
    assert_eq!(heard, ["", "", "", "risk.ended"]);
}

#[test]
fn who_gets_it_is_asked_anew_and_keeps_what_was_promised() {
    let running = Timer::Running { since: morning(0), remind: None, due: morning(9) };
    let shown = opened(40, &[]).shown(running);
    let over = shown.clone().run_out(morning(9)).unwrap().0;
    for risk in [shown, over] {
        let handed = risk.clone().handed_over();
        assert_eq!((handed.timer(), handed.version()), (Timer::Waiting, risk.version() + 1));
        assert_eq!(handed.clone().handed_over(), handed, "nobody has been shown it yet");
        let theirs = Timer::Running { since: morning(10), remind: None, due: morning(19) };
        assert_eq!(handed.shown(theirs).timer(), theirs);
    }
    let acknowledged = opened(40, &[]).acknowledge(person(1), day(7), morning(0)).unwrap().0.watched(running);
    assert_eq!(acknowledged.clone().handed_over(), acknowledged, "its date stands");
}

#[derive(Debug, Clone)]
enum Step {
    Night(Reading),
    Acknowledge(u128),
    Plan(u128),
    Snooze(u128, u64),
    Resolve(u128, Resolution),
    Reopen,
}

fn any_reading() -> impl Strategy<Value = Reading> {
    let floors = proptest::sample::subsequence(&["notice_served", "sev1_open"][..], 0..=2);
    let known = (0_u8..=100, floors, proptest::bool::weighted(0.05)).prop_map(|(health, floors, churned)| {
        let health = if floors.is_empty() { health } else { health.min(35) };
        Reading { churned, ..reading(health, &floors) }
    });
    prop_oneof![6 => known, 1 => Just(UNKNOWN)]
}

fn any_step() -> impl Strategy<Value = Step> {
    let who = 1_u128..4;
    prop_oneof![
        6 => any_reading().prop_map(Step::Night),
        1 => who.clone().prop_map(Step::Acknowledge),
        1 => who.clone().prop_map(Step::Plan),
        1 => (who.clone(), 1_u64..9).prop_map(|(by, days)| Step::Snooze(by, days)),
        1 => (who, proptest::sample::select(&Resolution::ALL[..])).prop_map(|(by, reason)| Step::Resolve(by, reason)),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #[test]
    fn any_order_of_nights_and_clicks_keeps_one_legal_state(steps in proptest::collection::vec(any_step(), 0..40)) {
        let mut risk = opened(40, &[]);
        let mut today = 0;
        for step in steps {
            let before = risk.clone();
            let moved = match step {
                Step::Night(reading) => {
                    today += 1;
                    let (after, events) = risk.nightly(&reading, day(today), night(today), L);
                    prop_assert!(events.len() <= 1);
                    prop_assert_eq!(events.is_empty(), after.state_name() == before.state_name());
                    if let State::Snoozed { known, .. } = after.state() {
                        prop_assert!(!reading.new_decision_since(known), "asleep over a decision");
                    }
                    Ok(after)
                }
                Step::Acknowledge(by) => risk.acknowledge(person(by), day(today + 7), morning(today)).map(|m| m.0),
                Step::Plan(by) => {
                    risk.set_next_step(person(by), "call", day(today), day(today), morning(today)).map(|m| m.0)
                }
                Step::Snooze(by, days) => {
                    risk.snooze(person(by), day(today + days), None, day(today), morning(today)).map(|m| m.0)
                }
                Step::Resolve(by, reason) => risk.resolve(person(by), reason, morning(today)).map(|m| m.0),
                Step::Reopen => risk.reopen(morning(today), L).map(|m| m.0),
            };
            risk = match moved {
                Ok(after) => {
                    prop_assert_eq!(after.version(), before.version() + i32::from(after != before));
                    after
                }
                Err(refused) => {
                    if let Refused::Present(present) = refused {
                        prop_assert_eq!(present, before.present());
                    }
                    before
                }
            };
            prop_assert_eq!(Risk::try_from(RiskRecord::from(&risk)), Ok(risk.clone()));
        }
    }
}

#[test]
fn impossible_rows_are_errors() {
    let mut row = RiskRecord::from(&opened(40, &[]));
    row.snoozed_until = Some(day(3));
    let error = Risk::try_from(row.clone()).unwrap_err().to_string();
    assert!(error.ends_with("it has columns that do not belong to the state open"), "{error}");
    row.state = "snoozed".to_owned();
    assert!(Risk::try_from(row.clone()).unwrap_err().to_string().ends_with("moved_by is missing"));
    row.state = "asleep".to_owned();
    assert!(Risk::try_from(row).is_err());
}

#[test]
fn what_ended_with_its_account_is_known_from_what_calm_nights_ended() {
    let calm: Vec<_> = [40, 60, 60, 60].map(|health| reading(health, &[])).into();
    let (ended, _) = nights(None, 0, &calm);
    let restless = nights(ended.clone(), 4, &[reading(55, &[])]).0.unwrap();
    assert_eq!((ended.unwrap().ended_with_account(), restless.ended_with_account()), (false, false));
    let open = nights(None, 0, &calm[..3]).0.unwrap();
    assert!(!open.ended_with_account());
    assert!(open.account_left(night(3)).unwrap().0.ended_with_account());
    let raised = Raised { by: person(1), why: "budget cut".to_owned() };
    let (raised, _) = Risk::raise(Uuid::nil(), "acme".into(), raised, UNKNOWN, day(1), morning(1));
    assert!(raised.account_left(night(2)).unwrap().0.ended_with_account());
}

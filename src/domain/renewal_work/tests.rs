use chrono::Days;
use proptest::prelude::*;

use super::*;
use crate::domain::money::Currency;

const DEADLINE: NaiveDate = NaiveDate::from_ymd_opt(2027, 3, 31).unwrap();

fn person(n: u128) -> PersonId {
    PersonId(Uuid::from_u128(n))
}

fn at(n: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + n * 3_600, 0).unwrap()
}

fn upcoming() -> RenewalWork {
    let renewal = DEADLINE + Days::new(90);
    RenewalWork::upcoming(Uuid::nil(), "acme".into(), renewal, DEADLINE, person(1), at(0))
}

fn running(n: i64) -> Timer {
    Timer::Running { since: at(n), remind: None, due: at(n + 40) }
}

#[test]
fn work_under_way_is_asked_about_and_answered() {
    let (work, _) = upcoming().prepare(at(1)).unwrap();
    let work = work.watched(running(1));
    assert!(work.is_asked(), "its reminder was given");
    assert_eq!(work.clone().carried_on(at(2)).unwrap().timer(), Timer::Over { since: at(2) });
    assert!(matches!(upcoming().carried_on(at(2)), Err(Refused::Present(_))), "nobody works on it yet");
    let over = work.run_out(at(50)).unwrap();
    assert_eq!((over.state_name(), over.timer(), over.is_asked()), ("preparing", Timer::Over { since: at(50) }, false));
    // An end leaves no clock.
    let (ended, _) = over.end(person(1), Outcome::Renewed { arr_after: None }, at(51)).unwrap();
    assert_eq!(ended.watched(running(52)).timer(), Timer::Waiting);
}

#[test]
fn who_gets_it_is_asked_anew() {
    let shown = upcoming().step_reached(Stage::D120, DEADLINE, DEADLINE - Days::new(120)).0.shown(running(1));
    let over = shown.clone().run_out(at(50)).unwrap();
    let under_way = shown.clone().prepare(at(2)).unwrap().0.watched(running(2)).run_out(at(50)).unwrap();
    for work in [shown, over, under_way] {
        let theirs = work.owned_by(person(2)).unwrap();
        assert_eq!(theirs.timer(), Timer::Waiting, "nothing runs before they were shown it");
        assert_eq!(theirs.shown(running(60)).timer(), running(60));
    }
}

#[test]
fn the_whole_way() {
    let (work, _) = upcoming().prepare(at(1)).unwrap();
    assert!(work.wants_brief());
    let (work, event) = work.add_brief(person(2), " three goals of four reached ", at(2)).unwrap();
    assert_eq!((event.as_str(), work.wants_brief()), ("note.added", false));
    let (work, _) = work.negotiate(at(3)).unwrap();
    let after = Some(Money::new(9_000_000, Currency::EUR));
    let (work, event) = work.end(person(1), Outcome::Contracted { arr_after: after }, at(4)).unwrap();
    assert_eq!((event.as_str(), work.is_open(), work.version()), ("renewal.contracted", false, 5));
    let refused = work.clone().end(person(2), Outcome::Renewed { arr_after: None }, at(5));
    let present = Present { state: "contracted", who: Some(person(1)), since: at(4) };
    assert_eq!(refused, Err(Refused::Present(present)));
    // What the CRM says in the end counts, once.
    let (work, event) = work.imported(Outcome::Lost { reason: String::new() }, at(9));
    assert_eq!((work.state_name(), event), ("lost", Some(RenewalEvent::Lost)));
    let (_, event) = work.imported(Outcome::Lost { reason: String::new() }, at(10));
    assert_eq!(event, None);
}

#[test]
fn steps_are_reached_once_in_order_until_the_end() {
    let date = DEADLINE - Days::new(150);
    let walk = [Stage::None, Stage::D120, Stage::D120, Stage::D180, Stage::D60, Stage::OptOutPassed];
    let mut work = upcoming();
    let mut heard = Vec::new();
    for stage in walk {
        let (next, event) = work.step_reached(stage, DEADLINE, date);
        work = next;
        heard.push(event.is_some());
    }
    assert_eq!(heard, [false, true, false, false, true, false]);
    let (again, event) = work.clone().step_reached(Stage::D90, DEADLINE + Days::new(90), date);
    assert_eq!((again.step(), event), (Some((Stage::D90, date)), Some(RenewalEvent::Step)), "a new deadline");
    let (ended, _) = work.imported(Outcome::Renewed { arr_after: None }, at(1));
    assert_eq!(ended.step_reached(Stage::D30, DEADLINE, date).1, None);
}

#[test]
fn a_loss_says_why_and_a_brief_says_something() {
    let lost = upcoming().end(person(1), Outcome::Lost { reason: " ".to_owned() }, at(1));
    assert_eq!(lost, Err(Refused::ReasonMissing));
    let preparing = upcoming().prepare(at(1)).unwrap().0;
    assert_eq!(preparing.add_brief(person(2), "", at(2)), Err(Refused::BriefEmpty));
    assert!(matches!(upcoming().add_brief(person(2), "goals", at(2)), Err(Refused::Present(_))));
    assert_eq!(upcoming().owned_by(person(1)), Err(Refused::SameOwner));
}

#[test]
fn impossible_rows_are_errors() {
    let mut row = RenewalRecord::from(&upcoming());
    row.arr_after = Some(Money::new(1, Currency::EUR));
    let error = RenewalWork::try_from(row.clone()).unwrap_err().to_string();
    assert!(error.ends_with("it has columns that do not belong to the state upcoming"), "{error}");
    row.state = "lost".to_owned();
    assert!(RenewalWork::try_from(row.clone()).unwrap_err().to_string().ends_with("lost_reason is missing"));
    row.step = Some("45".to_owned());
    assert!(RenewalWork::try_from(row).is_err());
}

proptest! {
    #[test]
    fn any_order_of_clicks_keeps_one_legal_state(steps in proptest::collection::vec((0_u8..12, 1_u128..4), 0..25)) {
        let mut work = upcoming();
        for (n, (step, who)) in (1..).zip(steps) {
            let before = work.clone();
            let by = person(who);
            let moved = match step {
                0 => work.prepare(at(n)).map(|m| m.0),
                1 => work.add_brief(by, "goals", at(n)).map(|m| m.0),
                2 => work.negotiate(at(n)).map(|m| m.0),
                3 => work.end(by, Outcome::Renewed { arr_after: None }, at(n)).map(|m| m.0),
                4 => work.end(by, Outcome::Lost { reason: "price".to_owned() }, at(n)).map(|m| m.0),
                5 => work.owned_by(by),
                6 => Ok(work.imported(Outcome::Renewed { arr_after: Some(Money::new(7, Currency::EUR)) }, at(n)).0),
                7 => work.carried_on(at(n)),
                8 => Ok(work.shown(running(n))),
                9 => Ok(work.watched(running(n))),
                step => {
                    let stage = LADDER[usize::from(step) % 5];
                    Ok(work.step_reached(stage, DEADLINE + Days::new(who as u64), DEADLINE).0)
                }
            };
            work = match moved {
                Ok(after) => {
                    prop_assert!(before.is_open() || !after.is_open(), "an end is an end");
                    prop_assert!(after.is_open() || after.timer() == Timer::Waiting, "a clock ran after the end");
                    // Watched is part of the move before it.
                    let moved = after != before && step != 9;
                    prop_assert_eq!(after.version(), before.version() + i32::from(moved));
                    after
                }
                Err(_) => before,
            };
            prop_assert_eq!(RenewalWork::try_from(RenewalRecord::from(&work)), Ok(work.clone()));
        }
    }
}

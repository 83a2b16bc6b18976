//! The whole book: seasons, and feeds that break.

use super::customer::{Customer, ORG, account, ahead, named, today};
use crate::domain::diagnosis::{
    Before, Book, Diagnosis, FoundWindow, GuardChange, GuardEvent, NightState, Previous, WindowKind, diagnose,
};
use crate::domain::health::Evidence;
use crate::domain::policy::Policy;
use crate::domain::signal::Source;
use crate::domain::window::OpenWindow;

fn book_of(customers: &[Customer], previous: Option<&NightState>) -> (Vec<Evidence>, Book) {
    let policy = Policy::default();
    let evidence: Vec<Evidence> = customers.iter().map(|customer| customer.evidence(&policy)).collect();
    let book = Book::of(evidence.iter(), previous, &policy, today());
    (evidence, book)
}

fn diagnose_in(customer: &Customer, book: &Book, previous: Option<&Previous>) -> Diagnosis {
    let policy = Policy::default();
    let before = Before { previous, ..Before::default() };
    diagnose(ORG, &customer.account, &customer.evidence(&policy), book, &policy, &before, today())
}

fn many(count: usize, customer: impl Fn(Customer) -> Customer) -> Vec<Customer> {
    (0..count).map(|i| customer(named(&format!("a{i:02}"), "A"))).collect()
}

#[test]
fn a_season_of_the_whole_book_is_taken_out() {
    let season = |count| many(count, |customer| customer.with(|a| a.seats = None).usage(0.6));
    let customers = season(20);
    let (_, book) = book_of(&customers, None);
    let diagnosis = diagnose_in(&customers[0], &book, None);
    assert_eq!((diagnosis.families[&Source::Usage], diagnosis.causes.len()), (Some(0), 0));
    // One that fell by half while the book fell to 0.6 is down to 0.83 of it.
    let worse = account().with(|a| a.seats = None).usage(0.5);
    assert_eq!(diagnose_in(&worse, &book, None).families[&Source::Usage], Some(23));
    // Nineteen are too few to tell a season.
    let customers = season(19);
    let (_, book) = book_of(&customers, None);
    assert_eq!(diagnose_in(&customers[0], &book, None).families[&Source::Usage], Some(65));
    // A growing book makes nobody look worse.
    let customers = many(20, |customer| customer.usage(2.0));
    let (_, book) = book_of(&customers, None);
    assert_eq!(book.corrected("active_users", 1.0), Some(1.0));
}

/// The first `broken` of twenty accounts report no users at all tonight.
fn zeroed(broken: usize) -> Vec<Customer> {
    let mut customers = many(20, Customer::content);
    for customer in &mut customers[..broken] {
        for signal in customer.signals.iter_mut().filter(|s| s.kind == "active_users" && s.observed_on == today()) {
            signal.value = crate::domain::signal::SignalValue::Number(0.0);
        }
    }
    customers
}

#[test]
fn a_tracking_outage_is_not_a_collapse() {
    let good = many(20, Customer::content);
    let (_, first) = book_of(&good, None);
    assert!(first.guard_events.is_empty());
    let (_, book) = book_of(&zeroed(7), Some(&first.state));
    let raised = GuardEvent { source: Source::Usage, change: GuardChange::Raised, silent: 7, had: 20 };
    assert_eq!(book.guard_events, [raised]);
    assert!(book.is_withheld(Source::Usage) && !book.is_withheld(Source::Crm));
    let previous = Previous::of(&diagnose_in(&good[0], &first, None));
    let diagnosis = diagnose_in(&zeroed(7)[0], &book, Some(&previous));
    assert_eq!(diagnosis.families[&Source::Usage], previous.families[&Source::Usage]);
    assert_eq!((diagnosis.stale, diagnosis.health), (vec![Source::Usage], previous.health));
    // The second night: still up, and not announced again. Then recovery, once.
    let (_, second) = book_of(&zeroed(7), Some(&book.state));
    assert!(second.guard_events.is_empty() && second.is_withheld(Source::Usage));
    let (_, third) = book_of(&good, Some(&second.state));
    assert_eq!(third.guard_events.iter().map(|e| e.change).collect::<Vec<_>>(), [GuardChange::Recovered]);
    assert!(!third.is_withheld(Source::Usage));
    let (_, fourth) = book_of(&good, Some(&third.state));
    assert!(fourth.guard_events.is_empty());
}

#[test]
fn what_stands_of_the_night_before_has_its_causes() {
    let (_, first) = book_of(&many(20, Customer::content), None);
    let (_, book) = book_of(&zeroed(7), Some(&first.state));
    let falling = account().usage_drop(60).in_touch(3, 5).support_calm();
    let falling = falling.saw("csm_pulse", 1, "red").saw("payment_failures", 1, 2.0);
    let before = diagnose_in(&falling, &first, None);
    assert_eq!(before.rules(), ["usage_trend", "seat_use", "payment_failures", "pulse"]);
    let previous = Previous::of(&before);
    // Tonight nothing of usage can be read; the payments have come in.
    let silent = account().content().saw("csm_pulse", 1, "red");
    let night = diagnose_in(&silent, &book, Some(&previous));
    assert_eq!(
        (night.rules(), night.stale.as_slice()),
        (vec!["usage_trend", "seat_use", "pulse"], &[Source::Usage][..])
    );
    assert_eq!(night.causes[..2], before.causes[..2], "as they were said");
    // And on the second such night.
    let second = diagnose_in(&silent, &book, Some(&Previous::of(&night)));
    assert_eq!(second.causes, night.causes);
    // Where nothing of the source was known, nothing of it stands.
    let unknown = Previous { families: std::collections::BTreeMap::new(), ..previous };
    assert_eq!(diagnose_in(&silent, &book, Some(&unknown)).rules(), ["pulse"]);
}

#[test]
fn an_outage_closes_no_window() {
    let full = || named("a00", "A").content().weekly("seats_assigned", &[92.0; 5]);
    let (_, first) = book_of(&many(20, Customer::content), None);
    let (_, book) = book_of(&zeroed(7), Some(&first.state));
    let found = diagnose_in(&full(), &first, None).windows;
    let open = [OpenWindow { kind: WindowKind::Seats, opens_on: today(), closes_on: ahead(90) }];
    let tonight = |customer: &Customer, open: &[OpenWindow], found: &[FoundWindow]| {
        let before = Before { open_windows: open, found_windows: found, ..Before::default() };
        let policy = Policy::default();
        diagnose(ORG, &customer.account, &customer.evidence(&policy), &book, &policy, &before, today()).windows
    };
    let emptied = named("a00", "A").content().weekly("seats_assigned", &[0.0; 5]);
    assert_eq!(tonight(&emptied, &open, &found), found, "as the night before found it");
    assert_eq!(tonight(&emptied, &[], &found), [], "somebody has closed it");
    assert_eq!(tonight(&full(), &[], &[]), [], "nothing new opens");
    let noticed = emptied.saw("notice_served", 1, true);
    assert_eq!(tonight(&noticed, &open, &found)[0].withheld_by.as_deref(), Some("notice_served"), "of tonight");
}

#[test]
fn the_guard_needs_a_night_before_and_enough_accounts() {
    let (_, first_night) = book_of(&zeroed(20), None);
    assert!(!first_night.is_withheld(Source::Usage), "never on the first night");
    let (_, good) = book_of(&many(20, Customer::content), None);
    let (_, six) = book_of(&zeroed(6), Some(&good.state));
    assert!(!six.is_withheld(Source::Usage), "exactly 30 % is not more than 30 %");
    let (_, four) = book_of(&many(6, Customer::content), None);
    let (_, small) = book_of(&zeroed(4)[..6], Some(&four.state));
    assert!(!small.is_withheld(Source::Usage), "fewer than five accounts");
}

#[test]
fn a_silent_source_is_guarded_but_good_news_is_not() {
    let (_, good) = book_of(&many(20, Customer::content), None);
    let silent = many(20, |customer| {
        let customer = customer.content();
        Customer { signals: customer.signals.into_iter().filter(|s| s.source != Source::Support).collect(), ..customer }
    });
    let (_, book) = book_of(&silent, Some(&good.state));
    assert_eq!(
        book.guard_events[0],
        GuardEvent { source: Source::Support, change: GuardChange::Raised, silent: 20, had: 20 }
    );
    // A floor that the silent source had raised stands as it stood.
    let troubled = account().content().saw("sev1_open_days", 0, 20.0);
    let previous = Previous::of(&troubled.diagnosis());
    let after = diagnose_in(&silent[0], &book, Some(&previous));
    assert_eq!(
        after.headline("sev1_open"),
        "A severity-1 ticket had been open for too long when support last delivered; the source is silent now"
    );
    assert_eq!((after.floors(), after.stale.as_slice()), (vec!["sev1_open"], &[Source::Support][..]));
    // No tickets and no overdue invoices are good news, not an outage.
    let owing = many(20, |c| c.content().saw("invoice_overdue_days", 0, 5.0).saw("tickets_open", 1, 4.0));
    let (_, owing) = book_of(&owing, None);
    let paid = many(20, |c| c.content().saw("invoice_overdue_days", 0, 0.0).saw("tickets_open", 0, 0.0));
    let (_, paid) = book_of(&paid, Some(&owing.state));
    assert!(paid.guard_events.is_empty());
}

#[test]
fn a_source_that_never_comes_back_is_given_up() {
    let (_, good) = book_of(&many(20, Customer::content), None);
    let broken = zeroed(20);
    let policy = Policy::default();
    let evidence: Vec<Evidence> = broken.iter().map(|customer| customer.evidence(&policy)).collect();
    let up = Book::of(evidence.iter(), Some(&good.state), &policy, today());
    let later = |days| Book::of(evidence.iter(), Some(&up.state), &policy, ahead(days));
    assert!(later(30).is_withheld(Source::Usage));
    let gone = later(31);
    assert_eq!(gone.guard_events[0].change, GuardChange::GivenUp);
    assert!(!gone.is_withheld(Source::Usage));
    let after = Book::of(evidence.iter(), Some(&gone.state), &policy, ahead(32));
    assert!(after.guard_events.is_empty());
}

#[test]
fn the_state_of_a_night_survives_storage() {
    let (_, book) = book_of(&zeroed(3), None);
    let json = serde_json::to_string(&book.state).unwrap();
    assert_eq!(serde_json::from_str::<NightState>(&json).unwrap(), book.state);
    assert!(json.len() < 20 * 20 + 60, "{json}");
}

//! What is decided between two nights, and a churn.

use super::customer::{Customer, ORG, account, ago, named, today};
use crate::domain::diagnosis::{Band, Before, Book, Change, Diagnosis, Previous, diagnose};
use crate::domain::health::Evidence;
use crate::domain::policy::Policy;
use crate::domain::row::OutcomeKind;
use crate::domain::signal::Source;

/// Twenty accounts whose use fell to this, as over holidays.
fn season(ratio: f64) -> Book {
    let policy = Policy::default();
    let customer = |i: usize| named(&format!("a{i:02}"), "A").with(|a| a.seats = None).usage(ratio);
    let evidence: Vec<Evidence> = (0..20).map(|i| customer(i).evidence(&policy)).collect();
    Book::of(evidence.iter(), None, &policy, today())
}

fn read(customer: &Customer, evidence: &Evidence, book: &Book, previous: Option<&Previous>) -> Diagnosis {
    let before = Before { previous, ..Before::default() };
    diagnose(ORG, &customer.account, evidence, book, &Policy::default(), &before, today())
}

#[test]
fn by_day_a_floor_counts_and_nothing_else_is_measured_anew() {
    let policy = Policy::default();
    let customer = |ratio| account().with(|a| a.seats = None).usage(ratio).in_touch(3, 5);
    let by_day = |stored: &Diagnosis, customer: Customer| {
        stored.decided_since(&customer.account, &customer.evidence(&policy), &policy)
    };
    // By itself the account is at half its use; the whole book is.
    let night = read(&customer(0.5), &customer(0.5).evidence(&policy), &season(0.5), None);
    assert_eq!((night.families[&Source::Usage], night.band), (Some(0), Band::Healthy));
    let (noon, decisions) = by_day(&night, customer(0.5).champion_left(0));
    assert_eq!(decisions, ["champion_departed"]);
    assert_eq!((noon.risk, noon.health, noon.band), (Some(65), Some(35), Band::AtRisk), "the floor, and no more");
    assert_eq!((noon.rules(), noon.change), (vec!["champion_departed"], Change::Worse));
    assert_eq!(noon.families, night.families);
    // What the night measured is not lowered.
    let bad = Diagnosis { risk: Some(72), health: Some(28), ..night };
    assert_eq!(by_day(&bad, customer(0.5).champion_left(0)).0.risk, Some(72));
    // Said once.
    assert_eq!(by_day(&noon, customer(0.5).champion_left(0)), (noon.clone(), vec![]));
}

#[test]
fn a_churn_is_a_decision_and_closes_the_gate_whatever_the_health() {
    let policy = Policy::default();
    let full =
        |days| account().renews_in(days).content().saw("seats_assigned", 14, 95.0).saw("seats_assigned", 1, 95.0);
    let customer = full(200);
    let well = customer.evidence(&policy);
    let book = Book::of(std::iter::once(&well), None, &policy, today());
    let before = read(&customer, &well, &book, None);
    assert_eq!((before.gate(), before.windows[0].withheld_by.as_deref()), (None, None));
    let previous = Previous::of(&before);

    let lost = well.clone().with_outcome(OutcomeKind::Churned, ago(3));
    let churned = read(&customer, &lost, &book, Some(&previous));
    assert_eq!((churned.churned_on, churned.change), (Some(ago(3)), Change::Worse));
    assert_eq!((churned.health, churned.band), (before.health, before.band), "no rule measured it");
    assert_eq!(churned.windows[0].withheld_by.as_deref(), Some("churned"));
    assert_eq!(Vec::from_iter(churned.decisions()), ["churned"]);
    let after = Previous::of(&churned);
    assert_eq!(read(&customer, &lost, &book, Some(&after)).change, Change::Same, "it is known");
    let back = well.clone().with_outcome(OutcomeKind::Renewed, ago(1));
    assert_eq!(read(&customer, &back, &book, Some(&after)).change, Change::Better);
    // By day the same.
    let (noon, decisions) = before.decided_since(&customer.account, &lost, &policy);
    assert_eq!((decisions, noon.churned_on, noon.risk), (vec!["churned"], Some(ago(3)), before.risk));
    assert_eq!(noon.windows[0].withheld_by.as_deref(), Some("churned"));

    // A renewal date that moved on to the next term says that they stayed.
    let stayed = full(364);
    assert_eq!(read(&stayed, &lost, &book, None).churned_on, None);
    // Where there is none, a churn of years ago is over, and so is one before a new start.
    let (long_ago, lately) = (well.clone().with_outcome(OutcomeKind::Churned, ago(900)), lost);
    let dateless = full(200).with(|a| a.renewal_date = None);
    assert_eq!(read(&dateless, &long_ago, &book, None).churned_on, None);
    assert_eq!(read(&dateless, &lately, &book, None).churned_on, Some(ago(3)));
    let back = full(200).with(|a| (a.renewal_date, a.start_date) = (None, Some(ago(1))));
    assert_eq!(read(&back, &lately, &book, None).churned_on, None);
}

//! What a night does to the work towards a renewal.
//!
//! Decisions where the plan leaves room:
//! - An outcome belongs to the renewal date nearest to it, that is within half a
//!   term of it. One that came before the work would have begun stops it too.
//! - A churn belongs to the term that runs when it comes: once a term was renewed
//!   it was kept, however soon after its date the customer leaves the next one.
//! - A renewal date that moved on to another term, without an outcome, says that
//!   the contract was renewed; an outcome that is imported later supersedes it.
//!   A date corrected by less than half a term is the same renewal.
//! - The owner follows the account's route when that changes: who stands in for
//!   somebody who is away owns it meanwhile. Whom a lead chose stays until then.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::domain::account::Account;
use crate::domain::diagnosis::Stage;
use crate::domain::person::PersonId;
use crate::domain::renewal::half_term;
use crate::domain::renewal_work::{Outcome, RenewalEvent, RenewalWork};
use crate::domain::row::OutcomeKind;
use crate::store::outcome::KnownOutcome;

/// One account's term on one night.
#[derive(Clone, Copy)]
pub(super) struct Term<'a> {
    pub(super) account: &'a Account,
    /// The latest last.
    pub(super) outcomes: &'a [KnownOutcome],
    /// The term that runs has ended in a churn, whatever its renewal date (the diagnosis says so).
    pub(super) churned: bool,
    /// The next future one.
    pub(super) deadline: Option<NaiveDate>,
    /// The ladder's step that the deadline has reached.
    pub(super) step: Option<Stage>,
    /// `None` where nobody can be made accountable.
    pub(super) owner: Option<PersonId>,
    pub(super) date: NaiveDate,
    pub(super) at: DateTime<Utc>,
}

#[derive(Default)]
pub(super) struct Tonight {
    /// New or changed, at most two: a term that ended and the one after it.
    pub(super) works: Vec<RenewalWork>,
    pub(super) events: Vec<(RenewalWork, RenewalEvent)>,
    /// Work with its new owner, and who owned it before.
    pub(super) handed_over: Vec<(RenewalWork, PersonId)>,
}

pub(super) fn tonight(latest: Option<RenewalWork>, term: &Term<'_>) -> Tonight {
    let mut tonight = Tonight::default();
    let latest = latest.map(|work| {
        let before = work.clone();
        let work = go_on(work, term, &mut tonight);
        if work != before {
            tonight.works.push(work.clone());
        }
        work
    });
    tonight.begin(latest.as_ref(), term);
    tonight
}

impl Tonight {
    fn event(&mut self, work: &RenewalWork, event: Option<RenewalEvent>) {
        self.events.extend(event.map(|event| (work.clone(), event)));
    }

    /// Begins the work when the first step is reached, unless this term's has begun or is settled.
    fn begin(&mut self, latest: Option<&RenewalWork>, term: &Term<'_>) {
        let (Some(stage), Some(deadline), Some(owner), Some(renewal_date)) =
            (term.step, term.deadline, term.owner, term.account.renewal_date)
        else {
            return;
        };
        let begun =
            latest.is_some_and(|work| work.is_open() || same_term(work.renewal_date, renewal_date, term.account));
        if begun || term.churned || settled(renewal_date, Some(term.account), term.outcomes).is_some() {
            return;
        }
        let work =
            RenewalWork::upcoming(Uuid::now_v7(), term.account.id.clone(), renewal_date, deadline, owner, term.at);
        let (work, event) = work.step_reached(stage, deadline, term.date);
        self.event(&work, event);
        self.works.push(work);
    }
}

fn go_on(work: RenewalWork, term: &Term<'_>, tonight: &mut Tonight) -> RenewalWork {
    let moved_on = term
        .account
        .renewal_date
        .is_some_and(|now| now > work.renewal_date && !same_term(now, work.renewal_date, term.account));
    let runs = term.account.renewal_date.is_some_and(|now| same_term(now, work.renewal_date, term.account));
    let known = settled(work.renewal_date, Some(term.account), term.outcomes)
        .or_else(|| (term.churned && runs).then(|| Outcome::Lost { reason: String::new() }))
        .or_else(|| (work.is_open() && moved_on).then_some(Outcome::Renewed { arr_after: None }));
    if let Some(outcome) = known {
        let (work, event) = work.imported(outcome, term.at);
        tonight.event(&work, event);
        return work;
    }
    if !work.is_open() {
        return work;
    }
    let mut work = work;
    if let Some(now) = term.account.renewal_date.filter(|now| same_term(*now, work.renewal_date, term.account)) {
        work.renewal_date = now;
    }
    if let Some(owner) = term.owner
        && work.routed_to != Some(owner)
    {
        work.routed_to = Some(owner);
        let from = work.owner();
        // Refused where the owner has it already.
        if let Ok(moved) = work.clone().owned_by(owner) {
            work = moved;
            tonight.handed_over.push((work.clone(), from));
        }
    }
    if let Some(deadline) = term.deadline {
        let (moved, event) = work.step_reached(term.step.unwrap_or(Stage::None), deadline, term.date);
        work = moved;
        tonight.event(&work, event);
    }
    work
}

/// How the term that ends on `renewal_date` was settled. Without an account the term counts as a year.
pub(super) fn settled(
    renewal_date: NaiveDate,
    account: Option<&Account>,
    outcomes: &[KnownOutcome],
) -> Option<Outcome> {
    let half = half_term(renewal_date, account.map_or(12, Account::term_months_or_default));
    let (from, to) = (renewal_date - half, renewal_date + half);
    let of_term = outcomes.iter().filter(|outcome| from < outcome.decided_on && outcome.decided_on <= to);
    let kept_before = |churn: &KnownOutcome| {
        let mut before = of_term.clone().filter(|outcome| outcome.decided_on < churn.decided_on);
        before.any(|outcome| matches!(outcome.kind, OutcomeKind::Renewed | OutcomeKind::Contracted))
    };
    // From the latest back.
    of_term.clone().rev().find_map(|outcome| match outcome.kind {
        OutcomeKind::Churned if outcome.decided_on > renewal_date && kept_before(outcome) => None,
        OutcomeKind::Renewed => Some(Outcome::Renewed { arr_after: outcome.arr_after }),
        OutcomeKind::Contracted => Some(Outcome::Contracted { arr_after: outcome.arr_after }),
        OutcomeKind::Churned => Some(Outcome::Lost { reason: String::new() }),
        OutcomeKind::Expanded => None,
    })
}

fn same_term(one: NaiveDate, other: NaiveDate, account: &Account) -> bool {
    (one - other).abs() < half_term(one, account.term_months_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::AccountId;
    use crate::domain::money::{Currency, Money};

    const OWNER: PersonId = PersonId(Uuid::from_u128(1));

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn account(renewal: &str) -> Account {
        let mut account = Account::new("acme", "Acme");
        account.renewal_date = Some(day(renewal));
        account
    }

    fn outcome(kind: OutcomeKind, on: &str) -> KnownOutcome {
        let arr_after = Some(Money::new(9_000_000, Currency::EUR));
        KnownOutcome { account: AccountId::from("acme"), decided_on: day(on), kind, arr_after }
    }

    fn run(
        latest: Option<RenewalWork>,
        account: &Account,
        outcomes: &[KnownOutcome],
        date: &str,
    ) -> (Tonight, Vec<String>) {
        let date = day(date);
        let deadline = account.renewal_date.filter(|renewal| *renewal >= date);
        let left = deadline.map(|deadline| (deadline - date).num_days());
        let step = left.and_then(|left| match left {
            0..=30 => Some(Stage::D30),
            31..=180 => Some(Stage::D180),
            _ => None,
        });
        let at = date.and_hms_opt(2, 0, 0).unwrap().and_utc();
        let term = Term { account, outcomes, churned: false, deadline, step, owner: Some(OWNER), date, at };
        let tonight = tonight(latest, &term);
        let heard = tonight.events.iter().map(|(_, event)| event.as_str().to_owned()).collect();
        (tonight, heard)
    }

    #[test]
    fn begins_at_the_first_step_and_once() {
        let acme = account("2027-06-30");
        assert!(run(None, &acme, &[], "2026-12-01").0.works.is_empty(), "211 days before");
        let (first, heard) = run(None, &acme, &[], "2027-01-05");
        assert_eq!(heard, ["renewal.step"]);
        let work = first.works[0].clone();
        let (again, heard) = run(Some(work.clone()), &acme, &[], "2027-01-05");
        assert!(again.works.is_empty() && heard.is_empty(), "the same night again");
        let (later, heard) = run(Some(work), &acme, &[], "2027-06-01");
        assert_eq!((heard, later.works.len()), (vec!["renewal.step".to_owned()], 1));
    }

    #[test]
    fn an_outcome_ends_the_term_it_is_nearest_to() {
        let acme = account("2027-06-30");
        let work = run(None, &acme, &[], "2027-01-05").0.works.remove(0);
        let last_year = outcome(OutcomeKind::Renewed, "2026-06-20");
        assert!(run(Some(work.clone()), &acme, std::slice::from_ref(&last_year), "2027-01-06").0.works.is_empty());
        let (ended, heard) =
            run(Some(work), &acme, &[last_year, outcome(OutcomeKind::Contracted, "2027-06-01")], "2027-06-02");
        assert_eq!((heard, ended.works[0].state_name()), (vec!["renewal.contracted".to_owned()], "contracted"));
        let (quiet, heard) =
            run(Some(ended.works[0].clone()), &acme, &[outcome(OutcomeKind::Contracted, "2027-06-01")], "2027-06-03");
        assert!(quiet.works.is_empty() && heard.is_empty(), "an end state stops the steps");
        let early = [outcome(OutcomeKind::Renewed, "2027-01-02")];
        assert!(run(None, &acme, &early, "2027-01-05").0.works.is_empty(), "settled before it began");
        let more = [outcome(OutcomeKind::Expanded, "2027-01-02")];
        assert_eq!(run(None, &acme, &more, "2027-01-05").0.works.len(), 1, "an expansion renews nothing");
    }

    #[test]
    fn a_churn_early_in_a_term_leaves_the_one_before_and_ends_its_own() {
        let work = run(None, &account("2026-06-30"), &[], "2026-05-31").0.works.remove(0);
        let renewed = outcome(OutcomeKind::Renewed, "2026-06-25");
        let left = outcome(OutcomeKind::Churned, "2026-09-15");
        let acme = account("2027-06-30");
        let (kept, heard) = run(Some(work), &acme, &[renewed.clone(), left.clone()], "2026-09-16");
        assert_eq!((kept.works[0].state_name(), heard), ("renewed", vec!["renewal.renewed".to_owned()]));
        // Within half a term of the date and before it, the later one stands.
        let corrected = [renewed.clone(), outcome(OutcomeKind::Churned, "2026-06-28")];
        assert!(matches!(settled(day("2026-06-30"), Some(&acme), &corrected), Some(Outcome::Lost { .. })));

        let (date, deadline) = (day("2027-01-05"), acme.renewal_date);
        let at = date.and_hms_opt(2, 0, 0).unwrap().and_utc();
        let (outcomes, step, owner) = ([renewed, left], Some(Stage::D180), Some(OWNER));
        let term = Term { account: &acme, outcomes: &outcomes, churned: true, deadline, step, owner, date, at };
        assert!(tonight(kept.works.into_iter().next(), &term).works.is_empty(), "no steps towards what has ended");
        let open = run(None, &acme, &[], "2027-01-05").0.works.remove(0);
        assert_eq!(tonight(Some(open), &term).works[0].state_name(), "lost");
    }

    #[test]
    fn a_date_that_moved_on_is_a_renewal_and_a_corrected_one_is_not() {
        let work = run(None, &account("2027-06-30"), &[], "2027-01-05").0.works.remove(0);
        let (corrected, heard) = run(Some(work.clone()), &account("2027-07-15"), &[], "2027-01-20");
        assert_eq!((corrected.works[0].renewal_date, heard), (day("2027-07-15"), vec!["renewal.step".to_owned()]));
        let (moved_on, heard) = run(Some(work.clone()), &account("2028-06-30"), &[], "2027-07-02");
        assert_eq!((moved_on.works.len(), heard), (1, vec!["renewal.renewed".to_owned()]));
        let late = [outcome(OutcomeKind::Churned, "2027-07-05")];
        let (superseded, heard) = run(moved_on.works.first().cloned(), &account("2028-06-30"), &late, "2027-07-06");
        assert_eq!((superseded.works[0].state_name(), heard), ("lost", vec!["renewal.lost".to_owned()]));
        // Work of a term that nobody settled, and the next term's first step on the same night.
        let (both, heard) = run(Some(work), &account("2028-06-30"), &[], "2028-02-01");
        assert_eq!(both.works.iter().map(RenewalWork::state_name).collect::<Vec<_>>(), ["renewed", "upcoming"]);
        assert_eq!(heard, ["renewal.renewed", "renewal.step"]);
    }

    #[test]
    fn the_owner_follows_the_route() {
        let acme = account("2027-06-30");
        let work = run(None, &acme, &[], "2027-01-05").0.works.remove(0);
        let other = PersonId(Uuid::from_u128(2));
        let date = day("2027-01-06");
        let at = date.and_hms_opt(2, 0, 0).unwrap().and_utc();
        let deadline = acme.renewal_date;
        let step = Some(Stage::D180);
        let term = Term { account: &acme, outcomes: &[], churned: false, deadline, step, owner: Some(other), date, at };
        let night = tonight(Some(work.clone()), &term);
        assert_eq!(night.works[0].owner(), other);
        assert_eq!(night.handed_over, [(night.works[0].clone(), OWNER)]);
        // A lead has chosen somebody else: the same route again does not undo it.
        let chosen = work.clone().owned_by(other).unwrap();
        let same = tonight(Some(chosen), &Term { owner: Some(OWNER), ..term });
        assert!(same.works.is_empty() && same.handed_over.is_empty());
        let nobody = tonight(Some(work), &Term { owner: None, ..term });
        assert!(nobody.works.is_empty());
    }
}

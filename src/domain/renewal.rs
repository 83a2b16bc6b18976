//! Renewals: the deadlines of an account as they stand on a date.
//!
//! Decisions where the plan leaves room:
//! - An unknown auto-renewal counts as one: then the opt-out date, the earlier
//!   of the two deadlines, is the one to work towards.
//! - A deadline today is still a future deadline; it has passed tomorrow.
//! - Between the opt-out date and the renewal date the stage reads
//!   `opt_out_passed`, because that is what people must know; the steps towards
//!   the renewal date go on and are told by [`ladder_step`].
//! - A term under 6 months that renews by itself, a monthly one say, rolls over: it
//!   has no deadline to work towards, since the next one is always near, and it is
//!   never overdue. Without auto-renewal a short term ends on its renewal date.

use chrono::{Months, NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::diagnosis::{RenewalRead, Stage};
use super::policy::Policy;

/// A date that cannot be moved, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    pub on: NaiveDate,
    pub kind: DeadlineKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeadlineKind {
    OptOut,
    /// Also where no notice has to be given, so that it is the last day to opt out as well.
    Renewal,
}

impl DeadlineKind {
    pub fn label(self) -> &'static str {
        match self {
            DeadlineKind::OptOut => "opt-out date",
            DeadlineKind::Renewal => "renewal date",
        }
    }
}

impl Deadline {
    fn of(on: NaiveDate, renewal_date: Option<NaiveDate>) -> Self {
        let kind = if renewal_date == Some(on) { DeadlineKind::Renewal } else { DeadlineKind::OptOut };
        Self { on, kind }
    }
}

impl RenewalRead {
    /// The next future deadline, as it was when this was read.
    pub fn deadline(&self) -> Option<Deadline> {
        self.next_deadline.map(|on| Deadline::of(on, self.renewal_date))
    }
}

/// The read of one account's deadlines. `auto_renew` is the latest signal, else
/// the account's column ([`super::health::Evidence::auto_renew`]).
pub fn read(account: &Account, auto_renew: Option<bool>, policy: &Policy, date: NaiveDate) -> RenewalRead {
    let opt_out_date = account.opt_out_date();
    let rolls_every = rolls_over(account, auto_renew, policy).then(|| account.term_months_or_default());
    RenewalRead {
        renewal_date: account.renewal_date,
        notice_period_days: account.notice_period_days,
        opt_out_date,
        days_to_opt_out: opt_out_date.map(|day| (day - date).num_days()),
        next_deadline: next_deadline(account, auto_renew, policy, date).map(|deadline| deadline.on),
        stage: stage(account, auto_renew, policy, date),
        notice_period_missing: rolls_every.is_none()
            && account.renewal_date.is_some()
            && account.notice_period_days.is_none(),
        auto_renew,
        rolls_every,
    }
}

/// The next future deadline: the opt-out date, or the renewal date where there is
/// no auto-renewal or the opt-out has passed. `None` once the renewal date has passed, and where the term rolls over.
pub fn next_deadline(
    account: &Account,
    auto_renew: Option<bool>,
    policy: &Policy,
    date: NaiveDate,
) -> Option<Deadline> {
    if rolls_over(account, auto_renew, policy) {
        return None;
    }
    let opt_out = account.opt_out_date().filter(|_| auto_renew != Some(false));
    let on = opt_out.into_iter().chain(account.renewal_date).find(|day| *day >= date)?;
    Some(Deadline::of(on, account.renewal_date))
}

/// The step of the ladder (180, 120, 90, 60 or 30 days) that the next future
/// deadline has reached; `None` before the first, for terms under 6 months and in
/// the first half of a term.
pub fn ladder_step(account: &Account, auto_renew: Option<bool>, policy: &Policy, date: NaiveDate) -> Option<Stage> {
    const STAGES: [Stage; 5] = [Stage::D180, Stage::D120, Stage::D90, Stage::D60, Stage::D30];
    let deadline = next_deadline(account, auto_renew, policy, date)?;
    if short_term(account, policy) || in_first_half(account, date) {
        return None;
    }
    let days = (deadline.on - date).num_days();
    let reached = |(step, _): &(&u32, Stage)| days <= i64::from(**step);
    policy.renewal.steps.iter().zip(STAGES).rfind(reached).map(|(_, stage)| stage)
}

fn stage(account: &Account, auto_renew: Option<bool>, policy: &Policy, date: NaiveDate) -> Stage {
    let passed = |day: Option<NaiveDate>| day.is_some_and(|day| day < date);
    if rolls_over(account, auto_renew, policy) {
        Stage::None
    } else if passed(account.renewal_date) {
        Stage::Overdue
    } else if passed(account.opt_out_date()) && auto_renew != Some(false) {
        Stage::OptOutPassed
    } else {
        ladder_step(account, auto_renew, policy, date).unwrap_or(Stage::None)
    }
}

fn short_term(account: &Account, policy: &Policy) -> bool {
    i64::from(account.term_months_or_default()) < i64::from(policy.renewal.term_months_at_least)
}

/// Short, and renewed by itself: an unknown auto-renewal counts as one.
pub fn rolls_over(account: &Account, auto_renew: Option<bool>, policy: &Policy) -> bool {
    auto_renew != Some(false) && short_term(account, policy)
}

fn in_first_half(account: &Account, date: NaiveDate) -> bool {
    match (account.term_start(), account.renewal_date) {
        (Some(start), Some(renewal)) => (date - start).num_days() * 2 < (renewal - start).num_days(),
        _ => false,
    }
}

/// The day on which the running term began: earlier decisions belong to a term
/// that is over. `None` where the renewal date is not known.
pub(super) fn last_renewal(account: &Account, date: NaiveDate) -> Option<NaiveDate> {
    let renewal = account.renewal_date?;
    if renewal < date { Some(renewal) } else { account.term_start().filter(|start| *start <= date) }
}

/// Half of a term that ends on this renewal date: what was decided nearer to it belongs to it.
pub fn half_term(renewal_date: NaiveDate, months: i32) -> TimeDelta {
    let start = u32::try_from(months).ok().and_then(|months| renewal_date.checked_sub_months(Months::new(months)));
    // A term that begins before the calendar does is no shorter than a century.
    start.map_or(TimeDelta::days(18_262), |start| (renewal_date - start) / 2)
}

#[cfg(test)]
mod tests {
    use chrono::Days;
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn account(renewal: &str, notice: Option<i32>) -> Account {
        let mut account = Account::new("a", "A");
        account.renewal_date = Some(day(renewal));
        account.notice_period_days = notice;
        account
    }

    fn at(account: &Account, auto_renew: Option<bool>, date: &str) -> (Stage, Option<i64>) {
        let read = read(account, auto_renew, &Policy::default(), day(date));
        (read.stage, read.days_to_opt_out)
    }

    #[test]
    fn steps_count_down_to_the_opt_out_date() {
        let account = account("2027-12-31", Some(30)); // opt-out on 1 Dec 2027
        for (date, stage) in [
            ("2027-06-04", Stage::None), // 180 days before, but still the first half of the term
            ("2027-07-02", Stage::D180),
            ("2027-08-02", Stage::D180), // 121 days
            ("2027-08-03", Stage::D120),
            ("2027-09-02", Stage::D90),
            ("2027-10-02", Stage::D60),
            ("2027-11-01", Stage::D30),
            ("2027-12-01", Stage::D30),
            ("2027-12-02", Stage::OptOutPassed),
            ("2027-12-31", Stage::OptOutPassed),
            ("2028-01-01", Stage::Overdue),
        ] {
            assert_eq!(at(&account, None, date).0, stage, "{date}");
        }
        assert_eq!(at(&account, None, "2027-11-21").1, Some(10));
        assert_eq!(at(&account, None, "2027-12-02").1, Some(-1));
    }

    #[test]
    fn without_auto_renewal_the_renewal_date_counts() {
        let account = account("2027-12-31", Some(60));
        assert_eq!(at(&account, Some(false), "2027-12-01").0, Stage::D30);
        assert_eq!(at(&account, Some(true), "2027-12-01").0, Stage::OptOutPassed);
        let policy = Policy::default();
        assert_eq!(ladder_step(&account, Some(true), &policy, day("2027-12-01")), Some(Stage::D30));
    }

    /// What is read of a deadline has the name that it was found under.
    #[test]
    fn a_deadline_is_called_what_it_is() {
        let said = |notice: Option<i32>, auto_renew: Option<bool>, date: &str| {
            let (account, policy, date) = (account("2027-12-31", notice), Policy::default(), day(date));
            let found = next_deadline(&account, auto_renew, &policy, date);
            assert_eq!(read(&account, auto_renew, &policy, date).deadline(), found);
            found.map_or("none".to_owned(), |found| format!("{} {}", found.kind.label(), found.on))
        };
        for (notice, auto_renew, date, wanted) in [
            (Some(60), Some(true), "2027-10-01", "opt-out date 2027-11-01"),
            (Some(60), None, "2027-10-01", "opt-out date 2027-11-01"),
            (Some(60), Some(false), "2027-10-01", "renewal date 2027-12-31"),
            (Some(60), Some(true), "2027-11-01", "opt-out date 2027-11-01"),
            (Some(60), Some(true), "2027-11-02", "renewal date 2027-12-31"),
            (Some(60), Some(false), "2028-01-01", "none"),
            // One day is both, and has one name.
            (Some(0), Some(true), "2027-10-01", "renewal date 2027-12-31"),
            (Some(0), None, "2027-10-01", "renewal date 2027-12-31"),
            (Some(0), Some(false), "2027-10-01", "renewal date 2027-12-31"),
            (None, Some(true), "2027-10-01", "renewal date 2027-12-31"),
            (None, None, "2027-10-01", "renewal date 2027-12-31"),
        ] {
            assert_eq!(said(notice, auto_renew, date), wanted, "notice {notice:?}, auto-renewal {auto_renew:?}");
        }
        let unknown = read(&Account::new("a", "A"), None, &Policy::default(), day("2027-10-01"));
        assert_eq!(unknown.deadline(), None);
    }

    #[test]
    fn short_terms_have_no_steps_and_missing_notice_is_flagged() {
        let mut short = account("2027-12-31", Some(10));
        short.term_months = Some(5);
        assert_eq!(at(&short, None, "2027-12-20").0, Stage::None);
        assert_eq!(at(&short, None, "2027-12-25").0, Stage::None);
        assert_eq!(at(&short, None, "2028-01-01").0, Stage::None, "it has rolled over");
        let rolls = |account: &Account, auto, date| {
            let read = read(account, auto, &Policy::default(), day(date));
            (read.rolls_every, read.next_deadline, read.stage, read.notice_period_missing)
        };
        assert_eq!(rolls(&short, None, "2027-12-20"), (Some(5), None, Stage::None, false));
        // A pilot that ends unless it is renewed.
        let ends = Some(day("2027-12-31"));
        assert_eq!(rolls(&short, Some(false), "2027-12-20"), (None, ends, Stage::None, false));
        assert_eq!(rolls(&short, Some(false), "2028-01-01"), (None, None, Stage::Overdue, false));
        short.term_months = Some(6);
        assert_eq!(at(&short, None, "2027-12-20").0, Stage::D30);
        let bare = account("2027-12-31", None);
        let bare = read(&bare, None, &Policy::default(), day("2027-12-20"));
        assert!(bare.notice_period_missing && bare.opt_out_date.is_none() && bare.stage == Stage::D30);
        let unknown = read(&Account::new("a", "A"), None, &Policy::default(), day("2027-12-20"));
        assert!(!unknown.notice_period_missing && unknown.next_deadline.is_none() && unknown.stage == Stage::None);
    }

    proptest! {
        #[test]
        fn a_stage_never_goes_back_within_a_term(notice in 0_i32..200, term in 1_i32..40, auto in any::<Option<bool>>()) {
            let mut account = account("2027-12-31", Some(notice));
            account.term_months = Some(term);
            let start = account.term_start().unwrap();
            let rank = |stage| match stage {
                Stage::None => 0, Stage::D180 => 1, Stage::D120 => 2, Stage::D90 => 3, Stage::D60 => 4,
                Stage::D30 => 5, Stage::OptOutPassed => 6, Stage::Overdue => 7,
            };
            let mut highest = 0;
            let mut date = start;
            while date <= day("2028-01-06") {
                let read = read(&account, auto, &Policy::default(), date);
                prop_assert!(rank(read.stage) >= highest, "{date}: {:?}", read.stage);
                prop_assert!(read.next_deadline.is_none_or(|deadline| deadline >= date));
                highest = rank(read.stage);
                date = date + Days::new(3);
            }
            prop_assert_eq!(highest, if term < 6 && auto != Some(false) { 0 } else { 7 });
        }
    }
}

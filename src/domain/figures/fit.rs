//! Whether the organisation model fits, with the numbers that say so
//! (product.md, "Organisation models"). The thresholds are the plan's; where it
//! names none, the decision stands at the constant.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

use super::AccountFact;
use super::trail::{What, by_subject};
use super::{Step, period::Span};
use crate::domain::account::{AccountId, Segment};
use crate::domain::digest::Sum;
use crate::domain::message::phrase;
use crate::domain::money::Money;
use crate::domain::person::PersonId;
use crate::domain::routing::Model;

/// Below either, a split costs more than it gives; ARR in major units of the organisation's currency.
pub const SMALL_CUSTOMERS: usize = 50;
pub const SMALL_ARR: i64 = 5_000_000;
/// Above it a split usually pays.
pub const LARGE_ARR: i64 = 50_000_000;
/// Accounts a head that a complex and a simple product bear. Complexity is read off the segment: enterprise accounts
/// are complex, small ones simple; mid-market ones lie between, on a scale that grows by the same factor each time.
pub const COMPLEX_A_HEAD: usize = 20;
pub const BETWEEN_A_HEAD: usize = 63;
pub const SIMPLE_A_HEAD: usize = 200;
/// Late renewals and missed windows are counted over so many days.
pub const DAYS: u64 = 90;
/// One slip is no pattern: so many of them, and at least this part of all, say that time is missing.
pub const SLIPS_AT_LEAST: usize = 3;
pub const SLIPS_SHARE: f64 = 0.1;
/// Terms shorter than this have no steps, so nothing can be found late (product.md, "Renewals").
const STEPPED_TERM_MONTHS: i32 = 6;

/// What a check is made from.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    /// Active ones of the whole organisation.
    pub customers: usize,
    pub arr: Sum,
    /// The active accounts under the model.
    pub accounts: &'a [&'a AccountFact],
    /// Of what moved in the last [`DAYS`] days.
    pub steps: &'a [Step],
    /// When the work towards a renewal of an account first reached a step, of the last year.
    pub stepped: &'a BTreeMap<AccountId, NaiveDate>,
    /// The organisation's first night: what fell before it nobody could find in time.
    pub first_night: Option<NaiveDate>,
    pub today: NaiveDate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Fits,
    /// Right in kind, but with too much for too few.
    Strained,
    /// Some numbers speak for it and others against it.
    Mixed,
    DoesNotFit,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Fits => "fits",
            Verdict::Strained => "strained",
            Verdict::Mixed => "mixed",
            Verdict::DoesNotFit => "does_not_fit",
        }
    }
}

/// What a number speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    OnePerson,
    Split,
}

impl Speaks {
    pub fn as_str(self) -> &'static str {
        match self {
            Speaks::OnePerson => "one_person",
            Speaks::Split => "split",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub speaks_for: Speaks,
    pub sentence: String,
}

/// The check of one model in use.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    pub model: Model,
    /// Active accounts under it.
    pub accounts: usize,
    pub verdict: Verdict,
    pub findings: Vec<Finding>,
    pub numbers: Numbers,
}

/// The numbers behind the findings.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers {
    pub customers: usize,
    pub arr: Sum,
    pub people: usize,
    pub overloaded: usize,
    /// Of the person with the most, by what each account weighs.
    pub heaviest: Option<Load>,
    pub renewals_due: usize,
    pub renewals_found_late: usize,
    pub windows_ended: usize,
    pub windows_missed: usize,
}

/// One person's accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    pub complex: usize,
    pub between: usize,
    pub simple: usize,
}

impl Load {
    fn add(&mut self, segment: Option<Segment>) {
        *match segment {
            Some(Segment::Enterprise) => &mut self.complex,
            Some(Segment::MidMarket) => &mut self.between,
            // Without a segment nothing says that an account is complex.
            Some(Segment::Smb) | None => &mut self.simple,
        } += 1;
    }

    pub fn accounts(self) -> usize {
        self.complex + self.between + self.simple
    }

    /// 1 is what one head bears.
    pub fn weight(self) -> f64 {
        self.complex as f64 / COMPLEX_A_HEAD as f64
            + self.between as f64 / BETWEEN_A_HEAD as f64
            + self.simple as f64 / SIMPLE_A_HEAD as f64
    }
}

/// "34 complex and 12 simple accounts".
impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = [(self.complex, "complex"), (self.between, "middling"), (self.simple, "simple")];
        let said: Vec<String> =
            kinds.iter().filter(|(number, _)| *number > 0).map(|(number, kind)| format!("{number} {kind}")).collect();
        write!(f, "{} {}", phrase::and(&said), if self.accounts() == 1 { "account" } else { "accounts" })
    }
}

/// Checks one model against the numbers.
pub fn check(model: Model, evidence: &Evidence<'_>) -> Fit {
    let numbers = numbers(evidence);
    let mut findings = Vec::new();
    let small = size(&numbers, &mut findings);
    let large = major(&numbers.arr) > LARGE_ARR;
    let pressed = pressure(&numbers, &mut findings);
    let verdict = match (model, small, pressed) {
        (_, true, true) => Verdict::Mixed,
        (Model::Combined, true, false) => Verdict::Fits,
        (Model::Combined, false, _) if large || pressed => Verdict::DoesNotFit,
        (Model::Combined, false, _) => Verdict::Fits,
        (Model::Pair | Model::Asymmetric, true, false) => Verdict::DoesNotFit,
        (Model::Pair | Model::Asymmetric, false, true) => Verdict::Strained,
        (Model::Pair | Model::Asymmetric, false, false) => Verdict::Fits,
    };
    Fit { model, accounts: evidence.accounts.len(), verdict, findings, numbers }
}

fn major(sum: &Sum) -> i64 {
    sum.own.minor / 10_i64.pow(sum.own.currency.exponent())
}

fn round_sum(sum: &Sum, major: i64) -> Money {
    Money::new(major * 10_i64.pow(sum.own.currency.exponent()), sum.own.currency)
}

/// What size alone says; whether it is too small for a split.
fn size(numbers: &Numbers, findings: &mut Vec<Finding>) -> bool {
    let (customers, arr) = (numbers.customers, major(&numbers.arr));
    let small = customers < SMALL_CUSTOMERS || arr < SMALL_ARR;
    if customers < SMALL_CUSTOMERS {
        findings.push(Finding {
            speaks_for: Speaks::OnePerson,
            sentence: format!(
                "{}: below {SMALL_CUSTOMERS} a split costs more than it gives.",
                phrase::count(customers, "customer")
            ),
        });
    }
    if arr < SMALL_ARR {
        let limit = round_sum(&numbers.arr, SMALL_ARR);
        findings.push(Finding {
            speaks_for: Speaks::OnePerson,
            sentence: format!("{} of ARR: below {limit} a split costs more than it gives.", numbers.arr),
        });
    }
    if arr > LARGE_ARR && !small {
        let limit = round_sum(&numbers.arr, LARGE_ARR);
        findings.push(Finding {
            speaks_for: Speaks::Split,
            sentence: format!("{} of ARR: above {limit} a split usually pays.", numbers.arr),
        });
    }
    small
}

/// Whether slips or loads say that time is missing.
fn pressure(numbers: &Numbers, findings: &mut Vec<Finding>) -> bool {
    let before = findings.len();
    let pattern = |slips: usize, all: usize| slips >= SLIPS_AT_LEAST && slips as f64 >= SLIPS_SHARE * all as f64;
    if pattern(numbers.renewals_found_late, numbers.renewals_due) {
        findings.push(Finding {
            speaks_for: Speaks::Split,
            sentence: format!(
                "{} of {} with an opt-out date in the last {DAYS} days were found after it.",
                numbers.renewals_found_late,
                phrase::count(numbers.renewals_due, "renewal")
            ),
        });
    }
    if pattern(numbers.windows_missed, numbers.windows_ended) {
        findings.push(Finding {
            speaks_for: Speaks::Split,
            sentence: format!(
                "{} of {} that ended in the last {DAYS} days closed without anybody having touched them.",
                numbers.windows_missed,
                phrase::count(numbers.windows_ended, "window")
            ),
        });
    }
    if let Some(heaviest) = numbers.heaviest.filter(|_| numbers.overloaded > 0) {
        findings.push(Finding {
            speaks_for: Speaks::Split,
            sentence: format!(
                "{} of {} {} more accounts than one head bears ({COMPLEX_A_HEAD} complex or {SIMPLE_A_HEAD} simple ones); the most is {heaviest}.",
                numbers.overloaded,
                if numbers.people == 1 { "1 person".to_owned() } else { format!("{} people", numbers.people) },
                if numbers.overloaded == 1 { "holds" } else { "hold" },
            ),
        });
    }
    findings.len() > before
}

fn numbers(evidence: &Evidence<'_>) -> Numbers {
    let mut loads: BTreeMap<PersonId, Load> = BTreeMap::new();
    for account in evidence.accounts {
        let mut holders = vec![account.csm, account.account_manager];
        holders.dedup();
        for holder in holders.into_iter().flatten() {
            loads.entry(holder).or_default().add(account.segment);
        }
    }
    let (renewals_due, renewals_found_late) = late(evidence);
    let (windows_ended, windows_missed) = missed(evidence);
    Numbers {
        customers: evidence.customers,
        arr: evidence.arr.clone(),
        people: loads.len(),
        overloaded: loads.values().filter(|load| load.weight() > 1.0).count(),
        heaviest: loads.into_values().max_by(|a, b| a.weight().total_cmp(&b.weight())),
        renewals_due,
        renewals_found_late,
        windows_ended,
        windows_missed,
    }
}

/// Renewals whose opt-out date fell into the last days, and those whose work had not begun by then.
fn late(evidence: &Evidence<'_>) -> (usize, usize) {
    let span = Span::back_from(evidence.today, DAYS);
    let (mut due, mut late) = (0, 0);
    let Some(first_night) = evidence.first_night else { return (0, 0) };
    for account in evidence.accounts {
        let stepped = account.term_months.unwrap_or(12) >= STEPPED_TERM_MONTHS;
        let notice = account.notice_period_days.and_then(|days| u64::try_from(days).ok());
        let opt_out = account.renewal_date.zip(notice).and_then(|(on, days)| on.checked_sub_days(Days::new(days)));
        let Some(opt_out) = opt_out.filter(|day| stepped && span.contains(*day) && *day > first_night) else {
            continue;
        };
        due += 1;
        late += usize::from(evidence.stepped.get(&account.id).is_none_or(|reached| *reached > opt_out));
    }
    (due, late)
}

/// Windows that ended, and those that closed untouched.
fn missed(evidence: &Evidence<'_>) -> (usize, usize) {
    let ours: std::collections::BTreeSet<&AccountId> = evidence.accounts.iter().map(|account| &account.id).collect();
    let (mut ended, mut missed) = (0, 0);
    for steps in by_subject(evidence.steps).values() {
        let Some(last) = steps.last().filter(|step| step.account.as_ref().is_some_and(|id| ours.contains(id))) else {
            continue;
        };
        match last.what {
            What::Won | What::Lost | What::Passed => ended += 1,
            What::Closed => {
                ended += 1;
                missed += usize::from(steps.iter().all(|step| step.by.is_none()));
            }
            _ => {}
        }
    }
    (ended, missed)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::account::AccountStatus;
    use crate::domain::action::Subject;
    use crate::domain::digest::Rates;
    use crate::domain::money::Currency;
    use uuid::Uuid;

    const TODAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 11, 25).unwrap();

    /// So many accounts of this segment, with one CSM for every `each` of them.
    fn book(number: usize, segment: Segment, each: usize) -> Vec<AccountFact> {
        let account = |n: usize| AccountFact {
            id: format!("a{n}").as_str().into(),
            segment: Some(segment),
            status: AccountStatus::Active,
            arr: None,
            cost_to_serve: None,
            seats: None,
            start_date: None,
            go_live_date: None,
            renewal_date: None,
            term_months: None,
            notice_period_days: None,
            csm: Some(PersonId(Uuid::from_u128((n / each) as u128))),
            account_manager: None,
            pool: None,
        };
        (0..number).map(account).collect()
    }

    struct Case {
        accounts: Vec<AccountFact>,
        millions: i64,
        steps: Vec<Step>,
        stepped: BTreeMap<AccountId, NaiveDate>,
    }

    fn case(accounts: Vec<AccountFact>, millions: i64) -> Case {
        Case { accounts, millions, steps: Vec::new(), stepped: BTreeMap::new() }
    }

    fn said(model: Model, case: &Case) -> String {
        let accounts: Vec<&AccountFact> = case.accounts.iter().collect();
        let rates = Rates::new(Currency::EUR, BTreeMap::new());
        let fit = check(
            model,
            &Evidence {
                customers: accounts.len(),
                arr: Sum::of([Money::new(case.millions * 100_000_000, Currency::EUR)], &rates),
                accounts: &accounts,
                steps: &case.steps,
                stepped: &case.stepped,
                first_night: NaiveDate::from_ymd_opt(2026, 1, 1),
                today: TODAY,
            },
        );
        let findings =
            fit.findings.iter().map(|finding| format!("\n  {}: {}", finding.speaks_for.as_str(), finding.sentence));
        format!("{} {}{}", model.as_str(), fit.verdict.as_str(), findings.collect::<String>())
    }

    #[test]
    fn size_and_load_say_what_fits() {
        let small = case(book(40, Segment::Smb, 20), 2);
        let middle = case(book(120, Segment::MidMarket, 40), 20);
        let large = case(book(120, Segment::MidMarket, 40), 60);
        let loaded = case(book(60, Segment::Enterprise, 30), 20);
        let few_and_loaded = case(book(45, Segment::Enterprise, 45), 9);
        let lines = [
            said(Model::Pair, &small),
            said(Model::Combined, &small),
            said(Model::Pair, &middle),
            said(Model::Combined, &large),
            said(Model::Asymmetric, &loaded),
            said(Model::Combined, &loaded),
            said(Model::Pair, &few_and_loaded),
        ];
        insta::assert_snapshot!(lines.join("\n"), @"
        pair does_not_fit
          one_person: 40 customers: below 50 a split costs more than it gives.
          one_person: €2M of ARR: below €5M a split costs more than it gives.
        combined fits
          one_person: 40 customers: below 50 a split costs more than it gives.
          one_person: €2M of ARR: below €5M a split costs more than it gives.
        pair fits
        combined does_not_fit
          split: €60M of ARR: above €50M a split usually pays.
        asymmetric strained
          split: 2 of 2 people hold more accounts than one head bears (20 complex or 200 simple ones); the most is 30 complex accounts.
        combined does_not_fit
          split: 2 of 2 people hold more accounts than one head bears (20 complex or 200 simple ones); the most is 30 complex accounts.
        pair mixed
          one_person: 45 customers: below 50 a split costs more than it gives.
          split: 1 of 1 person holds more accounts than one head bears (20 complex or 200 simple ones); the most is 45 complex accounts.
        ");
    }

    /// Ten opt-out dates of which the work on three began after them or never; ten windows of which four closed untouched.
    #[test]
    fn what_slipped_is_counted() {
        let mut slipping = case(book(100, Segment::Smb, 50), 20);
        for account in &mut slipping.accounts[..10] {
            (account.renewal_date, account.notice_period_days) = (NaiveDate::from_ymd_opt(2026, 12, 1), Some(30));
        }
        // Too short a term for steps, and an opt-out date longer ago than is counted.
        (slipping.accounts[10].renewal_date, slipping.accounts[10].term_months) = (Some(TODAY), Some(1));
        (slipping.accounts[11].renewal_date, slipping.accounts[11].notice_period_days) =
            (NaiveDate::from_ymd_opt(2026, 12, 1), Some(180));
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        for n in 0..8 {
            let reached = if n == 7 { day("2026-11-02") } else { day("2026-11-01") };
            slipping.stepped.insert(format!("a{n}").as_str().into(), reached);
        }
        for n in 0..10_u128 {
            let step = |what, by: Option<u128>| Step {
                at: "2026-11-20T08:00:00Z".parse().unwrap(),
                by: by.map(|id| PersonId(Uuid::from_u128(id))),
                what,
                subject: Subject::Handoff(Uuid::from_u128(n)),
                account: Some("a50".into()),
                accountable: None,
                about_window: None,
                clock: None,
            };
            slipping.steps.push(step(What::WindowOpened, None));
            match n {
                0..4 => slipping.steps.push(step(What::Closed, None)),
                4..7 => slipping.steps.extend([step(What::Qualified, Some(1)), step(What::Closed, None)]),
                7..9 => slipping.steps.push(step(What::Won, Some(1))),
                _ => {}
            }
        }
        insta::assert_snapshot!(said(Model::Combined, &slipping), @"
        combined does_not_fit
          split: 3 of 10 renewals with an opt-out date in the last 90 days were found after it.
          split: 4 of 9 windows that ended in the last 90 days closed without anybody having touched them.
        ");
        slipping.stepped.insert("a8".into(), day("2026-11-01"));
        slipping.steps.retain(|step| step.what != What::Closed);
        assert_eq!(said(Model::Combined, &slipping), "combined fits");
    }
}

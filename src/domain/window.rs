//! Expansion windows: when one opens, what it is worth, what withholds it.
//!
//! Decisions where the plan leaves room:
//! - Only evidence that holds on the date shows a window; one that was found on an
//!   earlier night keeps its dates while it does.
//! - After a pass or a loss the same evidence opens nothing for 90 days. A request
//!   or a new department observed after the pass is other evidence.
//! - Windows are marked to be sold with the renewal inside 90 days of the opt-out
//!   date, and also of the next deadline where that is the renewal date.
//! - While the feed guard withholds a source, its evidence opens no new window, and
//!   an open one stays as the night before found it.

use chrono::{Days, NaiveDate};

use super::diagnosis::{Band, Before, Diagnosis, FoundWindow, RenewalRead, WindowKind};
use super::health::wording::{day, number, percent, plural};
use super::health::{Case, USAGE_MEASURES};
use super::money::Money;
use super::policy::Windows;
use super::renewal;
use super::signal::Source;

/// A window that an earlier night opened and nobody has closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenWindow {
    pub kind: WindowKind,
    pub opens_on: NaiveDate,
    pub closes_on: NaiveDate,
}

impl OpenWindow {
    fn is_open_on(self, date: NaiveDate) -> bool {
        self.opens_on <= date && self.closes_on >= date
    }
}

/// After a pass or a loss: the same evidence opens nothing before `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooling {
    pub kind: WindowKind,
    pub until: NaiveDate,
}

/// Evidence for one kind of window.
struct Chance {
    kind: WindowKind,
    /// Since when the evidence holds, or the day of the event.
    since: NaiveDate,
    /// An event of that day, not a state that goes on.
    event: bool,
    reason: String,
    amount: Option<Money>,
}

/// The windows that the evidence opens or still holds open, in the order of [`WindowKind`]. `read` is the account's
/// diagnosis without them.
pub(super) fn find(case: &Case<'_>, read: &Diagnosis, before: &Before<'_>) -> Vec<FoundWindow> {
    let find = |kind: WindowKind| {
        let withheld = case.book.is_withheld(source(kind));
        let open = before.open_windows.iter().find(|open| open.kind == kind && open.is_open_on(case.date));
        if withheld && let Some(stands) = open.and_then(|open| kept_up(case, read, *open, before.found_windows)) {
            return Some(stands);
        }
        found(case, read, chance(case, read.band, kind)?, open, before.cooling, withheld)
    };
    WindowKind::ALL.into_iter().filter_map(find).collect()
}

fn source(kind: WindowKind) -> Source {
    match kind {
        WindowKind::Seats | WindowKind::Usage | WindowKind::Growth => Source::Usage,
        WindowKind::CrossSell | WindowKind::Requested => Source::Crm,
    }
}

fn chance(case: &Case<'_>, band: Band, kind: WindowKind) -> Option<Chance> {
    match kind {
        WindowKind::Seats => seats(case),
        WindowKind::Usage => usage(case),
        WindowKind::Growth => growth(case, band),
        WindowKind::CrossSell => cross_sell(case),
        WindowKind::Requested => requested(case),
    }
}

/// An open window as the night before found it, with what else is known tonight.
fn kept_up(case: &Case<'_>, read: &Diagnosis, open: OpenWindow, found: &[FoundWindow]) -> Option<FoundWindow> {
    let kind = open.kind;
    let found = found.iter().find(|found| found.kind == kind)?;
    (kind != WindowKind::Growth || read.band == Band::Healthy).then(|| FoundWindow {
        opens_on: open.opens_on,
        closes_on: open.closes_on,
        co_term: co_term(&case.policy.windows, &read.renewal, case.date),
        withheld_by: withheld_by(read, kind),
        ..found.clone()
    })
}

fn found(
    case: &Case<'_>,
    read: &Diagnosis,
    chance: Chance,
    open: Option<&OpenWindow>,
    cooling: &[Cooling],
    withheld: bool,
) -> Option<FoundWindow> {
    let (rules, date) = (&case.policy.windows, case.date);
    let (opens_on, closes_on) = match open {
        Some(window) => (window.opens_on, window.closes_on),
        None if withheld || cools(rules, &chance, cooling, date) => return None,
        None => {
            let end = date.checked_add_days(Days::new(rules.open_days.into()))?;
            // A deadline of today ends nothing that opens today: the one after it does.
            let deadline =
                renewal::next_deadline(case.account, case.evidence.auto_renew(), case.policy, date.succ_opt()?);
            (date, deadline.map_or(end, |deadline| deadline.on.min(end)))
        }
    };
    Some(FoundWindow {
        kind: chance.kind,
        reason: chance.reason,
        amount: chance.amount.map(major),
        currency: chance.amount.map(|amount| amount.currency),
        opens_on,
        closes_on,
        co_term: co_term(rules, &read.renewal, date),
        withheld_by: withheld_by(read, chance.kind),
    })
}

/// What the customer asked for is never withheld.
fn withheld_by(read: &Diagnosis, kind: WindowKind) -> Option<String> {
    read.gate().filter(|_| kind != WindowKind::Requested).map(str::to_owned)
}

fn cools(rules: &Windows, chance: &Chance, cooling: &[Cooling], date: NaiveDate) -> bool {
    cooling.iter().any(|cooling| {
        let passed_on = cooling.until.checked_sub_days(Days::new(rules.cooling_days.into()));
        let other_evidence = chance.event && passed_on.is_some_and(|passed_on| chance.since > passed_on);
        cooling.kind == chance.kind && date < cooling.until && !other_evidence
    })
}

fn co_term(rules: &Windows, renewal: &RenewalRead, date: NaiveDate) -> bool {
    let inside = |day: NaiveDate| (0..=i64::from(rules.co_term_days)).contains(&(day - date).num_days());
    // Where a term rolls over there is no renewal to sell it with.
    renewal.rolls_every.is_none() && renewal.opt_out_date.into_iter().chain(renewal.next_deadline).any(inside)
}

fn major(amount: Money) -> f64 {
    // Minor units of a real ARR are far below 2^53, and exponents are at most 3.
    amount.minor as f64 / 10_f64.powi(amount.currency.exponent() as i32)
}

/// "estimated $18k", or nothing without a known ARR.
fn estimate(amount: Option<Money>) -> String {
    amount.map_or_else(String::new, |amount| format!("; estimated {amount} a year"))
}

fn share_of_arr(case: &Case<'_>, share: f64) -> Option<Money> {
    case.account.arr.filter(|arr| arr.minor > 0).map(|arr| arr.scale(share))
}

fn seats(case: &Case<'_>) -> Option<Chance> {
    let rules = &case.policy.windows;
    let read = &case.evidence.usage.windows;
    let seats = case.account.seats.filter(|seats| *seats >= i64::from(rules.seats_at_least))? as f64;
    let (full, what) = match read.seats_assigned {
        Some(full) => (full, "assigned"),
        None => (read.seats_active?, "active"),
    };
    let since = full.since?;
    // A hair below a whole seat is a rounding of the division, not a seat.
    let more = (full.used / rules.seats_back_to - seats - 1e-9).ceil().max(1.0);
    let amount = share_of_arr(case, more / seats);
    let reason = format!(
        "{} of {} seats are {what}, {} or more since {}; {} would bring that back to {}{}",
        number(full.used),
        number(seats),
        percent(rules.seats_ratio),
        day(since),
        plural(more, "more seat"),
        percent(rules.seats_back_to),
        estimate(amount)
    );
    Some(Chance { kind: WindowKind::Seats, since, event: false, reason, amount })
}

fn usage(case: &Case<'_>) -> Option<Chance> {
    let rules = &case.policy.windows;
    let read = &case.evidence.usage.windows;
    let amount = share_of_arr(case, rules.usage_share);
    let used = read.entitlement_pct.filter(|used| used.valid && used.value >= rules.entitlement_pct);
    let (since, what) = match (used, read.limit_hit) {
        (Some(used), _) => {
            let since = read.entitlement_since.unwrap_or(used.as_of);
            let least = number(rules.entitlement_pct);
            (
                since,
                format!("{} % of the entitlement is used, {least} % or more since {}", number(used.value), day(since)),
            )
        }
        (None, Some(hit)) => (hit, format!("The plan's limit was hit on {}", day(hit))),
        (None, None) => return None,
    };
    let reason = format!("{what}{}", estimate(amount));
    Some(Chance { kind: WindowKind::Usage, since, event: false, reason, amount })
}

fn growth(case: &Case<'_>, band: Band) -> Option<Chance> {
    if band != Band::Healthy {
        return None;
    }
    let rules = &case.policy.windows;
    let (index, read) = case.evidence.usage.judged_by()?;
    let since = case.evidence.usage.windows.growing_since[index]?;
    let amount = share_of_arr(case, rules.growth_share);
    let what = USAGE_MEASURES[index].replace('_', " ");
    let reason = format!(
        "Use ({what}) has been at least {} above its own baseline since {}: {} against {}{}",
        percent(rules.growth_trend - 1.0),
        day(since),
        number(read.recent),
        number(read.baseline?),
        estimate(amount)
    );
    Some(Chance { kind: WindowKind::Growth, since, event: false, reason, amount })
}

fn cross_sell(case: &Case<'_>) -> Option<Chance> {
    let since = case.evidence.crm.new_department?;
    let amount = share_of_arr(case, case.policy.windows.cross_sell_share);
    let reason = format!("A new department showed up on {}{}", day(since), estimate(amount));
    Some(Chance { kind: WindowKind::CrossSell, since, event: true, reason, amount })
}

fn requested(case: &Case<'_>) -> Option<Chance> {
    let since = case.evidence.crm.expansion_requested?;
    let amount = share_of_arr(case, case.policy.windows.requested_share);
    let reason = format!("The customer asked for more on {}{}", day(since), estimate(amount));
    Some(Chance { kind: WindowKind::Requested, since, event: true, reason, amount })
}

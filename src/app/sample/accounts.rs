//! The customers themselves: contracts, people at them, and how earlier terms ended.

use chrono::{Days, Months, NaiveDate};

use super::book::{Entry, Story};
use super::course::Course;
use super::people::POOL;
use super::{before, working};
use crate::domain::account::{AccountId, AccountStatus, Persona, Segment, name_key};
use crate::domain::dice::Dice;
use crate::domain::money::Money;
use crate::domain::row::{AccountRow, ContactRow, OutcomeKind, OutcomeRow, Patch};

const GOALS: [&str; 8] = [
    "Cut time to close a service ticket from 3 days to 1 by summer",
    "Move all regional teams off spreadsheets; 80 % weekly use",
    "Pass the ISO 27001 audit with reports from the platform",
    "Halve manual data entry in the back office",
    "One view of stock across all sites before peak season",
    "Onboard new staff in a week instead of a month",
    "Replace two legacy tools and switch them off within the year",
    "Report to the board monthly without a consultant",
];

fn notice_days(entry: &Entry) -> i32 {
    match entry.story {
        Story::MonthlyTerm => 10,
        Story::OptOutPassed => 45,
        story if is_beginning(story) => 30,
        _ => match entry.segment {
            Segment::Enterprise => 90,
            Segment::MidMarket => 60,
            Segment::Smb => 30,
        },
    }
}

fn is_beginning(story: Story) -> bool {
    use Story::*;
    matches!(
        story,
        OnboardingLate
            | OnboardingBlockedByUs
            | OnboardingSlipping
            | OnboardingUnattended
            | OnboardingSlowValue
            | OnboardingOnTrack
            | JustSigned
    )
}

/// Whole hundreds of major units.
fn hundreds(amount: f64) -> i64 {
    (amount / 100.0).round() as i64 * 100
}

pub(super) fn account(number: u64, entry: &Entry, course: &Course, today: NaiveDate, dice: &mut Dice) -> AccountRow {
    let set = |who: Option<&str>| who.map_or(Patch::Keep, |email| Patch::Set(email.to_owned()));
    let major = hundreds(dice.near(entry.arr as f64 * 1_000.0, 0.012)).clamp(6_000, 900_000);
    let a_seat = match entry.segment {
        Segment::Enterprise => dice.between(850.0, 1_150.0),
        Segment::MidMarket => dice.between(700.0, 950.0),
        Segment::Smb => dice.between(420.0, 560.0),
    };
    let seats = (major as f64 / a_seat).round().max(10.0) as i64;
    let notice = notice_days(entry);
    let renewal = before(today, -(entry.opt_out_in + i64::from(notice)));
    let term = term_months(entry, dice);
    let start = start_date(entry, renewal, term, today, dice);
    let slug = name_key(entry.name).replace(' ', "-");
    let id = 1_000 + number;
    AccountRow {
        account_id: AccountId(format!("A-{id}")),
        name: entry.name.to_owned(),
        segment: Patch::Set(entry.segment),
        arr: Patch::Set(Money::new(major * 100, entry.currency)),
        currency: Some(entry.currency),
        seats: Patch::Set(seats),
        plan: Patch::Set(plan(entry.segment).to_owned()),
        domains: Patch::Set(vec![format!("{slug}.example")]),
        url: Patch::Set(format!("https://crm.lumenstack.example/accounts/A-{id}")),
        goals: Patch::Set(dice.pick(&GOALS, GOALS[0]).to_owned()),
        start_date: Patch::Set(start),
        go_live_date: match course.onboarding {
            // Twelve days after plan, which is what its project forecast.
            Some(_) if entry.story == Story::OnboardingSlowValue => {
                start.checked_add_days(Days::new(87)).map_or(Patch::Keep, Patch::Set)
            }
            Some(_) => Patch::Keep,
            None if entry.story == Story::JustSigned => Patch::Keep,
            None => start.checked_add_days(Days::new(62)).map_or(Patch::Keep, Patch::Set),
        },
        renewal_date: Patch::Set(renewal),
        term_months: Patch::Set(term),
        notice_period_days: if entry.story == Story::NoticeMissing { Patch::Keep } else { Patch::Set(notice) },
        auto_renew: Patch::Set(!matches!(entry.story, Story::AutoRenewOff | Story::RenewalOverdue | Story::Churned)),
        csm_email: set(entry.desk.csm),
        account_manager_email: set(entry.desk.account_manager),
        pool: set(entry.desk.pool.then_some(POOL)),
        status: Patch::Set(match entry.story {
            Story::Churned => AccountStatus::Churned,
            _ => AccountStatus::Active,
        }),
        cost_to_serve: Patch::Set(Money::new(hundreds(major as f64 * dice.between(0.12, 0.3)) * 100, entry.currency)),
    }
}

fn plan(segment: Segment) -> &'static str {
    match segment {
        Segment::Enterprise => "Enterprise",
        Segment::MidMarket => "Business",
        Segment::Smb => "Team",
    }
}

/// Most sign for a year; some large ones for longer, some tiny ones by the month.
fn term_months(entry: &Entry, dice: &mut Dice) -> i32 {
    match entry.story {
        Story::MonthlyTerm => 1,
        Story::Steady if entry.segment == Segment::Enterprise => dice.pick(&[24, 36], 24),
        _ => 12,
    }
}

/// The first day of the first term. Whoever is past the beginning has been a customer for more than a year.
fn start_date(entry: &Entry, renewal: NaiveDate, term: i32, today: NaiveDate, dice: &mut Dice) -> NaiveDate {
    let back = |terms: u32| {
        let months = u32::try_from(term).unwrap_or(12).saturating_mul(terms);
        renewal.checked_sub_months(Months::new(months)).unwrap_or(renewal)
    };
    if is_beginning(entry.story) {
        return back(1);
    }
    let more_than_a_year_ago = before(today, 400);
    let earlier = u32::try_from(dice.whole(0, 2)).unwrap_or(0);
    let terms = (1..).find(|terms| back(*terms) <= more_than_a_year_ago || *terms > 40).unwrap_or(1);
    back(terms + earlier)
}

const FIRST_NAMES: [&str; 24] = [
    "Aisha", "Bruno", "Carmen", "Daniel", "Elif", "Farid", "Greta", "Hugo", "Imani", "Joel", "Katya", "Liam", "Mei",
    "Nadia", "Oscar", "Paula", "Quentin", "Rosa", "Stefan", "Thandi", "Uma", "Victor", "Wen", "Yara",
];

const LAST_NAMES: [&str; 24] = [
    "Abbott",
    "Bergman",
    "Castillo",
    "Dumont",
    "Eriksen",
    "Fontaine",
    "Gallo",
    "Hughes",
    "Ivanova",
    "Jansen",
    "Kaur",
    "Lindqvist",
    "Mbeki",
    "Novak",
    "Osei",
    "Pereira",
    "Quispe",
    "Romano",
    "Sandoval",
    "Tanaka",
    "Ueda",
    "Varga",
    "Whitfield",
    "Zhou",
];

/// The buyer and the champion first; further people use or administer the product.
const PERSONAS: [(Persona, &str); 9] = [
    (Persona::EconomicBuyer, "Chief Operating Officer"),
    (Persona::Champion, "Head of Operations"),
    (Persona::Admin, "Systems Administrator"),
    (Persona::User, "Team Lead"),
    (Persona::User, "Operations Analyst"),
    (Persona::User, "Planner"),
    (Persona::User, "Service Coordinator"),
    (Persona::Admin, "IT Manager"),
    (Persona::User, "Regional Manager"),
];

pub(super) fn contacts(
    account: &AccountRow,
    entry: &Entry,
    course: &Course,
    today: NaiveDate,
    dice: &mut Dice,
) -> Vec<ContactRow> {
    let Some(crm) = &course.crm else { return Vec::new() };
    let domain = account.domains.set().and_then(|domains| domains.first().cloned()).unwrap_or_default();
    let count: usize = match entry.segment {
        Segment::Enterprise => 8,
        Segment::MidMarket => 4,
        Segment::Smb => 2,
    };
    let first = dice.whole(0, 23).unsigned_abs() as usize;
    let last = dice.whole(0, 23).unsigned_abs() as usize;
    let mut rows: Vec<ContactRow> = (0..count)
        .zip(PERSONAS)
        .map(|(n, (persona, title))| {
            // Steps without a common divisor with 24: no name comes twice within an account.
            let (first, last) = (FIRST_NAMES[(first + n * 5) % 24], LAST_NAMES[(last + n * 7) % 24]);
            // The champion is whom one spoke to last; the unreached were met long ago.
            let spoken = match n {
                1 => crm.last,
                _ if n < crm.reached.max(2) => crm.last + dice.whole(0, 30).min((85 - crm.last).max(0)),
                _ => dice.whole(130, 240),
            };
            ContactRow {
                account_id: account.account_id.clone(),
                email: format!("{first}.{last}@{domain}").to_lowercase(),
                name: Patch::Set(format!("{first} {last}")),
                title: Patch::Set(title.to_owned()),
                phone: if n < 2 { Patch::Set(format!("+1 202 555 01{:02}", dice.whole(0, 99))) } else { Patch::Keep },
                persona: Patch::Set(persona),
                last_interaction: Patch::Set(working(before(today, spoken.max(course.silent_for)))),
                departed_on: Patch::Keep,
            }
        })
        .collect();
    if let (Some((left, replaced)), Some(champion)) = (crm.champion_left, rows.get_mut(1)) {
        champion.departed_on = Patch::Set(before(today, left));
        champion.last_interaction = Patch::Set(working(before(today, left.max(crm.last) + 8)));
        if let (true, Some(successor)) = (replaced, rows.get_mut(3)) {
            successor.persona = Patch::Set(Persona::Champion);
            successor.title = Patch::Set("Head of Operations (interim)".to_owned());
            successor.last_interaction = Patch::Set(working(before(today, crm.last)));
        }
    }
    rows
}

/// Ends of earlier terms within the last year, and an expansion here and there.
pub(super) fn outcomes(account: &AccountRow, entry: &Entry, today: NaiveDate, dice: &mut Dice) -> Vec<OutcomeRow> {
    let (Some(arr), Some(renewal), Some(start)) =
        (account.arr.set(), account.renewal_date.set(), account.start_date.set())
    else {
        return Vec::new();
    };
    let outcome = |kind, decided_on, previous: Money, now: Money| OutcomeRow {
        account_id: account.account_id.clone(),
        kind,
        decided_on,
        arr_before: Patch::Set(previous),
        arr_after: Patch::Set(now),
        currency: Some(now.currency),
    };
    let part = |part: f64| Money::new(hundreds(arr.minor as f64 / 100.0 * part) * 100, arr.currency);
    if entry.story == Story::Churned {
        return vec![outcome(OutcomeKind::Churned, working(*renewal), *arr, part(0.0))];
    }
    let term = account.term_months.set().and_then(|months| u32::try_from(*months).ok()).unwrap_or(12);
    let term_start = renewal.checked_sub_months(Months::new(term)).unwrap_or(*renewal);
    let decided = working(before(term_start, dice.whole(12, 40)));
    let age = (today - decided).num_days();
    let mut rows = Vec::new();
    // Renewals by the month are no decisions.
    if term_start > *start && (60..=365).contains(&age) && term >= 6 {
        let before_it = part(dice.between(0.9, 1.0));
        rows.push(match dice.whole(0, 9) {
            0 => outcome(OutcomeKind::Contracted, decided, part(1.15), *arr),
            1..=2 => outcome(OutcomeKind::Expanded, decided, part(0.82), *arr),
            _ => outcome(OutcomeKind::Renewed, decided, before_it, *arr),
        });
    }
    rows
}

//! What a lead reads of the people they lead.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Days, NaiveDate};

use super::read::{self, AccountRead};
use super::views::Reader;
use super::{figures, fit};
use crate::domain::account::{Account, AccountId, AccountStatus};
use crate::domain::action::Subject;
use crate::domain::diagnosis::{Band, Stage};
use crate::domain::digest::Sum;
use crate::domain::figures::fit::Verdict;
use crate::domain::handoff::{Handoff, Matter, Return, State};
use crate::domain::message::lead::{PersonLine, Previous, QuarterView, Stuck, StuckKind, TeamView, WeeklyView};
use crate::domain::money::Money;
use crate::domain::person::{Person, PersonId};
use crate::domain::renewal_work::RenewalWork;
use crate::domain::risk::{self, Risk};
use crate::store::{Tenant, account, diagnosis, digest, handoff, renewal, risk as risks};

/// Accounts counted at once: all that is known of a large team's would be hundreds of megabytes.
const PAGE: usize = 1_000;

/// What of an account a team's morning counts.
struct Counted {
    id: AccountId,
    arr: Option<Money>,
    csm: Option<PersonId>,
    account_manager: Option<PersonId>,
    at_risk: bool,
    /// Its risk is open and nobody has answered.
    waits: bool,
    /// It renews in this quarter.
    due: bool,
    /// Due, and its opt-out date passed before anybody had the renewal in hand.
    found_late: bool,
    /// Who has to answer for what is handed over and not accepted yet, and whether they are late.
    answers: Vec<(PersonId, bool)>,
}

/// The team of a lead; `None` for one who leads nobody.
/// `on` is the date of the morning: the first of the reader's working week says what is said weekly, also when it is
/// drawn again later.
pub async fn view(
    tx: &mut Tenant,
    reader: Reader<'_>,
    lead: &Person,
    on: NaiveDate,
) -> anyhow::Result<Option<TeamView>> {
    let team = members(reader, lead);
    if team.is_empty() {
        return Ok(None);
    }
    let (mut accounts, mut stuck) = (Vec::new(), Vec::new());
    for ids in ids(tx, &team).await?.chunks(PAGE) {
        count(tx, reader, ids, &mut accounts, &mut stuck).await?;
    }
    stuck.sort_by(|a, b| (a.kind, a.since, &a.account).cmp(&(b.kind, b.since, &b.account)));
    let today = reader.today();
    let at_risk = |account: &&Counted| account.at_risk;
    Ok(Some(TeamView {
        at_risk: accounts.iter().filter(at_risk).count(),
        arr_at_risk: sum(reader, accounts.iter().filter(at_risk)),
        now: (today != on).then_some(today),
        previous: previous(tx, reader, lead, on, &accounts).await?,
        renewals: quarter(tx, reader, &accounts).await?,
        stuck,
        // Who holds nothing has no load to show.
        people: lines(reader, &team, &accounts),
        weekly: weekly(tx, reader, lead, on).await?,
    }))
}

/// Counts the active ones of these accounts, and finds what is stuck on them.
async fn count(
    tx: &mut Tenant,
    reader: Reader<'_>,
    ids: &[AccountId],
    counted: &mut Vec<Counted>,
    stuck: &mut Vec<Stuck>,
) -> anyhow::Result<()> {
    let mut accounts = account::some(tx, ids).await?;
    accounts.retain(|account| account.status == AccountStatus::Active);
    let risks = risks::latest(tx, ids).await?;
    let risks: BTreeMap<&AccountId, &Risk> = risks.iter().map(|risk| (&risk.account, risk)).collect();
    let mut handoffs: BTreeMap<AccountId, Vec<Handoff>> = BTreeMap::new();
    // Open ones only: none ended later than now.
    for handoff in handoff::of_accounts(tx, ids, reader.now).await?.into_iter().filter(Handoff::is_open) {
        handoffs.entry(handoff.account.clone()).or_default().push(handoff);
    }
    let (first, last) = quarter_of(reader.today());
    let is_due = |account: &Account| account.renewal_date.is_some_and(|day| (first..=last).contains(&day));
    let due: Vec<Account> = accounts.iter().filter(|account| is_due(account)).cloned().collect();
    let (mut bands, mut found_late) = (BTreeMap::new(), BTreeSet::new());
    if let Some(date) = reader.snapshot.organisation.diagnosed_on {
        bands = diagnosis::bands(tx, date, ids).await?;
        found_late = late(tx, reader, date, &due).await?;
    }
    for account in accounts {
        let handoffs = handoffs.remove(&account.id).unwrap_or_default();
        let risk = risks.get(&account.id).copied();
        stuck.extend(handoffs.iter().filter_map(|handoff| stuck_handoff(reader, &account, handoff)));
        stuck.extend(risk.and_then(|risk| stuck_risk(reader, &account, risk)));
        let unanswered = handoffs.iter().filter(|handoff| !matches!(handoff.state(), State::Accepted { .. }));
        counted.push(Counted {
            arr: account.arr,
            csm: account.csm,
            account_manager: account.account_manager,
            at_risk: bands.get(&account.id).is_some_and(|(_, band)| *band == Band::AtRisk),
            waits: risk.is_some_and(|risk| matches!(risk.state(), risk::State::Open)),
            due: is_due(&account),
            found_late: found_late.contains(&account.id),
            answers: unanswered
                .filter_map(|handoff| Some((handoff.accountable()?, is_late(reader, handoff))))
                .collect(),
            id: account.id,
        });
    }
    Ok(())
}

/// Those whose opt-out date had passed on the night of `date`, with nobody at work on their renewal.
async fn late(
    tx: &mut Tenant,
    reader: Reader<'_>,
    date: NaiveDate,
    due: &[Account],
) -> anyhow::Result<BTreeSet<AccountId>> {
    let renewals = diagnosis::renewals(tx, date, due, &reader.snapshot.policy).await?;
    let passed = renewals.into_iter().filter(|(_, renewal)| renewal.stage == Stage::OptOutPassed);
    let mut passed: BTreeSet<AccountId> = passed.map(|(id, _)| id).collect();
    let ids: Vec<AccountId> = passed.iter().cloned().collect();
    for work in renewal::latest(tx, &ids).await?.into_iter().filter(RenewalWork::is_open) {
        passed.remove(&work.account);
    }
    Ok(passed)
}

async fn weekly(
    tx: &mut Tenant,
    reader: Reader<'_>,
    lead: &Person,
    on: NaiveDate,
) -> anyhow::Result<Option<WeeklyView>> {
    if !reader.snapshot.calendar(lead).opens_week(on) {
        return Ok(None);
    }
    let failures = figures::failures(tx, reader.snapshot, lead, reader.now).await?;
    let mut fits = Vec::new();
    // In the first of these messages of a month.
    if on.checked_sub_days(Days::new(7)).is_none_or(|before| before.month() != on.month()) {
        fits = fit::check(tx, reader.snapshot, reader.now).await?;
        fits.retain(|fit| fit.verdict != Verdict::Fits);
    }
    Ok(Some(WeeklyView { failures, fits }))
}

/// Everyone whom this person leads, at any distance.
fn members<'s>(reader: Reader<'s>, lead: &Person) -> Vec<&'s Person> {
    let people = &reader.snapshot.people;
    people.iter().filter(|person| person.active && people.leads_above(person.id).contains(&lead.id)).collect()
}

/// The accounts of a lead's team, active or not, by id; none for one who leads nobody.
pub(super) async fn book_ids(tx: &mut Tenant, reader: Reader<'_>, lead: &Person) -> anyhow::Result<Vec<AccountId>> {
    let team = members(reader, lead);
    if team.is_empty() { Ok(Vec::new()) } else { ids(tx, &team).await }
}

/// The active accounts of a lead's team.
pub async fn book_of(
    tx: &mut Tenant,
    reader: Reader<'_>,
    lead: &Person,
) -> anyhow::Result<BTreeMap<AccountId, AccountRead>> {
    let ids = book_ids(tx, reader, lead).await?;
    let mut reads = read::accounts(tx, reader.snapshot, &ids, reader.now).await?;
    reads.retain(|_, read| read.account.status == AccountStatus::Active);
    Ok(reads)
}

async fn ids(tx: &mut Tenant, team: &[&Person]) -> anyhow::Result<Vec<AccountId>> {
    let members: Vec<PersonId> = team.iter().map(|person| person.id).collect();
    let pools: BTreeSet<String> = team.iter().filter_map(|person| person.pool.clone()).collect();
    account::book(tx, &members, &pools.into_iter().collect::<Vec<_>>()).await
}

fn sum<'a>(reader: Reader<'_>, accounts: impl Iterator<Item = &'a Counted>) -> Vec<Money> {
    Sum::of(accounts.filter_map(|account| account.arr), &reader.snapshot.rates).amounts()
}

/// What was at risk at the lead's own last morning before the one of this date: that is what they read last.
async fn previous(
    tx: &mut Tenant,
    reader: Reader<'_>,
    lead: &Person,
    date: NaiveDate,
    accounts: &[Counted],
) -> anyhow::Result<Option<Previous>> {
    let Some((on, night)) = digest::before(tx, lead.id, date).await? else { return Ok(None) };
    let ids: Vec<AccountId> = accounts.iter().map(|account| account.id.clone()).collect();
    let were: BTreeSet<AccountId> = diagnosis::at_risk_on(tx, night, &ids).await?.into_iter().collect();
    let arr_at_risk = sum(reader, accounts.iter().filter(|account| were.contains(&account.id)));
    Ok(Some(Previous { on, arr_at_risk }))
}

async fn quarter(tx: &mut Tenant, reader: Reader<'_>, accounts: &[Counted]) -> anyhow::Result<QuarterView> {
    let today = reader.today();
    let (first, last) = quarter_of(today);
    let ours: BTreeSet<&AccountId> = accounts.iter().map(|account| &account.id).collect();
    let mut settled = renewal::settled_between(tx, first, last).await?;
    settled.retain(|work| ours.contains(&work.account));
    let is_settled: BTreeSet<&AccountId> = settled.iter().map(|work| &work.account).collect();
    let due: Vec<&Counted> = accounts.iter().filter(|account| account.due).collect();
    Ok(QuarterView {
        quarter: format!("Q{} {}", today.month0() / 3 + 1, today.year()),
        due: due.len(),
        arr: sum(reader, due.iter().copied()),
        settled: settled.len(),
        lost: settled.iter().filter(|work| work.state_name() == "lost").count(),
        at_risk: due.iter().filter(|account| account.at_risk && !is_settled.contains(&account.id)).count(),
        found_late: due.iter().filter(|account| account.found_late).count(),
    })
}

fn quarter_of(day: NaiveDate) -> (NaiveDate, NaiveDate) {
    let month = day.month0() / 3 * 3 + 1;
    let first = NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day);
    let next = first.checked_add_months(chrono::Months::new(3)).unwrap_or(day);
    (first, next.pred_opt().unwrap_or(day))
}

fn is_late(reader: Reader<'_>, handoff: &Handoff) -> bool {
    handoff.due().is_some_and(|due| due <= reader.now)
}

/// An acknowledged risk whose next step is overdue.
fn stuck_risk(reader: Reader<'_>, account: &Account, risk: &Risk) -> Option<Stuck> {
    let risk::State::Acknowledged { by, due, .. } = risk.state() else { return None };
    (*due < reader.today()).then(|| Stuck {
        kind: StuckKind::Late,
        account: account.name.clone(),
        what: "risk, next step".to_owned(),
        amount: account.arr,
        who: Some(reader.name(*by)),
        since: *due,
        subject: Subject::Risk(risk.id),
    })
}

/// What nobody has picked up, or what is late.
fn stuck_handoff(reader: Reader<'_>, account: &Account, handoff: &Handoff) -> Option<Stuck> {
    let kind = match handoff.state() {
        _ if is_late(reader, handoff) => StuckKind::Late,
        // Declined or handed back is an answer; only what nobody answered goes to the lead.
        State::Returned { how: Return::Expired { .. }, .. } => StuckKind::Escalated,
        State::Offered { .. } => StuckKind::Unclaimed,
        _ => return None,
    };
    let (what, amount) = match &handoff.matter {
        Matter::Window(window) => (window.kind.label().to_owned(), window.amount),
        Matter::RiskToWeigh { .. } => ("risk to weigh commercially".to_owned(), account.arr),
        Matter::Warning { .. } => ("warning".to_owned(), account.arr),
    };
    Some(Stuck {
        kind,
        account: account.name.clone(),
        what,
        amount,
        who: handoff.accountable().map(|id| reader.name(id)),
        since: reader.date(handoff.since()),
        subject: Subject::Handoff(handoff.id),
    })
}

/// One line for each who holds something.
fn lines(reader: Reader<'_>, team: &[&Person], accounts: &[Counted]) -> Vec<PersonLine> {
    let mut books: BTreeMap<PersonId, Vec<&Counted>> = BTreeMap::new();
    let mut answers: BTreeMap<PersonId, Vec<bool>> = BTreeMap::new();
    for account in accounts {
        let holders: BTreeSet<PersonId> = [account.csm, account.account_manager].into_iter().flatten().collect();
        for holder in holders {
            books.entry(holder).or_default().push(account);
        }
        for (accountable, late) in &account.answers {
            answers.entry(*accountable).or_default().push(*late);
        }
    }
    let of = |person: &&Person| {
        let (theirs, answers) = (books.get(&person.id), answers.get(&person.id));
        line(reader, person, theirs.map_or(&[], Vec::as_slice), answers.map_or(&[], Vec::as_slice))
    };
    team.iter().map(of).filter(|line| line.accounts > 0 || line.waiting > 0).collect()
}

/// `answers`: for each that is theirs to give, whether it is late.
fn line(reader: Reader<'_>, person: &Person, theirs: &[&Counted], answers: &[bool]) -> PersonLine {
    let at_risk: Vec<&Counted> = theirs.iter().copied().filter(|account| account.at_risk).collect();
    let open_risks = theirs.iter().filter(|account| account.waits && account.csm == Some(person.id));
    PersonLine {
        name: person.first_name().to_owned(),
        accounts: theirs.len(),
        at_risk: at_risk.len(),
        arr_at_risk: sum(reader, at_risk.into_iter()),
        waiting: open_risks.count() + answers.len(),
        late: answers.iter().filter(|late| **late).count(),
        away_until: person.out_of_office_until.filter(|until| *until >= reader.today()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_are_calendar_quarters() {
        let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap();
        assert_eq!(quarter_of(day(2026, 11, 22)), (day(2026, 10, 1), day(2026, 12, 31)));
        assert_eq!(quarter_of(day(2028, 2, 29)), (day(2028, 1, 1), day(2028, 3, 31)));
    }
}

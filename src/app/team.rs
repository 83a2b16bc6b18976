//! What a lead reads of the people they lead.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Days, NaiveDate};

use super::read::{self, AccountRead};
use super::views::Reader;
use super::{figures, fit};
use crate::domain::account::{AccountId, AccountStatus};
use crate::domain::action::Subject;
use crate::domain::diagnosis::{Band, Stage};
use crate::domain::digest::Sum;
use crate::domain::figures::fit::Verdict;
use crate::domain::handoff::{Handoff, Matter, Return, State};
use crate::domain::message::lead::{PersonLine, Previous, QuarterView, Stuck, StuckKind, TeamView, WeeklyView};
use crate::domain::money::Money;
use crate::domain::person::{Person, PersonId};
use crate::domain::risk;
use crate::store::{Tenant, account, diagnosis, digest, renewal};

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
    let reads = book(tx, reader, &team).await?;
    let today = reader.today();
    let at_risk = |read: &&AccountRead| read.diagnosis.as_ref().is_some_and(|d| d.band == Band::AtRisk);
    Ok(Some(TeamView {
        at_risk: reads.values().filter(at_risk).count(),
        arr_at_risk: sum(reader, reads.values().filter(at_risk)),
        now: (today != on).then_some(today),
        previous: previous(tx, reader, lead, on, &reads).await?,
        renewals: quarter(tx, reader, &reads).await?,
        stuck: stuck(reader, &reads),
        // Who holds nothing has no load to show.
        people: lines(reader, &team, &reads),
        weekly: weekly(tx, reader, lead, on).await?,
    }))
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

/// The active accounts of a lead's team; none for one who leads nobody.
pub async fn book_of(
    tx: &mut Tenant,
    reader: Reader<'_>,
    lead: &Person,
) -> anyhow::Result<BTreeMap<AccountId, AccountRead>> {
    let team = members(reader, lead);
    if team.is_empty() { Ok(BTreeMap::new()) } else { book(tx, reader, &team).await }
}

async fn book(
    tx: &mut Tenant,
    reader: Reader<'_>,
    team: &[&Person],
) -> anyhow::Result<BTreeMap<AccountId, AccountRead>> {
    let members: Vec<PersonId> = team.iter().map(|person| person.id).collect();
    let pools: BTreeSet<String> = team.iter().filter_map(|person| person.pool.clone()).collect();
    let ids = account::book(tx, &members, &pools.into_iter().collect::<Vec<_>>()).await?;
    let mut reads = read::accounts(tx, reader.snapshot, &ids, reader.now).await?;
    reads.retain(|_, read| read.account.status == AccountStatus::Active);
    Ok(reads)
}

fn sum<'a>(reader: Reader<'_>, reads: impl Iterator<Item = &'a AccountRead>) -> Vec<Money> {
    Sum::of(reads.filter_map(|read| read.account.arr), &reader.snapshot.rates).amounts()
}

/// What was at risk at the lead's own last morning before the one of this date: that is what they read last.
async fn previous(
    tx: &mut Tenant,
    reader: Reader<'_>,
    lead: &Person,
    date: NaiveDate,
    reads: &BTreeMap<AccountId, AccountRead>,
) -> anyhow::Result<Option<Previous>> {
    let Some((on, night)) = digest::before(tx, lead.id, date).await? else { return Ok(None) };
    let ids: Vec<AccountId> = reads.keys().cloned().collect();
    let were: BTreeSet<AccountId> = diagnosis::at_risk_on(tx, night, &ids).await?.into_iter().collect();
    let arr_at_risk = sum(reader, reads.values().filter(|read| were.contains(&read.account.id)));
    Ok(Some(Previous { on, arr_at_risk }))
}

async fn quarter(
    tx: &mut Tenant,
    reader: Reader<'_>,
    reads: &BTreeMap<AccountId, AccountRead>,
) -> anyhow::Result<QuarterView> {
    let today = reader.today();
    let (first, last) = quarter_of(today);
    let inside = |day: Option<NaiveDate>| day.is_some_and(|day| (first..=last).contains(&day));
    let settled = renewal::settled_between(tx, first, last).await?;
    let settled: Vec<_> = settled.iter().filter(|work| reads.contains_key(&work.account)).collect();
    let due: Vec<&AccountRead> = reads.values().filter(|read| inside(read.account.renewal_date)).collect();
    let is_settled = |read: &AccountRead| settled.iter().any(|work| work.account == read.account.id);
    Ok(QuarterView {
        quarter: format!("Q{} {}", today.month0() / 3 + 1, today.year()),
        due: due.len(),
        arr: sum(reader, due.iter().copied()),
        settled: settled.len(),
        lost: settled.iter().filter(|work| work.state_name() == "lost").count(),
        at_risk: due
            .iter()
            .filter(|read| !is_settled(read) && read.diagnosis.as_ref().is_some_and(|d| d.band == Band::AtRisk))
            .count(),
        found_late: due
            .iter()
            .filter(|read| {
                let passed = read.diagnosis.as_ref().is_some_and(|d| d.renewal.stage == Stage::OptOutPassed);
                passed && read.renewal.as_ref().is_none_or(|work| !work.is_open())
            })
            .count(),
    })
}

fn quarter_of(day: NaiveDate) -> (NaiveDate, NaiveDate) {
    let month = day.month0() / 3 * 3 + 1;
    let first = NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day);
    let next = first.checked_add_months(chrono::Months::new(3)).unwrap_or(day);
    (first, next.pred_opt().unwrap_or(day))
}

/// What nobody has picked up, or what is late, the most urgent first.
fn stuck(reader: Reader<'_>, reads: &BTreeMap<AccountId, AccountRead>) -> Vec<Stuck> {
    let mut stuck = Vec::new();
    for read in reads.values() {
        for handoff in read.handoffs.iter().filter(|handoff| handoff.is_open()) {
            stuck.extend(stuck_handoff(reader, read, handoff));
        }
        if let Some(risk) = &read.risk
            && let risk::State::Acknowledged { by, due, .. } = risk.state()
            && *due < reader.today()
        {
            stuck.push(Stuck {
                kind: StuckKind::Late,
                account: read.account.name.clone(),
                what: "risk, next step".to_owned(),
                amount: read.account.arr,
                who: Some(reader.name(*by)),
                since: *due,
                subject: Subject::Risk(risk.id),
            });
        }
    }
    stuck.sort_by_key(|stuck| (stuck.kind, stuck.since, stuck.account.clone()));
    stuck
}

fn stuck_handoff(reader: Reader<'_>, read: &AccountRead, handoff: &Handoff) -> Option<Stuck> {
    let late = handoff.due().is_some_and(|due| due <= reader.now);
    let kind = match handoff.state() {
        _ if late => StuckKind::Late,
        // Declined or handed back is an answer; only what nobody answered goes to the lead.
        State::Returned { how: Return::Expired { .. }, .. } => StuckKind::Escalated,
        State::Offered { .. } => StuckKind::Unclaimed,
        _ => return None,
    };
    let (what, amount) = match &handoff.matter {
        Matter::Window(window) => (window.kind.label().to_owned(), window.amount),
        Matter::RiskToWeigh { .. } => ("risk to weigh commercially".to_owned(), read.account.arr),
        Matter::Warning { .. } => ("warning".to_owned(), read.account.arr),
    };
    Some(Stuck {
        kind,
        account: read.account.name.clone(),
        what,
        amount,
        who: handoff.accountable().map(|id| reader.name(id)),
        since: reader.date(handoff.since()),
        subject: Subject::Handoff(handoff.id),
    })
}

/// One line for each who holds something.
fn lines(reader: Reader<'_>, team: &[&Person], reads: &BTreeMap<AccountId, AccountRead>) -> Vec<PersonLine> {
    let mut books: BTreeMap<PersonId, Vec<&AccountRead>> = BTreeMap::new();
    let mut answers: BTreeMap<PersonId, Vec<&Handoff>> = BTreeMap::new();
    for read in reads.values() {
        let holders: BTreeSet<PersonId> =
            [read.account.csm, read.account.account_manager].into_iter().flatten().collect();
        for holder in holders {
            books.entry(holder).or_default().push(read);
        }
        for handoff in read.handoffs.iter().filter(|handoff| !matches!(handoff.state(), State::Accepted { .. })) {
            if let Some(accountable) = handoff.accountable() {
                answers.entry(accountable).or_default().push(handoff);
            }
        }
    }
    let of = |person: &&Person| {
        let (theirs, answers) = (books.get(&person.id), answers.get(&person.id));
        line(reader, person, theirs.map_or(&[], Vec::as_slice), answers.map_or(&[], Vec::as_slice))
    };
    team.iter().map(of).filter(|line| line.accounts > 0 || line.waiting > 0).collect()
}

fn line(reader: Reader<'_>, person: &Person, theirs: &[&AccountRead], answers: &[&Handoff]) -> PersonLine {
    let at_risk: Vec<&AccountRead> = theirs
        .iter()
        .copied()
        .filter(|read| read.diagnosis.as_ref().is_some_and(|diagnosis| diagnosis.band == Band::AtRisk))
        .collect();
    let open_risks = theirs
        .iter()
        .filter(|read| read.account.csm == Some(person.id))
        .filter(|read| read.risk.as_ref().is_some_and(|risk| matches!(risk.state(), risk::State::Open)));
    PersonLine {
        name: person.first_name().to_owned(),
        accounts: theirs.len(),
        at_risk: at_risk.len(),
        arr_at_risk: sum(reader, at_risk.into_iter()),
        waiting: open_risks.count() + answers.len(),
        late: answers.iter().filter(|handoff| handoff.due().is_some_and(|due| due <= reader.now)).count(),
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

//! What a lead reads of the people they lead.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use super::read::{self, AccountRead};
use super::views::Reader;
use super::{figures, fit};
use crate::domain::account::{Account, AccountId, AccountStatus};
use crate::domain::action::Subject;
use crate::domain::diagnosis::{Band, Stage};
use crate::domain::digest::Sum;
use crate::domain::figures::fit::Verdict;
use crate::domain::handoff::{Handoff, Matter, Return, State, Timer};
use crate::domain::message::lead::{PersonLine, Previous, QuarterView, Stuck, StuckKind, TeamView, WeeklyView};
use crate::domain::money::Money;
use crate::domain::person::{Person, PersonId};
use crate::domain::renewal as term;
use crate::domain::renewal_work::RenewalWork;
use crate::domain::risk::{self, Risk};
use crate::store::diagnosis::Bands;
use crate::store::{Tenant, account, diagnosis, digest, handoff, renewal, risk as risks};

/// Accounts counted at once: all that is known of a large team's would be hundreds of megabytes.
const PAGE: usize = 1_000;
/// A page of a team that has one in so many of the accounts between its first and its last is read along them, others'
/// accounts too: a look-up each costs several times a row that is passed by.
const MOST_FROM: usize = 3;

/// What of an account a team's morning counts.
struct Counted {
    id: AccountId,
    arr: Option<Money>,
    csm: Option<PersonId>,
    account_manager: Option<PersonId>,
    at_risk: bool,
    /// Its risk is open and nobody has answered.
    waits: bool,
    /// Nobody has, and the time for it is over.
    waits_late: bool,
    /// Who has to answer for what is handed over and not accepted yet, and whether they are late.
    answers: Vec<(PersonId, bool)>,
}

/// A renewal of this quarter: it is due in it, or was settled for a term that ends in it.
struct Due {
    arr: Option<Money>,
    settled: bool,
    lost: bool,
    /// Not settled, and the account is at risk.
    at_risk: bool,
    /// Its opt-out date passed before anybody had the renewal in hand.
    found_late: bool,
}

/// What is counted, page by page.
#[derive(Default)]
struct Counts {
    accounts: Vec<Counted>,
    renewals: Vec<Due>,
    stuck: Vec<Stuck>,
}

/// The team of a lead; `None` for one who leads nobody.
/// `on` is the date of the morning: the reader's first of their week says what is said weekly, also when it is
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
    let mut counts = Counts::default();
    let mut all = ids(tx, &team).await?;
    let (people, pools) = holders(&team);
    all.extend(account::left_between(tx, &people, &pools, quarter_of(reader.today())).await?);
    // Something open on one that has left keeps it in the book.
    all.sort();
    all.dedup();
    for ids in all.chunks(PAGE) {
        count(tx, reader, ids, &mut counts).await?;
    }
    let Counts { accounts, renewals, mut stuck } = counts;
    stuck.sort_by(|a, b| (a.kind, a.since, &a.account).cmp(&(b.kind, b.since, &b.account)));
    let today = reader.today();
    let at_risk = |account: &&Counted| account.at_risk;
    Ok(Some(TeamView {
        at_risk: accounts.iter().filter(at_risk).count(),
        arr_at_risk: sum(reader, accounts.iter().filter(at_risk).map(|account| account.arr)),
        now: (today != on).then_some(today),
        previous: previous(tx, reader, lead, on, &accounts).await?,
        renewals: quarter(reader, &renewals),
        stuck,
        // Who holds nothing has no load to show.
        people: lines(reader, &team, &accounts),
        weekly: weekly(tx, reader, lead, on).await?,
    }))
}

/// A page of a team's accounts, by id, and what is open on them; beside them perhaps what is of others.
struct Page {
    accounts: Vec<Account>,
    works: Vec<RenewalWork>,
    risks: Vec<Risk>,
    /// Open ones only.
    handoffs: Vec<Handoff>,
    bands: Bands,
}

impl Page {
    async fn read(tx: &mut Tenant, reader: Reader<'_>, ids: &[AccountId]) -> anyhow::Result<Self> {
        if let (Some(first), Some(last)) = (ids.first(), ids.last())
            && !account::has_more_between(tx, first, last, ids.len() * MOST_FROM).await?
            // Where a row of another's can't be read, theirs are looked up.
            && let Ok(page) = Self::along(tx, reader, ids, first, last).await
        {
            return Ok(page);
        }
        let bands = match reader.snapshot.organisation.diagnosed_on {
            Some(date) => diagnosis::bands(tx, date, ids).await?,
            None => Bands::new(),
        };
        Ok(Self {
            accounts: account::some(tx, ids).await?,
            works: renewal::latest(tx, ids).await?,
            risks: risks::latest(tx, ids).await?,
            // None ended later than now.
            handoffs: handoff::of_accounts(tx, ids, reader.now).await?.into_iter().filter(Handoff::is_open).collect(),
            bands,
        })
    }

    /// The same of all accounts from the first to the last.
    async fn along(
        tx: &mut Tenant,
        reader: Reader<'_>,
        ids: &[AccountId],
        first: &AccountId,
        last: &AccountId,
    ) -> anyhow::Result<Self> {
        let mut accounts = account::between(tx, first, last).await?;
        accounts.retain(|account| ids.binary_search(&account.id).is_ok());
        let handoffs = handoff::between(tx, first, last, reader.now).await?;
        let handoffs = handoffs.into_iter().map(|(_, handoff)| handoff).collect::<anyhow::Result<Vec<Handoff>>>()?;
        Ok(Self {
            accounts,
            works: renewal::latest_between(tx, first, last).await?,
            risks: risks::latest_between(tx, first, last).await?,
            handoffs: handoffs.into_iter().filter(Handoff::is_open).collect(),
            bands: match reader.snapshot.organisation.diagnosed_on {
                Some(date) => diagnosis::bands_between(tx, date, first, last).await?,
                None => Bands::new(),
            },
        })
    }
}

/// Counts the active ones of these accounts and finds what is stuck on them; the quarter's renewals also of those that
/// have left, since that is how some were lost.
async fn count(tx: &mut Tenant, reader: Reader<'_>, ids: &[AccountId], counts: &mut Counts) -> anyhow::Result<()> {
    let Page { accounts, works, risks, handoffs: open, bands } = Page::read(tx, reader, ids).await?;
    let works: BTreeMap<&AccountId, &RenewalWork> = works.iter().map(|work| (&work.account, work)).collect();
    let risks: BTreeMap<&AccountId, &Risk> = risks.iter().map(|risk| (&risk.account, risk)).collect();
    let mut handoffs: BTreeMap<AccountId, Vec<Handoff>> = BTreeMap::new();
    for handoff in open {
        handoffs.entry(handoff.account.clone()).or_default().push(handoff);
    }
    let (first, last) = quarter_of(reader.today());
    let is_active = |account: &Account| account.status == AccountStatus::Active;
    // For which term it was settled: the account's own date has often moved on with it.
    let settled = |account: &Account| {
        let work = works.get(&account.id).filter(|work| !work.is_open());
        work.filter(|work| (first..=last).contains(&work.renewal_date))
    };
    let in_hand = |account: &Account| works.get(&account.id).is_some_and(|work| work.is_open());
    // A short term that renews by itself has nothing to work on, so it would never be settled.
    let policy = &reader.snapshot.policy;
    let rolls_over = |account: &Account| term::rolls_over(account, account.auto_renew, policy) && !in_hand(account);
    let is_due = |account: &Account| {
        let in_quarter = account.renewal_date.is_some_and(|day| (first..=last).contains(&day));
        is_active(account) && in_quarter && !rolls_over(account)
    };
    let mut found_late = BTreeSet::new();
    if let Some(date) = reader.snapshot.organisation.diagnosed_on {
        let untouched = accounts.iter().filter(|a| is_due(a) && settled(a).is_none() && !in_hand(a));
        found_late = late(tx, reader, date, &untouched.cloned().collect::<Vec<_>>()).await?;
    }
    let is_at_risk = |account: &Account| bands.get(&account.id).is_some_and(|(_, band)| *band == Band::AtRisk);
    for account in accounts.iter().filter(|account| is_due(account) || settled(account).is_some()) {
        let settled = settled(account);
        counts.renewals.push(Due {
            arr: account.arr,
            settled: settled.is_some(),
            lost: settled.is_some_and(|work| work.state_name() == "lost"),
            at_risk: settled.is_none() && is_at_risk(account),
            found_late: found_late.contains(&account.id),
        });
    }
    for account in accounts.into_iter().filter(is_active) {
        let handoffs = handoffs.remove(&account.id).unwrap_or_default();
        let risk = risks.get(&account.id).copied();
        counts.stuck.extend(handoffs.iter().filter_map(|handoff| stuck_handoff(reader, &account, handoff)));
        counts.stuck.extend(risk.and_then(|risk| stuck_risk(reader, &account, risk)));
        counts.stuck.extend(works.get(&account.id).and_then(|work| stuck_renewal(reader, &account, work)));
        let unanswered = handoffs.iter().filter(|handoff| !matches!(handoff.state(), State::Accepted { .. }));
        let waits = risk.filter(|risk| matches!(risk.state(), risk::State::Open));
        counts.accounts.push(Counted {
            arr: account.arr,
            csm: account.csm,
            account_manager: account.account_manager,
            at_risk: is_at_risk(&account),
            waits: waits.is_some(),
            waits_late: waits.is_some_and(|risk| ran_out(risk.timer()).is_some()),
            answers: unanswered
                .filter_map(|handoff| Some((handoff.accountable()?, is_late(reader, handoff))))
                .collect(),
            id: account.id,
        });
    }
    Ok(())
}

/// Those of these accounts whose opt-out date had passed on the night of `date`.
async fn late(
    tx: &mut Tenant,
    reader: Reader<'_>,
    date: NaiveDate,
    accounts: &[Account],
) -> anyhow::Result<BTreeSet<AccountId>> {
    let gists = diagnosis::gists(tx, date, accounts, &reader.snapshot.policy).await?;
    let passed = gists.into_iter().filter(|(_, gist)| gist.renewal.stage == Stage::OptOutPassed);
    Ok(passed.map(|(id, _)| id).collect())
}

async fn weekly(
    tx: &mut Tenant,
    reader: Reader<'_>,
    lead: &Person,
    on: NaiveDate,
) -> anyhow::Result<Option<WeeklyView>> {
    let calendar = reader.snapshot.calendar(lead);
    // Who was away when their week began reads it on the first morning after that.
    let last = digest::before(tx, lead.id, on).await?.map(|last| last.on);
    if !calendar.is_due_weekly(on, last) {
        return Ok(None);
    }
    let failures = figures::failures(tx, reader.snapshot, lead, reader.now).await?;
    let mut fits = Vec::new();
    // In the first of these messages of a month: of that in which the week began.
    if last.is_none_or(|last| calendar.week_of(last).month() != calendar.week_of(on).month()) {
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

/// The accounts of a lead's team by id; none for one who leads nobody.
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
    let (people, pools) = holders(team);
    account::book(tx, &people, &pools).await
}

/// Through whom a team has accounts: its people, and their pools.
fn holders(team: &[&Person]) -> (Vec<PersonId>, Vec<String>) {
    let pools: BTreeSet<String> = team.iter().filter_map(|person| person.pool.clone()).collect();
    (team.iter().map(|person| person.id).collect(), pools.into_iter().collect())
}

fn sum(reader: Reader<'_>, amounts: impl Iterator<Item = Option<Money>>) -> Vec<Money> {
    Sum::of(amounts.flatten(), &reader.snapshot.rates).amounts()
}

/// What was at risk at the lead's own last morning before the one of this date: that is what they read last.
async fn previous(
    tx: &mut Tenant,
    reader: Reader<'_>,
    lead: &Person,
    date: NaiveDate,
    accounts: &[Counted],
) -> anyhow::Result<Option<Previous>> {
    let Some(last) = digest::before(tx, lead.id, date).await? else { return Ok(None) };
    let ids: Vec<AccountId> = accounts.iter().map(|account| account.id.clone()).collect();
    let mut were: BTreeSet<AccountId> = diagnosis::at_risk_on(tx, last.night, &ids).await?.into_iter().collect();
    // A decision by day makes the night's diagnosis anew: that is news since the morning, and not what it said.
    for later in risks::opened_after(tx, &Vec::from_iter(were.clone()), last.night, last.queued_at).await? {
        were.remove(&later);
    }
    let still_ours = accounts.iter().filter(|account| were.contains(&account.id));
    let arr_at_risk = sum(reader, still_ours.map(|account| account.arr));
    Ok(Some(Previous { on: last.on, arr_at_risk }))
}

fn quarter(reader: Reader<'_>, renewals: &[Due]) -> QuarterView {
    let today = reader.today();
    let count = |which: fn(&&Due) -> bool| renewals.iter().filter(which).count();
    QuarterView {
        quarter: format!("Q{} {}", today.month0() / 3 + 1, today.year()),
        due: renewals.len(),
        arr: sum(reader, renewals.iter().map(|due| due.arr)),
        settled: count(|due| due.settled),
        lost: count(|due| due.lost),
        at_risk: count(|due| due.at_risk),
        found_late: count(|due| due.found_late),
    }
}

fn quarter_of(day: NaiveDate) -> (NaiveDate, NaiveDate) {
    let month = day.month0() / 3 * 3 + 1;
    let first = NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day);
    let next = first.checked_add_months(chrono::Months::new(3)).unwrap_or(day);
    (first, next.pred_opt().unwrap_or(day))
}

fn is_late(reader: Reader<'_>, handoff: &Handoff) -> bool {
    handoff.due().is_some_and(|due| due <= reader.now) || ran_out(handoff.timer()).is_some()
}

/// When the lead was told that nobody had answered. Of what is open no clock ends otherwise: whatever people do about it
/// begins a new one.
fn ran_out(timer: Timer) -> Option<DateTime<Utc>> {
    match timer {
        Timer::Over { since } => Some(since),
        Timer::Waiting | Timer::Running { .. } => None,
    }
}

/// A risk that nobody acknowledged in time, or an acknowledged one whose next step is overdue.
fn stuck_risk(reader: Reader<'_>, account: &Account, risk: &Risk) -> Option<Stuck> {
    let (kind, what, since) = match risk.state() {
        risk::State::Acknowledged { due, .. } if *due < reader.today() => (StuckKind::Late, "risk, next step", *due),
        risk::State::Open => (StuckKind::Escalated, "risk", reader.date(ran_out(risk.timer())?)),
        _ => return None,
    };
    let routed = reader.snapshot.route(account, reader.today()).ok();
    let who = routed.map(|routed| reader.snapshot.looks_after(risk, account, &routed, reader.now));
    Some(Stuck {
        kind,
        account: account.name.clone(),
        what: what.to_owned(),
        amount: account.arr,
        who: who.map(|id| reader.name(id)),
        own: who.is_some() && reader.person == who,
        since,
        subject: Subject::Risk(risk.id),
    })
}

/// A renewal that its owner did nothing about in time.
fn stuck_renewal(reader: Reader<'_>, account: &Account, work: &RenewalWork) -> Option<Stuck> {
    let since = ran_out(work.timer()).filter(|_| work.is_open())?;
    Some(Stuck {
        kind: StuckKind::Escalated,
        account: account.name.clone(),
        what: "renewal".to_owned(),
        amount: account.arr,
        who: Some(reader.name(work.owner())),
        own: reader.person == Some(work.owner()),
        since: reader.date(since),
        subject: Subject::Renewal(work.id),
    })
}

/// What nobody has picked up, or what is late.
fn stuck_handoff(reader: Reader<'_>, account: &Account, handoff: &Handoff) -> Option<Stuck> {
    let ran_out = ran_out(handoff.timer());
    let kind = match handoff.state() {
        _ if ran_out.is_some() => StuckKind::Escalated,
        _ if is_late(reader, handoff) => StuckKind::Late,
        // Declined or handed back is an answer; only what nobody answered goes to the lead.
        State::Returned { how: Return::Expired { .. }, .. } => StuckKind::Escalated,
        State::Offered { .. } => StuckKind::Unclaimed,
        _ => return None,
    };
    let amount = match &handoff.matter {
        Matter::Window(window) => window.amount,
        Matter::RiskToWeigh { .. } | Matter::Warning { .. } => account.arr,
    };
    Some(Stuck {
        kind,
        account: account.name.clone(),
        what: handoff.matter.label().to_owned(),
        amount,
        who: handoff.accountable().map(|id| reader.name(id)),
        // A pool's offer waits for its members.
        own: handoff.offered_to_pool().is_none() && handoff.accountable() == reader.person,
        since: reader.date(ran_out.unwrap_or(handoff.since())),
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
    let open_risks: Vec<_> = theirs.iter().filter(|account| account.waits && account.csm == Some(person.id)).collect();
    let late_risks = open_risks.iter().filter(|account| account.waits_late).count();
    PersonLine {
        name: person.first_name().to_owned(),
        accounts: theirs.len(),
        at_risk: at_risk.len(),
        arr_at_risk: sum(reader, at_risk.into_iter().map(|account| account.arr)),
        waiting: open_risks.len() + answers.len(),
        late: late_risks + answers.iter().filter(|late| **late).count(),
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

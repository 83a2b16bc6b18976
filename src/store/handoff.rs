//! Handoffs: expansion windows, risks to weigh, warnings.

use anyhow::Context;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Tenant, word};
use crate::domain::account::AccountId;
use crate::domain::handoff::{Handoff, HandoffRecord};
use crate::domain::money::Money;
use crate::domain::person::PersonId;

/// Every column that is read and written beside `org_id`, by name: a column that a newer program adds means nothing to this one,
/// and `*` would have each prepared statement fail from then on.
macro_rules! columns {
    () => {
        "handoff_id, account_id, version, since, solo, matter, note, window_kind, amount_minor, currency, amount_confirmed, opens_on,
         closes_on, co_term, raised_by, risk_id, withheld_by, withheld_since, overridden_by, overridden_at, override_reason, need,
         contact, timing, state, accountable, pool, offered_by, moved_by, reason, clock_since, due_at, won_minor, won_currency,
         remind_at, stands_in_for, qualified_by, qualified_at"
    };
}

macro_rules! handoff {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM tandem.handoff WHERE org_id = $1 AND ", $rest)
    };
}

/// The handoffs that `each` finds of one of the accounts `$2`, account by account: on the first night the planner takes the table
/// for empty and would read all of it for every page.
macro_rules! of_accounts {
    ($each:literal) => {
        concat!(
            "SELECT h.* FROM unnest($2::text[]) AS wanted (account_id) CROSS JOIN LATERAL (",
            handoff!("account_id = wanted.account_id AND (accountable IS NOT NULL OR since > $3) "),
            $each,
            ") AS h ORDER BY h.account_id, h.since, h.handoff_id"
        )
    };
}

statements! {
    LOCK = handoff!("handoff_id = $2 FOR NO KEY UPDATE");
    /// In the order of ids, so that two who lock several cannot wait for each other.
    LOCK_MANY = handoff!("handoff_id = ANY ($2) ORDER BY handoff_id FOR NO KEY UPDATE");
    READ = handoff!("handoff_id = ANY ($2)");
    /// What is open, and what ended so lately that its quiet time may still run.
    OF_ACCOUNTS = of_accounts!("OFFSET 0");
    /// The same of all accounts in a row: one look along the index.
    BETWEEN = handoff!("account_id BETWEEN $2 AND $3 AND (accountable IS NOT NULL OR since > $4)
                        ORDER BY account_id, since, handoff_id");
    LOCK_OF_ACCOUNTS = of_accounts!("ORDER BY since DESC, handoff_id FOR NO KEY UPDATE");
    OPEN = handoff!("accountable IS NOT NULL ORDER BY account_id, since, handoff_id");
    /// What lies with these people, and what a stand-in holds for them.
    HELD_BY = "SELECT handoff_id FROM tandem.handoff
                WHERE org_id = $1 AND accountable = ANY ($2) ORDER BY handoff_id";
    STOOD_IN_FOR = "SELECT handoff_id FROM tandem.handoff
                     WHERE org_id = $1 AND stands_in_for = $2 AND accountable IS NOT NULL ORDER BY handoff_id";
    /// New and moved ones, each as an object whose keys are columns.
    SAVE = concat!("INSERT INTO tandem.handoff AS t (org_id, ", columns!(), ") SELECT $1, ", columns!(),
                   " FROM jsonb_populate_recordset(NULL::tandem.handoff, $2)
            ON CONFLICT (org_id, handoff_id) DO UPDATE SET
                   version = excluded.version, since = excluded.since, solo = excluded.solo, note = excluded.note,
                   amount_minor = excluded.amount_minor, currency = excluded.currency, opens_on = excluded.opens_on,
                   closes_on = excluded.closes_on, co_term = excluded.co_term, withheld_by = excluded.withheld_by,
                   withheld_since = excluded.withheld_since, overridden_by = excluded.overridden_by,
                   overridden_at = excluded.overridden_at, override_reason = excluded.override_reason, need = excluded.need,
                   contact = excluded.contact, timing = excluded.timing, state = excluded.state, accountable = excluded.accountable,
                   pool = excluded.pool, offered_by = excluded.offered_by, moved_by = excluded.moved_by, reason = excluded.reason,
                   clock_since = excluded.clock_since, due_at = excluded.due_at, won_minor = excluded.won_minor,
                   won_currency = excluded.won_currency, remind_at = excluded.remind_at, stands_in_for = excluded.stands_in_for,
                   qualified_by = excluded.qualified_by, qualified_at = excluded.qualified_at,
                   amount_confirmed = excluded.amount_confirmed
             WHERE t.version <= excluded.version");
}

#[derive(FromRow, Serialize, Deserialize)]
pub(super) struct HandoffRow {
    handoff_id: Uuid,
    account_id: String,
    version: i32,
    since: DateTime<Utc>,
    solo: bool,
    matter: String,
    note: String,
    window_kind: Option<String>,
    amount_minor: Option<i64>,
    currency: Option<String>,
    amount_confirmed: bool,
    opens_on: Option<NaiveDate>,
    closes_on: Option<NaiveDate>,
    co_term: Option<bool>,
    raised_by: Option<Uuid>,
    risk_id: Option<Uuid>,
    withheld_by: Option<String>,
    withheld_since: Option<DateTime<Utc>>,
    overridden_by: Option<Uuid>,
    overridden_at: Option<DateTime<Utc>>,
    override_reason: Option<String>,
    need: Option<String>,
    contact: Option<String>,
    timing: Option<String>,
    state: String,
    accountable: Option<Uuid>,
    pool: Option<String>,
    offered_by: Option<Uuid>,
    moved_by: Option<Uuid>,
    reason: Option<String>,
    clock_since: Option<DateTime<Utc>>,
    due_at: Option<DateTime<Utc>>,
    won_minor: Option<i64>,
    won_currency: Option<String>,
    remind_at: Option<DateTime<Utc>>,
    stands_in_for: Option<Uuid>,
    qualified_by: Option<Uuid>,
    qualified_at: Option<DateTime<Utc>>,
}

fn money(minor: Option<i64>, currency: Option<&String>) -> anyhow::Result<Option<Money>> {
    minor.zip(currency).map(|(minor, code)| Ok(Money::new(minor, word("currency", code)?))).transpose()
}

impl From<&Handoff> for HandoffRow {
    fn from(handoff: &Handoff) -> Self {
        let row = HandoffRecord::from(handoff);
        let id = |person: Option<PersonId>| person.map(|person| person.0);
        let minor = |money: Option<Money>| money.map(|money| money.minor);
        let currency = |money: Option<Money>| money.map(|money| money.currency.to_string());
        Self {
            handoff_id: row.id,
            account_id: row.account.0,
            version: row.version,
            since: row.since,
            solo: row.solo,
            matter: row.matter,
            note: row.note,
            window_kind: row.window_kind,
            amount_minor: minor(row.amount),
            currency: currency(row.amount),
            amount_confirmed: row.amount_confirmed,
            opens_on: row.opens_on,
            closes_on: row.closes_on,
            co_term: row.co_term,
            raised_by: id(row.raised_by),
            risk_id: row.risk,
            withheld_by: row.withheld_by,
            withheld_since: row.withheld_since,
            overridden_by: id(row.overridden_by),
            overridden_at: row.overridden_at,
            override_reason: row.override_reason,
            need: row.need,
            contact: row.contact,
            timing: row.timing,
            state: row.state,
            accountable: id(row.accountable),
            pool: row.pool,
            offered_by: id(row.offered_by),
            moved_by: id(row.moved_by),
            reason: row.reason,
            clock_since: row.clock_since,
            due_at: row.due_at,
            won_minor: minor(row.won_amount),
            won_currency: currency(row.won_amount),
            remind_at: row.remind_at,
            stands_in_for: id(row.stands_in_for),
            qualified_by: id(row.qualified_by),
            qualified_at: row.qualified_at,
        }
    }
}

impl TryFrom<HandoffRow> for Handoff {
    type Error = anyhow::Error;

    fn try_from(row: HandoffRow) -> Result<Self, Self::Error> {
        let record = HandoffRecord {
            id: row.handoff_id,
            account: AccountId(row.account_id),
            version: row.version,
            since: row.since,
            solo: row.solo,
            matter: row.matter,
            note: row.note,
            window_kind: row.window_kind,
            amount: money(row.amount_minor, row.currency.as_ref())?,
            amount_confirmed: row.amount_confirmed,
            opens_on: row.opens_on,
            closes_on: row.closes_on,
            co_term: row.co_term,
            raised_by: row.raised_by.map(PersonId),
            risk: row.risk_id,
            withheld_by: row.withheld_by,
            withheld_since: row.withheld_since,
            overridden_by: row.overridden_by.map(PersonId),
            overridden_at: row.overridden_at,
            override_reason: row.override_reason,
            need: row.need,
            contact: row.contact,
            timing: row.timing,
            qualified_by: row.qualified_by.map(PersonId),
            qualified_at: row.qualified_at,
            state: row.state,
            accountable: row.accountable.map(PersonId),
            pool: row.pool,
            offered_by: row.offered_by.map(PersonId),
            moved_by: row.moved_by.map(PersonId),
            reason: row.reason,
            clock_since: row.clock_since,
            remind_at: row.remind_at,
            due_at: row.due_at,
            stands_in_for: row.stands_in_for.map(PersonId),
            won_amount: money(row.won_minor, row.won_currency.as_ref())?,
        };
        Handoff::try_from(record).context("a stored handoff")
    }
}

fn handoffs(rows: Vec<HandoffRow>) -> anyhow::Result<Vec<Handoff>> {
    rows.into_iter().map(Handoff::try_from).collect()
}

/// The handoff, locked until commit.
pub async fn lock(tx: &mut Tenant, id: Uuid) -> anyhow::Result<Option<Handoff>> {
    let org = tx.org().0;
    let row: Option<HandoffRow> = sqlx::query_as(LOCK).bind(org).bind(id).fetch_optional(tx.connection()).await?;
    row.map(Handoff::try_from).transpose()
}

/// The handoffs of these ids that exist, locked until commit, by id.
pub async fn lock_many(tx: &mut Tenant, ids: &[Uuid]) -> anyhow::Result<Vec<Handoff>> {
    let org = tx.org().0;
    handoffs(sqlx::query_as(LOCK_MANY).bind(org).bind(ids).fetch_all(tx.connection()).await?)
}

pub async fn read(tx: &mut Tenant, ids: &[Uuid]) -> anyhow::Result<Vec<Handoff>> {
    let org = tx.org().0;
    handoffs(sqlx::query_as(READ).bind(org).bind(ids).fetch_all(tx.connection()).await?)
}

/// The handoffs of these accounts that are open, or that ended after `since`.
pub async fn of_accounts(
    tx: &mut Tenant,
    accounts: &[AccountId],
    since: DateTime<Utc>,
) -> anyhow::Result<Vec<Handoff>> {
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    handoffs(sqlx::query_as(OF_ACCOUNTS).bind(org).bind(&ids).bind(since).fetch_all(tx.connection()).await?)
}

/// Every open handoff.
pub async fn open(tx: &mut Tenant) -> anyhow::Result<Vec<Handoff>> {
    let org = tx.org().0;
    handoffs(sqlx::query_as(OPEN).bind(org).fetch_all(tx.connection()).await?)
}

/// Open handoffs that lie with one of these people, by id.
pub async fn held_by(tx: &mut Tenant, people: &[PersonId]) -> anyhow::Result<Vec<Uuid>> {
    let org = tx.org().0;
    let people: Vec<Uuid> = people.iter().map(|person| person.0).collect();
    Ok(sqlx::query_scalar(HELD_BY).bind(org).bind(&people).fetch_all(tx.connection()).await?)
}

/// Open handoffs that somebody holds for this person until they are back, by id.
pub async fn stood_in_for(tx: &mut Tenant, person: PersonId) -> anyhow::Result<Vec<Uuid>> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(STOOD_IN_FOR).bind(org).bind(person.0).fetch_all(tx.connection()).await?)
}

/// Saves a new or moved handoff.
pub async fn save(tx: &mut Tenant, handoff: &Handoff) -> anyhow::Result<()> {
    save_all(tx, std::slice::from_ref(handoff)).await
}

/// Saves new or moved handoffs, each once, in one statement.
pub async fn save_all(tx: &mut Tenant, handoffs: &[Handoff]) -> anyhow::Result<()> {
    if handoffs.is_empty() {
        return Ok(());
    }
    let org = tx.org().0;
    let rows: Vec<HandoffRow> = handoffs.iter().map(HandoffRow::from).collect();
    let saved = sqlx::query(SAVE).bind(org).bind(Json(rows)).execute(tx.connection()).await.context("save handoffs")?;
    anyhow::ensure!(saved.rows_affected() == handoffs.len() as u64, "a handoff was changed by somebody else meanwhile");
    Ok(())
}

/// With what is wrong with a row in its place.
pub type OneByOne = Vec<(AccountId, anyhow::Result<Handoff>)>;

fn one_by_one(rows: Vec<HandoffRow>) -> OneByOne {
    rows.into_iter().map(|row| (AccountId(row.account_id.clone()), Handoff::try_from(row))).collect()
}

/// The handoffs of the accounts from `first` to `last`, both included, that are open, or that ended after `since`.
pub async fn between(
    tx: &mut Tenant,
    first: &AccountId,
    last: &AccountId,
    since: DateTime<Utc>,
) -> anyhow::Result<OneByOne> {
    let org = tx.org().0;
    let query = sqlx::query_as(BETWEEN).bind(org).bind(&first.0).bind(&last.0).bind(since);
    Ok(one_by_one(query.fetch_all(tx.connection()).await?))
}

/// Those of these accounts, locked until commit.
pub async fn lock_of_accounts(
    tx: &mut Tenant,
    accounts: &[AccountId],
    since: DateTime<Utc>,
) -> anyhow::Result<OneByOne> {
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    Ok(one_by_one(sqlx::query_as(LOCK_OF_ACCOUNTS).bind(org).bind(&ids).bind(since).fetch_all(tx.connection()).await?))
}

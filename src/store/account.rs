//! Customer accounts, the contacts at them, and finding one by name.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use futures_util::TryStreamExt;
use serde::Deserialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::{Tenant, word};
use crate::domain::account::{Account, AccountId, Contact, name_key};
use crate::domain::money::{Currency, Money};
use crate::domain::person::PersonId;

statements! {
    /// A page of accounts after an id, in the order of ids.
    PAGE = "SELECT account_id, name, segment, arr_minor, currency, seats, plan, domains, url, goals, start_date,
                   go_live_date, renewal_date, term_months, notice_period_days, auto_renew, csm_id,
                   account_manager_id, pool, status, cost_to_serve_minor
              FROM tandem.account WHERE org_id = $1 AND account_id > $2 ORDER BY account_id LIMIT $3";
    /// In no order: Postgres would sort whole rows, a sixth of what the statement costs.
    SOME = "SELECT account_id, name, segment, arr_minor, currency, seats, plan, domains, url, goals, start_date,
                   go_live_date, renewal_date, term_months, notice_period_days, auto_renew, csm_id,
                   account_manager_id, pool, status, cost_to_serve_minor
              FROM tandem.account WHERE org_id = $1 AND account_id = ANY ($2)";
    /// The same of all accounts in a row: one look along the index.
    BETWEEN = "SELECT account_id, name, segment, arr_minor, currency, seats, plan, domains, url, goals, start_date,
                      go_live_date, renewal_date, term_months, notice_period_days, auto_renew, csm_id,
                      account_manager_id, pool, status, cost_to_serve_minor
                 FROM tandem.account WHERE org_id = $1 AND account_id BETWEEN $2 AND $3 ORDER BY account_id";
    COUNT_BETWEEN = "SELECT count(*) FROM (SELECT FROM tandem.account
                                             WHERE org_id = $1 AND account_id BETWEEN $2 AND $3 LIMIT $4) AS few";
    /// Every so many-th account, in the order of ids, so that there are at most `$2`; those that have left too.
    SPREAD = "SELECT account_id
                FROM (SELECT account_id, row_number() OVER (ORDER BY account_id) - 1 AS place, count(*) OVER () AS accounts
                        FROM tandem.account WHERE org_id = $1) AS a
               WHERE place % ((accounts + $2 - 1) / $2) = 0 ORDER BY account_id";
    CONTACTS_BETWEEN = "SELECT account_id, email, name, title, phone, persona, last_interaction, departed_on
                          FROM tandem.contact WHERE org_id = $1 AND account_id BETWEEN $2 AND $3
                         ORDER BY account_id, email";
    NAMES = "SELECT account_id, name_key FROM tandem.account WHERE org_id = $1 ORDER BY account_id";
    BY_KEY = "SELECT account_id FROM tandem.account WHERE org_id = $1 AND (name_key = $2 OR account_id = $3)
               ORDER BY account_id LIMIT $4";
    BY_PREFIX = "SELECT account_id FROM tandem.account WHERE org_id = $1 AND name_key >= $2 AND name_key < $3
                  ORDER BY name_key, account_id LIMIT $4";
    SIMILAR = "SELECT account_id FROM tandem.similar_accounts($1, $2)";
    /// Whose book an account is in: by its own columns, by its pool, or by what is open on it. Each by an index of its own:
    /// with OR all of the organisation's accounts would be read for each person's morning.
    BOOK = "SELECT account_id FROM tandem.account WHERE org_id = $1 AND csm_id = ANY ($2) AND status = 'active'
            UNION
            SELECT account_id FROM tandem.account WHERE org_id = $1 AND account_manager_id = ANY ($2) AND status = 'active'
            UNION
            SELECT account_id FROM tandem.account
             WHERE org_id = $1 AND pool = ANY ($3) AND account_manager_id IS NULL AND status = 'active'
            UNION
            SELECT account_id FROM tandem.handoff WHERE org_id = $1 AND accountable = ANY ($2)
            UNION
            SELECT account_id FROM tandem.handoff WHERE org_id = $1 AND pool = ANY ($3) AND accountable IS NOT NULL
            UNION
            SELECT account_id FROM tandem.renewal WHERE org_id = $1 AND owner_id = ANY ($2)
            ORDER BY account_id";
    /// Accounts of a book that have left, with work for a term that ends between these days.
    LEFT_BETWEEN = "SELECT account_id FROM tandem.account AS a
                     WHERE org_id = $1 AND status = 'churned'
                       AND (csm_id = ANY ($2) OR account_manager_id = ANY ($2)
                            OR (pool = ANY ($3) AND account_manager_id IS NULL))
                       AND EXISTS (SELECT FROM tandem.renewal
                                    WHERE org_id = $1 AND account_id = a.account_id
                                      AND record ->> 'renewal_date' BETWEEN $4 AND $5)
                     ORDER BY account_id";
    /// The book of several readers at once, each for whom they stand in and for their pools.
    BOOKS = "SELECT w.reader, b.account_id
               FROM unnest($2::uuid[], $3::uuid[]) AS w (reader, person)
              CROSS JOIN LATERAL (
                     SELECT account_id FROM tandem.account WHERE org_id = $1 AND csm_id = w.person AND status = 'active'
                     UNION ALL
                     SELECT account_id FROM tandem.account
                      WHERE org_id = $1 AND account_manager_id = w.person AND status = 'active'
                     UNION ALL
                     SELECT account_id FROM tandem.handoff WHERE org_id = $1 AND accountable = w.person
                     UNION ALL
                     SELECT account_id FROM tandem.renewal WHERE org_id = $1 AND owner_id = w.person) AS b
             UNION ALL
             SELECT w.reader, b.account_id
               FROM unnest($4::uuid[], $5::text[]) AS w (reader, pool)
              CROSS JOIN LATERAL (
                     SELECT account_id FROM tandem.account
                      WHERE org_id = $1 AND pool = w.pool AND account_manager_id IS NULL AND status = 'active'
                     UNION ALL
                     SELECT account_id FROM tandem.handoff
                      WHERE org_id = $1 AND pool = w.pool AND accountable IS NOT NULL) AS b";
    WITHOUT_CSM = "SELECT account_id FROM tandem.account
                    WHERE org_id = $1 AND status = 'active' AND (csm_id IS NULL OR csm_id = ANY ($2)) ORDER BY account_id";
    LOCK = "SELECT FROM tandem.account WHERE org_id = $1 AND account_id = $2 FOR NO KEY UPDATE";
    TAKE_OVER = "WITH held AS (
                SELECT account_id, csm_id IS NOT DISTINCT FROM $2 AS csm,
                       account_manager_id IS NOT DISTINCT FROM $2 AS account_manager
                  FROM tandem.account
                 WHERE org_id = $1 AND (csm_id = $2 OR account_manager_id = $2) AND ($4::text IS NULL OR account_id = $4)
                 ORDER BY account_id
                   FOR UPDATE
              )
              UPDATE tandem.account a
                 SET csm_id = CASE WHEN held.csm THEN $3 ELSE a.csm_id END,
                     account_manager_id = CASE WHEN held.account_manager THEN $3 ELSE a.account_manager_id END,
                     updated_at = $5
                FROM held
               WHERE a.org_id = $1 AND a.account_id = held.account_id
              RETURNING a.account_id, held.csm, held.account_manager";
    SET_CSM = "UPDATE tandem.account SET csm_id = $3, updated_at = $4 WHERE org_id = $1 AND account_id = $2";
    /// Whoever had left and speaks for us now is back.
    SAVE_CHAMPION = "INSERT INTO tandem.contact (org_id, account_id, email, name, persona) VALUES ($1, $2, $3, $4, 'champion')
                     ON CONFLICT (org_id, account_id, email)
                     DO UPDATE SET name = excluded.name, persona = excluded.persona, departed_on = NULL";
    COUNT = "SELECT count(*) FROM tandem.account WHERE org_id = $1 AND status = 'active'";
}

#[derive(FromRow)]
pub(super) struct AccountRow {
    account_id: String,
    name: String,
    segment: Option<String>,
    arr_minor: Option<i64>,
    currency: Option<String>,
    seats: Option<i64>,
    plan: Option<String>,
    domains: Vec<String>,
    url: Option<String>,
    goals: Option<String>,
    start_date: Option<NaiveDate>,
    go_live_date: Option<NaiveDate>,
    renewal_date: Option<NaiveDate>,
    term_months: Option<i32>,
    notice_period_days: Option<i32>,
    auto_renew: Option<bool>,
    csm_id: Option<Uuid>,
    account_manager_id: Option<Uuid>,
    pool: Option<String>,
    status: String,
    cost_to_serve_minor: Option<i64>,
}

impl TryFrom<AccountRow> for Account {
    type Error = anyhow::Error;

    fn try_from(row: AccountRow) -> Result<Self, Self::Error> {
        let currency: Option<Currency> = row.currency.as_deref().map(|code| word("currency", code)).transpose()?;
        let money = |minor: Option<i64>| Some(Money::new(minor?, currency?));
        Ok(Account {
            id: AccountId(row.account_id),
            name: row.name,
            segment: row.segment.as_deref().map(|text| word("segment", text)).transpose()?,
            arr: money(row.arr_minor),
            cost_to_serve: money(row.cost_to_serve_minor),
            seats: row.seats,
            plan: row.plan,
            domains: row.domains,
            url: row.url,
            goals: row.goals,
            start_date: row.start_date,
            go_live_date: row.go_live_date,
            renewal_date: row.renewal_date,
            term_months: row.term_months,
            notice_period_days: row.notice_period_days,
            auto_renew: row.auto_renew,
            csm: row.csm_id.map(PersonId),
            account_manager: row.account_manager_id.map(PersonId),
            pool: row.pool,
            status: word("status", &row.status)?,
        })
    }
}

#[derive(FromRow, Deserialize)]
pub(super) struct ContactRow {
    account_id: String,
    email: String,
    name: Option<String>,
    title: Option<String>,
    phone: Option<String>,
    persona: Option<String>,
    last_interaction: Option<NaiveDate>,
    departed_on: Option<NaiveDate>,
}

impl TryFrom<ContactRow> for Contact {
    type Error = anyhow::Error;

    fn try_from(row: ContactRow) -> Result<Self, Self::Error> {
        Ok(Contact {
            account_id: AccountId(row.account_id),
            email: row.email,
            name: row.name,
            title: row.title,
            phone: row.phone,
            persona: row.persona.as_deref().map(|text| word("persona", text)).transpose()?,
            last_interaction: row.last_interaction,
            departed_on: row.departed_on,
        })
    }
}

/// At most `most` accounts whose id comes after `after` (start with the empty string).
pub async fn page(tx: &mut Tenant, after: &str, most: i64) -> anyhow::Result<Vec<Account>> {
    let org = tx.org().0;
    let rows: Vec<AccountRow> =
        sqlx::query_as(PAGE).bind(org).bind(after).bind(most).fetch_all(tx.connection()).await?;
    rows.into_iter().map(Account::try_from).collect()
}

/// As [`page`], with what is wrong with a row in its place: one that can't be read must not hide the rest.
pub async fn page_one_by_one(
    tx: &mut Tenant,
    after: &str,
    most: i64,
) -> anyhow::Result<Vec<(AccountId, anyhow::Result<Account>)>> {
    let org = tx.org().0;
    let rows: Vec<AccountRow> =
        sqlx::query_as(PAGE).bind(org).bind(after).bind(most).fetch_all(tx.connection()).await?;
    Ok(rows.into_iter().map(|row| (AccountId(row.account_id.clone()), Account::try_from(row))).collect())
}

/// The accounts of these ids that exist, by id.
pub async fn some(tx: &mut Tenant, ids: &[AccountId]) -> anyhow::Result<Vec<Account>> {
    let org = tx.org().0;
    let ids: Vec<&str> = ids.iter().map(|id| id.0.as_str()).collect();
    let mut rows: Vec<AccountRow> = sqlx::query_as(SOME).bind(org).bind(&ids).fetch_all(tx.connection()).await?;
    rows.sort_by(|a, b| a.account_id.cmp(&b.account_id));
    rows.into_iter().map(Account::try_from).collect()
}

/// The accounts from `first` to `last`, both included, by id.
pub async fn between(tx: &mut Tenant, first: &AccountId, last: &AccountId) -> anyhow::Result<Vec<Account>> {
    let org = tx.org().0;
    let query = sqlx::query_as(BETWEEN).bind(org).bind(&first.0).bind(&last.0);
    let rows: Vec<AccountRow> = query.fetch_all(tx.connection()).await?;
    rows.into_iter().map(Account::try_from).collect()
}

/// Whether there are more than `most` accounts from `first` to `last`, both included.
pub async fn has_more_between(
    tx: &mut Tenant,
    first: &AccountId,
    last: &AccountId,
    most: usize,
) -> anyhow::Result<bool> {
    let org = tx.org().0;
    let most = i64::try_from(most)?;
    let query = sqlx::query_scalar(COUNT_BETWEEN).bind(org).bind(&first.0).bind(&last.0).bind(most + 1);
    let count: i64 = query.fetch_one(tx.connection()).await?;
    Ok(count > most)
}

/// The ids of at most `most` accounts, spread evenly over all of them, those that have left too.
pub async fn spread(tx: &mut Tenant, most: i64) -> anyhow::Result<Vec<AccountId>> {
    let org = tx.org().0;
    let ids: Vec<String> = sqlx::query_scalar(SPREAD).bind(org).bind(most.max(1)).fetch_all(tx.connection()).await?;
    Ok(ids.into_iter().map(AccountId).collect())
}

/// Locks the account until commit, so that what must be one of a kind on it is made once.
pub async fn lock(tx: &mut Tenant, id: &AccountId) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(LOCK).bind(org).bind(&id.0).execute(tx.connection()).await?;
    Ok(())
}

/// What one person gave to another of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seats {
    pub account: AccountId,
    pub csm: bool,
    pub account_manager: bool,
}

/// Puts `to` where `from` sits, on all accounts or on one of them.
pub async fn take_over(
    tx: &mut Tenant,
    from: PersonId,
    to: PersonId,
    only: Option<&AccountId>,
    at: DateTime<Utc>,
) -> anyhow::Result<Vec<Seats>> {
    let org = tx.org().0;
    let only = only.map(|account| account.0.as_str());
    let rows: Vec<(String, bool, bool)> = sqlx::query_as(TAKE_OVER)
        .bind(org)
        .bind(from.0)
        .bind(to.0)
        .bind(only)
        .bind(at)
        .fetch_all(tx.connection())
        .await?;
    Ok(rows
        .into_iter()
        .map(|(account, csm, account_manager)| Seats { account: AccountId(account), csm, account_manager })
        .collect())
}

/// The account changes hands.
pub async fn set_csm(tx: &mut Tenant, id: &AccountId, csm: PersonId, at: DateTime<Utc>) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(SET_CSM).bind(org).bind(&id.0).bind(csm.0).bind(at).execute(tx.connection()).await?;
    Ok(())
}

/// Remembers who speaks for us at the customer. `email` is in lower case.
pub async fn save_champion(tx: &mut Tenant, id: &AccountId, email: &str, name: &str) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(SAVE_CHAMPION).bind(org).bind(&id.0).bind(email).bind(name).execute(tx.connection()).await?;
    Ok(())
}

/// Contacts of the accounts from `first` to `last`, both included, by account.
pub async fn contacts_between(tx: &mut Tenant, first: &AccountId, last: &AccountId) -> anyhow::Result<Vec<Contact>> {
    let org = tx.org().0;
    let rows: Vec<ContactRow> =
        sqlx::query_as(CONTACTS_BETWEEN).bind(org).bind(&first.0).bind(&last.0).fetch_all(tx.connection()).await?;
    rows.into_iter().map(Contact::try_from).collect()
}

/// Hands over every account's id and name key, in the order of ids: what an index in memory is made of.
pub async fn each_name(tx: &mut Tenant, mut each: impl FnMut(String, String)) -> anyhow::Result<()> {
    let org = tx.org().0;
    let mut rows = sqlx::query_as::<_, (String, String)>(NAMES).bind(org).fetch(tx.connection());
    while let Some((id, key)) = rows.try_next().await? {
        each(id, key);
    }
    Ok(())
}

/// Accounts that a person may mean by `typed`: those of exactly that name or id, else those
/// whose name begins so, else similar ones (the close ones where there are some), likeliest first. At most `most`.
pub async fn find(tx: &mut Tenant, typed: &str, most: i64) -> anyhow::Result<Vec<AccountId>> {
    let org = tx.org().0;
    let key = name_key(typed);
    let exact: Vec<String> = sqlx::query_scalar(BY_KEY)
        .bind(org)
        .bind(&key)
        .bind(typed.trim())
        .bind(most)
        .fetch_all(tx.connection())
        .await?;
    if !exact.is_empty() || key.is_empty() {
        return Ok(exact.into_iter().map(AccountId).collect());
    }
    let prefixed: Vec<String> = sqlx::query_scalar(BY_PREFIX)
        .bind(org)
        .bind(&key)
        .bind(format!("{key}\u{10FFFF}"))
        .bind(most)
        .fetch_all(tx.connection())
        .await?;
    if !prefixed.is_empty() {
        return Ok(prefixed.into_iter().map(AccountId).collect());
    }
    let similar: Vec<String> = sqlx::query_scalar(SIMILAR)
        .bind(&key)
        .bind(i32::try_from(most).unwrap_or(i32::MAX))
        .fetch_all(tx.connection())
        .await?;
    Ok(similar.into_iter().map(AccountId).collect())
}

/// Accounts of these people's book, by id: theirs, their pools' and those on which something open is theirs.
pub async fn book(tx: &mut Tenant, people: &[PersonId], pools: &[String]) -> anyhow::Result<Vec<AccountId>> {
    let org = tx.org().0;
    let people: Vec<Uuid> = people.iter().map(|person| person.0).collect();
    let ids: Vec<String> =
        sqlx::query_scalar(BOOK).bind(org).bind(&people).bind(pools).fetch_all(tx.connection()).await?;
    Ok(ids.into_iter().map(AccountId).collect())
}

/// Those of the book of these people, and of these pools, that have left and whose renewal fell between these days, both
/// included.
pub async fn left_between(
    tx: &mut Tenant,
    people: &[PersonId],
    pools: &[String],
    (first, last): (NaiveDate, NaiveDate),
) -> anyhow::Result<Vec<AccountId>> {
    let org = tx.org().0;
    let people: Vec<Uuid> = people.iter().map(|person| person.0).collect();
    let ids: Vec<String> = sqlx::query_scalar(LEFT_BETWEEN)
        .bind(org)
        .bind(&people)
        .bind(pools)
        .bind(first.to_string())
        .bind(last.to_string())
        .fetch_all(tx.connection())
        .await?;
    Ok(ids.into_iter().map(AccountId).collect())
}

/// Who reads of which book: of everyone for whom they stand in, and of their pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reads {
    pub reader: PersonId,
    pub stands_for: Vec<PersonId>,
    pub pool: Option<String>,
}

/// As [`book`], for several readers.
pub async fn books(tx: &mut Tenant, readers: &[Reads]) -> anyhow::Result<BTreeMap<PersonId, BTreeSet<AccountId>>> {
    let org = tx.org().0;
    let people = readers.iter().flat_map(|reads| reads.stands_for.iter().map(|person| (reads.reader.0, person.0)));
    let (readers_of_people, people): (Vec<Uuid>, Vec<Uuid>) = people.unzip();
    let pools = readers.iter().filter_map(|reads| Some((reads.reader.0, reads.pool.as_deref()?)));
    let (readers_of_pools, pools): (Vec<Uuid>, Vec<&str>) = pools.unzip();
    let rows: Vec<(Uuid, String)> = sqlx::query_as(BOOKS)
        .bind(org)
        .bind(&readers_of_people)
        .bind(&people)
        .bind(&readers_of_pools)
        .bind(&pools)
        .fetch_all(tx.connection())
        .await?;
    let mut books: BTreeMap<PersonId, BTreeSet<AccountId>> =
        readers.iter().map(|reads| (reads.reader, BTreeSet::new())).collect();
    for (reader, account) in rows {
        books.entry(PersonId(reader)).or_default().insert(AccountId(account));
    }
    Ok(books)
}

/// Active accounts whose CSM is missing or among these people (who have left, or are away): somebody
/// else may be accountable for their risks.
pub async fn without_csm(tx: &mut Tenant, absent: &[PersonId]) -> anyhow::Result<Vec<AccountId>> {
    let org = tx.org().0;
    let absent: Vec<Uuid> = absent.iter().map(|person| person.0).collect();
    let ids: Vec<String> = sqlx::query_scalar(WITHOUT_CSM).bind(org).bind(&absent).fetch_all(tx.connection()).await?;
    Ok(ids.into_iter().map(AccountId).collect())
}

/// How many active accounts the organisation has.
pub async fn count(tx: &mut Tenant) -> anyhow::Result<i64> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(COUNT).bind(org).fetch_one(tx.connection()).await?)
}

//! What a night writes: a narrow row an account, the rest as JSON when it changed, and what the next night compares with.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::detail::{Detail, StoredCause};
use super::diagnosis::Feed;
use super::{Tenant, word};
use crate::domain::account::AccountId;
use crate::domain::diagnosis::course::{self, Course};
use crate::domain::diagnosis::{Diagnosis, FoundWindow, NightState, Previous};
use crate::domain::rhythm::Rhythm;
use crate::domain::signal::Source;

/// The diagnoses of a page, in the order of their key.
macro_rules! new_rows {
    () => {
        "(org_id, date, account_id, health, risk, band, change, detail_id, detail_on, floors, windows, course, cause,
          auto_renew, gist_of)
         SELECT $1, $2, n.*, n.detail_id FROM unnest($3::text[], $4::smallint[], $5::smallint[], $6::text[], $7::text[], $8::uuid[], $9::date[],
                                        $10::jsonb[], $11::jsonb[], $12::bytea[], $13::text[], $14::bool[])
                AS n (account_id, health, risk, band, change, detail_id, detail_on, floors, windows, course, cause, auto_renew)"
    };
}

/// The details that a page writes, in the order of their key.
macro_rules! new_details {
    () => {
        "(org_id, detail_on, account_id, detail_id, body)
         SELECT $1, $2, n.* FROM unnest($3::text[], $4::uuid[], $5::text[]) AS n"
    };
}

statements! {
    /// One diagnosis of an organisation at a time, whatever the replicas.
    LOCK_NIGHT = "SELECT pg_advisory_xact_lock(hashtextextended('tandem night ' || $1::text, 0))";
    TRY_LOCK_NIGHT = "SELECT pg_try_advisory_xact_lock(hashtextextended('tandem night ' || $1::text, 0))";
    NIGHT_BEFORE = "SELECT date, night, behind FROM tandem.diagnosis_run WHERE org_id = $1 AND date < $2 ORDER BY date DESC LIMIT 1";
    NIGHT_AFTER = "SELECT min(date) FROM tandem.diagnosis_run WHERE org_id = $1 AND date > $2";
    /// Only what the next night compares with; bodies only where a source is withheld. A window opens on a night of its
    /// own day: what a backdated run found has no dates to keep.
    EARLIER = "SELECT d.account_id, d.health, d.band, d.detail_id, d.detail_on, d.floors, d.course,
                      CASE WHEN $5 THEN (SELECT t.body FROM tandem.diagnosis_detail t
                                          WHERE t.org_id = $1 AND t.detail_on = d.detail_on AND t.account_id = d.account_id
                                            AND t.detail_id = d.detail_id)
                      END AS body,
                      CASE WHEN (SELECT live FROM tandem.diagnosis_run r WHERE r.org_id = $1 AND r.date = $2)
                           THEN d.windows END AS windows
                 FROM tandem.diagnosis d
                WHERE d.org_id = $1 AND d.date = $2 AND d.account_id BETWEEN $3 AND $4";
    /// By the key, account by account and night by night.
    COURSES = "SELECT wanted.account_id, h.nights, h.healths
                 FROM unnest($2::text[]) AS wanted (account_id)
                CROSS JOIN LATERAL (SELECT array_agg(date) AS nights, array_agg(health) AS healths FROM tandem.diagnosis
                                     WHERE org_id = $1 AND date = ANY ($3) AND account_id = wanted.account_id
                                       AND health IS NOT NULL) AS h
                WHERE h.nights IS NOT NULL";
    NIGHTS = "SELECT date FROM tandem.diagnosis_run WHERE org_id = $1 AND date >= $2 AND date < $3";
    STORED = "SELECT account_id, health, risk, band, change, detail_id, detail_on, course,
                     gist_of IS NOT DISTINCT FROM detail_id AS has_gist FROM tandem.diagnosis
               WHERE org_id = $1 AND date = $2 AND account_id > $3 AND account_id <= $4";
    /// By the keys: an EXISTS would be planned as a search through all dates.
    HAS_ROWS = "SELECT count(*) > 0 FROM ((SELECT account_id FROM tandem.diagnosis WHERE org_id = $1 AND date = $2
                                            ORDER BY account_id LIMIT 1)
                                          UNION ALL
                                          (SELECT account_id FROM tandem.diagnosis_detail WHERE org_id = $1 AND detail_on = $2
                                            ORDER BY account_id, detail_id LIMIT 1)) AS one";
    SAVE_DETAILS = concat!("INSERT INTO tandem.diagnosis_detail ", new_details!());
    /// Where the date may have details already.
    SAVE_DETAILS_AGAIN = concat!("INSERT INTO tandem.diagnosis_detail ", new_details!(), " ON CONFLICT DO NOTHING");
    SAVE = concat!("INSERT INTO tandem.diagnosis AS t ", new_rows!());
    /// Where the date may have rows already.
    SAVE_AGAIN = concat!("INSERT INTO tandem.diagnosis AS t ", new_rows!(), "
            ON CONFLICT (org_id, date, account_id) DO UPDATE SET
                   health = excluded.health, risk = excluded.risk, band = excluded.band, change = excluded.change,
                   detail_id = excluded.detail_id, detail_on = excluded.detail_on, floors = excluded.floors,
                   windows = excluded.windows, course = coalesce(excluded.course, t.course), cause = excluded.cause,
                   auto_renew = excluded.auto_renew, gist_of = excluded.gist_of");
    /// Accounts that an earlier run of the date had, and this one has not: they have left, or can't be read any more.
    DROP_OTHERS = "DELETE FROM tandem.diagnosis WHERE org_id = $1 AND date = $2 AND account_id = ANY ($3)";
    SAVE_RUN = "INSERT INTO tandem.diagnosis_run AS t (org_id, date, completed_at, accounts, live, policy_hash, night, sources, rejected, rhythms)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                ON CONFLICT (org_id, date) DO UPDATE SET
                       completed_at = excluded.completed_at, accounts = excluded.accounts, live = t.live OR excluded.live,
                       policy_hash = excluded.policy_hash, night = excluded.night, sources = excluded.sources,
                       rejected = excluded.rejected, rhythms = excluded.rhythms, behind = excluded.behind";
    NOT_IN_COURSES = "UPDATE tandem.diagnosis_run SET behind = array_append(behind, $2)
                       WHERE org_id = $1 AND date > $2 AND date <= $2 + $3::int AND NOT $2 = ANY (behind)";
    FORGET = "DELETE FROM tandem.diagnosis WHERE org_id = $1 AND date = $2";
    FORGET_DETAILS = "DELETE FROM tandem.diagnosis_detail WHERE org_id = $1 AND detail_on < $2";
    FORGOTTEN_DATES = "SELECT date FROM tandem.diagnosis_run WHERE org_id = $1 AND date < $2 ORDER BY date LIMIT $3";
    FORGET_RUN = "DELETE FROM tandem.diagnosis_run WHERE org_id = $1 AND date = $2";
}

/// For so long a body that stays the same is not written again.
const WRITTEN_FOR: TimeDelta = TimeDelta::days(30);
/// Sorts behind every id: none begins with the last code point, which is no character.
const BEHIND_ALL: &str = "\u{10FFFF}";

/// A detail's id is a hash of its body, so that equal bodies are one row: the first half of its SHA-256, for which
/// processors have instructions.
pub fn detail_id(body: &str) -> Uuid {
    let hash: [u8; 32] = Sha256::digest(body.as_bytes()).into();
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    Uuid::from_bytes(half)
}

/// One diagnosis, ready to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRow {
    account: AccountId,
    health: Option<i16>,
    risk: Option<i16>,
    band: &'static str,
    change: &'static str,
    detail_id: Uuid,
    body: String,
    floors: Option<Json<Vec<String>>>,
    windows: Option<Json<Vec<FoundWindow>>>,
    course: Option<Course>,
    cause: Option<String>,
    auto_renew: Option<bool>,
}

impl NewRow {
    /// `auto_renew` is what the deadlines were read with; without a course, the one that is stored stays.
    pub fn of(diagnosis: &Diagnosis, auto_renew: Option<bool>, course: Option<Course>) -> anyhow::Result<Self> {
        let body = serde_json::to_string(&Detail {
            coverage: diagnosis.coverage,
            families: Cow::Borrowed(&diagnosis.families),
            not_checked: Cow::Borrowed(&diagnosis.not_checked),
            stale: Cow::Borrowed(&diagnosis.stale),
            causes: diagnosis.causes.iter().map(|cause| StoredCause::of(cause, diagnosis.date)).collect(),
            windows: Cow::Borrowed(&diagnosis.windows),
            auto_renew,
            churned_on: diagnosis.churned_on,
        })?;
        let floors: Vec<String> = diagnosis.decisions().map(str::to_owned).collect();
        Ok(Self {
            account: diagnosis.account_id.clone(),
            health: diagnosis.health.map(i16::from),
            risk: diagnosis.risk.map(i16::from),
            band: diagnosis.band.as_str(),
            change: diagnosis.change.as_str(),
            detail_id: detail_id(&body),
            body,
            floors: Some(Json(floors)).filter(|floors| !floors.is_empty()),
            windows: (!diagnosis.windows.is_empty()).then(|| Json(diagnosis.windows.clone())),
            course,
            cause: diagnosis.causes.first().map(|cause| cause.rule.clone()),
            auto_renew,
        })
    }
}

/// What an earlier night left for this one.
#[derive(Debug, Clone, PartialEq)]
pub struct Earlier {
    pub previous: Previous,
    pub windows: Vec<FoundWindow>,
    pub kept: Kept,
    /// Before that night; `None` where it was not kept yet.
    pub course: Option<Course>,
}

/// A body that some night refers to: its id, and the night that wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    detail_id: Uuid,
    on: NaiveDate,
}

impl Kept {
    /// Where the same is found on `date`, when it was written: unless so long ago that it is written again.
    fn still(self, detail_id: Uuid, date: NaiveDate) -> Option<NaiveDate> {
        (self.detail_id == detail_id && date - self.on < WRITTEN_FOR).then_some(self.on)
    }
}

#[derive(FromRow)]
struct EarlierRow {
    account_id: String,
    health: Option<i16>,
    band: String,
    detail_id: Uuid,
    detail_on: NaiveDate,
    body: Option<String>,
    windows: Option<Json<Vec<FoundWindow>>>,
    floors: Option<Json<Vec<String>>>,
    course: Option<Vec<u8>>,
}

#[derive(Debug, FromRow)]
struct StoredRow {
    account_id: String,
    health: Option<i16>,
    risk: Option<i16>,
    band: String,
    change: String,
    detail_id: Uuid,
    detail_on: NaiveDate,
    course: Option<Vec<u8>>,
    has_gist: bool,
}

impl StoredRow {
    fn kept(&self) -> Kept {
        Kept { detail_id: self.detail_id, on: self.detail_on }
    }

    fn says_the_same(&self, new: &NewRow) -> bool {
        let course = new.course.as_ref().map(Course::as_bytes);
        (self.health, self.risk, self.band.as_str(), self.change.as_str(), self.detail_id)
            == (new.health, new.risk, new.band, new.change, new.detail_id)
            && (course.is_none() || course == self.course.as_deref())
            && self.has_gist
    }
}

/// Makes this transaction the only one that diagnoses the organisation, until it ends.
pub async fn lock_night(tx: &mut Tenant) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(LOCK_NIGHT).bind(org).execute(tx.connection()).await.context("wait for another diagnosis")?;
    Ok(())
}

/// The same without waiting: false where a diagnosis is under way.
pub async fn try_lock_night(tx: &mut Tenant) -> anyhow::Result<bool> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(TRY_LOCK_NIGHT).bind(org).fetch_one(tx.connection()).await?)
}

/// A complete night, as the next one needs it.
#[derive(Debug, Clone)]
pub struct NightBefore {
    pub date: NaiveDate,
    /// What it left for the feed guard.
    pub state: NightState,
    /// Its courses hold every night before it.
    pub has_courses: bool,
}

/// The latest complete night before this date.
pub async fn night_before(tx: &mut Tenant, date: NaiveDate) -> anyhow::Result<Option<NightBefore>> {
    let org = tx.org().0;
    let row: Option<(NaiveDate, Json<NightState>, Vec<NaiveDate>)> =
        sqlx::query_as(NIGHT_BEFORE).bind(org).bind(date).fetch_optional(tx.connection()).await?;
    Ok(row.map(|(date, state, behind)| NightBefore { date, state: state.0, has_courses: behind.is_empty() }))
}

/// The complete nights of which a diagnosis of this date tells the course, in whatever order.
pub async fn nights(tx: &mut Tenant, date: NaiveDate) -> anyhow::Result<Vec<NaiveDate>> {
    let org = tx.org().0;
    let first = date.checked_sub_days(Days::new(course::DAYS.into())).unwrap_or(date);
    Ok(sqlx::query_scalar(NIGHTS).bind(org).bind(first).bind(date).fetch_all(tx.connection()).await?)
}

/// The courses of these accounts before this date, from what is stored of these nights. Those that had no health then
/// are absent.
pub async fn courses(
    tx: &mut Tenant,
    date: NaiveDate,
    nights: &[NaiveDate],
    accounts: &[&AccountId],
) -> anyhow::Result<BTreeMap<AccountId, Course>> {
    let org = tx.org().0;
    let ids: Vec<&str> = accounts.iter().map(|id| id.0.as_str()).collect();
    let rows: Vec<(String, Vec<NaiveDate>, Vec<i16>)> =
        sqlx::query_as(COURSES).bind(org).bind(&ids).bind(nights).fetch_all(tx.connection()).await?;
    rows.into_iter()
        .map(|(id, nights, healths)| {
            let healths: Vec<u8> = healths.into_iter().map(u8::try_from).collect::<Result<_, _>>().context("health")?;
            Ok((AccountId(id), Course::before(date, nights.into_iter().zip(healths))))
        })
        .collect()
}

/// The diagnoses of a date for the accounts from `first` to `last`, both included, as a later night needs them;
/// their families and causes only `with_bodies`, for where the feed guard lets them stand.
pub async fn earlier(
    tx: &mut Tenant,
    date: NaiveDate,
    first: &AccountId,
    last: &AccountId,
    with_bodies: bool,
) -> anyhow::Result<BTreeMap<AccountId, Earlier>> {
    let org = tx.org().0;
    let rows: Vec<EarlierRow> = sqlx::query_as(EARLIER)
        .bind(org)
        .bind(date)
        .bind(&first.0)
        .bind(&last.0)
        .bind(with_bodies)
        .fetch_all(tx.connection())
        .await?;
    rows.into_iter()
        .map(|row| {
            let body: Option<Detail<'_>> =
                row.body.as_deref().map(serde_json::from_str).transpose().context("a stored diagnosis")?;
            let (families, causes) = body.map(|body| body.standing(date)).unwrap_or_default();
            let previous = Previous {
                date,
                health: row.health.map(u8::try_from).transpose().context("health")?,
                band: word("band", &row.band)?,
                floors: row.floors.map(|floors| floors.0).unwrap_or_default(),
                families,
                causes,
            };
            let windows = row.windows.map(|windows| windows.0).unwrap_or_default();
            let kept = Kept { detail_id: row.detail_id, on: row.detail_on };
            let earlier = Earlier { previous, windows, kept, course: row.course.as_deref().map(Course::from_bytes) };
            Ok((AccountId(row.account_id), earlier))
        })
        .collect()
}

/// Whether the date was diagnosed before, or so begun that details were committed.
pub async fn has_rows(tx: &mut Tenant, date: NaiveDate) -> anyhow::Result<bool> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(HAS_ROWS).bind(org).bind(date).fetch_one(tx.connection()).await?)
}

/// The date of the nearest complete night after this one.
pub async fn night_after(tx: &mut Tenant, date: NaiveDate) -> anyhow::Result<Option<NaiveDate>> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(NIGHT_AFTER).bind(org).bind(date).fetch_one(tx.connection()).await?)
}

/// The bodies that a night refers to, for these accounts.
pub async fn kept(tx: &mut Tenant, date: NaiveDate, ids: &Between<'_>) -> anyhow::Result<BTreeMap<AccountId, Kept>> {
    let rows = stored_rows(tx, date, ids).await?;
    Ok(rows.into_values().map(|row| (AccountId(row.account_id.clone()), row.kept())).collect())
}

async fn stored_rows(
    tx: &mut Tenant,
    date: NaiveDate,
    ids: &Between<'_>,
) -> anyhow::Result<BTreeMap<String, StoredRow>> {
    let org = tx.org().0;
    let rows: Vec<StoredRow> = sqlx::query_as(STORED)
        .bind(org)
        .bind(date)
        .bind(ids.after)
        .bind(ids.last.map_or(BEHIND_ALL, |last| last.0.as_str()))
        .fetch_all(tx.connection())
        .await?;
    Ok(rows.into_iter().map(|row| (row.account_id.clone(), row)).collect())
}

/// Accounts by their ids: those after `after`, up to and with `last`; to the end for `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between<'a> {
    pub after: &'a str,
    pub last: Option<&'a AccountId>,
}

/// What is to be written so that a date's diagnoses of some accounts are what they are now.
#[derive(Debug)]
pub struct Changes<'a> {
    date: NaiveDate,
    /// Each with the night that wrote its body.
    rows: Vec<(&'a NewRow, NaiveDate)>,
    /// Those whose body is not kept yet.
    fresh: Vec<&'a NewRow>,
    /// Accounts that an earlier run of the date had, and this one has not.
    others: Vec<String>,
}

impl<'a> Changes<'a> {
    /// Of `stored`, what says the same stays and what is not among `rows` goes. A body that `kept` has for the account is
    /// not written.
    pub fn new(date: NaiveDate, mut stored: Stored, rows: &'a [NewRow], kept: &BTreeMap<AccountId, Kept>) -> Self {
        let mut changes = Self { date, rows: Vec::with_capacity(rows.len()), fresh: Vec::new(), others: Vec::new() };
        for row in rows {
            let stored = stored.rows.remove(&row.account.0).filter(|_| stored.whole);
            if stored.as_ref().is_some_and(|stored| stored.says_the_same(row)) {
                continue;
            }
            let known = [stored.map(|stored| stored.kept()), kept.get(&row.account).copied()];
            let on = known.into_iter().flatten().find_map(|kept| kept.still(row.detail_id, date));
            if on.is_none() {
                changes.fresh.push(row);
            }
            changes.rows.push((row, on.unwrap_or(date)));
        }
        changes.others = stored.rows.into_keys().collect();
        changes
    }
}

/// The rows that a date has already.
#[derive(Debug, Default)]
pub struct Stored {
    rows: BTreeMap<String, StoredRow>,
    /// Their bodies are there too.
    whole: bool,
}

/// Reads the rows that a date has for these accounts; `whole` where their bodies are there too.
pub async fn stored(tx: &mut Tenant, date: NaiveDate, ids: &Between<'_>, whole: bool) -> anyhow::Result<Stored> {
    Ok(Stored { rows: stored_rows(tx, date, ids).await?, whole })
}

/// Writes the bodies. Nobody sees one before a row refers to it, so that they may be committed first.
/// `again` where the date may have some already.
pub async fn save_bodies(tx: &mut Tenant, changes: &Changes<'_>, again: bool) -> anyhow::Result<()> {
    let fresh = &changes.fresh;
    if fresh.is_empty() {
        return Ok(());
    }
    let org = tx.org().0;
    sqlx::query(if again { SAVE_DETAILS_AGAIN } else { SAVE_DETAILS })
        .bind(org)
        .bind(changes.date)
        .bind(fresh.iter().map(|row| row.account.0.as_str()).collect::<Vec<_>>())
        .bind(fresh.iter().map(|row| row.detail_id).collect::<Vec<_>>())
        .bind(fresh.iter().map(|row| row.body.as_str()).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .context("save the causes")?;
    Ok(())
}

/// Writes the rows, and takes away those that are no more; `again` where the date may have some already.
pub async fn save(tx: &mut Tenant, changes: &Changes<'_>, again: bool) -> anyhow::Result<()> {
    let (org, new) = (tx.org().0, &changes.rows);
    if !new.is_empty() {
        // Arrays rather than COPY: under row level security that would be a temporary table and the same statement again.
        sqlx::query(if again { SAVE_AGAIN } else { SAVE })
            .bind(org)
            .bind(changes.date)
            .bind(new.iter().map(|(row, _)| row.account.0.as_str()).collect::<Vec<_>>())
            .bind(new.iter().map(|(row, _)| row.health).collect::<Vec<_>>())
            .bind(new.iter().map(|(row, _)| row.risk).collect::<Vec<_>>())
            .bind(new.iter().map(|(row, _)| row.band).collect::<Vec<_>>())
            .bind(new.iter().map(|(row, _)| row.change).collect::<Vec<_>>())
            .bind(new.iter().map(|(row, _)| row.detail_id).collect::<Vec<_>>())
            .bind(new.iter().map(|(_, on)| *on).collect::<Vec<_>>())
            .bind(new.iter().map(|(row, _)| row.floors.as_ref()).collect::<Vec<_>>())
            .bind(new.iter().map(|(row, _)| row.windows.as_ref()).collect::<Vec<_>>())
            .bind(new.iter().map(|(row, _)| row.course.as_ref().map(Course::as_bytes)).collect::<Vec<_>>())
            .bind(new.iter().map(|(row, _)| row.cause.as_deref()).collect::<Vec<_>>())
            .bind(new.iter().map(|(row, _)| row.auto_renew).collect::<Vec<_>>())
            .execute(tx.connection())
            .await
            .context("save diagnoses")?;
    }
    if !changes.others.is_empty() {
        let others = &changes.others;
        sqlx::query(DROP_OTHERS).bind(org).bind(changes.date).bind(others).execute(tx.connection()).await?;
    }
    Ok(())
}

/// What came by day: one account's diagnosis of a date is replaced.
pub async fn replace(
    tx: &mut Tenant,
    date: NaiveDate,
    diagnosis: &Diagnosis,
    auto_renew: Option<bool>,
) -> anyhow::Result<()> {
    let row = NewRow::of(diagnosis, auto_renew, None)?;
    // Speaks for no id but its own: nothing lies after it and up to it.
    let id = row.account.clone();
    let itself = Between { after: &id.0, last: Some(&id) };
    let stored = stored(tx, date, &itself, true).await?;
    let changes = Changes::new(date, stored, std::slice::from_ref(&row), &BTreeMap::new());
    save_bodies(tx, &changes, true).await?;
    save(tx, &changes, true).await
}

/// An account that could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rejected {
    pub account_id: AccountId,
    pub reason: String,
}

/// What is kept of a complete diagnosis. Written last: a run without it never happened.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow<'a> {
    pub date: NaiveDate,
    pub completed_at: DateTime<Utc>,
    pub accounts: u32,
    /// Run on its own day.
    pub live: bool,
    pub policy_version: String,
    pub night: &'a NightState,
    pub sources: &'a BTreeMap<Source, Feed>,
    pub rejected: &'a [Rejected],
}

pub async fn save_run(tx: &mut Tenant, run: &RunRow<'_>) -> anyhow::Result<()> {
    let org = tx.org().0;
    let newest: BTreeMap<Source, NaiveDate> = run.sources.iter().map(|(source, feed)| (*source, feed.newest)).collect();
    let rhythms: BTreeMap<Source, Rhythm> =
        run.sources.iter().filter_map(|(source, feed)| Some((*source, feed.rhythm?))).collect();
    sqlx::query(SAVE_RUN)
        .bind(org)
        .bind(run.date)
        .bind(run.completed_at)
        .bind(i32::try_from(run.accounts)?)
        .bind(run.live)
        .bind(&run.policy_version)
        .bind(Json(run.night))
        .bind(Json(newest))
        .bind(Json(run.rejected))
        .bind(Json(rhythms))
        .execute(tx.connection())
        .await
        .context("save the run")?;
    // The nights after it were there before: what they carry along of this date is what it said then, or nothing.
    let days = i32::from(course::DAYS);
    sqlx::query(NOT_IN_COURSES).bind(org).bind(run.date).bind(days).execute(tx.connection()).await?;
    Ok(())
}

/// The dates of runs before `date`, the oldest first, at most `most`.
pub async fn runs_before(tx: &mut Tenant, date: NaiveDate, most: i64) -> anyhow::Result<Vec<NaiveDate>> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(FORGOTTEN_DATES).bind(org).bind(date).bind(most).fetch_all(tx.connection()).await?)
}

/// Forgets one date.
pub async fn forget(tx: &mut Tenant, date: NaiveDate) -> anyhow::Result<()> {
    let org = tx.org().0;
    for statement in [FORGET, FORGET_RUN] {
        sqlx::query(statement).bind(org).bind(date).execute(tx.connection()).await?;
    }
    Ok(())
}

/// Forgets the causes that no night from `oldest` on refers to.
pub async fn forget_details(tx: &mut Tenant, oldest: NaiveDate) -> anyhow::Result<()> {
    let org = tx.org().0;
    let Some(before) = oldest.checked_sub_signed(WRITTEN_FOR) else { return Ok(()) };
    sqlx::query(FORGET_DETAILS).bind(org).bind(before).execute(tx.connection()).await?;
    Ok(())
}

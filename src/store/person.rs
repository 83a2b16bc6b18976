//! Colleagues and which chat users they are.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use sqlx::FromRow;
use uuid::Uuid;

use super::directory::Workspace;
use super::{Tenant, word};
use crate::domain::message::form::Settings;
use crate::domain::person::{Person, PersonId, Workdays};

statements! {
    /// What people chose for themselves goes before what was imported.
    ALL = "SELECT p.person_id, p.email, p.name, p.roles, coalesce(p.timezone, p.chat_timezone) AS timezone, p.chat_timezone,
                  coalesce(s.digest_time, p.digest_time) AS digest_time,
                  coalesce(s.workdays, p.workdays) AS workdays, p.manager_id,
                  CASE WHEN s.delegate_own THEN s.delegate_id ELSE p.delegate_id END AS delegate_id,
                  CASE WHEN s.away_own THEN s.out_of_office_until ELSE p.out_of_office_until END AS out_of_office_until,
                  p.pool, p.active, p.unreachable_since, p.slack_user_id, p.teams_user_id, p.digests_since, s.attention_budget, s.empty_mornings
             FROM tandem.person p LEFT JOIN tandem.person_setting s USING (org_id, person_id)
            WHERE p.org_id = $1 ORDER BY p.email";
    /// Only what differs from the import is kept as one's own.
    SAVE_OWN = "INSERT INTO tandem.person_setting AS s (org_id, person_id, digest_time, workdays, delegate_own, delegate_id,
                       away_own, out_of_office_until, attention_budget, empty_mornings, changed_at)
                SELECT p.org_id, p.person_id, nullif($3, p.digest_time), nullif($4, p.workdays),
                       $5 IS DISTINCT FROM p.delegate_id, $5, $6 IS DISTINCT FROM p.out_of_office_until, $6, $7, $8, $9
                  FROM tandem.person p WHERE p.org_id = $1 AND p.person_id = $2
                ON CONFLICT (org_id, person_id) DO UPDATE SET
                       digest_time = excluded.digest_time, workdays = excluded.workdays,
                       delegate_own = excluded.delegate_own, delegate_id = excluded.delegate_id,
                       away_own = excluded.away_own, out_of_office_until = excluded.out_of_office_until,
                       attention_budget = excluded.attention_budget, empty_mornings = excluded.empty_mornings,
                       changed_at = excluded.changed_at";
    CHAT_USERS = "SELECT platform, workspace_id, user_id, person_id FROM tandem.chat_user WHERE org_id = $1";
    OF_CHAT_USER = "SELECT person_id FROM tandem.chat_user
                     WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND user_id = $4";
    CHAT_USER = "SELECT user_id, dm_channel_id, unreachable_since FROM tandem.chat_user
                  WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND person_id = $4";
    /// Another account has other direct messages.
    /// One after the other for a person: of two that insert at once, one would fail on the key that is not named here.
    SAVE_CHAT_USER = "WITH theirs AS MATERIALIZED (
                        SELECT org_id, person_id FROM tandem.person WHERE org_id = $1 AND person_id = $4 FOR NO KEY UPDATE)
                      INSERT INTO tandem.chat_user (org_id, platform, workspace_id, person_id, user_id, dm_channel_id)
                      SELECT org_id, $2, $3, person_id, $5, $6 FROM theirs
                      ON CONFLICT (org_id, platform, workspace_id, person_id)
                      DO UPDATE SET user_id = excluded.user_id,
                                    dm_channel_id = CASE WHEN tandem.chat_user.user_id = excluded.user_id
                                                         THEN coalesce(excluded.dm_channel_id, tandem.chat_user.dm_channel_id)
                                                         ELSE excluded.dm_channel_id END,
                                    unreachable_since = NULL, deactivated_at = NULL";
    /// Also where they were never written to: then the row says whom the account belongs to.
    DEACTIVATED = "INSERT INTO tandem.chat_user AS t (org_id, platform, workspace_id, person_id, user_id, unreachable_since, deactivated_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $6)
                   ON CONFLICT (org_id, platform, workspace_id, person_id)
                   DO UPDATE SET deactivated_at = excluded.deactivated_at, dm_channel_id = NULL,
                                 unreachable_since = coalesce(t.unreachable_since, excluded.unreachable_since)
                    WHERE t.user_id = excluded.user_id AND t.deactivated_at IS NULL";
    REACTIVATED = "UPDATE tandem.chat_user SET deactivated_at = NULL, unreachable_since = NULL
                    WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND user_id = $4 AND deactivated_at IS NOT NULL";
    DEACTIVATED_IN = "SELECT user_id FROM tandem.chat_user
                       WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND deactivated_at IS NOT NULL";
    TIMEZONES = "UPDATE tandem.person p SET chat_timezone = z.timezone
                   FROM unnest($2::uuid[], $3::text[]) AS z (person_id, timezone)
                  WHERE p.org_id = $1 AND p.person_id = z.person_id";
    UNREACHABLE = "UPDATE tandem.chat_user SET unreachable_since = coalesce(unreachable_since, $5), dm_channel_id = NULL
                    WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND person_id = $4";
    /// Routing has to know it at once, so the settings' stamp moves along.
    OUT_OF_REACH = "WITH lost AS (UPDATE tandem.person SET unreachable_since = $3
                                   WHERE org_id = $1 AND person_id = $2 AND unreachable_since IS NULL RETURNING person_id)
                    UPDATE tandem.organisation_setting SET stamp = stamp + 1 WHERE org_id = $1 AND EXISTS (SELECT FROM lost)";
    IN_REACH = "WITH back AS (UPDATE tandem.person SET unreachable_since = NULL
                               WHERE org_id = $1 AND person_id = $2 AND unreachable_since IS NOT NULL RETURNING person_id)
                UPDATE tandem.organisation_setting SET stamp = stamp + 1 WHERE org_id = $1 AND EXISTS (SELECT FROM back)";
    CHAT_USERS_OF = "SELECT person_id, user_id, dm_channel_id, unreachable_since FROM tandem.chat_user
                      WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND person_id = ANY ($4)";
    REACH = "SELECT person_id, email, slack_user_id, teams_user_id, active FROM tandem.person
              WHERE org_id = $1 AND person_id = ANY ($2)";
    RELEASE_CHAT_USER = "DELETE FROM tandem.chat_user
                          WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND user_id = $4 AND person_id <> $5";
    FIRST_DIGESTS = "UPDATE tandem.person p SET digests_since = d.local_date
                       FROM unnest($2::uuid[], $3::date[]) AS d (person_id, local_date)
                      WHERE p.org_id = $1 AND p.person_id = d.person_id AND p.digests_since IS NULL";
}

/// A colleague with what only the store and delivery need.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPerson {
    pub person: Person,
    /// As imported; a chat_user row goes before it.
    pub slack_user_id: Option<String>,
    pub teams_user_id: Option<String>,
    /// Local date of the first digest.
    pub digests_since: Option<NaiveDate>,
    pub own: Own,
    /// What their chat account says; holds where the import says none.
    pub chat_timezone: Option<Tz>,
}

/// What a person chose for themself that only mornings need; `None` where they chose nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Own {
    /// Most cards in one morning.
    pub attention_budget: Option<u8>,
    /// Whether a morning with nothing to decide is said.
    pub empty_mornings: Option<bool>,
}

#[derive(FromRow)]
struct PersonRow {
    person_id: Uuid,
    email: String,
    name: String,
    roles: Vec<String>,
    timezone: Option<String>,
    digest_time: NaiveTime,
    workdays: i16,
    manager_id: Option<Uuid>,
    delegate_id: Option<Uuid>,
    out_of_office_until: Option<NaiveDate>,
    pool: Option<String>,
    active: bool,
    unreachable_since: Option<DateTime<Utc>>,
    slack_user_id: Option<String>,
    teams_user_id: Option<String>,
    digests_since: Option<NaiveDate>,
    attention_budget: Option<i16>,
    empty_mornings: Option<bool>,
    chat_timezone: Option<String>,
}

/// Everyone, by e-mail; people without a time zone of their own get that of their chat account, else the
/// organisation's. Whose every chat account is deactivated is away, without end.
pub async fn all(tx: &mut Tenant, timezone: Tz) -> anyhow::Result<Vec<StoredPerson>> {
    let org = tx.org().0;
    let rows: Vec<PersonRow> = sqlx::query_as(ALL).bind(org).fetch_all(tx.connection()).await?;
    rows.into_iter()
        .map(|row| {
            let person = Person {
                id: PersonId(row.person_id),
                email: row.email,
                name: row.name,
                roles: row.roles.iter().map(|role| word("roles", role)).collect::<anyhow::Result<_>>()?,
                timezone: row.timezone.as_deref().map_or(Ok(timezone), |name| word("timezone", name))?,
                digest_time: row.digest_time,
                workdays: u8::try_from(row.workdays).ok().and_then(Workdays::from_bits).unwrap_or_default(),
                manager: row.manager_id.map(PersonId),
                delegate: row.delegate_id.map(PersonId),
                out_of_office_until: row.out_of_office_until,
                pool: row.pool,
                active: row.active,
                unreachable_since: row.unreachable_since,
            };
            Ok(StoredPerson {
                person,
                slack_user_id: row.slack_user_id,
                teams_user_id: row.teams_user_id,
                chat_timezone: row.chat_timezone.and_then(|name| name.parse().ok()),
                digests_since: row.digests_since,
                own: Own {
                    attention_budget: row.attention_budget.and_then(|budget| u8::try_from(budget).ok()),
                    empty_mornings: row.empty_mornings,
                },
            })
        })
        .collect()
}

/// Keeps what a person chose for themself.
pub async fn save_own(tx: &mut Tenant, person: PersonId, chosen: &Settings, at: DateTime<Utc>) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(SAVE_OWN)
        .bind(org)
        .bind(person.0)
        .bind(chosen.digest_time)
        .bind(i16::from(chosen.workdays.bits()))
        .bind(chosen.delegate.map(|id| id.0))
        .bind(chosen.away_until)
        .bind(i16::from(chosen.budget))
        .bind(chosen.empty_mornings)
        .bind(at)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Every known (workspace, user id) → person.
pub async fn chat_users(tx: &mut Tenant) -> anyhow::Result<Vec<(Workspace, String, PersonId)>> {
    let org = tx.org().0;
    let rows: Vec<(String, String, String, Uuid)> =
        sqlx::query_as(CHAT_USERS).bind(org).fetch_all(tx.connection()).await?;
    rows.into_iter()
        .map(|(platform, id, user, person)| {
            Ok((Workspace { platform: word("platform", &platform)?, id }, user, PersonId(person)))
        })
        .collect()
}

/// Who a chat user is.
pub async fn of_chat_user(tx: &mut Tenant, workspace: &Workspace, user_id: &str) -> anyhow::Result<Option<PersonId>> {
    let org = tx.org().0;
    let found: Option<Uuid> = sqlx::query_scalar(OF_CHAT_USER)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(user_id)
        .fetch_optional(tx.connection())
        .await?;
    Ok(found.map(PersonId))
}

/// A person as a user of one workspace.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ChatUser {
    pub user_id: String,
    pub dm_channel_id: Option<String>,
    pub unreachable_since: Option<DateTime<Utc>>,
}

pub async fn chat_user(tx: &mut Tenant, workspace: &Workspace, person: PersonId) -> anyhow::Result<Option<ChatUser>> {
    let org = tx.org().0;
    Ok(sqlx::query_as(CHAT_USER)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(person.0)
        .fetch_optional(tx.connection())
        .await?)
}

#[derive(FromRow)]
struct OfPerson<T> {
    person_id: Uuid,
    #[sqlx(flatten)]
    what: T,
}

fn by_person<T>(rows: Vec<OfPerson<T>>) -> BTreeMap<PersonId, T> {
    rows.into_iter().map(|row| (PersonId(row.person_id), row.what)).collect()
}

/// The same for several people; whoever is not known there is absent.
pub async fn chat_users_of(
    tx: &mut Tenant,
    workspace: &Workspace,
    people: &[PersonId],
) -> anyhow::Result<BTreeMap<PersonId, ChatUser>> {
    let org = tx.org().0;
    let people: Vec<Uuid> = people.iter().map(|person| person.0).collect();
    let rows = sqlx::query_as(CHAT_USERS_OF)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(&people)
        .fetch_all(tx.connection())
        .await?;
    Ok(by_person(rows))
}

/// How a person can be found in chat.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Reach {
    pub email: String,
    /// As imported; a chat_user row goes before it.
    pub slack_user_id: Option<String>,
    /// The Entra object id, likewise.
    pub teams_user_id: Option<String>,
    pub active: bool,
}

/// Whoever is gone is absent.
pub async fn reach(tx: &mut Tenant, people: &[PersonId]) -> anyhow::Result<BTreeMap<PersonId, Reach>> {
    let org = tx.org().0;
    let people: Vec<Uuid> = people.iter().map(|person| person.0).collect();
    Ok(by_person(sqlx::query_as(REACH).bind(org).bind(&people).fetch_all(tx.connection()).await?))
}

/// Takes a chat user from whoever else was thought to be it: the workspace says who it is now.
pub async fn release_chat_user(
    tx: &mut Tenant,
    workspace: &Workspace,
    person: PersonId,
    user_id: &str,
) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(RELEASE_CHAT_USER)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(user_id)
        .bind(person.0)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Remembers who a person is in a workspace, and their direct message channel where it is known.
pub async fn save_chat_user(
    tx: &mut Tenant,
    workspace: &Workspace,
    person: PersonId,
    user_id: &str,
    dm_channel_id: Option<&str>,
) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(SAVE_CHAT_USER)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(person.0)
        .bind(user_id)
        .bind(dm_channel_id)
        .execute(tx.connection())
        .await?;
    sqlx::query(IN_REACH).bind(org).bind(person.0).execute(tx.connection()).await?;
    Ok(())
}

/// Marks a person whose direct messages bounce, there and for the routing; the next success clears both.
pub async fn mark_unreachable(
    tx: &mut Tenant,
    workspace: &Workspace,
    person: PersonId,
    at: DateTime<Utc>,
) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(UNREACHABLE)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(person.0)
        .bind(at)
        .execute(tx.connection())
        .await?;
    sqlx::query(OUT_OF_REACH).bind(org).bind(person.0).bind(at).execute(tx.connection()).await?;
    Ok(())
}

/// Notes that a person's account in a workspace is deactivated. False where that was known, or where they have another
/// account there by now.
pub async fn mark_deactivated(
    tx: &mut Tenant,
    workspace: &Workspace,
    person: PersonId,
    user_id: &str,
    at: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let org = tx.org().0;
    let done = sqlx::query(DEACTIVATED)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(person.0)
        .bind(user_id)
        .bind(at)
        .execute(tx.connection())
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(OUT_OF_REACH).bind(org).bind(person.0).bind(at).execute(tx.connection()).await?;
    Ok(true)
}

/// Notes that an account works again. False where it was not known to be deactivated.
pub async fn mark_reactivated(
    tx: &mut Tenant,
    workspace: &Workspace,
    person: PersonId,
    user_id: &str,
) -> anyhow::Result<bool> {
    let org = tx.org().0;
    let done = sqlx::query(REACTIVATED)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(user_id)
        .execute(tx.connection())
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(IN_REACH).bind(org).bind(person.0).execute(tx.connection()).await?;
    Ok(true)
}

/// The users of a workspace whose accounts are known to be deactivated.
pub async fn deactivated(tx: &mut Tenant, workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(DEACTIVATED_IN)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .fetch_all(tx.connection())
        .await?)
}

/// Keeps what people's chat accounts say of their time zone.
pub async fn save_chat_timezones(tx: &mut Tenant, zones: &[(PersonId, Tz)]) -> anyhow::Result<()> {
    let org = tx.org().0;
    let (people, names): (Vec<Uuid>, Vec<&str>) = zones.iter().map(|(person, zone)| (person.0, zone.name())).unzip();
    sqlx::query(TIMEZONES).bind(org).bind(&people).bind(&names).execute(tx.connection()).await?;
    Ok(())
}

/// Remembers people's first mornings; later ones change nothing.
pub async fn remember_first_digests(tx: &mut Tenant, first: &[(PersonId, NaiveDate)]) -> anyhow::Result<()> {
    let org = tx.org().0;
    let (people, dates): (Vec<Uuid>, Vec<NaiveDate>) = first.iter().map(|(person, date)| (person.0, *date)).unzip();
    sqlx::query(FIRST_DIGESTS).bind(org).bind(&people).bind(&dates).execute(tx.connection()).await?;
    Ok(())
}

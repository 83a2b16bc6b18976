//! What is known before an organisation is, or across them: organisations,
//! links, API keys, what is due, delivery lanes. No personal data.

use anyhow::Context;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::FromRow;
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use super::{Directory, Gone, Tenant, word};
use crate::domain::action::Subject;
use crate::domain::money::Currency;
use crate::domain::person::{OrgId, PersonId};
use crate::domain::routing::Model;

statements! {
    TRY_LOCK_INBOX = "SELECT pg_try_advisory_xact_lock(hashtextextended('tandem inbox ' || $1::text, 0))";
    LOCK_INBOX = "SELECT pg_advisory_xact_lock(hashtextextended('tandem inbox ' || $1::text, 0))";
    ORGANISATIONS = "SELECT org_id, slug, name, timezone, currency, model, diagnosed_on, diagnosed_at
                       FROM directory.organisation ORDER BY slug";
    ORGANISATION_BY_SLUG = "SELECT org_id, slug, name, timezone, currency, model, diagnosed_on, diagnosed_at
                              FROM directory.organisation WHERE slug = $1";
    ORGANISATION_BY_ID = "SELECT org_id, slug, name, timezone, currency, model, diagnosed_on, diagnosed_at
                            FROM directory.organisation WHERE org_id = $1";
    CREATE_ORGANISATION = "INSERT INTO directory.organisation (org_id, slug, name, timezone, currency, model, created_at)
                           VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (slug) DO NOTHING";
    DIAGNOSED = "UPDATE directory.organisation SET diagnosed_on = $2, diagnosed_at = $3
                  WHERE org_id = $1 AND (diagnosed_on IS NULL OR diagnosed_on <= $2)";
    SET_MODEL = "UPDATE directory.organisation SET model = $2 WHERE org_id = $1";
    ORG_OF_WORKSPACE = "SELECT org_id FROM directory.chat_link WHERE platform = $1 AND workspace_id = $2";
    LINK = "INSERT INTO directory.chat_link (platform, workspace_id, org_id, linked_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (platform, workspace_id) DO NOTHING";
    LINKS = "SELECT l.platform, l.workspace_id, o.slug FROM directory.chat_link l JOIN directory.organisation o USING (org_id)
              ORDER BY o.slug, l.platform, l.workspace_id";
    /// Without those from which Tandem was removed: nothing can be sent there.
    LINKS_OF = "SELECT platform, workspace_id FROM directory.chat_link l
                 WHERE org_id = $1
                   AND NOT EXISTS (SELECT FROM directory.slack_installation i
                                    WHERE l.platform = 'slack' AND i.team_id = l.workspace_id AND i.removed_at IS NOT NULL)
                 ORDER BY platform, workspace_id";
    UNLINK = "DELETE FROM directory.chat_link WHERE platform = $1 AND workspace_id = $2 RETURNING org_id";
    FORGET_INSTALL_LINKS = "DELETE FROM directory.used_install_link WHERE expires_at < $1";
    USE_INSTALL_LINK = "INSERT INTO directory.used_install_link (link_hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    ENSURE_LANE = "INSERT INTO directory.lane (org_id, platform, workspace_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    CREATE_KEY = "INSERT INTO directory.api_key (key_hash, org_id, key_id, name, created_at) VALUES ($1, $2, $3, $4, $5)
                  ON CONFLICT DO NOTHING";
    KEYS = "SELECT key_id, name, created_at, revoked_at FROM directory.api_key WHERE org_id = $1 ORDER BY created_at";
    REVOKE_KEY = "UPDATE directory.api_key SET revoked_at = $3
                   WHERE org_id = $1 AND (name = $2 OR key_id::text = $2) AND revoked_at IS NULL RETURNING key_id";
    ORG_OF_KEY = "SELECT org_id, key_id FROM directory.api_key WHERE key_hash = $1 AND revoked_at IS NULL";
    DUE = "SELECT org_id, kind, subject, due_at FROM directory.due
            WHERE due_at <= $1 AND (due_at, org_id, kind, subject) > ($3, $4, $5, $6)
            ORDER BY due_at, org_id, kind, subject LIMIT $2";
    NEXT_DUE_OF = "SELECT min(due_at), min(due_at) FILTER (WHERE kind IN ('night', 'digest'))
                     FROM directory.due WHERE org_id = $1 AND kind <> 'watch'";
    /// How many of each kind are owed since before, and since when: what somebody should have done by now.
    OVERDUE_OF = "SELECT kind, count(*), min(due_at) FROM directory.due
                   WHERE org_id = $1 AND kind <> 'watch' AND due_at < $2 GROUP BY kind ORDER BY kind";
    SET_DUE = "INSERT INTO directory.due (org_id, kind, subject, due_at)
               SELECT $1, $2, d.subject, d.due_at FROM unnest($3::uuid[], $4::timestamptz[]) AS d (subject, due_at)
               ON CONFLICT (org_id, kind, subject) DO UPDATE SET due_at = excluded.due_at
                WHERE directory.due.due_at IS DISTINCT FROM excluded.due_at";
    /// What is owed already stays owed: only the future is rescheduled.
    RESCHEDULE = "INSERT INTO directory.due (org_id, kind, subject, due_at)
               SELECT $1, 'digest', d.subject, d.due_at FROM unnest($2::uuid[], $3::timestamptz[]) AS d (subject, due_at)
               ON CONFLICT (org_id, kind, subject) DO UPDATE SET due_at = excluded.due_at
                WHERE directory.due.due_at > $4 AND directory.due.due_at IS DISTINCT FROM excluded.due_at";
    DROP_DUE = "DELETE FROM directory.due WHERE org_id = $1 AND kind = $2 AND NOT (subject = ANY ($3))";
    FORGET_DUE = "DELETE FROM directory.due WHERE org_id = $1 AND kind = 'digest' AND subject = $2";
    LEASE_LANE = "UPDATE directory.lane SET holder = $1, fence = fence + 1, leased_until = clock_timestamp() + $2
                   WHERE (org_id, platform, workspace_id) IN (
                     SELECT org_id, platform, workspace_id FROM directory.lane
                      WHERE wake_at <= $3 AND (leased_until IS NULL OR leased_until < clock_timestamp())
                        AND ($4::uuid IS NULL OR org_id = $4)
                        AND ((platform = 'preview' AND $6) OR (platform = 'slack' AND (workspace_id = $7 OR ($8 AND EXISTS (
                              SELECT FROM directory.slack_installation i
                               WHERE i.team_id = lane.workspace_id AND i.access_token IS NOT NULL))))
                              OR (platform = 'teams' AND $9))
                        AND EXISTS (SELECT FROM directory.chat_link k WHERE k.platform = lane.platform
                                       AND k.workspace_id = lane.workspace_id AND k.org_id = lane.org_id)
                      ORDER BY wake_at LIMIT $5 FOR UPDATE SKIP LOCKED)
                  RETURNING org_id, platform, workspace_id, fence, blocked_until";
    RENEW_LANE = "UPDATE directory.lane SET leased_until = clock_timestamp() + $6
                   WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND holder = $4 AND fence = $5
                     AND leased_until > clock_timestamp()";
    SLEEP_LANE = "UPDATE directory.lane SET wake_at = $5
                   WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND fence = $4";
    RELEASE_LANE = "UPDATE directory.lane SET holder = NULL, leased_until = NULL
                     WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND fence = $4";
    BLOCK_LANE = "UPDATE directory.lane SET blocked_until = greatest(coalesce(blocked_until, $5), $5)
                   WHERE org_id = $1 AND platform = $2 AND workspace_id = $3 AND fence = $4";
    UNSERVED_LANES = "SELECT platform, workspace_id FROM directory.lane
                       WHERE wake_at <= $1 AND (leased_until IS NULL OR leased_until < clock_timestamp())
                         AND NOT ((platform = 'preview' AND $2) OR (platform = 'slack' AND (workspace_id = $3 OR ($4 AND EXISTS (
                               SELECT FROM directory.slack_installation i WHERE i.team_id = lane.workspace_id))))
                              OR (platform = 'teams' AND $5))
                       ORDER BY platform, workspace_id";
}

/// The surfaces, known in advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Platform {
    Slack,
    Teams,
    Preview,
}

impl Platform {
    pub fn as_str(self) -> &'static str {
        match self {
            Platform::Slack => "slack",
            Platform::Teams => "teams",
            Platform::Preview => "preview",
        }
    }
}

impl std::str::FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Platform::Slack, Platform::Teams, Platform::Preview]
            .into_iter()
            .find(|platform| platform.as_str() == text)
            .ok_or_else(|| format!("\"{text}\" is no platform; expected slack or teams"))
    }
}

/// One chat installation: where a lane leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Workspace {
    pub platform: Platform,
    pub id: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Organisation {
    pub id: OrgId,
    pub slug: String,
    pub name: String,
    pub timezone: chrono_tz::Tz,
    pub currency: Currency,
    pub model: Model,
    /// Date of the latest complete diagnosis.
    pub diagnosed_on: Option<NaiveDate>,
    pub diagnosed_at: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct OrganisationRow {
    org_id: Uuid,
    slug: String,
    name: String,
    timezone: String,
    currency: String,
    model: String,
    diagnosed_on: Option<NaiveDate>,
    diagnosed_at: Option<DateTime<Utc>>,
}

impl TryFrom<OrganisationRow> for Organisation {
    type Error = anyhow::Error;

    fn try_from(row: OrganisationRow) -> Result<Self, Self::Error> {
        Ok(Self {
            id: OrgId(row.org_id),
            timezone: word("timezone", &row.timezone)?,
            currency: word("currency", &row.currency)?,
            model: word("model", &row.model)?,
            slug: row.slug,
            name: row.name,
            diagnosed_on: row.diagnosed_on,
            diagnosed_at: row.diagnosed_at,
        })
    }
}

pub async fn organisations(tx: &mut Directory) -> anyhow::Result<Vec<Organisation>> {
    let rows: Vec<OrganisationRow> = sqlx::query_as(ORGANISATIONS).fetch_all(tx.connection()).await?;
    rows.into_iter().map(Organisation::try_from).collect()
}

pub async fn organisation(tx: &mut Directory, slug: &str) -> anyhow::Result<Option<Organisation>> {
    let row: Option<OrganisationRow> =
        sqlx::query_as(ORGANISATION_BY_SLUG).bind(slug).fetch_optional(tx.connection()).await?;
    row.map(Organisation::try_from).transpose()
}

/// The organisation of a running transaction, seen through its own policy.
pub async fn own_organisation(tx: &mut Tenant) -> anyhow::Result<Organisation> {
    let org = tx.org().0;
    let row: Option<OrganisationRow> =
        sqlx::query_as(ORGANISATION_BY_ID).bind(org).fetch_optional(tx.connection()).await?;
    Organisation::try_from(row.ok_or(Gone)?)
}

/// Waits until no other process takes the organisation's inbox.
pub async fn lock_inbox(tx: &mut Tenant) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(LOCK_INBOX).bind(org).execute(tx.connection()).await.context("wait for another taker of the inbox")?;
    Ok(())
}

/// As [`lock_inbox`]; false where another process takes it now.
pub async fn try_lock_inbox(tx: &mut Tenant) -> anyhow::Result<bool> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(TRY_LOCK_INBOX).bind(org).fetch_one(tx.connection()).await?)
}

/// From now on digests read the diagnosis of this date, in the caller's transaction. Never goes back to an earlier one.
pub async fn set_diagnosed(tx: &mut Tenant, date: NaiveDate, at: DateTime<Utc>) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(DIAGNOSED).bind(org).bind(date).bind(at).execute(tx.connection()).await?;
    Ok(())
}

/// How value and revenue are parted from now on, in the caller's transaction.
pub async fn set_model(tx: &mut Tenant, model: Model) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(SET_MODEL).bind(org).bind(model.as_str()).execute(tx.connection()).await?;
    Ok(())
}

/// False where the slug is taken.
pub async fn create_organisation(
    tx: &mut Directory,
    organisation: &Organisation,
    at: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let done = sqlx::query(CREATE_ORGANISATION)
        .bind(organisation.id.0)
        .bind(&organisation.slug)
        .bind(&organisation.name)
        .bind(organisation.timezone.name())
        .bind(organisation.currency.as_str())
        .bind(organisation.model.as_str())
        .bind(at)
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn org_of_workspace(tx: &mut Directory, workspace: &Workspace) -> anyhow::Result<Option<OrgId>> {
    let org: Option<Uuid> = sqlx::query_scalar(ORG_OF_WORKSPACE)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .fetch_optional(tx.connection())
        .await?;
    Ok(org.map(OrgId))
}

/// What became of a wish to link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Linked {
    Now,
    Already,
    /// Another organisation has it; it must let go first.
    Taken,
}

/// Links a workspace to an organisation and makes its delivery lane.
pub async fn link(tx: &mut Directory, org: OrgId, workspace: &Workspace, at: DateTime<Utc>) -> anyhow::Result<Linked> {
    let (platform, id) = (workspace.platform.as_str(), workspace.id.as_str());
    let done = sqlx::query(LINK).bind(platform).bind(id).bind(org.0).bind(at).execute(tx.connection()).await?;
    if done.rows_affected() == 0 {
        let holder = org_of_workspace(tx, workspace).await?;
        return Ok(if holder == Some(org) { Linked::Already } else { Linked::Taken });
    }
    sqlx::query(ENSURE_LANE).bind(org.0).bind(platform).bind(id).execute(tx.connection()).await?;
    Ok(Linked::Now)
}

/// Every link as (workspace, slug).
pub async fn links(tx: &mut Directory) -> anyhow::Result<Vec<(Workspace, String)>> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(LINKS).fetch_all(tx.connection()).await?;
    rows.into_iter()
        .map(|(platform, id, slug)| Ok((Workspace { platform: word("platform", &platform)?, id }, slug)))
        .collect()
}

/// The workspaces of the running transaction's organisation in which Tandem is installed.
pub async fn own_workspaces(tx: &mut Tenant) -> anyhow::Result<Vec<Workspace>> {
    let org = tx.org().0;
    let rows: Vec<(String, String)> = sqlx::query_as(LINKS_OF).bind(org).fetch_all(tx.connection()).await?;
    rows.into_iter().map(|(platform, id)| Ok(Workspace { platform: word("platform", &platform)?, id })).collect()
}

/// Which organisation lost the link; `None` where there was none.
pub async fn unlink(tx: &mut Directory, workspace: &Workspace) -> anyhow::Result<Option<OrgId>> {
    let org: Option<Uuid> = sqlx::query_scalar(UNLINK)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .fetch_optional(tx.connection())
        .await?;
    Ok(org.map(OrgId))
}

/// Uses an install link up, known by its hash until it expires; false where it was used before.
pub async fn use_install_link(
    tx: &mut Directory,
    hash: &[u8],
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    sqlx::query(FORGET_INSTALL_LINKS).bind(now).execute(tx.connection()).await?;
    let done = sqlx::query(USE_INSTALL_LINK).bind(hash).bind(expires_at).execute(tx.connection()).await?;
    Ok(done.rows_affected() == 1)
}

#[derive(Debug, Clone, FromRow)]
pub struct ApiKey {
    pub key_id: Uuid,
    pub name: String,
    pub created_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// False where a live key of that name exists.
pub async fn create_key(tx: &mut Directory, org: OrgId, key: &ApiKey, hash: &[u8]) -> anyhow::Result<bool> {
    let done = sqlx::query(CREATE_KEY)
        .bind(hash)
        .bind(org.0)
        .bind(key.key_id)
        .bind(&key.name)
        .bind(key.created_at)
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn keys(tx: &mut Directory, org: OrgId) -> anyhow::Result<Vec<ApiKey>> {
    Ok(sqlx::query_as(KEYS).bind(org.0).fetch_all(tx.connection()).await?)
}

/// The id of the revoked key, by its name or id.
pub async fn revoke_key(
    tx: &mut Directory,
    org: OrgId,
    name_or_id: &str,
    at: DateTime<Utc>,
) -> anyhow::Result<Option<Uuid>> {
    Ok(sqlx::query_scalar(REVOKE_KEY).bind(org.0).bind(name_or_id).bind(at).fetch_optional(tx.connection()).await?)
}

pub async fn org_of_key(tx: &mut Directory, hash: &[u8]) -> anyhow::Result<Option<(OrgId, Uuid)>> {
    let row: Option<(Uuid, Uuid)> = sqlx::query_as(ORG_OF_KEY).bind(hash).fetch_optional(tx.connection()).await?;
    Ok(row.map(|(org, key)| (OrgId(org), key)))
}

/// What is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owed {
    Night,
    Digest(PersonId),
    /// The clock of a handoff, a risk or a renewal.
    Clock(Subject),
    /// A look at whether everything owed to the organisation was done.
    Watch,
    /// Accounts that got a row which may be a decision.
    Decisions,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub org: OrgId,
    pub owed: Owed,
    pub at: DateTime<Utc>,
    kind: String,
    subject: Uuid,
}

/// What is owed by `now`, oldest first, at most `most`, after the row that `after` names.
pub async fn due(tx: &mut Directory, now: DateTime<Utc>, most: i64, after: Option<&Due>) -> anyhow::Result<Vec<Due>> {
    let (at, org, kind, subject) = match after {
        Some(row) => (row.at, row.org.0, row.kind.as_str(), row.subject),
        None => (DateTime::<Utc>::UNIX_EPOCH, Uuid::nil(), "", Uuid::nil()),
    };
    let rows: Vec<(Uuid, String, Uuid, DateTime<Utc>)> = sqlx::query_as(DUE)
        .bind(now)
        .bind(most)
        .bind(at)
        .bind(org)
        .bind(kind)
        .bind(subject)
        .fetch_all(tx.connection())
        .await?;
    rows.into_iter()
        .map(|(org, kind, subject, at)| {
            let owed = match kind.as_str() {
                "night" => Owed::Night,
                "digest" => Owed::Digest(PersonId(subject)),
                "handoff" => Owed::Clock(Subject::Handoff(subject)),
                "risk" => Owed::Clock(Subject::Risk(subject)),
                "renewal" => Owed::Clock(Subject::Renewal(subject)),
                "watch" => Owed::Watch,
                "decisions" => Owed::Decisions,
                other => anyhow::bail!("directory.due holds the unknown kind {other}"),
            };
            Ok(Due { org: OrgId(org), owed, at, kind, subject })
        })
        .collect()
}

/// What an organisation is owed since before `then`: kind, how many, since when.
pub async fn overdue(tx: &mut Tenant, then: DateTime<Utc>) -> anyhow::Result<Vec<(String, i64, DateTime<Utc>)>> {
    let org = tx.org().0;
    Ok(sqlx::query_as(OVERDUE_OF).bind(org).bind(then).fetch_all(tx.connection()).await?)
}

/// Sets when fresh decisions are looked at again; `None` when there are none left.
pub async fn set_next_decisions(tx: &mut Tenant, at: Option<DateTime<Utc>>) -> anyhow::Result<()> {
    let org = tx.org().0;
    match at {
        Some(at) => sqlx::query(SET_DUE).bind(org).bind("decisions").bind([org]).bind([at]),
        None => sqlx::query(DROP_DUE).bind(org).bind("decisions").bind(Vec::<Uuid>::new()),
    }
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Sets when the organisation is looked over next, in the caller's transaction.
pub async fn set_next_watch(tx: &mut Tenant, at: DateTime<Utc>) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(SET_DUE).bind(org).bind("watch").bind([org]).bind([at]).execute(tx.connection()).await?;
    Ok(())
}

/// When something is owed to an organisation next, and when a night or a morning is.
pub async fn next_due_of(
    tx: &mut Directory,
    org: OrgId,
) -> anyhow::Result<(Option<DateTime<Utc>>, Option<DateTime<Utc>>)> {
    Ok(sqlx::query_as(NEXT_DUE_OF).bind(org.0).fetch_one(tx.connection()).await?)
}

/// Sets when the organisation's next night is owed, in the caller's transaction.
pub async fn set_next_night(tx: &mut Tenant, at: DateTime<Utc>) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(SET_DUE).bind(org).bind("night").bind([org]).bind([at]).execute(tx.connection()).await?;
    Ok(())
}

/// Sets when the next digest of each person is owed, in the caller's transaction.
pub async fn set_next_digests(tx: &mut Tenant, next: &[(PersonId, DateTime<Utc>)]) -> anyhow::Result<()> {
    let org = tx.org().0;
    let (people, times): (Vec<Uuid>, Vec<DateTime<Utc>>) = next.iter().map(|(person, at)| (person.0, *at)).unzip();
    sqlx::query(SET_DUE).bind(org).bind("digest").bind(&people).bind(&times).execute(tx.connection()).await?;
    Ok(())
}

/// Moves mornings that are still ahead of `now` to where people's hours put them; one that is owed already stays owed.
pub async fn reschedule_digests(
    tx: &mut Tenant,
    next: &[(PersonId, DateTime<Utc>)],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let org = tx.org().0;
    let (people, times): (Vec<Uuid>, Vec<DateTime<Utc>>) = next.iter().map(|(person, at)| (person.0, *at)).unzip();
    sqlx::query(RESCHEDULE).bind(org).bind(&people).bind(&times).bind(now).execute(tx.connection()).await?;
    Ok(())
}

/// Forgets the digests owed to everyone but `people`.
pub async fn keep_digests_of(tx: &mut Tenant, people: &[PersonId]) -> anyhow::Result<()> {
    let org = tx.org().0;
    let ids: Vec<Uuid> = people.iter().map(|person| person.0).collect();
    sqlx::query(DROP_DUE).bind(org).bind("digest").bind(&ids).execute(tx.connection()).await?;
    Ok(())
}

/// Nothing is owed to this person any more.
pub async fn forget_digest(tx: &mut Tenant, person: PersonId) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(FORGET_DUE).bind(org).bind(person.0).execute(tx.connection()).await?;
    Ok(())
}

/// A lane that this process holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub org: OrgId,
    pub workspace: Workspace,
    /// Grows with every lease; each write names it.
    pub fence: i64,
    pub blocked_until: Option<DateTime<Utc>>,
}

/// For which lanes this process has a sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The Slack workspace whose token is configured.
    pub slack: Option<String>,
    /// Every Slack workspace that installed the app.
    pub installed: bool,
    /// One bot serves every tenant.
    pub teams: bool,
    pub preview: bool,
}

impl Served {
    /// No workspace has an empty id, so an empty one stands for none.
    fn slack(&self) -> &str {
        self.slack.as_deref().unwrap_or_default()
    }

    pub fn serves(&self, workspace: &Workspace) -> bool {
        match workspace.platform {
            // Lists of own workspaces leave those out from which the app was removed.
            Platform::Slack => self.installed || self.slack.as_ref() == Some(&workspace.id),
            Platform::Preview => self.preview,
            Platform::Teams => self.teams,
        }
    }
}

/// Lanes that may have something to send, that nobody holds and for which this process has no sender.
pub async fn unserved_lanes(tx: &mut Directory, served: &Served, now: DateTime<Utc>) -> anyhow::Result<Vec<Workspace>> {
    let rows: Vec<(String, String)> = sqlx::query_as(UNSERVED_LANES)
        .bind(now)
        .bind(served.preview)
        .bind(served.slack())
        .bind(served.installed)
        .bind(served.teams)
        .fetch_all(tx.connection())
        .await?;
    rows.into_iter().map(|(platform, id)| Ok(Workspace { platform: word("platform", &platform)?, id })).collect()
}

#[derive(FromRow)]
struct LeaseRow {
    org_id: Uuid,
    platform: String,
    workspace_id: String,
    fence: i64,
    blocked_until: Option<DateTime<Utc>>,
}

/// Leases up to `most` served lanes that may have something to send by `now`, for `hold` of the database's clock.
pub async fn lease_lanes(
    tx: &mut Directory,
    holder: Uuid,
    hold: TimeDelta,
    now: DateTime<Utc>,
    served: &Served,
    only: Option<OrgId>,
    most: i64,
) -> anyhow::Result<Vec<Lease>> {
    let rows: Vec<LeaseRow> = sqlx::query_as(LEASE_LANE)
        .bind(holder)
        .bind(interval(hold)?)
        .bind(now)
        .bind(only.map(|org| org.0))
        .bind(most)
        .bind(served.preview)
        .bind(served.slack())
        .bind(served.installed)
        .bind(served.teams)
        .fetch_all(tx.connection())
        .await?;
    rows.into_iter()
        .map(|row| {
            let workspace = Workspace { platform: word("platform", &row.platform)?, id: row.workspace_id };
            Ok(Lease { org: OrgId(row.org_id), workspace, fence: row.fence, blocked_until: row.blocked_until })
        })
        .collect()
}

fn interval(length: TimeDelta) -> anyhow::Result<PgInterval> {
    PgInterval::try_from(length).map_err(|error| anyhow::anyhow!("{error}"))
}

/// False once the lease is another's or has run out: the holder must stop writing.
pub async fn renew_lane(tx: &mut Directory, lease: &Lease, holder: Uuid, hold: TimeDelta) -> anyhow::Result<bool> {
    let done = sqlx::query(RENEW_LANE)
        .bind(lease.org.0)
        .bind(lease.workspace.platform.as_str())
        .bind(&lease.workspace.id)
        .bind(holder)
        .bind(lease.fence)
        .bind(interval(hold)?)
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Says when the lane must be looked at again.
pub async fn sleep_lane(tx: &mut Directory, lease: &Lease, until: DateTime<Utc>) -> anyhow::Result<()> {
    lane_update(tx, SLEEP_LANE, lease, Some(until)).await
}

pub async fn release_lane(tx: &mut Directory, lease: &Lease) -> anyhow::Result<()> {
    lane_update(tx, RELEASE_LANE, lease, None).await
}

/// The platform said Retry-After: whoever holds the lane next honours it too.
pub async fn block_lane(tx: &mut Directory, lease: &Lease, until: DateTime<Utc>) -> anyhow::Result<()> {
    lane_update(tx, BLOCK_LANE, lease, Some(until)).await
}

async fn lane_update(
    tx: &mut Directory,
    sql: &'static str,
    lease: &Lease,
    at: Option<DateTime<Utc>>,
) -> anyhow::Result<()> {
    let mut query = sqlx::query(sql)
        .bind(lease.org.0)
        .bind(lease.workspace.platform.as_str())
        .bind(&lease.workspace.id)
        .bind(lease.fence);
    if let Some(at) = at {
        query = query.bind(at);
    }
    query.execute(tx.connection()).await?;
    Ok(())
}

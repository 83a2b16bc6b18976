//! Postgres: the only module with SQL. One file per noun, the same nouns as the
//! domain, and `directory` beside them.
//!
//! Every transaction takes its role and its organisation with its BEGIN, in one
//! round trip (reliability.md: SET LOCAL only, since a session's SET leaks
//! through a transaction pooler). Statements are constants, listed, and a test
//! PREPAREs each as the role that runs it.

use std::future::ready;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::TryStreamExt as _;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgConnection, Postgres, SqlSafeStr, SqlStr, Transaction};

use crate::domain::person::OrgId;
use outage::Outage;

/// Declares statements as constants and lists them, so that a test can prepare each.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* const $name: &str = $sql;)*
        pub(in crate::store) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

/// Appends audit events, unless the organisation was erased meanwhile: organisation `$1`, moment `$2`, and one array each of actors, ids, events, subjects and data,
/// `$3` to `$7`.
macro_rules! record_events {
    () => {
        "INSERT INTO tandem.audit_event (org_id, event_id, at, actor, event, subject, data)
         SELECT $1, e.id, $2, e.actor, e.event, e.subject, e.data
           FROM unnest($3::text[], $4::uuid[], $5::text[], $6::text[], $7::jsonb[]) AS e (actor, id, event, subject, data)
          WHERE EXISTS (SELECT FROM directory.organisation o WHERE o.org_id = $1)"
    };
}

/// Notes receipts, `$2`, of organisation `$1` at `$3`, and returns those that had not come before. In their order, so that
/// two who bring the same ones cannot wait for each other.
macro_rules! receive_clicks {
    () => {
        "INSERT INTO tandem.inbound_receipt (org_id, receipt, received_at)
         SELECT DISTINCT $1::uuid, r.receipt, $3::timestamptz FROM unnest($2::text[]) AS r (receipt) ORDER BY r.receipt
         ON CONFLICT DO NOTHING RETURNING receipt"
    };
}

/// Steps of a `WITH`: queues one redraw, due at `now`, for each message `m` of organisation `$1`
/// that `messages` names with its post `p` (what stands after `FROM`), in the order of their ids, and wakes the lanes that
/// sleep, locked in theirs once all are queued, which is why they are counted: so two changes cannot wait for each other.
/// Lanes that are awake are not touched.
///
/// Where a message is still to be drawn no further redraw is needed, as long as it is not drawn before this change is
/// committed: so its post is held until then, and delivery takes hold of the post before it draws.
macro_rules! queue_redraws {
    ($now:literal, $($messages:tt)+) => {
        concat!(
            "wanted AS MATERIALIZED (SELECT m.message_id, m.platform, m.workspace_id, p.waits FROM ",
            $($messages)+,
            "),
             queued AS (
             INSERT INTO tandem.outbox (org_id, outbox_id, platform, workspace_id, message_id, kind, due_at, queued_at)
             SELECT $1, gen_random_uuid(), platform, workspace_id, message_id, 'redraw', ",
            $now,
            ", ",
            $now,
            " FROM wanted WHERE NOT waits ORDER BY message_id
             ON CONFLICT (org_id, message_id) WHERE kind = 'redraw' AND state = 'queued' DO NOTHING
             RETURNING platform, workspace_id),
             asleep AS (SELECT platform, workspace_id FROM directory.lane
                         WHERE org_id = $1 AND wake_at > ",
            $now,
            " AND (platform, workspace_id) IN (SELECT platform, workspace_id FROM queued)
                           AND (SELECT count(*) FROM queued) > 0
                         ORDER BY platform, workspace_id FOR NO KEY UPDATE),
             awake AS (
             UPDATE directory.lane l SET wake_at = ",
            $now,
            " FROM asleep
              WHERE l.org_id = $1 AND l.platform = asleep.platform AND l.workspace_id = asleep.workspace_id)"
        )
    };
}

/// A join of `m` with its post, of one of these states, which is held: against claims and not against what else becomes of
/// it. `waits`: it is to be drawn, and needs no redraw.
macro_rules! held_post {
    ($waits:literal, $states:literal) => {
        concat!(
            " CROSS JOIN LATERAL (SELECT ",
            $waits,
            " AS waits FROM tandem.outbox
                                   WHERE org_id = m.org_id AND message_id = m.message_id AND kind = 'post' ",
            $states,
            " FOR KEY SHARE) AS p "
        )
    };
}

/// The same where it stands in chat, or is to: what was given up is not redrawn. A copy that is still queued needs no redraw
/// either: it will be rendered when it is sent.
macro_rules! posted {
    () => {
        held_post!("state = 'queued'", "AND state IN ('queued', 'sending', 'sent')")
    };
}

/// The messages that show one of the accounts and were made after `since`, for [`queue_redraws`].
macro_rules! showing {
    ($accounts:literal, $since:literal) => {
        concat!(
            "tandem.message_account s JOIN tandem.message m USING (org_id, message_id)",
            posted!(),
            "WHERE s.org_id = $1 AND s.account_id = ANY (",
            $accounts,
            ") AND m.created_at > ",
            $since
        )
    };
}

pub mod absence;
pub mod account;
pub mod answer;
pub mod audit;
pub mod card;
pub mod change;
pub mod channel;
pub mod conversation;
mod detail;
pub mod diagnosis;
pub mod digest;
pub mod directory;
pub mod erase;
pub mod export;
pub mod figures;
pub mod fresh;
pub mod handoff;
pub mod home;
pub mod import;
pub mod installation;
pub mod introduction;
mod look;
pub mod message;
pub mod migrate;
pub mod night;
pub mod note;
mod outage;
pub mod outbox;
pub mod outcome;
pub mod person;
pub mod press;
pub mod renewal;
pub mod risk;
pub mod rule;
pub mod settings;
pub mod signal;
pub mod standby;
pub mod watch;

/// How long a caller of the program waits for a connection before it is told that Tandem is busy.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// How long a program that ends waits for its connections to close.
const PARTING: Duration = Duration::from_secs(5);

/// How long the first answer of a connection is waited for. To begin a transaction, nothing is read and nothing locked.
const FIRST_ANSWER: Duration = Duration::from_secs(2);

/// The same for readiness, with the wait for a connection; whoever asks waits for 3 s.
const READY_WITHIN: Duration = Duration::from_millis(2500);

/// A pool of connections as Tandem's login; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    outage: Outage,
}

/// A transaction of one organisation, as `tandem_app`. Dropped without commit, it rolls back.
#[derive(Debug)]
pub struct Tenant {
    transaction: Transaction<'static, Postgres>,
    org: OrgId,
    /// When the first was begun on its connection, of those that stood by there one after the other.
    begun: Instant,
    stood_by: bool,
}

/// A transaction over `directory`, as `tandem_directory`.
#[derive(Debug)]
pub struct Directory {
    transaction: Transaction<'static, Postgres>,
}

impl Store {
    /// Connects with at most `connections`, for which callers wait at most `patience`. Fails with one sentence when the
    /// server is down or older than Postgres 15.
    pub async fn connect(options: PgConnectOptions, connections: u32, patience: Duration) -> anyhow::Result<Self> {
        let options = options.options([
            // A login called tandem would find the schema tandem before public, and with it no migrations table.
            ("search_path", "public"),
            // Postgres takes an array of one id for cheaper than its guess for any array, and so would plan such a
            // statement anew each time: half of a click's time. Every statement here goes by org_id and a key, whatever
            // the values, so one plan serves.
            ("plan_cache_mode", "force_generic_plan"),
            // A plan is kept for as long as its connection, and one that was made while a table was empty would read all of
            // the table for every key: a first night that filled it was quadratic. Everything here has an index.
            ("enable_seqscan", "off"),
            // What is looked up account by account is looked up once for each: nothing comes twice that was worth keeping.
            ("enable_memoize", "off"),
            // Compiling a statement costs more than any of these, and a table that must be read whole seems dear now.
            ("jit", "off"),
            // A process whose machine is gone says no goodbye: what it holds locked is free again after two minutes.
            ("tcp_keepalives_idle", "60"),
            ("tcp_keepalives_interval", "10"),
            ("tcp_keepalives_count", "6"),
            // One that hangs as well. Longer than files or a warehouse are read for while their inbox is held.
            ("idle_in_transaction_session_timeout", "2h"),
        ]);
        // A slow migration or night is no warning to anybody, and statements name accounts.
        let options = options.disable_statement_logging();
        let outage = Outage::default();
        let pool = Self::pool_options(connections, patience, &outage)
            .connect_with(options)
            .await
            .context("the database can't be reached; check DATABASE_URL and that the server runs")?;
        let store = Self { pool, outage };
        store.check_server().await?;
        Ok(store)
    }

    /// How long callers wait for a connection.
    pub fn patience(&self) -> Duration {
        self.pool.options().get_acquire_timeout()
    }

    fn pool_options(connections: u32, patience: Duration, outage: &Outage) -> PgPoolOptions {
        let (taken, given_back) = (outage.clone(), outage.clone());
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(patience)
            // A round trip before every use; a broken connection shows at BEGIN anyway.
            .test_before_acquire(false)
            .before_acquire(move |_, known| Box::pin(ready(Ok(taken.is_behind(known.age)))))
            // It would be asked whether it still works, without a limit of time.
            .after_release(move |_, known| Box::pin(ready(Ok(given_back.is_behind(known.age)))))
    }

    /// A second pool on the same server, so that one kind of work cannot starve another.
    pub fn beside(&self, connections: u32) -> Self {
        let options = self.pool.connect_options().as_ref().clone();
        let patience = self.patience();
        let pool = Self::pool_options(connections, patience, &self.outage).connect_lazy_with(options);
        Self { pool, outage: self.outage.clone() }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    async fn check_server(&self) -> anyhow::Result<()> {
        let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
            .fetch_one(&self.pool)
            .await
            .context("the database did not answer")?;
        anyhow::ensure!(
            version >= 150_000,
            "the database is Postgres {}; Tandem needs Postgres 15 or newer",
            version / 10_000
        );
        Ok(())
    }

    /// Whether Tandem's login is a superuser or may bypass row level security. Work is done
    /// as `tandem_app` all the same; `doctor` warns about it.
    pub async fn login_is_above_rls(&self) -> anyhow::Result<bool> {
        Ok(sqlx::query_scalar("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
            .fetch_one(&self.pool)
            .await?)
    }

    /// Begins a transaction of one organisation.
    pub async fn tenant(&self, org: OrgId) -> anyhow::Result<Tenant> {
        self.begin(org, "BEGIN").await
    }

    /// As [`Self::tenant`], with a commit that does not wait for the disk. The log is written in order, so nothing of it
    /// can be lost once any later transaction has committed as usual: for parts of work that counts only with its last.
    pub async fn tenant_of_a_part(&self, org: OrgId) -> anyhow::Result<Tenant> {
        self.begin(org, "BEGIN; SET LOCAL synchronous_commit = off").await
    }

    /// Begins a transaction that only reads, and sees the organisation throughout as it was at its first question.
    pub async fn tenant_at_one_moment(&self, org: OrgId) -> anyhow::Result<Tenant> {
        self.begin(org, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    /// Whether every connection that there may be is in use.
    fn is_exhausted(&self) -> bool {
        self.pool.num_idle() == 0 && self.pool.size() >= self.pool.options().get_max_connections()
    }

    async fn begin(&self, org: OrgId, begin: &str) -> anyhow::Result<Tenant> {
        let begin = AssertSqlSafe(format!("{begin}; {}", as_tenant(org))).into_sql_str();
        Ok(Tenant::new(self.transaction(begin).await?, org))
    }

    /// Begins a transaction over the directory.
    pub async fn directory(&self) -> anyhow::Result<Directory> {
        let begin = "BEGIN; SET LOCAL ROLE tandem_directory".into_sql_str();
        Ok(Directory { transaction: self.transaction(begin).await? })
    }

    async fn transaction(&self, begin: SqlStr) -> anyhow::Result<Transaction<'static, Postgres>> {
        // A connection is waited for, and then an answer.
        let limit = self.patience() + FIRST_ANSWER;
        let begun = || {
            let begin = begin.clone();
            async move { self.pool.begin_with(begin).await.context("begin") }
        };
        self.anew_where_broken(limit, begun).await
    }

    /// Answers when the database does and the migrations are done: readiness.
    pub async fn ready(&self) -> anyhow::Result<()> {
        self.anew_where_broken(READY_WITHIN, || migrate::check(self)).await
    }

    /// Closes the connections, and waits a little for those in use: a server that does not answer any more keeps nobody
    /// from leaving.
    pub async fn close(&self) {
        let _ = tokio::time::timeout(PARTING, self.pool.close()).await;
    }
}

impl Tenant {
    fn new(transaction: Transaction<'static, Postgres>, org: OrgId) -> Self {
        Self { transaction, org, begun: Instant::now(), stood_by: false }
    }

    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Whether it was begun before it was asked for, so that its server may have gone since.
    pub fn stood_by(&self) -> bool {
        self.stood_by
    }

    pub async fn commit(self) -> anyhow::Result<()> {
        self.transaction.commit().await.context("commit")
    }

    /// Ends it as if it had never been, and waits until it is.
    async fn give_up(self) -> anyhow::Result<()> {
        self.transaction.rollback().await.context("give up")
    }

    /// Commits, and begins the next for the same organisation, in one round trip. False where it is committed and nothing
    /// was begun.
    async fn commit_and_begin(&mut self, begin: &str) -> anyhow::Result<bool> {
        let turn = format!("COMMIT; {begin}; {}", as_tenant(self.org));
        let mut said = sqlx::raw_sql(AssertSqlSafe(turn)).execute_many(self.connection());
        said.try_next().await.context("commit")?;
        let begun = said.try_for_each(|_| ready(Ok(()))).await;
        Ok(begun.is_ok())
    }

    /// Begins a part that stands or falls as a whole while the transaction goes on; parts don't nest.
    pub async fn begin_part(&mut self) -> anyhow::Result<()> {
        sqlx::raw_sql("SAVEPOINT part").execute(self.connection()).await.context("begin a part")?;
        Ok(())
    }

    /// Ends the part: it stands, or was never there.
    pub async fn end_part(&mut self, stands: bool) -> anyhow::Result<()> {
        let end = if stands { "RELEASE SAVEPOINT part" } else { "ROLLBACK TO SAVEPOINT part" };
        sqlx::raw_sql(end).execute(self.connection()).await.context("end a part")?;
        Ok(())
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}

impl Directory {
    /// Goes on in the same transaction as the application, for one organisation: what was found or changed in the
    /// directory commits together with what belongs to it there.
    pub async fn into_tenant(mut self, org: OrgId) -> anyhow::Result<Tenant> {
        sqlx::raw_sql(AssertSqlSafe(as_tenant(org)))
            .execute(self.connection())
            .await
            .context("go on for an organisation")?;
        Ok(Tenant::new(self.transaction, org))
    }

    pub async fn commit(self) -> anyhow::Result<()> {
        self.transaction.commit().await.context("commit")
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}

/// What makes a transaction that was begun the application's, for one organisation.
fn as_tenant(org: OrgId) -> String {
    // An organisation's id is a uuid: nothing in it can end the string.
    format!("SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{}'", org.0)
}

/// Whether an error is the pool's "none free in time", or a lock's: the caller answers "busy, try again".
pub fn is_busy(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| matches!(cause.downcast_ref::<sqlx::Error>(), Some(sqlx::Error::PoolTimedOut)))
        || sqlstate(error).as_deref() == Some("55P03")
}

/// There is no such organisation any more: it was erased, perhaps a moment ago.
#[derive(Debug, thiserror::Error)]
#[error("the organisation is gone")]
pub struct Gone;

/// Whether nothing could be done because the organisation was erased meanwhile: nobody's fault.
pub fn is_gone(error: &anyhow::Error) -> bool {
    // A row that was on its way finds no organisation to belong to.
    let belongs_to_none = |cause: &(dyn std::error::Error + 'static)| {
        let database = cause.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
        database.is_some_and(|error| {
            error.is_foreign_key_violation() && error.constraint().is_some_and(|name| name.ends_with("org_id_fkey"))
        })
    };
    error.chain().any(|cause| cause.is::<Gone>() || belongs_to_none(cause))
}

/// Whether two transactions waited for each other and this one gave way: the same again is worth a try.
pub fn is_deadlock(error: &anyhow::Error) -> bool {
    matches!(sqlstate(error).as_deref(), Some("40P01" | "40001"))
}

/// Whether the database refused the data themselves (a value or a constraint), so that the same again is refused again.
pub fn is_refused_data(error: &anyhow::Error) -> bool {
    sqlstate(error).is_some_and(|code| ["21", "22", "23"].iter().any(|class| code.starts_with(class)))
}

fn sqlstate(error: &anyhow::Error) -> Option<String> {
    let database = error.chain().find_map(|cause| cause.downcast_ref::<sqlx::Error>()?.as_database_error())?;
    Some(database.code()?.into_owned())
}

/// Reads a word that the schema's CHECK allows; anything else is a fault worth naming.
pub(crate) fn word<T: std::str::FromStr>(column: &str, text: &str) -> anyhow::Result<T> {
    text.parse().map_err(|_| anyhow::anyhow!("column {column} holds \"{text}\", which is no known word"))
}

/// Every statement with the role that runs it, for the test that prepares them all.
pub fn statements() -> Vec<(&'static str, &'static str, &'static str)> {
    let tenant = [
        absence::STATEMENTS,
        account::STATEMENTS,
        answer::STATEMENTS,
        audit::STATEMENTS,
        card::STATEMENTS,
        change::STATEMENTS,
        channel::STATEMENTS,
        conversation::STATEMENTS,
        diagnosis::STATEMENTS,
        night::STATEMENTS,
        digest::STATEMENTS,
        erase::organisation::STATEMENTS,
        erase::person::STATEMENTS,
        erase::texts::STATEMENTS,
        export::STATEMENTS,
        figures::STATEMENTS,
        fresh::STATEMENTS,
        handoff::STATEMENTS,
        home::STATEMENTS,
        import::STATEMENTS,
        import::amounts::STATEMENTS,
        import::chat_ids::STATEMENTS,
        installation::STATEMENTS,
        introduction::STATEMENTS,
        look::STATEMENTS,
        message::STATEMENTS,
        note::STATEMENTS,
        outbox::STATEMENTS,
        outcome::STATEMENTS,
        person::STATEMENTS,
        press::STATEMENTS,
        renewal::STATEMENTS,
        risk::STATEMENTS,
        rule::STATEMENTS,
        settings::STATEMENTS,
        signal::STATEMENTS,
        watch::STATEMENTS,
    ];
    tenant
        .into_iter()
        .flatten()
        .map(|(name, sql)| ("tandem_app", *name, *sql))
        .chain(
            [directory::STATEMENTS, erase::trail::STATEMENTS]
                .into_iter()
                .flatten()
                .map(|(name, sql)| ("tandem_directory", *name, *sql)),
        )
        .collect()
}

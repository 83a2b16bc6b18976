//! Everything of one organisation, table by table. A test over the catalogue fails where a table is forgotten.
//!
//! Each table is a transaction of its own: what is deleted stays deleted where the process is killed, and the same again
//! goes on from there. The organisation's row goes last, together with its audit trail (`trail`).

use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::trail;
use crate::domain::person::OrgId;
use crate::store::{Store, Tenant};

macro_rules! of_the_organisation {
    ($table:literal) => {
        concat!("DELETE FROM ", $table, " WHERE org_id = $1")
    };
}

statements! {
    OUTBOX = of_the_organisation!("tandem.outbox");
    MESSAGE_ACCOUNT = of_the_organisation!("tandem.message_account");
    MESSAGE_COPY = of_the_organisation!("tandem.message_copy");
    MESSAGE = of_the_organisation!("tandem.message");
    DIGEST_ITEM = of_the_organisation!("tandem.digest_item");
    DIGEST = of_the_organisation!("tandem.digest");
    RECEIPT = of_the_organisation!("tandem.inbound_receipt");
    CONVERSATION = of_the_organisation!("tandem.conversation");
    CHANNEL = of_the_organisation!("tandem.channel_target");
    INTRODUCTION = of_the_organisation!("tandem.introduction");
    ABSENCE = of_the_organisation!("tandem.absence");
    PERSON_SETTING = of_the_organisation!("tandem.person_setting");
    CHAT_USER = of_the_organisation!("tandem.chat_user");
    FRESH = of_the_organisation!("tandem.fresh_decision");
    SHADOW = of_the_organisation!("tandem.shadow_firing");
    JUDGEMENT = of_the_organisation!("tandem.judgement");
    NOTE = of_the_organisation!("tandem.note");
    HANDOFF = of_the_organisation!("tandem.handoff");
    RISK = of_the_organisation!("tandem.risk");
    RENEWAL = of_the_organisation!("tandem.renewal");
    DIAGNOSIS = of_the_organisation!("tandem.diagnosis");
    DETAIL = of_the_organisation!("tandem.diagnosis_detail");
    RUN = of_the_organisation!("tandem.diagnosis_run");
    SIGNAL = of_the_organisation!("tandem.signal");
    OUTCOME = of_the_organisation!("tandem.outcome");
    CONTACT = of_the_organisation!("tandem.contact");
    ACCOUNT = of_the_organisation!("tandem.account");
    QUOTA = of_the_organisation!("tandem.quota");
    PERSON = of_the_organisation!("tandem.person");
    HOLIDAY = of_the_organisation!("tandem.holiday");
    WATCH = of_the_organisation!("tandem.watch");
    SIZE = "SELECT (SELECT count(*) FROM tandem.account WHERE org_id = $1), (SELECT count(*) FROM tandem.person WHERE org_id = $1)";
}

/// Whoever refers to a table comes before it.
const TABLES: [(&str, &str); 31] = [
    ("tandem.outbox", OUTBOX),
    ("tandem.message_account", MESSAGE_ACCOUNT),
    ("tandem.message_copy", MESSAGE_COPY),
    ("tandem.message", MESSAGE),
    ("tandem.digest_item", DIGEST_ITEM),
    ("tandem.digest", DIGEST),
    ("tandem.inbound_receipt", RECEIPT),
    ("tandem.conversation", CONVERSATION),
    ("tandem.channel_target", CHANNEL),
    ("tandem.introduction", INTRODUCTION),
    ("tandem.absence", ABSENCE),
    ("tandem.person_setting", PERSON_SETTING),
    ("tandem.chat_user", CHAT_USER),
    ("tandem.fresh_decision", FRESH),
    ("tandem.shadow_firing", SHADOW),
    ("tandem.judgement", JUDGEMENT),
    ("tandem.note", NOTE),
    ("tandem.handoff", HANDOFF),
    ("tandem.risk", RISK),
    ("tandem.renewal", RENEWAL),
    ("tandem.diagnosis", DIAGNOSIS),
    ("tandem.diagnosis_detail", DETAIL),
    ("tandem.diagnosis_run", RUN),
    ("tandem.signal", SIGNAL),
    ("tandem.outcome", OUTCOME),
    ("tandem.contact", CONTACT),
    ("tandem.account", ACCOUNT),
    ("tandem.quota", QUOTA),
    ("tandem.person", PERSON),
    ("tandem.holiday", HOLIDAY),
    ("tandem.watch", WATCH),
];

/// Every table that an organisation's rows are deleted from.
pub fn tables() -> Vec<&'static str> {
    TABLES.iter().map(|(table, _)| *table).chain(trail::tables()).collect()
}

/// How many accounts and colleagues there are.
pub async fn size(tx: &mut Tenant) -> anyhow::Result<(u64, u64)> {
    let org = tx.org().0;
    let (accounts, people): (i64, i64) = sqlx::query_as(SIZE).bind(org).fetch_one(tx.connection()).await?;
    Ok((u64::try_from(accounts)?, u64::try_from(people)?))
}

/// Nothing reaches the organisation any more, and nothing is owed or sent to it: its links, keys, installations with their
/// tokens, clocks and lanes go first.
pub async fn cut_off(store: &Store, org: OrgId) -> anyhow::Result<u64> {
    let mut tx = store.directory().await?;
    let deleted = trail::cut_off(&mut tx, org).await?;
    tx.commit().await?;
    Ok(deleted)
}

/// Has Postgres look at the tables again. For each row that goes it asks whether it is still referred to, and plans those
/// questions once: what it takes for an empty table, since it was filled a moment ago, it would read whole for each row.
pub async fn look_again(store: &Store) -> anyhow::Result<()> {
    let tables = TABLES.iter().map(|(table, _)| *table).chain(["tandem.audit_event", "tandem.audit_seal"]);
    for table in tables {
        // As the login, whose tables they are; where they are not, Postgres warns and leaves it.
        sqlx::raw_sql(AssertSqlSafe(format!("ANALYZE {table}"))).execute(store.pool()).await?;
    }
    Ok(())
}

/// Deletes its rows, table by table; `begin` hears of each table.
pub async fn rows(store: &Store, org: OrgId, mut begin: impl FnMut(&str)) -> anyhow::Result<u64> {
    let mut deleted = 0;
    for (table, sql) in TABLES {
        begin(table);
        let mut tx = store.tenant(org).await?;
        let done = sqlx::query(sql).bind(org.0).execute(tx.connection()).await;
        deleted += done.with_context(|| format!("erase {table}"))?.rows_affected();
        tx.commit().await?;
    }
    Ok(deleted)
}

/// The organisation itself, and its audit trail.
pub async fn itself(store: &Store, org: OrgId) -> anyhow::Result<u64> {
    let mut tx = store.directory().await?;
    let deleted = trail::organisation(&mut tx, org).await?;
    tx.commit().await?;
    Ok(deleted)
}

impl Store {
    /// How many transactions of Tandem's login are older than this, by the database's clock.
    pub async fn transactions_before(&self, at: DateTime<Utc>) -> anyhow::Result<i64> {
        // As the login itself: a role that was taken may not see when others began.
        let sql = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid() AND xact_start < $1";
        Ok(sqlx::query_scalar(sql).bind(at).fetch_one(self.pool()).await?)
    }

    /// By the database's clock, which is the one that transactions begin by.
    pub async fn database_time(&self) -> anyhow::Result<DateTime<Utc>> {
        Ok(sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(self.pool()).await?)
    }
}

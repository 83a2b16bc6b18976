//! What Postgres knows of how full the tables are.
//!
//! Of a table that was empty when it last looked it takes any index for as good as
//! the key, and so reads the whole organisation for each row that is looked up,
//! until its own housekeeping comes by: a minute in which a first import, the first
//! night and the first morning happen.

use anyhow::Context;
use sqlx::AssertSqlSafe;

use super::Tenant;

statements! {
    /// Those with ten times as much as when Postgres last looked; what a dry run leaves behind counts too, since what was
    /// learnt of it is gone.
    HAVE_GROWN = "SELECT oid::regclass::text FROM pg_class
                   WHERE oid = ANY ($1::text[]::regclass[])
                     AND pg_relation_size(oid) > 10 * relpages * current_setting('block_size')::bigint
                   ORDER BY 1";
}

impl Tenant {
    /// Has Postgres look at those of these tables that have grown tenfold since it last did, with what this transaction
    /// wrote. Whoever owns a table may ask for that, which is the login; otherwise Postgres warns and leaves it.
    pub async fn look_at(&mut self, tables: &[&str]) -> anyhow::Result<()> {
        let grown: Vec<String> = sqlx::query_scalar(HAVE_GROWN).bind(tables).fetch_all(self.connection()).await?;
        if !grown.is_empty() {
            let look = grown.join(", ");
            let look = format!("SET LOCAL ROLE NONE; ANALYZE (SKIP_LOCKED) {look}; SET LOCAL ROLE tandem_app");
            sqlx::raw_sql(AssertSqlSafe(look)).execute(self.connection()).await.context("look at tables")?;
        }
        Ok(())
    }
}

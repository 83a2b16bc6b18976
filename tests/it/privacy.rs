//! An organisation's data on demand: exported whole, and erased, whole or one person's.

mod export;
mod people;
mod whole;

use std::collections::BTreeMap;

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row as _};
use tandem::domain::person::OrgId;

use crate::rls::{TENANT_TABLES, texts};

/// How many rows an organisation has in each table, as the application sees it.
async fn rows(pool: &PgPool, org: OrgId) -> BTreeMap<String, i64> {
    let mut rows = BTreeMap::new();
    for table in texts(pool, TENANT_TABLES).await {
        let count = number(pool, org, &format!("SELECT count(*) FROM {table} WHERE org_id = '{org}'")).await;
        rows.insert(table, count);
    }
    rows
}

/// The tables in which something of an organisation can be read that holds this, in whatever spelling.
async fn holding(pool: &PgPool, org: OrgId, what: &str) -> Vec<String> {
    let mut found = Vec::new();
    for table in texts(pool, TENANT_TABLES).await {
        let like =
            format!("SELECT count(*) FROM {table} t WHERE position('{}' IN lower(t::text)) > 0", what.to_lowercase());
        if number(pool, org, &like).await > 0 {
            found.push(table);
        }
    }
    found
}

async fn number(pool: &PgPool, org: OrgId, sql: &str) -> i64 {
    let begin = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{org}'");
    let mut tx = pool.begin_with(AssertSqlSafe(begin)).await.unwrap();
    let row = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut *tx).await;
    row.unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
}

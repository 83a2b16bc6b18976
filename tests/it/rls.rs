//! Organisations are kept apart by the database itself: what its catalogue
//! must say of every table, and what raw SQL as the application's role gets.

mod grown;
mod plans;

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use serde_json::Value;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row as _, Transaction};
use tandem::domain::person::OrgId;
use tandem::store::audit::Look;

use crate::support::bot::TestBot;
use crate::support::cluster::database;

/// Keys and indexes of which `org_id` is not the first column, each with its reason.
const NOT_FIRST: [(&str, &str); 7] = [
    ("api_key_pkey", "a caller's organisation is found by the hash of its key"),
    ("chat_link_pkey", "a workspace's organisation is found by the workspace"),
    ("due_at", "what is owed is asked across organisations"),
    ("lane_wake", "lanes are leased across organisations"),
    ("slack_installation_pkey", "a workspace's tokens are found by the workspace"),
    ("slack_installation_expiry", "tokens are refreshed across organisations"),
    ("organisation_slug_key", "an organisation is found by its short name"),
];

/// Roles that work is done as.
const ROLES: [&str; 3] = ["tandem_app", "tandem_directory", "tandem_names"];

pub(crate) async fn texts(pool: &PgPool, sql: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_all(pool)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

async fn nothing(pool: &PgPool, what: &str, sql: &str) {
    assert_eq!(texts(pool, sql).await, Vec::<String>::new(), "{what}");
}

/// A transaction as the application's role, in an organisation or in none.
async fn as_app(pool: &PgPool, org: Option<OrgId>) -> Transaction<'static, Postgres> {
    let set = org.map(|org| format!("; SET LOCAL tandem.org_id = '{org}'")).unwrap_or_default();
    pool.begin_with(AssertSqlSafe(format!("BEGIN; SET LOCAL ROLE tandem_app{set}"))).await.unwrap()
}

/// Table, policy, its roles, USING, WITH CHECK.
type PolicyRow = (String, String, String, Option<String>, Option<String>);

/// Tables of organisations' rows, in any schema.
pub(crate) const TENANT_TABLES: &str = "SELECT c.oid::regclass::text FROM pg_class c
       JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped
      WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' ORDER BY 1";

#[tokio::test]
async fn every_table_is_isolated() {
    let db = database().await;
    let tables = texts(&db.pool, TENANT_TABLES).await;
    assert!(tables.len() > 25, "{tables:?}");
    let own = "n.nspname NOT IN ('information_schema') AND n.nspname !~ '^pg_'";
    let others = texts(
        &db.pool,
        &format!(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {own} AND c.oid::regclass::text <> ALL (ARRAY(
                {}))",
            TENANT_TABLES.trim_end_matches(" ORDER BY 1")
        ),
    )
    .await;
    // Install links are used before any organisation is known; what is kept of them is a hash and a time.
    assert_eq!(
        others,
        ["_sqlx_migrations", "directory.used_install_link"],
        "no view, no materialised view, no other table without an organisation"
    );
    nothing(
        &db.pool,
        "row level security is enabled and forced",
        &format!(
            "SELECT c.oid::regclass::text FROM pg_class c WHERE NOT (relrowsecurity AND relforcerowsecurity)
                AND c.oid::regclass::text IN ({})",
            TENANT_TABLES.trim_end_matches(" ORDER BY 1")
        ),
    )
    .await;
    let policies: Vec<PolicyRow> = sqlx::query_as(
        "SELECT p.polrelid::regclass::text, p.polname::text,
                (SELECT string_agg(rolname::text, ',') FROM pg_roles WHERE oid = ANY (p.polroles)),
                pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid) FROM pg_policy p ORDER BY 1, 2",
    )
    .fetch_all(&db.pool)
    .await
    .unwrap();
    // Looked up once a statement, and not for each row that is written or each scan.
    let own_rows =
        "(org_id = ( SELECT (NULLIF(current_setting('tandem.org_id'::text, true), ''::text))::uuid AS \"nullif\"))";
    let mut kept = BTreeSet::new();
    for (table, name, roles, using, check) in &policies {
        match (name.as_str(), roles.as_str()) {
            ("own_organisation", "tandem_app") => {
                assert_eq!((using.as_deref(), check.as_deref()), (Some(own_rows), Some(own_rows)), "{table}");
                kept.insert(table.clone());
            }
            ("across_organisations", "tandem_directory") => assert!(table.starts_with("directory."), "{table}"),
            ("names_only", "tandem_names") => assert_eq!(table, "tandem.account"),
            ("gone_organisation", "tandem_directory") => {
                assert!(table.starts_with("tandem.audit_"), "{table}");
                let using = using.as_deref().unwrap_or_default();
                assert!(using.contains("NOT (EXISTS ( SELECT") && using.contains("directory.organisation"), "{using}");
            }
            other => panic!("{table} has a policy that nobody listed: {other:?}"),
        }
    }
    assert_eq!(kept.into_iter().collect::<Vec<_>>(), tables, "the application's one policy stands on every table");
}

#[tokio::test]
async fn the_organisation_stands_first_in_every_key() {
    let db = database().await;
    let late: BTreeSet<String> = texts(
        &db.pool,
        "SELECT i.indexrelid::regclass::text FROM pg_index i
           JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'org_id'
           JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE i.indkey[0] <> a.attnum AND n.nspname !~ '^pg_'",
    )
    .await
    .iter()
    .map(|name| name.rsplit('.').next().unwrap().to_owned())
    .collect();
    assert_eq!(late, NOT_FIRST.iter().map(|(name, _)| (*name).to_owned()).collect(), "indexes and unique keys");
    nothing(
        &db.pool,
        "foreign keys go from organisation to organisation",
        "SELECT k.conrelid::regclass || ' ' || k.conname FROM pg_constraint k
           JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
           JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = k.confkey[1]
          WHERE k.contype = 'f' AND (a.attname <> 'org_id' OR b.attname <> 'org_id')",
    )
    .await;
}

#[tokio::test]
async fn the_roles_can_do_no_more_than_they_need() {
    let db = database().await;
    let roles = ROLES.map(|role| format!("'{role}'")).join(", ");
    let above = format!(
        "SELECT rolname::text FROM pg_roles WHERE rolname IN ({roles})
            AND (rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole OR rolcreatedb OR rolreplication)"
    );
    nothing(&db.pool, "no role of Tandem logs in or stands above row level security", &above).await;
    assert_eq!(
        texts(&db.pool, &format!("SELECT rolname::text FROM pg_roles WHERE rolname IN ({roles}) ORDER BY 1")).await,
        ROLES
    );
    nothing(
        &db.pool,
        "they own no table",
        &format!(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname IN ({roles})"
        ),
    )
    .await;
    nothing(
        &db.pool,
        "they are members of nothing",
        &format!("SELECT r.rolname::text FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname IN ({roles})"),
    )
    .await;
    nothing(
        &db.pool,
        "the application may truncate nothing, and make nothing",
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind = 'r' AND n.nspname IN ('tandem', 'directory')
            AND has_table_privilege('tandem_app', c.oid, 'TRUNCATE, REFERENCES, TRIGGER')
         UNION ALL
         SELECT nspname::text FROM pg_namespace
          WHERE nspname IN ('tandem', 'directory') AND has_schema_privilege('tandem_app', oid, 'CREATE')",
    )
    .await;
    nothing(
        &db.pool,
        "the directory's role sees the directory alone",
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind = 'r' AND n.nspname = 'tandem' AND has_any_column_privilege('tandem_directory', c.oid, 'SELECT')",
    )
    .await;
    let names = texts(
        &db.pool,
        "SELECT c.oid::regclass || '.' || a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          WHERE c.relkind = 'r' AND n.nspname IN ('tandem', 'directory')
            AND has_column_privilege('tandem_names', c.oid, a.attnum, 'SELECT') ORDER BY a.attnum",
    )
    .await;
    assert_eq!(names, ["tandem.account.org_id", "tandem.account.account_id", "tandem.account.name_key"]);
    let definers = texts(
        &db.pool,
        "SELECT p.oid::regprocedure || ' of ' || r.rolname FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
           JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prosecdef AND n.nspname <> 'pg_catalog'",
    )
    .await;
    assert_eq!(definers, ["tandem.similar_accounts(text,integer) of tandem_names"]);
    nothing(
        &db.pool,
        "nobody but the application may call it",
        "SELECT r.rolname::text FROM pg_roles r WHERE has_function_privilege(r.oid, 'tandem.similar_accounts(text, integer)', 'EXECUTE')
            AND r.rolname NOT IN ('tandem_app', 'tandem_names') AND NOT r.rolsuper
            AND NOT pg_has_role(r.oid, 'tandem_app', 'USAGE')",
    )
    .await;
}

#[tokio::test]
async fn every_statement_can_be_prepared_as_the_role_that_runs_it() {
    let db = database().await;
    let statements = tandem::store::statements();
    assert!(statements.len() > 100, "{}", statements.len());
    let mut faults = Vec::new();
    for (role, name, sql) in statements {
        let begin = format!("BEGIN; SET LOCAL ROLE {role}; SET LOCAL tandem.org_id = '{}'", uuid::Uuid::nil());
        let mut tx = db.pool.begin_with(AssertSqlSafe(begin)).await.unwrap();
        // Some work on a temporary table that an import makes first.
        if let Err(error) = prepare(&mut tx, sql).await {
            faults.push(format!("{role} {name}: {error}"));
        }
        tx.rollback().await.unwrap();
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

async fn prepare(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    use sqlx::{Executor as _, SqlSafeStr as _};
    connection.prepare(AssertSqlSafe(sql.to_owned()).into_sql_str()).await.map(drop)
}

/// Both organisations have rows in every table; then each kind of raw SQL is tried from one to the other.
#[tokio::test(flavor = "multi_thread")]
async fn raw_sql_reaches_nothing_of_another_organisation() {
    let bot = TestBot::with_everything().await;
    let pool = bot.pool().clone();
    let (here, there) = (bot.org.id, bot.other.id);
    let tables = texts(&pool, TENANT_TABLES).await;
    let theirs = one_row_each(&pool, there, &tables).await;
    let missing: Vec<&String> = tables.iter().filter(|table| !theirs.contains_key(*table)).collect();
    assert!(missing.is_empty(), "the other organisation has no row to steal in {missing:?}");

    for table in &tables {
        let mut tx = as_app(&pool, None).await;
        assert_eq!(
            count(&mut tx, &format!("SELECT count(*) FROM {table}")).await,
            0,
            "{table} without an organisation"
        );
        drop(tx);
        let mut tx = as_app(&pool, Some(here)).await;
        assert!(count(&mut tx, &format!("SELECT count(*) FROM {table}")).await > 0, "{table} has own rows");
        let strange = format!("SELECT count(*) FROM {table} WHERE org_id <> '{here}'");
        assert_eq!(count(&mut tx, &strange).await, 0, "{table} shows foreign rows");
        drop(tx);

        let insert = format!("INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, $1)");
        let refused = run(&pool, here, &insert, Some(&theirs[table])).await;
        assert_eq!(refused, Err("42501".to_owned()), "{table}: a row for the other organisation");
        let give = format!("UPDATE {table} SET org_id = '{there}'");
        assert_eq!(run(&pool, here, &give, None).await, Err("42501".to_owned()), "{table}: rows given away");
        let append_only = table.starts_with("tandem.audit_");
        for change in ["DELETE FROM {}", "UPDATE {} SET org_id = org_id"] {
            let sql = format!("{} WHERE org_id = '{there}'", change.replace("{}", table));
            let wanted = if append_only { Err("42501".to_owned()) } else { Ok(0) };
            assert_eq!(run(&pool, here, &sql, None).await, wanted, "{sql}");
        }
        assert_eq!(
            run(&pool, here, &format!("TRUNCATE {table} CASCADE"), None).await,
            Err("42501".to_owned()),
            "{table}"
        );
    }

    // The one function above the policies keeps to the organisation too, and to none where none is set.
    let similar = "SELECT count(*) FROM tandem.similar_accounts('acme', 25)";
    let mut tx = as_app(&pool, Some(here)).await;
    let ids: Vec<String> = sqlx::query_scalar("SELECT account_id FROM tandem.similar_accounts('only there', 25)")
        .fetch_all(&mut *tx)
        .await
        .unwrap();
    assert!(!ids.contains(&"only-there".to_owned()), "{ids:?}");
    assert!(count(&mut tx, similar).await > 0);
    drop(tx);
    assert_eq!(count(&mut *as_app(&pool, None).await, similar).await, 0);
    bot.set_aside().await;
}

async fn one_row_each(pool: &PgPool, org: OrgId, tables: &[String]) -> BTreeMap<String, Value> {
    let mut rows = BTreeMap::new();
    for table in tables {
        let mut tx = as_app(pool, Some(org)).await;
        let sql = AssertSqlSafe(format!("SELECT to_jsonb(t) FROM {table} t LIMIT 1"));
        if let Some(row) = sqlx::query_scalar(sql).fetch_optional(&mut *tx).await.unwrap() {
            rows.insert(table.clone(), row);
        }
    }
    rows
}

async fn count(connection: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query(AssertSqlSafe(sql.to_owned()))
        .fetch_one(connection)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
        .get(0)
}

/// How many rows a statement touched, or its SQLSTATE. Nothing is kept.
async fn run(pool: &PgPool, org: OrgId, sql: &str, argument: Option<&Value>) -> Result<u64, String> {
    let mut tx = as_app(pool, Some(org)).await;
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    if let Some(argument) = argument {
        query = query.bind(argument);
    }
    match query.execute(&mut *tx).await {
        Ok(done) => Ok(done.rows_affected()),
        Err(error) => {
            Err(error.as_database_error().and_then(|error| error.code()).map_or_else(|| error.to_string(), Into::into))
        }
    }
}

/// The trail is append-only for the application's role, in its own organisation too; for the tables' owner, triggers say so.
#[tokio::test]
async fn the_audit_trail_takes_no_change() {
    let db = database().await;
    let store = db.store().await;
    let new = tandem::app::organisation::NewOrganisation {
        slug: "north".into(),
        name: "North".into(),
        model: tandem::domain::routing::Model::Pair,
        timezone: chrono_tz::UTC,
        currency: "EUR".parse().unwrap(),
    };
    let org = tandem::app::organisation::create(&store, new, crate::support::service::now()).await.unwrap().id;
    assert!(tandem::app::organisation::seal(&store, org, Look::WHOLE).await.unwrap() > 0);
    for table in ["tandem.audit_event", "tandem.audit_seal"] {
        for sql in ["UPDATE {} SET org_id = org_id", "DELETE FROM {}", "TRUNCATE {} CASCADE"] {
            let sql = sql.replace("{}", table);
            assert_eq!(run(&db.pool, org, &sql, None).await, Err("42501".to_owned()), "{sql} as the application");
            // The owner is bound by the policies as well and so sees no row: only TRUNCATE reaches its trigger.
            let owner = sqlx::query(AssertSqlSafe(sql.clone())).execute(&db.pool).await;
            match owner {
                Ok(done) => assert_eq!(done.rows_affected(), 0, "{sql} as the owner"),
                Err(error) => assert!(error.to_string().contains("append-only"), "{sql}: {error}"),
            }
        }
    }
    let mut tx = store.tenant(org).await.unwrap();
    let verdict = tandem::store::audit::verify(&mut tx).await.unwrap();
    assert_eq!((verdict.broken, verdict.unsealed), (None, 0));
}

/// A commit that was overtaken by a sealed one stands before it in the trail: a pass finds it where it looks.
#[tokio::test]
async fn what_commits_late_is_sealed_by_the_look_that_covers_it() {
    let bot = TestBot::new(tandem::domain::routing::Model::Pair, "2026-11-23T01:00:00Z").await;
    let seal = async |look| tandem::app::organisation::seal(&bot.app.store, bot.org.id, look).await.unwrap();
    assert!(seal(Look::since(TimeDelta::seconds(1))).await > 0, "nothing is sealed yet: all is looked at");
    // More than one page of them.
    let late = "INSERT INTO tandem.audit_event (org_id, event_id, at, actor, event, subject, recorded_at)
                SELECT org_id, gen_random_uuid(), at, actor, event, subject, recorded_at - interval '90 s'
                  FROM (SELECT * FROM tandem.audit_event ORDER BY recorded_at DESC LIMIT 1) AS e, generate_series(1, 5100)";
    let mut tx = as_app(bot.pool(), Some(bot.org.id)).await;
    sqlx::query(late).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let [second, minute, two] = [1, 60, 120].map(TimeDelta::seconds);
    for (look, sealed) in [
        (Look::since(second), 0),
        (Look::between(minute, TimeDelta::zero()), 0),
        (Look::between(two + minute, two), 0),
        (Look::between(two, minute), 5_100),
        (Look::WHOLE, 0),
    ] {
        assert_eq!(seal(look).await, sealed, "{look:?}");
    }
    let mut tx = bot.app.store.tenant(bot.org.id).await.unwrap();
    let verdict = tandem::store::audit::verify(&mut tx).await.unwrap();
    assert_eq!((verdict.broken, verdict.unsealed), (None, 0));
    drop(tx);
    bot.finish().await;
}

const PEOPLE: &str = "email,name,roles,timezone,manager_email\n\
    lea@x.eu,Lea Lead,lead,Europe/Berlin,\n\
    dana@x.eu,Dana Csm,csm,Europe/Berlin,lea@x.eu\n\
    kim@x.eu,Kim Am,account_manager,Europe/Berlin,lea@x.eu\n";
const ACCOUNTS: &str = "account_id,name,arr,seats,renewal_date,term_months,notice_period_days,csm_email,account_manager_email\n\
    acme,Acme,100000,100,2027-02-28,12,30,dana@x.eu,kim@x.eu\n\
    bolt,Bolt,50000,100,2027-09-30,12,30,dana@x.eu,kim@x.eu\n";

impl TestBot {
    /// Both organisations after a night and a morning, with a row of each in every table.
    pub(crate) async fn with_everything() -> Self {
        use tandem::domain::row::RowKind;
        let bot = Self::new(tandem::domain::routing::Model::Pair, "2026-11-22T12:00:00Z").await;
        bot.import(RowKind::People, PEOPLE).await;
        bot.import(RowKind::Accounts, ACCOUNTS).await;
        let only_there = "account_id,name,csm_email\nonly-there,Only There,dana@x.eu\n";
        bot.import_to(&bot.other, RowKind::Accounts, only_there).await;
        bot.import(RowKind::Contacts, "account_id,email\nacme,eva@acme.example\n").await;
        let mut signals =
            "account_id,source,kind,observed_on,value\nacme,crm,notice_served,2026-11-10,true\n".to_owned();
        for day in ["2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22"] {
            signals += &format!("bolt,usage,active_users,{day},95\n");
        }
        bot.import(RowKind::Signals, &signals).await;
        bot.import(RowKind::Outcomes, "account_id,kind,decided_on\nacme,renewed,2025-02-01\n").await;
        bot.import(RowKind::Quotas, "email,period,amount\nkim@x.eu,2026-Q4,50000\n").await;
        bot.import(RowKind::Holidays, "date,name\n2026-12-25,Christmas\n").await;
        bot.at("2026-11-23T01:00:00Z").await;
        bot.at("2026-11-23T07:00:00Z").await;
        for org in [&bot.org, &bot.other] {
            let team = if org.id == bot.org.id { crate::support::bot::TEAM } else { crate::support::bot::BESIDE };
            let (store, at) = (&bot.app.store, bot.app.now());
            let keys = crate::secrets::keys(&[&tandem::vault::Key::random()]);
            let (installed, tokens) = (crate::secrets::installed(team), crate::secrets::tokens("xoxb-canary"));
            tandem::app::installation::add(store, &keys, &installed, &tokens, at).await.unwrap();
            tandem::app::organisation::create_key(&bot.app.store, org.id, "crm", bot.app.now()).await.unwrap();
            tandem::app::organisation::seal(&bot.app.store, org.id, Look::WHOLE).await.unwrap();
            // What only clicks and the other workspace's token would bring.
            let mut tx = as_app(bot.pool(), Some(org.id)).await;
            for sql in [
                "INSERT INTO tandem.inbound_receipt VALUES (ORG, 'click', now())",
                "INSERT INTO tandem.absence SELECT ORG, min(person_id::text)::uuid, max(person_id::text)::uuid, '2026-12-01', now() FROM tandem.person",
                "INSERT INTO tandem.fresh_decision VALUES (ORG, 'acme', now())",
                "INSERT INTO tandem.watch VALUES (ORG, '{night}', now())",
                "INSERT INTO tandem.note SELECT ORG, gen_random_uuid(), 'acme', person_id, 'note', 'a note', now() FROM tandem.person LIMIT 1",
                "INSERT INTO tandem.judgement SELECT ORG, 'acme', 'notice_served', person_id, now() FROM tandem.person LIMIT 1",
                "INSERT INTO tandem.shadow_firing VALUES (ORG, 'seat_use', 'acme', '2026-11-20', '2026-11-23')",
                "INSERT INTO tandem.person_setting (org_id, person_id, changed_at) SELECT ORG, person_id, now() FROM tandem.person LIMIT 1",
                "INSERT INTO tandem.channel_target SELECT ORG, 'pool', 'emea', 'preview', 'x', 'C1', now()",
                "INSERT INTO tandem.chat_user SELECT ORG, 'preview', 'x', person_id, 'U1' FROM tandem.person LIMIT 1",
                "INSERT INTO tandem.introduction (org_id, introduction_id, platform, workspace_id, user_id, began_at)
                 VALUES (ORG, gen_random_uuid(), 'slack', 'x', 'U1', now())",
                "INSERT INTO tandem.conversation VALUES (ORG, 'teams', 't', 'a:1', 'personal', 'https://teams.example/', now())",
                "INSERT INTO tandem.message_copy SELECT ORG, message_id, 99, 'D1', '1.1', now() FROM tandem.message LIMIT 1",
            ] {
                let sql = sql.replace("ORG", &format!("'{}'", org.id));
                sqlx::query(AssertSqlSafe(sql.clone()))
                    .execute(&mut *tx)
                    .await
                    .unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            tx.commit().await.unwrap();
        }
        bot
    }
}

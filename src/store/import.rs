//! Rows of the files and of the push API, set by set. Each set is one
//! transaction's work: what it accepts is kept whatever comes after it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Tenant, risk, word};
use crate::domain::account::{AccountId, name_key};
use crate::domain::person::{PersonId, Role};
use crate::domain::risk::Risk;
use crate::domain::row::{AccountRow, ContactRow, HolidayRow, OutcomeRow, Patch, PersonRow, QuotaRow, SignalRow};

pub(super) mod amounts;
pub(super) mod chat_ids;

use amounts::put_amounts;

statements! {
    TAKE_TURNS = "SELECT pg_advisory_xact_lock(hashtextextended('tandem import ' || $1::text, 0))";
    /// How long to wait for a lock within this transaction; 0 is without end.
    WAIT_FOR_LOCKS = "SELECT set_config('lock_timeout', $1::text, true)";
    EMAILS = "SELECT email, person_id, slack_user_id, teams_user_id FROM tandem.person WHERE org_id = $1";
    PEOPLE = "INSERT INTO tandem.person AS t (org_id, person_id, email, name, roles, timezone, digest_time, workdays, manager_id,
                     delegate_id, out_of_office_until, slack_user_id, teams_user_id, pool, active)
              SELECT $1, coalesce(old.person_id, (r->>'person_id')::uuid), r->>'email', r->>'name',
                     CASE WHEN r->'roles' = '[]' THEN coalesce(old.roles, '{viewer}')
                          ELSE ARRAY(SELECT jsonb_array_elements_text(r->'roles')) END,
                     CASE WHEN r ? 'timezone' THEN r->>'timezone' ELSE old.timezone END,
                     CASE WHEN r ? 'digest_time' THEN coalesce((r->>'digest_time')::time, '08:00')
                          ELSE coalesce(old.digest_time, '08:00') END,
                     CASE WHEN r ? 'workdays' THEN coalesce((r->>'workdays')::smallint, 31) ELSE coalesce(old.workdays, 31) END,
                     CASE WHEN r ? 'manager_id' THEN (r->>'manager_id')::uuid ELSE old.manager_id END,
                     CASE WHEN r ? 'delegate_id' THEN (r->>'delegate_id')::uuid ELSE old.delegate_id END,
                     CASE WHEN r ? 'out_of_office_until' THEN (r->>'out_of_office_until')::date ELSE old.out_of_office_until END,
                     CASE WHEN r ? 'slack_user_id' THEN r->>'slack_user_id' ELSE old.slack_user_id END,
                     CASE WHEN r ? 'teams_user_id' THEN r->>'teams_user_id' ELSE old.teams_user_id END,
                     CASE WHEN r ? 'pool' THEN r->>'pool' ELSE old.pool END,
                     r->'roles' <> '[]'
                FROM jsonb_array_elements($2) AS r
                LEFT JOIN tandem.person old ON old.org_id = $1 AND old.email = r->>'email'
              ON CONFLICT (org_id, email) DO UPDATE SET
                     name = excluded.name, roles = excluded.roles, timezone = excluded.timezone,
                     digest_time = excluded.digest_time, workdays = excluded.workdays, manager_id = excluded.manager_id,
                     delegate_id = excluded.delegate_id, out_of_office_until = excluded.out_of_office_until,
                     slack_user_id = excluded.slack_user_id, teams_user_id = excluded.teams_user_id, pool = excluded.pool,
                     active = excluded.active
               WHERE (t.name, t.roles, t.timezone, t.digest_time, t.workdays, t.manager_id, t.delegate_id,
                      t.out_of_office_until, t.slack_user_id, t.teams_user_id, t.pool, t.active)
                     IS DISTINCT FROM
                     (excluded.name, excluded.roles, excluded.timezone, excluded.digest_time, excluded.workdays,
                      excluded.manager_id, excluded.delegate_id, excluded.out_of_office_until, excluded.slack_user_id,
                      excluded.teams_user_id, excluded.pool, excluded.active)
              RETURNING t.email";
    /// A change of the auto-renewal column is a signal (diagnosis.md, "Reading signals"). The value before
    /// goes with it: a lone "false" does not say that it was ever on. Where a change of the same
    /// day has told it already it stands, or a column that is corrected on that day would rewrite the day before.
    AUTO_RENEW_CHANGES = "INSERT INTO tandem.signal (org_id, account_id, source, kind, observed_on, reference, number)
              SELECT $1, a.account_id, 'crm', 'auto_renew', told.on_day, 'account column', told.value::int
                FROM jsonb_array_elements($2) AS r
                JOIN tandem.account a ON a.org_id = $1 AND a.account_id = r->>'account_id'
               CROSS JOIN LATERAL (VALUES (least(a.updated_at::date, $3::date - 1), a.auto_renew),
                                          ($3::date, (r->>'auto_renew')::boolean)) AS told (on_day, value)
               WHERE a.auto_renew IS NOT NULL AND r->>'auto_renew' IS NOT NULL
                 AND a.auto_renew <> (r->>'auto_renew')::boolean
                 AND (told.on_day = $3::date
                      OR NOT EXISTS (SELECT FROM tandem.signal s
                                      WHERE s.org_id = $1 AND s.account_id = a.account_id AND s.source = 'crm'
                                        AND s.kind = 'auto_renew' AND s.observed_on = $3::date AND s.reference = 'account column'))
              ON CONFLICT (org_id, account_id, kind, observed_on, reference, source) DO UPDATE SET number = excluded.number
               WHERE excluded.observed_on = $3::date";
    /// Risks that follow a seat which somebody else gets: of the CSM, or of the account manager where there is none.
    RISKS_HANDED_OVER = "SELECT k.risk_id
                FROM jsonb_array_elements($2) AS r
                JOIN tandem.account a ON a.org_id = $1 AND a.account_id = r->>'account_id'
                JOIN tandem.risk k ON k.org_id = $1 AND k.account_id = a.account_id
               WHERE k.state = 'open' AND k.clock_since IS NOT NULL
                 AND coalesce(a.csm_id, a.account_manager_id) IS DISTINCT FROM coalesce(
                     CASE WHEN r ? 'csm_id' THEN (r->>'csm_id')::uuid ELSE a.csm_id END,
                     CASE WHEN r ? 'account_manager_id' THEN (r->>'account_manager_id')::uuid ELSE a.account_manager_id END)";
    /// Seats that go to somebody else, or are left empty. Locked, so that a transfer at the same time comes before or after.
    SEATS_GIVEN = "SELECT a.account_id, seat.role, seat.held_by, seat.given_to
              FROM jsonb_array_elements($2) AS r
              JOIN tandem.account a ON a.org_id = $1 AND a.account_id = r->>'account_id'
             CROSS JOIN LATERAL (VALUES ('csm', a.csm_id, r ? 'csm_id', (r->>'csm_id')::uuid),
                                        ('account_manager', a.account_manager_id, r ? 'account_manager_id',
                                         (r->>'account_manager_id')::uuid)) AS seat (role, held_by, told, given_to)
             WHERE seat.told AND seat.held_by IS NOT NULL AND seat.held_by IS DISTINCT FROM seat.given_to
             ORDER BY a.account_id
               FOR NO KEY UPDATE OF a";
    ACCOUNTS = "INSERT INTO tandem.account AS t (org_id, account_id, name, name_key, segment, arr_minor, currency, seats, plan, domains,
                     url, goals, start_date, go_live_date, renewal_date, term_months, notice_period_days, auto_renew, csm_id,
                     account_manager_id, pool, status, cost_to_serve_minor, updated_at)
              SELECT $1, r->>'account_id', r->>'name', r->>'name_key',
                     CASE WHEN r ? 'segment' THEN r->>'segment' ELSE old.segment END,
                     CASE WHEN r ? 'arr_minor' THEN (r->>'arr_minor')::bigint ELSE old.arr_minor END,
                     coalesce(r->>'currency', old.currency),
                     CASE WHEN r ? 'seats' THEN (r->>'seats')::bigint ELSE old.seats END,
                     CASE WHEN r ? 'plan' THEN r->>'plan' ELSE old.plan END,
                     CASE WHEN r ? 'domains' THEN coalesce(ARRAY(SELECT jsonb_array_elements_text(nullif(r->'domains', 'null'))), '{}')
                          ELSE coalesce(old.domains, '{}') END,
                     CASE WHEN r ? 'url' THEN r->>'url' ELSE old.url END,
                     CASE WHEN r ? 'goals' THEN r->>'goals' ELSE old.goals END,
                     CASE WHEN r ? 'start_date' THEN (r->>'start_date')::date ELSE old.start_date END,
                     CASE WHEN r ? 'go_live_date' THEN (r->>'go_live_date')::date ELSE old.go_live_date END,
                     CASE WHEN r ? 'renewal_date' THEN (r->>'renewal_date')::date ELSE old.renewal_date END,
                     CASE WHEN r ? 'term_months' THEN (r->>'term_months')::int ELSE old.term_months END,
                     CASE WHEN r ? 'notice_period_days' THEN (r->>'notice_period_days')::int ELSE old.notice_period_days END,
                     CASE WHEN r ? 'auto_renew' THEN (r->>'auto_renew')::boolean ELSE old.auto_renew END,
                     CASE WHEN r ? 'csm_id' THEN (r->>'csm_id')::uuid ELSE old.csm_id END,
                     CASE WHEN r ? 'account_manager_id' THEN (r->>'account_manager_id')::uuid ELSE old.account_manager_id END,
                     CASE WHEN r ? 'pool' THEN r->>'pool' ELSE old.pool END,
                     CASE WHEN r ? 'status' THEN coalesce(r->>'status', 'active') ELSE coalesce(old.status, 'active') END,
                     CASE WHEN r ? 'cost_to_serve_minor' THEN (r->>'cost_to_serve_minor')::bigint ELSE old.cost_to_serve_minor END,
                     $3
                FROM jsonb_array_elements($2) AS r
                LEFT JOIN tandem.account old ON old.org_id = $1 AND old.account_id = r->>'account_id'
              ON CONFLICT (org_id, account_id) DO UPDATE SET
                     name = excluded.name, name_key = excluded.name_key, segment = excluded.segment, arr_minor = excluded.arr_minor,
                     currency = excluded.currency, seats = excluded.seats, plan = excluded.plan, domains = excluded.domains,
                     url = excluded.url, goals = excluded.goals, start_date = excluded.start_date,
                     go_live_date = excluded.go_live_date, renewal_date = excluded.renewal_date, term_months = excluded.term_months,
                     notice_period_days = excluded.notice_period_days, auto_renew = excluded.auto_renew, csm_id = excluded.csm_id,
                     account_manager_id = excluded.account_manager_id, pool = excluded.pool, status = excluded.status,
                     cost_to_serve_minor = excluded.cost_to_serve_minor, updated_at = excluded.updated_at
               WHERE (t.name, t.segment, t.arr_minor, t.currency, t.seats, t.plan, t.domains, t.url, t.goals, t.start_date,
                      t.go_live_date, t.renewal_date, t.term_months, t.notice_period_days, t.auto_renew, t.csm_id,
                      t.account_manager_id, t.pool, t.status, t.cost_to_serve_minor)
                     IS DISTINCT FROM
                     (excluded.name, excluded.segment, excluded.arr_minor, excluded.currency, excluded.seats, excluded.plan,
                      excluded.domains, excluded.url, excluded.goals, excluded.start_date, excluded.go_live_date,
                      excluded.renewal_date, excluded.term_months, excluded.notice_period_days, excluded.auto_renew,
                      excluded.csm_id, excluded.account_manager_id, excluded.pool, excluded.status, excluded.cost_to_serve_minor)";
    KNOWN_ACCOUNTS = "SELECT account_id FROM tandem.account WHERE org_id = $1 AND account_id = ANY ($2)";
    CONTACTS = "INSERT INTO tandem.contact AS t (org_id, account_id, email, name, title, phone, persona, last_interaction, departed_on)
              SELECT $1, r->>'account_id', r->>'email',
                     CASE WHEN r ? 'name' THEN r->>'name' ELSE old.name END,
                     CASE WHEN r ? 'title' THEN r->>'title' ELSE old.title END,
                     CASE WHEN r ? 'phone' THEN r->>'phone' ELSE old.phone END,
                     CASE WHEN r ? 'persona' THEN r->>'persona' ELSE old.persona END,
                     CASE WHEN r ? 'last_interaction' THEN (r->>'last_interaction')::date ELSE old.last_interaction END,
                     CASE WHEN r ? 'departed_on' THEN (r->>'departed_on')::date ELSE old.departed_on END
                FROM jsonb_array_elements($2) AS r
                LEFT JOIN tandem.contact old ON old.org_id = $1 AND old.account_id = r->>'account_id' AND old.email = r->>'email'
              ON CONFLICT (org_id, account_id, email) DO UPDATE SET
                     name = excluded.name, title = excluded.title, phone = excluded.phone, persona = excluded.persona,
                     last_interaction = excluded.last_interaction, departed_on = excluded.departed_on
               WHERE (t.name, t.title, t.phone, t.persona, t.last_interaction, t.departed_on) IS DISTINCT FROM
                     (excluded.name, excluded.title, excluded.phone, excluded.persona, excluded.last_interaction, excluded.departed_on)";
    OUTCOMES = "INSERT INTO tandem.outcome AS t (org_id, account_id, decided_on, kind, arr_before_minor, arr_after_minor, currency)
              SELECT $1, r->>'account_id', (r->>'decided_on')::date, r->>'kind',
                     CASE WHEN r ? 'arr_before' THEN (r->>'arr_before')::bigint ELSE old.arr_before_minor END,
                     CASE WHEN r ? 'arr_after' THEN (r->>'arr_after')::bigint ELSE old.arr_after_minor END,
                     coalesce(r->>'currency', old.currency)
                FROM jsonb_array_elements($2) AS r
                LEFT JOIN tandem.outcome old ON old.org_id = $1 AND old.account_id = r->>'account_id'
                      AND old.decided_on = (r->>'decided_on')::date AND old.kind = r->>'kind'
              ON CONFLICT (org_id, account_id, decided_on, kind) DO UPDATE SET
                     arr_before_minor = excluded.arr_before_minor, arr_after_minor = excluded.arr_after_minor, currency = excluded.currency
               WHERE (t.arr_before_minor, t.arr_after_minor, t.currency) IS DISTINCT FROM
                     (excluded.arr_before_minor, excluded.arr_after_minor, excluded.currency)";
    QUOTAS = "INSERT INTO tandem.quota AS t (org_id, person_id, period, amount_minor, currency)
              SELECT $1, (r->>'person_id')::uuid, r->>'period', (r->>'amount')::bigint, r->>'currency'
                FROM jsonb_array_elements($2) AS r
              ON CONFLICT (org_id, person_id, period) DO UPDATE SET amount_minor = excluded.amount_minor, currency = excluded.currency
               WHERE (t.amount_minor, t.currency) IS DISTINCT FROM (excluded.amount_minor, excluded.currency)";
    /// Rows come ordered by key, so that the index grows at its end, and each key once.
    SIGNALS = "INSERT INTO tandem.signal AS t (org_id, account_id, source, kind, observed_on, reference, number, words)
              SELECT $1, r.* FROM unnest($2::text[], $3::text[], $4::text[], $5::date[], $6::text[], $7::float8[], $8::text[]) AS r
              ON CONFLICT (org_id, account_id, kind, observed_on, reference, source)
              DO UPDATE SET number = excluded.number, words = excluded.words
               WHERE (t.number, t.words) IS DISTINCT FROM (excluded.number, excluded.words)";
    HOLIDAYS = "INSERT INTO tandem.holiday AS t (org_id, date, country, name)
              SELECT $1, (r->>'date')::date, r->>'country', CASE WHEN r ? 'name' THEN r->>'name' ELSE old.name END
                FROM jsonb_array_elements($2) AS r
                LEFT JOIN tandem.holiday old ON old.org_id = $1 AND old.date = (r->>'date')::date AND old.country = r->>'country'
              ON CONFLICT (org_id, date, country) DO UPDATE SET name = excluded.name
               WHERE t.name IS DISTINCT FROM excluded.name RETURNING date, country";
}

/// What became of a set of rows. Numbers in `rejected` are positions within the set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    pub accepted: u64,
    pub unchanged: u64,
    pub rejected: Vec<Refusal>,
    /// By account.
    pub seats_given: Vec<SeatGiven>,
}

/// A seat on an account that was somebody's and is no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatGiven {
    pub account: AccountId,
    /// CSM or account manager.
    pub role: Role,
    pub from: PersonId,
    /// `None` where it is left empty.
    pub to: Option<PersonId>,
}

/// Why a row can't be taken although it reads well by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub position: usize,
    pub column: &'static str,
    pub value: String,
    pub reason: String,
}

impl Outcome {
    fn of(total: usize, rejected: Vec<Refusal>, changed: u64) -> Self {
        let taken = (total - rejected.len()) as u64;
        Self { accepted: changed, unchanged: taken.saturating_sub(changed), rejected, seats_given: Vec::new() }
    }
}

/// Puts a patch into a row: absent keeps, null clears.
fn put<T>(row: &mut Map<String, Value>, key: &str, patch: &Patch<T>, value: impl Fn(&T) -> Value) {
    match patch {
        Patch::Keep => {}
        Patch::Clear => {
            row.insert(key.to_owned(), Value::Null);
        }
        Patch::Set(set) => {
            row.insert(key.to_owned(), value(set));
        }
    }
}

fn text(value: &impl ToString) -> Value {
    Value::String(value.to_string())
}

/// Waits until no other transaction writes rows of this organisation: two imports at once would take the same
/// rows in different orders, and one of them would give way.
pub async fn take_turns(tx: &mut Tenant) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(TAKE_TURNS).bind(org).execute(tx.connection()).await.context("wait for another import")?;
    Ok(())
}

/// The same, but for at most so long: the store is busy then.
pub async fn take_turns_within(tx: &mut Tenant, patience: Duration) -> anyhow::Result<()> {
    wait_for_locks(tx, patience).await?;
    take_turns(tx).await?;
    wait_for_locks(tx, Duration::ZERO).await
}

async fn wait_for_locks(tx: &mut Tenant, most: Duration) -> anyhow::Result<()> {
    sqlx::query(WAIT_FOR_LOCKS).bind(format!("{}ms", most.as_millis())).execute(tx.connection()).await?;
    Ok(())
}

struct Known {
    people: BTreeMap<String, Uuid>,
    slack: BTreeMap<String, String>,
    teams: BTreeMap<String, String>,
}

async fn known_people(tx: &mut Tenant) -> anyhow::Result<Known> {
    let org = tx.org().0;
    let rows: Vec<(String, Uuid, Option<String>, Option<String>)> =
        sqlx::query_as(EMAILS).bind(org).fetch_all(tx.connection()).await?;
    let mut known = Known { people: BTreeMap::new(), slack: BTreeMap::new(), teams: BTreeMap::new() };
    for (email, id, slack, teams) in rows {
        slack.map(|user| known.slack.insert(user, email.clone()));
        // Of old in either case.
        teams.map(|user| known.teams.insert(user.to_lowercase(), email.clone()));
        known.people.insert(email, id);
    }
    Ok(known)
}

fn nobody(position: usize, column: &'static str, email: &str) -> Refusal {
    Refusal {
        position,
        column,
        value: email.to_owned(),
        reason: format!("nobody has the e-mail \"{email}\"; import that person first, or in the same people file"),
    }
}

async fn run(tx: &mut Tenant, sql: &'static str, rows: Vec<Value>) -> anyhow::Result<u64> {
    if rows.is_empty() {
        return Ok(0);
    }
    let org = tx.org().0;
    let done = sqlx::query(sql).bind(org).bind(Value::Array(rows)).execute(tx.connection()).await?;
    Ok(done.rows_affected())
}

/// People refer to each other (manager, delegate), so a file's people come as one set.
pub async fn people(tx: &mut Tenant, rows: &[PersonRow]) -> anyhow::Result<Outcome> {
    let mut known = known_people(tx).await?;
    let mut rejected: Vec<Refusal> = Vec::new();
    // Whoever this set brings may be named by anyone in it, but not those just refused. Refusing one may leave another
    // without a manager, or with a chat user that is not given up, so repeat until nothing changes.
    loop {
        let out: BTreeSet<usize> = rejected.iter().map(|refusal| refusal.position).collect();
        let coming: BTreeSet<&str> =
            rows.iter().enumerate().filter(|(i, _)| !out.contains(i)).map(|(_, row)| row.email.as_str()).collect();
        let mut more = chat_ids::taken(&known, rows, &out);
        for (position, row) in rows.iter().enumerate().filter(|(i, _)| !out.contains(i)) {
            for (column, patch) in [("manager_email", &row.manager_email), ("delegate_email", &row.delegate_email)] {
                if let Some(email) = patch.set()
                    && !coming.contains(email.as_str())
                    && !known.people.contains_key(email)
                {
                    more.push(nobody(position, column, email));
                    break;
                }
            }
        }
        if more.is_empty() {
            break;
        }
        rejected.extend(more);
    }
    rejected.sort_by_key(|refusal| refusal.position);
    rejected.dedup_by_key(|refusal| refusal.position);
    let out: BTreeSet<usize> = rejected.iter().map(|refusal| refusal.position).collect();
    let taken: Vec<&PersonRow> =
        rows.iter().enumerate().filter(|(i, _)| !out.contains(i)).map(|(_, row)| row).collect();
    for row in &taken {
        known.people.entry(row.email.clone()).or_insert_with(Uuid::now_v7);
    }
    let values = Value::Array(taken.iter().map(|row| person_value(row, &known.people)).collect());
    let mut changed = chat_ids::let_go(tx, &known, &taken).await?;
    let org = tx.org().0;
    let written: Vec<String> =
        sqlx::query_scalar(PEOPLE).bind(org).bind(values).fetch_all(tx.connection()).await.context("import people")?;
    changed.extend(written.iter().map(String::as_str));
    let changed = changed.len() as u64;
    Ok(Outcome::of(rows.len(), rejected, changed))
}

fn person_value(row: &PersonRow, people: &BTreeMap<String, Uuid>) -> Value {
    let id = |email: &String| people.get(email).map_or(Value::Null, text);
    let mut value = Map::new();
    value.insert("person_id".into(), people.get(&row.email).map_or(Value::Null, text));
    value.insert("email".into(), text(&row.email));
    value.insert("name".into(), text(&row.name));
    value.insert("roles".into(), row.roles.iter().map(|role| role.as_str()).collect());
    put(&mut value, "timezone", &row.timezone, |tz| text(&tz.name()));
    put(&mut value, "digest_time", &row.digest_time, text);
    put(&mut value, "workdays", &row.workdays, |days| json!(days.bits()));
    put(&mut value, "manager_id", &row.manager_email, id);
    put(&mut value, "delegate_id", &row.delegate_email, id);
    put(&mut value, "out_of_office_until", &row.out_of_office_until, text);
    put(&mut value, "slack_user_id", &row.slack_user_id, text);
    put(&mut value, "teams_user_id", &row.teams_user_id, text);
    put(&mut value, "pool", &row.pool, text);
    Value::Object(value)
}

/// `today` dates the signal that a changed auto-renewal column makes.
pub async fn accounts(
    tx: &mut Tenant,
    rows: &[AccountRow],
    today: NaiveDate,
    now: DateTime<Utc>,
) -> anyhow::Result<Outcome> {
    let people = known_people(tx).await?.people;
    let stored = amounts::of_accounts(tx, rows).await?;
    let (mut values, mut rejected) = (Vec::new(), Vec::new());
    for (position, row) in rows.iter().enumerate() {
        let unknown = [("csm_email", &row.csm_email), ("account_manager_email", &row.account_manager_email)]
            .into_iter()
            .find_map(|(column, patch)| {
                patch.set().filter(|email| !people.contains_key(*email)).map(|email| (column, email))
            });
        if let Some((column, email)) = unknown {
            rejected.push(nobody(position, column, email));
            continue;
        }
        let mut value = account_value(row, &people);
        let amounts = [("arr", "arr_minor", &row.arr), ("cost_to_serve", "cost_to_serve_minor", &row.cost_to_serve)];
        match put_amounts(&mut value, row.currency, amounts, stored.get(&row.account_id.0)) {
            Ok(()) => values.push(Value::Object(value)),
            Err((column, value, reason)) => rejected.push(Refusal { position, column, value, reason }),
        }
    }
    let org = tx.org().0;
    let values = Value::Array(values);
    sqlx::query(AUTO_RENEW_CHANGES).bind(org).bind(&values).bind(today).execute(tx.connection()).await?;
    let risks: Vec<Uuid> =
        sqlx::query_scalar(RISKS_HANDED_OVER).bind(org).bind(&values).fetch_all(tx.connection()).await?;
    let risks = risk::lock_many(tx, &risks).await?.into_iter().map(Risk::handed_over);
    risk::save_all(tx, &risks.collect::<Vec<_>>()).await?;
    let given: Vec<(String, String, Uuid, Option<Uuid>)> =
        sqlx::query_as(SEATS_GIVEN).bind(org).bind(&values).fetch_all(tx.connection()).await?;
    let given = given.into_iter().map(|(account, role, from, to)| {
        Ok(SeatGiven {
            account: AccountId(account),
            role: word("role", &role)?,
            from: PersonId(from),
            to: to.map(PersonId),
        })
    });
    let seats_given = given.collect::<anyhow::Result<_>>()?;
    let done = sqlx::query(ACCOUNTS)
        .bind(org)
        .bind(&values)
        .bind(now)
        .execute(tx.connection())
        .await
        .context("import accounts")?;
    tx.look_at(&["tandem.account"]).await?;
    Ok(Outcome { seats_given, ..Outcome::of(rows.len(), rejected, done.rows_affected()) })
}

/// All but its amounts.
fn account_value(row: &AccountRow, people: &BTreeMap<String, Uuid>) -> Map<String, Value> {
    let id = |email: &String| people.get(email).map_or(Value::Null, text);
    let mut value = Map::new();
    value.insert("account_id".into(), text(&row.account_id));
    value.insert("name".into(), text(&row.name));
    value.insert("name_key".into(), text(&name_key(&row.name)));
    put(&mut value, "segment", &row.segment, |segment| text(&segment.as_str()));
    put(&mut value, "seats", &row.seats, |seats| json!(seats));
    put(&mut value, "plan", &row.plan, text);
    put(&mut value, "domains", &row.domains, |domains| json!(domains));
    put(&mut value, "url", &row.url, text);
    put(&mut value, "goals", &row.goals, text);
    put(&mut value, "start_date", &row.start_date, text);
    put(&mut value, "go_live_date", &row.go_live_date, text);
    put(&mut value, "renewal_date", &row.renewal_date, text);
    put(&mut value, "term_months", &row.term_months, |months| json!(months));
    put(&mut value, "notice_period_days", &row.notice_period_days, |days| json!(days));
    put(&mut value, "auto_renew", &row.auto_renew, |yes| json!(yes));
    put(&mut value, "csm_id", &row.csm_email, id);
    put(&mut value, "account_manager_id", &row.account_manager_email, id);
    put(&mut value, "pool", &row.pool, text);
    put(&mut value, "status", &row.status, |status| text(&status.as_str()));
    value
}

/// Parts the rows of unknown accounts from the rest.
async fn split_unknown<'a, T>(
    tx: &mut Tenant,
    rows: &'a [T],
    account: impl Fn(&T) -> &str,
) -> anyhow::Result<(Vec<&'a T>, Vec<Refusal>)> {
    let org = tx.org().0;
    let mut ids: Vec<&str> = rows.iter().map(&account).collect();
    ids.sort_unstable();
    ids.dedup();
    let known: Vec<String> = sqlx::query_scalar(KNOWN_ACCOUNTS).bind(org).bind(&ids).fetch_all(tx.connection()).await?;
    let known: BTreeSet<String> = known.into_iter().collect();
    let (mut taken, mut rejected) = (Vec::new(), Vec::new());
    for (position, row) in rows.iter().enumerate() {
        if known.contains(account(row)) {
            taken.push(row);
        } else {
            rejected.push(unknown_account(position, account(row)));
        }
    }
    Ok((taken, rejected))
}

fn unknown_account(position: usize, id: &str) -> Refusal {
    Refusal {
        position,
        column: "account_id",
        value: id.to_owned(),
        reason: format!("there is no account \"{id}\"; import accounts first"),
    }
}

pub async fn contacts(tx: &mut Tenant, rows: &[ContactRow]) -> anyhow::Result<Outcome> {
    let (taken, rejected) = split_unknown(tx, rows, |row| &row.account_id.0).await?;
    let values = taken
        .into_iter()
        .map(|row| {
            let mut value = Map::new();
            value.insert("account_id".into(), text(&row.account_id));
            value.insert("email".into(), text(&row.email));
            put(&mut value, "name", &row.name, text);
            put(&mut value, "title", &row.title, text);
            put(&mut value, "phone", &row.phone, text);
            put(&mut value, "persona", &row.persona, |persona| text(&persona.as_str()));
            put(&mut value, "last_interaction", &row.last_interaction, text);
            put(&mut value, "departed_on", &row.departed_on, text);
            Value::Object(value)
        })
        .collect();
    let changed = run(tx, CONTACTS, values).await.context("import contacts")?;
    Ok(Outcome::of(rows.len(), rejected, changed))
}

pub async fn outcomes(tx: &mut Tenant, rows: &[OutcomeRow]) -> anyhow::Result<Outcome> {
    let (_, mut rejected) = split_unknown(tx, rows, |row| &row.account_id.0).await?;
    let out: BTreeSet<usize> = rejected.iter().map(|refusal| refusal.position).collect();
    let stored = amounts::of_outcomes(tx, rows).await?;
    let mut values = Vec::new();
    for (position, row) in rows.iter().enumerate().filter(|(i, _)| !out.contains(i)) {
        let mut value = Map::new();
        value.insert("account_id".into(), text(&row.account_id));
        value.insert("decided_on".into(), text(&row.decided_on));
        value.insert("kind".into(), text(&row.kind.as_str()));
        let amounts = [("arr_before", "arr_before", &row.arr_before), ("arr_after", "arr_after", &row.arr_after)];
        let key = (row.account_id.0.clone(), row.decided_on, row.kind.as_str().to_owned());
        match put_amounts(&mut value, row.currency, amounts, stored.get(&key)) {
            Ok(()) => values.push(Value::Object(value)),
            Err((column, value, reason)) => rejected.push(Refusal { position, column, value, reason }),
        }
    }
    let changed = run(tx, OUTCOMES, values).await.context("import outcomes")?;
    Ok(Outcome::of(rows.len(), rejected, changed))
}

pub async fn quotas(tx: &mut Tenant, rows: &[QuotaRow]) -> anyhow::Result<Outcome> {
    let people = known_people(tx).await?.people;
    let (mut values, mut rejected) = (Vec::new(), Vec::new());
    for (position, row) in rows.iter().enumerate() {
        match people.get(&row.email) {
            Some(id) => values.push(json!({
                "person_id": id, "period": row.period, "amount": row.amount.minor, "currency": row.amount.currency,
            })),
            None => rejected.push(nobody(position, "email", &row.email)),
        }
    }
    let changed = run(tx, QUOTAS, values).await.context("import quotas")?;
    Ok(Outcome::of(rows.len(), rejected, changed))
}

pub async fn holidays(tx: &mut Tenant, rows: &[HolidayRow]) -> anyhow::Result<Outcome> {
    // A day may be told several times: two calendars of one country, two events on it. The last name holds.
    let mut days: BTreeMap<(NaiveDate, &str), &Patch<String>> = BTreeMap::new();
    for row in rows {
        let name = days.entry(holiday_key(row)).or_insert(&row.name);
        if row.name != Patch::Keep {
            *name = &row.name;
        }
    }
    let values = days.iter().map(|((date, country), name)| {
        let mut value = Map::new();
        value.insert("date".into(), text(date));
        value.insert("country".into(), text(country));
        put(&mut value, "name", name, text);
        Value::Object(value)
    });
    let values = Value::Array(values.collect());
    let org = tx.org().0;
    let changed: Vec<(NaiveDate, String)> =
        sqlx::query_as(HOLIDAYS).bind(org).bind(values).fetch_all(tx.connection()).await.context("import holidays")?;
    let changed: BTreeSet<(NaiveDate, &str)> =
        changed.iter().map(|(date, country)| (*date, country.as_str())).collect();
    let accepted = rows.iter().filter(|row| changed.contains(&holiday_key(row))).count();
    Ok(Outcome::of(rows.len(), Vec::new(), accepted as u64))
}

/// A holiday without a country is everybody's.
fn holiday_key(row: &HolidayRow) -> (NaiveDate, &str) {
    (row.date, row.country.as_deref().unwrap_or_default())
}

/// Signals come by the million, so their sets are large. What can be done here is not left to the statement: of an
/// organisation that has just come Postgres has no statistics to sort and join by.
pub async fn signals(tx: &mut Tenant, rows: &[SignalRow]) -> anyhow::Result<Outcome> {
    let (mut taken, rejected) = split_unknown(tx, rows, |row| &row.account_id.0).await?;
    // The last of equal keys wins: a stable sort leaves it last.
    taken.sort_by(|a, b| key(a).cmp(&key(b)));
    // By how many of its rows say something that the one before did not: so many are accepted if the last is.
    let mut distinct: BTreeMap<u64, Vec<&SignalRow>> = BTreeMap::new();
    for same in taken.chunk_by(|a, b| key(a) == key(b)) {
        let news = same.windows(2).filter(|pair| pair[0].value != pair[1].value).count() as u64 + 1;
        distinct.entry(news).or_default().extend(same.last());
    }
    let (org, mut accepted) = (tx.org().0, 0);
    for (news, rows) in distinct {
        let done = sqlx::query(SIGNALS)
            .bind(org)
            .bind(rows.iter().map(|row| row.account_id.0.as_str()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.source.as_str()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.observed_on).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.reference.as_str()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.value.number()).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| row.value.text()).collect::<Vec<_>>())
            .execute(tx.connection())
            .await
            .context("import signals")?;
        accepted += news * done.rows_affected();
    }
    let unchanged = taken.len() as u64 - accepted;
    Ok(Outcome { accepted, unchanged, rejected, seats_given: Vec::new() })
}

/// The columns of the table's key, in its order.
fn key(row: &SignalRow) -> (&str, &str, NaiveDate, &str, &str) {
    (&row.account_id.0, &row.kind, row.observed_on, &row.reference, row.source.as_str())
}

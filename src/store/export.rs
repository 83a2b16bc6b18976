//! Everything that is kept about an organisation, read out in one pass: rows as files bring them, and the rest as JSON.
//!
//! Nothing secret is read here: no token, no key's hash. What is left out, and why, is listed in [`LEFT_OUT`]; a test over
//! the catalogue fails where a table or a column is in neither.

use anyhow::Context;
use chrono::{NaiveDate, NaiveTime};
use futures_util::TryStreamExt;
use sqlx::FromRow;
use sqlx::postgres::PgRow;

use super::{Tenant, word};
use crate::domain::account::{AccountId, AccountStatus};
use crate::domain::money::{Currency, Money};
use crate::domain::person::Workdays;
use crate::domain::row::{
    AccountRow, ContactRow, HolidayRow, OutcomeRow, Patch, PersonRow, QuotaRow, RowKind, Rows, SignalRow,
};
use crate::domain::signal::{Shape, SignalValue, known_kind};

/// Rows of a table as JSON, with these columns, in this order; `t` is the table.
macro_rules! lines {
    ($columns:literal, $from:literal, $order:literal) => {
        concat!(
            "SELECT row_to_json(line)::text FROM (SELECT ",
            $columns,
            " FROM ",
            $from,
            " WHERE t.org_id = $1 ORDER BY ",
            $order,
            ") AS line"
        )
    };
}

statements! {
    /// Whoever was erased has no address any more, and is nobody that could be imported.
    PEOPLE = "SELECT t.email, t.name, t.roles, t.active, t.timezone, t.digest_time, t.workdays, manager.email AS manager_email,
                     delegate.email AS delegate_email, t.out_of_office_until, t.slack_user_id, t.teams_user_id, t.pool
                FROM tandem.person t
                LEFT JOIN tandem.person manager
                  ON manager.org_id = t.org_id AND manager.person_id = t.manager_id AND manager.email LIKE '%@%'
                LEFT JOIN tandem.person delegate
                  ON delegate.org_id = t.org_id AND delegate.person_id = t.delegate_id AND delegate.email LIKE '%@%'
               WHERE t.org_id = $1 AND t.email LIKE '%@%' ORDER BY t.email";
    ACCOUNTS = "SELECT t.account_id, t.name, t.segment, t.arr_minor, t.currency, t.seats, t.plan, t.domains, t.url, t.goals,
                       t.start_date, t.go_live_date, t.renewal_date, t.term_months, t.notice_period_days, t.auto_renew,
                       csm.email AS csm_email, manager.email AS account_manager_email, t.pool, t.status, t.cost_to_serve_minor
                  FROM tandem.account t
                  LEFT JOIN tandem.person csm
                    ON csm.org_id = t.org_id AND csm.person_id = t.csm_id AND csm.email LIKE '%@%'
                  LEFT JOIN tandem.person manager
                    ON manager.org_id = t.org_id AND manager.person_id = t.account_manager_id AND manager.email LIKE '%@%'
                 WHERE t.org_id = $1 ORDER BY t.account_id";
    CONTACTS = "SELECT account_id, email, name, title, phone, persona, last_interaction, departed_on
                  FROM tandem.contact WHERE org_id = $1 ORDER BY account_id, email";
    SIGNALS = "SELECT account_id, source, kind, observed_on, reference, number, words FROM tandem.signal
                WHERE org_id = $1 ORDER BY account_id, kind, observed_on, reference, source";
    OUTCOMES = "SELECT account_id, kind, decided_on, arr_before_minor, arr_after_minor, currency FROM tandem.outcome
                 WHERE org_id = $1 ORDER BY account_id, decided_on, kind";
    QUOTAS = "SELECT person.email, t.period, t.amount_minor, t.currency
                FROM tandem.quota t JOIN tandem.person USING (org_id, person_id)
               WHERE t.org_id = $1 AND person.email LIKE '%@%' ORDER BY person.email, t.period";
    HOLIDAYS = "SELECT date, name, country FROM tandem.holiday WHERE org_id = $1 ORDER BY date, country";
    ORGANISATION = lines!(
        "t.org_id, t.slug, t.name, t.timezone, t.currency, t.model, t.diagnosed_on, t.diagnosed_at, t.created_at,
         s.everyone_sees_accounts, s.renewal_owner, s.segment_models, s.segment_renewal_owners, s.policy_changed_at",
        "directory.organisation t LEFT JOIN tandem.organisation_setting s USING (org_id)", "t.org_id"
    );
    PERSON_IDS = lines!(
        "person_id, email, name, roles, active, chat_timezone, unreachable_since, digests_since", "tandem.person t", "person_id"
    );
    PERSON_SETTINGS = lines!(
        "person_id, digest_time, workdays, delegate_own, delegate_id, away_own, out_of_office_until, attention_budget,
         empty_mornings, changed_at", "tandem.person_setting t", "person_id"
    );
    ABSENCES = lines!("person_id, stand_in_id, until, since", "tandem.absence t", "person_id");
    CHAT_USERS = lines!(
        "platform, workspace_id, person_id, user_id, dm_channel_id, unreachable_since, deactivated_at", "tandem.chat_user t",
        "platform, workspace_id, person_id"
    );
    INTRODUCTIONS = lines!(
        "introduction_id, platform, workspace_id, user_id, chat_name, chat_email, wanted, channel_id, began_at, state, person_id,
         asked_at, asked_times, answered_by, answered_at", "tandem.introduction t", "introduction_id"
    );
    DIAGNOSIS_RUNS = lines!(
        "date, completed_at, accounts, live, policy_hash, night, sources, rhythms, rejected", "tandem.diagnosis_run t", "date"
    );
    DIAGNOSES = lines!(
        "date, account_id, health, risk, band, change, floors, windows, detail_id, detail_on", "tandem.diagnosis t",
        "date, account_id"
    );
    DIAGNOSIS_DETAILS = lines!(
        "detail_on, account_id, detail_id, body::json AS body", "tandem.diagnosis_detail t", "detail_on, account_id, detail_id"
    );
    RISKS = lines!(
        "risk_id, account_id, version, since, opened_on, raised_by, raised_why, calm_nights, last_night, latest, confirmed, state,
         moved_by, next_step, next_step_due, snoozed_until, resolution, known, clock_since, remind_at, due_at", "tandem.risk t",
        "risk_id"
    );
    HANDOFFS = lines!(
        "handoff_id, account_id, version, since, solo, matter, note, window_kind, amount_minor, currency, amount_confirmed, opens_on, closes_on,
         co_term, raised_by, risk_id, withheld_by, withheld_since, overridden_by, overridden_at, override_reason, need, contact,
         timing, qualified_by, qualified_at, state, accountable, pool, offered_by, moved_by, reason, stands_in_for, clock_since, remind_at, due_at, won_minor,
         won_currency", "tandem.handoff t", "handoff_id"
    );
    RENEWALS = lines!(
        "renewal_id, account_id, deadline, version, state, owner_id, next_at, record", "tandem.renewal t", "renewal_id"
    );
    NOTES = lines!("note_id, account_id, author_id, kind, body, at", "tandem.note t", "note_id");
    JUDGEMENTS = lines!("account_id, rule, person_id, at", "tandem.judgement t", "account_id, rule, person_id");
    TRIALS = lines!("rule, account_id, first_on, last_on", "tandem.shadow_firing t", "rule, account_id");
    DIGESTS = lines!(
        "digest_id, person_id, local_date, kind, diagnosed_on, late, totals, queued_at,
         (SELECT coalesce(json_agg(item), '[]') FROM (
            SELECT position, group_no, subject, account_id, heading, why, comes_back FROM tandem.digest_item i
             WHERE i.org_id = t.org_id AND i.digest_id = t.digest_id ORDER BY position) AS item) AS items",
        "tandem.digest t", "digest_id"
    );
    MESSAGES = lines!(
        "message_id, platform, workspace_id, person_id, chat_user_id, channel_id, content, thread_of, created_at,
         ARRAY(SELECT account_id FROM tandem.message_account a
                WHERE a.org_id = t.org_id AND a.message_id = t.message_id ORDER BY account_id) AS accounts,
         (SELECT coalesce(json_agg(copy), '[]') FROM (
            SELECT part, channel_id, ts, sent_at FROM tandem.message_copy c
             WHERE c.org_id = t.org_id AND c.message_id = t.message_id ORDER BY part) AS copy) AS copies",
        "tandem.message t", "message_id"
    );
    DELIVERIES = lines!(
        "outbox_id, message_id, platform, workspace_id, kind, state, attempts, problem, queued_at, due_at, settled_at",
        "tandem.outbox t", "outbox_id"
    );
    CHANNELS = lines!("kind, whose, platform, workspace_id, channel_id, set_at", "tandem.channel_target t", "kind, whose");
    CONVERSATIONS = lines!(
        "platform, workspace_id, conversation_id, scope, shared, service_url, seen_at", "tandem.conversation t",
        "platform, workspace_id, conversation_id"
    );
    CHAT_LINKS = lines!("platform, workspace_id, linked_at", "directory.chat_link t", "platform, workspace_id");
    INSTALLATIONS = lines!(
        "team_id, team_name, enterprise_id, bot_user_id, scopes, installed_by, installed_at, expires_at, removed_at",
        "directory.slack_installation t", "team_id"
    );
    API_KEYS = lines!("key_id, name, created_at, revoked_at", "directory.api_key t", "created_at, key_id");
    AUDIT = lines!(
        "s.seq, t.at, t.actor, t.event, t.subject, t.data, t.event_id, t.recorded_at, encode(s.hash, 'hex') AS hash",
        "tandem.audit_event t LEFT JOIN tandem.audit_seal s USING (org_id, event_id)", "t.recorded_at, t.event_id"
    );
}

/// One file of JSON lines.
#[derive(Debug, Clone, Copy)]
pub struct Listing {
    /// The file's name without its ending.
    pub file: &'static str,
    /// What it holds, as the README of an export says it.
    pub holds: &'static str,
    /// Whose rows they are.
    pub tables: &'static [&'static str],
    pub sql: &'static str,
}

/// What no import brings, a file each.
pub const LISTINGS: &[Listing] = &[
    listing(
        "organisation",
        "the organisation and its settings",
        &["directory.organisation", "tandem.organisation_setting"],
        ORGANISATION,
    ),
    listing("person_ids", "who is behind a person_id, and what chat says of them", &["tandem.person"], PERSON_IDS),
    listing("person_settings", "what people set for themselves", &["tandem.person_setting"], PERSON_SETTINGS),
    listing("absences", "who stands in for whom", &["tandem.absence"], ABSENCES),
    listing("chat_users", "which chat users people are", &["tandem.chat_user"], CHAT_USERS),
    listing("introductions", "chat users who said who they are", &["tandem.introduction"], INTRODUCTIONS),
    listing("diagnosis_runs", "each night's diagnosis as a whole", &["tandem.diagnosis_run"], DIAGNOSIS_RUNS),
    listing("diagnoses", "each night's read of each account; its causes: detail_id", &["tandem.diagnosis"], DIAGNOSES),
    listing("diagnosis_details", "causes, families and windows", &["tandem.diagnosis_detail"], DIAGNOSIS_DETAILS),
    listing("risks", "accounts at risk, and what was done about it", &["tandem.risk"], RISKS),
    listing("handoffs", "expansion windows, and what was passed between people", &["tandem.handoff"], HANDOFFS),
    listing("renewals", "the work towards renewals", &["tandem.renewal"], RENEWALS),
    listing("notes", "notes and product feedback", &["tandem.note"], NOTES),
    listing("judgements", "what was found not useful", &["tandem.judgement"], JUDGEMENTS),
    listing("rule_trials", "what rules on trial would have said", &["tandem.shadow_firing"], TRIALS),
    listing("digests", "the morning messages, as ids", &["tandem.digest", "tandem.digest_item"], DIGESTS),
    listing(
        "messages",
        "what was said where, as ids: texts are never kept",
        &["tandem.message", "tandem.message_account", "tandem.message_copy"],
        MESSAGES,
    ),
    listing("deliveries", "what was sent, is queued, or was given up", &["tandem.outbox"], DELIVERIES),
    listing("channels", "pools and leads who read a channel", &["tandem.channel_target"], CHANNELS),
    listing("conversations", "where Teams can be written to", &["tandem.conversation"], CONVERSATIONS),
    listing("chat_links", "linked workspaces and tenants", &["directory.chat_link"], CHAT_LINKS),
    listing(
        "installations",
        "Slack workspaces that installed Tandem, without tokens",
        &["directory.slack_installation"],
        INSTALLATIONS,
    ),
    listing("api_keys", "API keys by name, without the keys", &["directory.api_key"], API_KEYS),
    listing("audit", "the audit trail with its hashes", &["tandem.audit_event", "tandem.audit_seal"], AUDIT),
];

const fn listing(
    file: &'static str,
    holds: &'static str,
    tables: &'static [&'static str],
    sql: &'static str,
) -> Listing {
    Listing { file, holds, tables, sql }
}

/// Tables, or columns of exported tables, that no export has, and why.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("directory.data_key", "secret: the key that the organisation's tokens are encrypted under"),
    ("directory.slack_installation.access_token", "secret: a token of a workspace"),
    ("directory.slack_installation.refresh_token", "secret: what a new token is got with"),
    ("directory.api_key.key_hash", "secret: what an API key is recognised by"),
    ("directory.due", "working state: when something is owed next"),
    ("directory.lane", "working state: who sends where just now"),
    ("tandem.fresh_decision", "working state: accounts that are looked at within the minute"),
    ("tandem.inbound_receipt", "working state: clicks and events that are known again for 30 days"),
    ("tandem.watch", "working state: what the admins were last told to be late"),
    ("tandem.outbox.fence", "working state: under which lease it is sent"),
    ("tandem.outbox.sending_part", "working state: which part may have arrived"),
    ("tandem.organisation_setting.stamp", "working state: when processes forget what they keep in memory"),
    ("tandem.organisation_setting.policy_toml", "stands in policy.toml"),
    ("tandem.account.name_key", "derived from the name"),
    ("tandem.diagnosis.course", "derived from the diagnoses of the days before"),
    ("tandem.diagnosis.cause", "stands in diagnosis_details, as the first cause"),
    ("tandem.diagnosis.auto_renew", "stands in diagnosis_details"),
    ("tandem.diagnosis.gist_of", "working state: of which detail those two are said"),
    ("tandem.diagnosis_run.behind", "working state: which of those days it does not hold"),
    ("tandem.account.updated_at", "working state: when an import last changed the row"),
];

/// What a kind of rows that can be imported again stands for.
#[derive(Debug, Clone, Copy)]
pub struct RowFile {
    pub kind: RowKind,
    pub holds: &'static str,
    pub table: &'static str,
    pub sql: &'static str,
}

/// Every kind of rows, in the order in which they are imported.
pub const ROW_FILES: [RowFile; 7] = [
    row_file(RowKind::People, "who works here", "tandem.person", PEOPLE),
    row_file(RowKind::Accounts, "customers", "tandem.account", ACCOUNTS),
    row_file(RowKind::Contacts, "people at the customer", "tandem.contact", CONTACTS),
    row_file(RowKind::Signals, "what the sources said", "tandem.signal", SIGNALS),
    row_file(RowKind::Outcomes, "known results", "tandem.outcome", OUTCOMES),
    row_file(RowKind::Quotas, "sales targets", "tandem.quota", QUOTAS),
    row_file(RowKind::Holidays, "days off", "tandem.holiday", HOLIDAYS),
];

const fn row_file(kind: RowKind, holds: &'static str, table: &'static str, sql: &'static str) -> RowFile {
    RowFile { kind, holds, table, sql }
}

/// Rows handed over at once.
const BATCH: usize = 1_000;

/// Hands over the lines of a listing, one by one: whatever their number, one is in memory.
pub async fn lines(
    tx: &mut Tenant,
    listing: &Listing,
    mut each: impl FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let org = tx.org().0;
    let mut rows = sqlx::query_scalar::<_, String>(listing.sql).bind(org).fetch(tx.connection());
    while let Some(line) = rows.try_next().await.with_context(|| format!("read {}", listing.file))? {
        each(&line)?;
    }
    Ok(())
}

/// Hands over the rows of one kind, as an import would have brought them, in sets of at most 1,000.
pub async fn rows(
    tx: &mut Tenant,
    file: &RowFile,
    mut each: impl FnMut(Rows) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let sql = file.sql;
    let each = &mut each;
    match file.kind {
        RowKind::People => stream(tx, sql, person, Rows::People, each).await,
        RowKind::Accounts => stream(tx, sql, account, Rows::Accounts, each).await,
        RowKind::Contacts => stream(tx, sql, contact, Rows::Contacts, each).await,
        RowKind::Signals => stream(tx, sql, signal, Rows::Signals, each).await,
        RowKind::Outcomes => stream(tx, sql, outcome, Rows::Outcomes, each).await,
        RowKind::Quotas => stream(tx, sql, quota, Rows::Quotas, each).await,
        RowKind::Holidays => stream(tx, sql, holiday, Rows::Holidays, each).await,
    }
    .with_context(|| format!("read {}", file.kind.as_str()))
}

async fn stream<R, T>(
    tx: &mut Tenant,
    sql: &'static str,
    read: fn(R) -> anyhow::Result<T>,
    wrap: fn(Vec<T>) -> Rows,
    each: &mut impl FnMut(Rows) -> anyhow::Result<()>,
) -> anyhow::Result<()>
where
    R: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let org = tx.org().0;
    let mut rows = sqlx::query_as::<_, R>(sql).bind(org).fetch(tx.connection());
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(row) = rows.try_next().await? {
        batch.push(read(row)?);
        if batch.len() == BATCH {
            each(wrap(std::mem::take(&mut batch)))?;
        }
    }
    if batch.is_empty() { Ok(()) } else { each(wrap(batch)) }
}

/// An empty cell leaves a value as it is: of a new row that is none.
fn cell<T>(value: Option<T>) -> Patch<T> {
    value.map_or(Patch::Keep, Patch::Set)
}

fn money(minor: Option<i64>, currency: Option<Currency>) -> Patch<Money> {
    cell(minor.zip(currency).map(|(minor, currency)| Money::new(minor, currency)))
}

fn known<T: std::str::FromStr>(column: &str, text: Option<&str>) -> anyhow::Result<Option<T>> {
    text.map(|text| word(column, text)).transpose()
}

#[derive(FromRow)]
struct StoredPerson {
    email: String,
    name: String,
    roles: Vec<String>,
    active: bool,
    timezone: Option<String>,
    digest_time: NaiveTime,
    workdays: i16,
    manager_email: Option<String>,
    delegate_email: Option<String>,
    out_of_office_until: Option<NaiveDate>,
    slack_user_id: Option<String>,
    teams_user_id: Option<String>,
    pool: Option<String>,
}

fn person(row: StoredPerson) -> anyhow::Result<PersonRow> {
    let workdays = u8::try_from(row.workdays).ok().and_then(Workdays::from_bits);
    // Whoever has left has no role as a file says it.
    let roles = if row.active { row.roles.as_slice() } else { &[] };
    Ok(PersonRow {
        email: row.email,
        name: row.name,
        roles: roles.iter().map(|role| word("roles", role)).collect::<anyhow::Result<_>>()?,
        timezone: cell(known("timezone", row.timezone.as_deref())?),
        digest_time: Patch::Set(row.digest_time),
        workdays: cell(workdays),
        manager_email: cell(row.manager_email),
        delegate_email: cell(row.delegate_email),
        out_of_office_until: cell(row.out_of_office_until),
        slack_user_id: cell(row.slack_user_id),
        teams_user_id: cell(row.teams_user_id),
        pool: cell(row.pool),
    })
}

#[derive(FromRow)]
struct StoredAccount {
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
    csm_email: Option<String>,
    account_manager_email: Option<String>,
    pool: Option<String>,
    status: String,
    cost_to_serve_minor: Option<i64>,
}

fn account(row: StoredAccount) -> anyhow::Result<AccountRow> {
    let currency = known("currency", row.currency.as_deref())?;
    let status: AccountStatus = word("status", &row.status)?;
    Ok(AccountRow {
        account_id: AccountId(row.account_id),
        name: row.name,
        segment: cell(known("segment", row.segment.as_deref())?),
        arr: money(row.arr_minor, currency),
        currency,
        seats: cell(row.seats),
        plan: cell(row.plan),
        domains: cell(Some(row.domains).filter(|domains| !domains.is_empty())),
        url: cell(row.url),
        goals: cell(row.goals),
        start_date: cell(row.start_date),
        go_live_date: cell(row.go_live_date),
        renewal_date: cell(row.renewal_date),
        term_months: cell(row.term_months),
        notice_period_days: cell(row.notice_period_days),
        auto_renew: cell(row.auto_renew),
        csm_email: cell(row.csm_email),
        account_manager_email: cell(row.account_manager_email),
        pool: cell(row.pool),
        status: Patch::Set(status),
        cost_to_serve: money(row.cost_to_serve_minor, currency),
    })
}

#[derive(FromRow)]
struct StoredContact {
    account_id: String,
    email: String,
    name: Option<String>,
    title: Option<String>,
    phone: Option<String>,
    persona: Option<String>,
    last_interaction: Option<NaiveDate>,
    departed_on: Option<NaiveDate>,
}

fn contact(row: StoredContact) -> anyhow::Result<ContactRow> {
    Ok(ContactRow {
        account_id: AccountId(row.account_id),
        email: row.email,
        name: cell(row.name),
        title: cell(row.title),
        phone: cell(row.phone),
        persona: cell(known("persona", row.persona.as_deref())?),
        last_interaction: cell(row.last_interaction),
        departed_on: cell(row.departed_on),
    })
}

#[derive(FromRow)]
struct StoredSignal {
    account_id: String,
    source: String,
    kind: String,
    observed_on: NaiveDate,
    reference: String,
    number: Option<f64>,
    words: Option<String>,
}

fn signal(row: StoredSignal) -> anyhow::Result<SignalRow> {
    let source = word("source", &row.source)?;
    let yes_or_no = known_kind(source, &row.kind).is_some_and(|known| known.shape == Shape::Bool);
    let value = match (row.number, row.words) {
        (Some(number), _) if yes_or_no => SignalValue::Bool(number != 0.0),
        (Some(number), _) => SignalValue::Number(number),
        // Dates are kept as they are written.
        (None, words) => SignalValue::Text(words.unwrap_or_default()),
    };
    Ok(SignalRow {
        account_id: AccountId(row.account_id),
        source,
        kind: row.kind,
        observed_on: row.observed_on,
        value,
        reference: row.reference,
    })
}

#[derive(FromRow)]
struct StoredOutcome {
    account_id: String,
    kind: String,
    decided_on: NaiveDate,
    arr_before_minor: Option<i64>,
    arr_after_minor: Option<i64>,
    currency: Option<String>,
}

fn outcome(row: StoredOutcome) -> anyhow::Result<OutcomeRow> {
    let currency = known("currency", row.currency.as_deref())?;
    Ok(OutcomeRow {
        account_id: AccountId(row.account_id),
        kind: word("kind", &row.kind)?,
        decided_on: row.decided_on,
        arr_before: money(row.arr_before_minor, currency),
        arr_after: money(row.arr_after_minor, currency),
        currency,
    })
}

#[derive(FromRow)]
struct StoredQuota {
    email: String,
    period: String,
    amount_minor: i64,
    currency: String,
}

fn quota(row: StoredQuota) -> anyhow::Result<QuotaRow> {
    let amount = Money::new(row.amount_minor, word("currency", &row.currency)?);
    Ok(QuotaRow { email: row.email, period: row.period, amount })
}

#[derive(FromRow)]
struct StoredHoliday {
    date: NaiveDate,
    name: Option<String>,
    country: String,
}

fn holiday(row: StoredHoliday) -> anyhow::Result<HolidayRow> {
    Ok(HolidayRow { date: row.date, name: cell(row.name), country: Some(row.country).filter(|code| !code.is_empty()) })
}

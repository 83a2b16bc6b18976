//! The sample written as files and read back: it is held to the very rules that
//! a customer's files are held to, and nothing is lost on the way.

use serde_json::{Value, json};

use super::*;
use crate::domain::money::Money;
use crate::domain::row::{RowKind, Rows};
use crate::ingest::{Context, Format, read_all};

fn cell<T>(patch: &Patch<T>, write: impl Fn(&T) -> Value) -> Value {
    match patch {
        Patch::Keep => Value::Null,
        Patch::Clear => json!("\\N"),
        Patch::Set(value) => write(value),
    }
}

fn text<T: ToString>(patch: &Patch<T>) -> Value {
    cell(patch, |value| json!(value.to_string()))
}

fn money(patch: &Patch<Money>) -> Value {
    cell(patch, |money| json!(money.to_major()))
}

fn person(row: &PersonRow) -> Value {
    json!({
        "email": row.email, "name": row.name, "roles": row.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
        "timezone": text(&row.timezone), "digest_time": cell(&row.digest_time, |at| json!(at.format("%H:%M").to_string())),
        "workdays": text(&row.workdays), "manager_email": text(&row.manager_email),
        "delegate_email": text(&row.delegate_email), "out_of_office_until": text(&row.out_of_office_until),
        "slack_user_id": text(&row.slack_user_id), "teams_user_id": text(&row.teams_user_id), "pool": text(&row.pool),
    })
}

fn account(row: &AccountRow) -> Value {
    json!({
        "account_id": row.account_id.0, "name": row.name, "segment": cell(&row.segment, |s| json!(s.as_str())),
        "arr": money(&row.arr), "currency": row.currency.map(|currency| currency.to_string()),
        "seats": cell(&row.seats, |seats| json!(seats)), "plan": text(&row.plan),
        "domains": cell(&row.domains, |domains| json!(domains)), "url": text(&row.url), "goals": text(&row.goals),
        "start_date": text(&row.start_date), "go_live_date": text(&row.go_live_date),
        "renewal_date": text(&row.renewal_date), "term_months": cell(&row.term_months, |months| json!(months)),
        "notice_period_days": cell(&row.notice_period_days, |days| json!(days)),
        "auto_renew": cell(&row.auto_renew, |yes| json!(yes)), "csm_email": text(&row.csm_email),
        "account_manager_email": text(&row.account_manager_email), "pool": text(&row.pool),
        "status": cell(&row.status, |status| json!(status.as_str())), "cost_to_serve": money(&row.cost_to_serve),
    })
}

fn contact(row: &ContactRow) -> Value {
    json!({
        "account_id": row.account_id.0, "email": row.email, "name": text(&row.name), "title": text(&row.title),
        "phone": text(&row.phone), "persona": cell(&row.persona, |persona| json!(persona.as_str())),
        "last_interaction": text(&row.last_interaction), "departed_on": text(&row.departed_on),
    })
}

fn signal(row: &SignalRow) -> Value {
    json!({
        "account_id": row.account_id.0, "source": row.source.as_str(), "kind": row.kind,
        "observed_on": row.observed_on.to_string(), "value": row.value, "reference": row.reference,
    })
}

fn outcome(row: &OutcomeRow) -> Value {
    let currency = row.arr_before.set().map(|money| money.currency.to_string());
    json!({
        "account_id": row.account_id.0, "kind": row.kind.as_str(), "decided_on": row.decided_on.to_string(),
        "arr_before": money(&row.arr_before), "arr_after": money(&row.arr_after), "currency": currency,
    })
}

fn quota(row: &QuotaRow) -> Value {
    json!({ "email": row.email, "period": row.period, "amount": row.amount.to_major() })
}

fn holiday(row: &HolidayRow) -> Value {
    json!({ "date": row.date.to_string(), "name": text(&row.name), "country": row.country })
}

/// What ingest makes of these objects; it must take every one.
fn read_back(kind: RowKind, objects: Vec<Value>, today: NaiveDate) -> Vec<Rows> {
    let context = Context { currency: Currency::USD, today, measures: BTreeMap::new() };
    let bytes = serde_json::to_vec(&objects).unwrap();
    let (batches, summary) = read_all(&bytes, kind.as_str(), kind, Format::Json, &context).unwrap();
    let rejected: Vec<String> = batches.iter().flat_map(|b| &b.rejected).map(ToString::to_string).collect();
    assert_eq!((rejected, summary.accepted as usize), (Vec::new(), objects.len()));
    batches.into_iter().map(|batch| batch.rows).collect()
}

#[test]
fn the_sample_survives_being_written_and_read() {
    for (seed, today) in [(7, today()), (3, NaiveDate::from_ymd_opt(2028, 2, 29).unwrap())] {
        let sample = organisation(seed, today);
        let back = |kind, objects| read_back(kind, objects, today);
        assert_eq!(
            back(RowKind::People, sample.people.iter().map(person).collect()),
            [Rows::People(sample.people.clone())]
        );
        assert_eq!(
            back(RowKind::Accounts, sample.accounts.iter().map(account).collect()),
            [Rows::Accounts(sample.accounts.clone())]
        );
        assert_eq!(
            back(RowKind::Contacts, sample.contacts.iter().map(contact).collect()),
            [Rows::Contacts(sample.contacts.clone())]
        );
        assert_eq!(
            back(RowKind::Outcomes, sample.outcomes.iter().map(outcome).collect()),
            [Rows::Outcomes(sample.outcomes.clone())]
        );
        assert_eq!(
            back(RowKind::Quotas, sample.quotas.iter().map(quota).collect()),
            [Rows::Quotas(sample.quotas.clone())]
        );
        assert_eq!(
            back(RowKind::Holidays, sample.holidays.iter().map(holiday).collect()),
            [Rows::Holidays(sample.holidays.clone())]
        );
        let signals: Vec<SignalRow> = back(RowKind::Signals, sample.signals.iter().map(signal).collect())
            .into_iter()
            .flat_map(|rows| if let Rows::Signals(rows) = rows { rows } else { Vec::new() })
            .collect();
        assert!(signals == sample.signals, "signals changed on the way");
    }
}

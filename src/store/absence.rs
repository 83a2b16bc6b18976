//! Who stands in for whom now.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use super::Tenant;
use crate::domain::person::PersonId;

statements! {
    ALL = "SELECT person_id, stand_in_id, until, since FROM tandem.absence WHERE org_id = $1 ORDER BY person_id";
    LOCK = "SELECT person_id, stand_in_id, until, since FROM tandem.absence WHERE org_id = $1 AND person_id = $2 FOR UPDATE";
    SAVE = "INSERT INTO tandem.absence AS t (org_id, person_id, stand_in_id, until, since) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (org_id, person_id) DO UPDATE SET stand_in_id = excluded.stand_in_id, until = excluded.until
             WHERE (t.stand_in_id, t.until) IS DISTINCT FROM (excluded.stand_in_id, excluded.until)";
    FORGET = "DELETE FROM tandem.absence WHERE org_id = $1 AND person_id = $2";
    OPEN_RISKS_OF = "SELECT count(*) FROM tandem.risk r JOIN tandem.account a USING (org_id, account_id)
                      WHERE r.org_id = $1 AND a.csm_id = $2 AND r.state IN ('open', 'acknowledged', 'snoozed')";
}

/// One absence that was begun and not ended yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absence {
    pub person: PersonId,
    pub stand_in: PersonId,
    /// The last day away; `None` where they are here and can't be reached in chat.
    pub until: Option<NaiveDate>,
    pub since: DateTime<Utc>,
}

#[derive(FromRow)]
struct AbsenceRow {
    person_id: Uuid,
    stand_in_id: Uuid,
    until: Option<NaiveDate>,
    since: DateTime<Utc>,
}

impl From<AbsenceRow> for Absence {
    fn from(row: AbsenceRow) -> Self {
        let (person, stand_in) = (PersonId(row.person_id), PersonId(row.stand_in_id));
        Self { person, stand_in, until: row.until, since: row.since }
    }
}

pub async fn all(tx: &mut Tenant) -> anyhow::Result<Vec<Absence>> {
    let org = tx.org().0;
    let rows: Vec<AbsenceRow> = sqlx::query_as(ALL).bind(org).fetch_all(tx.connection()).await?;
    Ok(rows.into_iter().map(Absence::from).collect())
}

/// A person's absence, locked until commit.
pub async fn lock(tx: &mut Tenant, person: PersonId) -> anyhow::Result<Option<Absence>> {
    let org = tx.org().0;
    let row: Option<AbsenceRow> = sqlx::query_as(LOCK).bind(org).bind(person.0).fetch_optional(tx.connection()).await?;
    Ok(row.map(Absence::from))
}

/// Begins an absence, or says who stands in now.
pub async fn save(tx: &mut Tenant, absence: &Absence) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(SAVE)
        .bind(org)
        .bind(absence.person.0)
        .bind(absence.stand_in.0)
        .bind(absence.until)
        .bind(absence.since)
        .execute(tx.connection())
        .await?;
    Ok(())
}

pub async fn forget(tx: &mut Tenant, person: PersonId) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(FORGET).bind(org).bind(person.0).execute(tx.connection()).await?;
    Ok(())
}

/// How many accounts of this CSM have a risk that is not over.
pub async fn open_risks_of(tx: &mut Tenant, csm: PersonId) -> anyhow::Result<i64> {
    let org = tx.org().0;
    Ok(sqlx::query_scalar(OPEN_RISKS_OF).bind(org).bind(csm.0).fetch_one(tx.connection()).await?)
}

//! Chat users whom nobody is known by, and whom they say they are.

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use super::directory::Workspace;
use super::message::REDRAWN_FOR;
use super::{Tenant, word};
use crate::domain::person::PersonId;

macro_rules! introduction {
    ($rest:literal) => {
        concat!(
            "SELECT introduction_id, platform, workspace_id, user_id, chat_name, chat_email, wanted, channel_id, state,
                    person_id, asked_at, asked_times, answered_by, answered_at
               FROM tandem.introduction WHERE org_id = $1 AND ",
            $rest
        )
    };
}

statements! {
    /// What they asked for last counts. An answered one begins anew: they are unknown in spite of it.
    BEGIN = "INSERT INTO tandem.introduction AS t (org_id, introduction_id, platform, workspace_id, user_id, chat_name, chat_email,
                    wanted, channel_id, began_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (org_id, platform, workspace_id, user_id) DO UPDATE
                SET chat_name = excluded.chat_name, chat_email = excluded.chat_email,
                    wanted = coalesce(excluded.wanted, t.wanted),
                    channel_id = CASE WHEN excluded.wanted IS NULL THEN t.channel_id ELSE excluded.channel_id END, began_at = excluded.began_at,
                    state = CASE WHEN t.state = 'asked' THEN t.state ELSE 'begun' END,
                    person_id = CASE WHEN t.state = 'asked' THEN t.person_id END, answered_by = NULL, answered_at = NULL
             RETURNING introduction_id";
    READ = introduction!("introduction_id = $2");
    LOCK = introduction!("introduction_id = $2 FOR UPDATE");
    OF_USER = introduction!("platform = $2 AND workspace_id = $3 AND user_id = $4");
    ASK = "UPDATE tandem.introduction SET state = 'asked', person_id = $3, asked_at = $4, asked_times = $5
            WHERE org_id = $1 AND introduction_id = $2";
    ANSWER = "UPDATE tandem.introduction SET state = $3, answered_by = $4, answered_at = $5
               WHERE org_id = $1 AND introduction_id = $2";
    REDRAW = concat!(
        "WITH ",
        queue_redraws!(
            "$3",
            concat!(
                "tandem.message m", posted!(), "WHERE m.org_id = $1 AND m.created_at > $4
                   AND m.content ? 'introduction' AND m.content -> 'introduction' ->> 'id' = $2"
            )
        ),
        " SELECT"
    );
    FORGET = "WITH over AS (
                DELETE FROM tandem.introduction WHERE org_id = $1 AND greatest(began_at, asked_at) < $2
                RETURNING platform, workspace_id, user_id)
              DELETE FROM tandem.message m USING over
               WHERE m.org_id = $1 AND m.platform = over.platform AND m.workspace_id = over.workspace_id
                 AND m.chat_user_id = over.user_id";
}

/// How long an introduction is kept after somebody last asked.
const KEPT_FOR: TimeDelta = TimeDelta::days(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// They have not said yet who they are.
    Begun,
    Asked,
    Confirmed,
    Refused,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            State::Begun => "begun",
            State::Asked => "asked",
            State::Confirmed => "confirmed",
            State::Refused => "refused",
        }
    }
}

impl std::str::FromStr for State {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [State::Begun, State::Asked, State::Confirmed, State::Refused]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Introduction {
    pub id: Uuid,
    pub workspace: Workspace,
    pub user_id: String,
    pub chat_name: Option<String>,
    pub chat_email: Option<String>,
    pub wanted: Option<Value>,
    pub channel: Option<String>,
    pub state: State,
    /// Whom they say they are.
    pub person: Option<PersonId>,
    pub asked_at: Option<DateTime<Utc>>,
    /// On the day of `asked_at`.
    pub asked_times: i32,
    pub answered: Option<(PersonId, DateTime<Utc>)>,
}

#[derive(FromRow)]
struct Row {
    introduction_id: Uuid,
    platform: String,
    workspace_id: String,
    user_id: String,
    chat_name: Option<String>,
    chat_email: Option<String>,
    wanted: Option<Value>,
    channel_id: Option<String>,
    state: String,
    person_id: Option<Uuid>,
    asked_at: Option<DateTime<Utc>>,
    asked_times: i32,
    answered_by: Option<Uuid>,
    answered_at: Option<DateTime<Utc>>,
}

impl Row {
    fn read(self) -> anyhow::Result<Introduction> {
        Ok(Introduction {
            id: self.introduction_id,
            workspace: Workspace { platform: word("platform", &self.platform)?, id: self.workspace_id },
            user_id: self.user_id,
            chat_name: self.chat_name,
            chat_email: self.chat_email,
            wanted: self.wanted,
            channel: self.channel_id,
            state: word("state", &self.state)?,
            person: self.person_id.map(PersonId),
            asked_at: self.asked_at,
            asked_times: self.asked_times,
            answered: self.answered_by.map(PersonId).zip(self.answered_at),
        })
    }
}

/// A chat user, as the platform vouches for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unknown<'a> {
    pub workspace: &'a Workspace,
    pub user_id: &'a str,
    pub name: Option<&'a str>,
    pub email: Option<&'a str>,
}

/// Somebody unknown asks for something; one row for each of them.
pub async fn begin(
    tx: &mut Tenant,
    who: Unknown<'_>,
    wanted: Option<&Value>,
    channel: Option<&str>,
    now: DateTime<Utc>,
) -> anyhow::Result<Uuid> {
    let org = tx.org().0;
    sqlx::query_scalar(BEGIN)
        .bind(org)
        .bind(Uuid::now_v7())
        .bind(who.workspace.platform.as_str())
        .bind(&who.workspace.id)
        .bind(who.user_id)
        .bind(who.name)
        .bind(who.email)
        .bind(wanted)
        .bind(channel)
        .bind(now)
        .fetch_one(tx.connection())
        .await
        .context("begin an introduction")
}

pub async fn read(tx: &mut Tenant, id: Uuid) -> anyhow::Result<Option<Introduction>> {
    let org = tx.org().0;
    let row: Option<Row> = sqlx::query_as(READ).bind(org).bind(id).fetch_optional(tx.connection()).await?;
    row.map(Row::read).transpose()
}

/// The same, locked until commit.
pub async fn lock(tx: &mut Tenant, id: Uuid) -> anyhow::Result<Option<Introduction>> {
    let org = tx.org().0;
    let row: Option<Row> = sqlx::query_as(LOCK).bind(org).bind(id).fetch_optional(tx.connection()).await?;
    row.map(Row::read).transpose()
}

pub async fn of_user(tx: &mut Tenant, workspace: &Workspace, user_id: &str) -> anyhow::Result<Option<Introduction>> {
    let org = tx.org().0;
    let row: Option<Row> = sqlx::query_as(OF_USER)
        .bind(org)
        .bind(workspace.platform.as_str())
        .bind(&workspace.id)
        .bind(user_id)
        .fetch_optional(tx.connection())
        .await?;
    row.map(Row::read).transpose()
}

/// They say who they are, the `times`th time that day.
pub async fn ask(tx: &mut Tenant, id: Uuid, person: PersonId, times: i32, now: DateTime<Utc>) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(ASK).bind(org).bind(id).bind(person.0).bind(now).bind(times).execute(tx.connection()).await?;
    Ok(())
}

/// Somebody says whether it is so.
pub async fn answer(tx: &mut Tenant, id: Uuid, state: State, by: PersonId, now: DateTime<Utc>) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(ANSWER).bind(org).bind(id).bind(state.as_str()).bind(by.0).bind(now).execute(tx.connection()).await?;
    Ok(())
}

/// Queues one redraw for every copy of the question.
pub async fn queue_redraws(tx: &mut Tenant, id: Uuid, now: DateTime<Utc>) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(REDRAW)
        .bind(org)
        .bind(id.to_string())
        .bind(now)
        .bind(now - REDRAWN_FOR)
        .execute(tx.connection())
        .await
        .context("queue redraws of an introduction")?;
    Ok(())
}

/// Forgets what nobody came back to, and what was said to them.
pub async fn forget(tx: &mut Tenant, now: DateTime<Utc>) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(FORGET).bind(org).bind(now - KEPT_FOR).execute(tx.connection()).await?;
    Ok(())
}

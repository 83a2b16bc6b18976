//! Mornings: which cards stood in whose digest.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use anyhow::Context;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use super::Tenant;
use crate::domain::account::AccountId;
use crate::domain::action::Subject;
use crate::domain::person::PersonId;

statements! {
    /// The unique key decides: one morning a person and date, whoever asks and how often.
    INSERT = "INSERT INTO tandem.digest (org_id, digest_id, person_id, local_date, kind, diagnosed_on, late, totals, queued_at)
              SELECT $1, d.digest_id, d.person_id, d.local_date, 'morning', d.diagnosed_on, d.late, d.totals, $8
                FROM unnest($2::uuid[], $3::uuid[], $4::date[], $5::date[], $6::bool[], $7::jsonb[])
                  AS d (digest_id, person_id, local_date, diagnosed_on, late, totals)
              -- In one order, so that two who queue the same mornings cannot wait for each other.
               ORDER BY d.person_id, d.local_date
              ON CONFLICT DO NOTHING RETURNING digest_id";
    INSERT_ITEMS = "INSERT INTO tandem.digest_item (org_id, digest_id, position, group_no, subject, account_id, heading, why, comes_back)
              SELECT $1, i.* FROM unnest($2::uuid[], $3::int[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[], $9::date[])
                     AS i (digest_id, position, group_no, subject, account_id, heading, why, comes_back)";
    READ = "SELECT digest_id, person_id, local_date, diagnosed_on, late, totals FROM tandem.digest
             WHERE org_id = $1 AND digest_id = ANY ($2)";
    ITEMS = "SELECT digest_id, group_no, subject, account_id, heading, why, comes_back FROM tandem.digest_item
              WHERE org_id = $1 AND digest_id = ANY ($2) ORDER BY digest_id, position";
    /// What stood in these mornings as cards, in order.
    CARDS = "SELECT digest_id, person_id,
                    ARRAY(SELECT subject FROM tandem.digest_item i
                           WHERE i.org_id = $1 AND i.digest_id = d.digest_id AND i.group_no IS NULL ORDER BY i.position)
               FROM tandem.digest d WHERE org_id = $1 AND digest_id = ANY ($2)";
    BEFORE = "SELECT local_date, diagnosed_on, queued_at FROM tandem.digest
               WHERE org_id = $1 AND person_id = $2 AND local_date < $3 ORDER BY local_date DESC LIMIT 1";
    /// By subject: of the mornings in which it stood, however many there were. OFFSET 0 keeps the order of look-ups.
    LAST_SHOWN = "SELECT d.person_id, i.subject, max(d.local_date)
                    FROM unnest($3::text[]) AS asked (subject)
                   CROSS JOIN LATERAL (SELECT digest_id, subject FROM tandem.digest_item
                                        WHERE org_id = $1 AND subject = asked.subject AND group_no IS NULL OFFSET 0) AS i
                   CROSS JOIN LATERAL (SELECT person_id, local_date FROM tandem.digest
                                        WHERE org_id = $1 AND digest_id = i.digest_id AND person_id = ANY ($2)
                                          AND local_date < $4 OFFSET 0) AS d
                   GROUP BY d.person_id, i.subject";
    /// A risk's card that came by day, or an edit of it that was said by a reply.
    TOLD_BY_DAY = "SELECT person_id, (content -> 'notice' ->> 'risk')::uuid, max(created_at) FROM tandem.message
                    WHERE org_id = $1 AND person_id = ANY ($2) AND created_at > $3 AND content -> 'notice' ->> 'event' = 'decision'
                    GROUP BY 1, 2";
    HAS_CARD = "SELECT EXISTS (SELECT FROM tandem.digest d JOIN tandem.digest_item i USING (org_id, digest_id)
                                WHERE d.org_id = $1 AND d.person_id = $2 AND d.local_date = $3 AND i.group_no IS NULL
                                  AND i.subject = $4)";
    GROUP = "SELECT subject FROM tandem.digest_item WHERE org_id = $1 AND digest_id = $2 AND group_no BETWEEN $3 AND $4 ORDER BY position";
    OPEN = "SELECT o.message_id, d.person_id, d.local_date
              FROM tandem.outbox o
             CROSS JOIN LATERAL (SELECT content FROM tandem.message WHERE org_id = $1 AND message_id = o.message_id OFFSET 0) AS m
             CROSS JOIN LATERAL (SELECT person_id, local_date FROM tandem.digest
                                  WHERE org_id = $1 AND digest_id = (m.content->>'digest')::uuid OFFSET 0) AS d
             WHERE o.org_id = $1 AND o.kind = 'post' AND o.state IN ('queued', 'sending')";
    /// A morning's post is made with it, so it is among the few that its person got since, however many there were before.
    GIVEN_UP = "SELECT count(*) FILTER (WHERE o.state = 'given_up')
           FROM unnest($2::uuid[], $3::date[]) AS asked (person_id, local_date)
           JOIN tandem.digest d ON d.org_id = $1 AND d.person_id = asked.person_id AND d.local_date = asked.local_date
          CROSS JOIN LATERAL (SELECT message_id FROM tandem.message
                               WHERE org_id = $1 AND person_id = d.person_id AND created_at >= d.queued_at
                                 AND content->>'digest' = d.digest_id::text OFFSET 0) AS m
          CROSS JOIN LATERAL (SELECT state FROM tandem.outbox
                               WHERE org_id = $1 AND message_id = m.message_id AND kind = 'post' OFFSET 0) AS o";
}

/// One person's morning, as it was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Digest {
    pub id: Uuid,
    pub person: PersonId,
    /// The person's own date.
    pub local_date: NaiveDate,
    pub diagnosed_on: NaiveDate,
    /// Queued later than the person's hour.
    pub late: bool,
    /// Counts and sums of that morning.
    pub totals: Value,
    pub items: Vec<Item>,
}

/// A card, a line of the grouped rest, or a withheld window.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub place: Place,
    pub subject: Subject,
    pub account: AccountId,
    /// What a group of the rest shares: a rule, a window's kind, a step.
    pub heading: Option<String>,
    pub why: Option<String>,
    pub comes_back: Option<NaiveDate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Card,
    Withheld,
    /// Of the rest, numbered from 1.
    Group(u16),
}

impl Place {
    fn number(self) -> Option<i32> {
        match self {
            Place::Card => None,
            Place::Withheld => Some(0),
            Place::Group(number) => Some(i32::from(number)),
        }
    }

    fn of(number: Option<i32>) -> anyhow::Result<Self> {
        Ok(match number {
            None => Place::Card,
            Some(0) => Place::Withheld,
            Some(number) => Place::Group(u16::try_from(number)?),
        })
    }
}

/// Stores mornings, and says which. Of a person who has theirs of that date already nothing is written.
pub async fn insert(tx: &mut Tenant, digests: &[Digest], now: DateTime<Utc>) -> anyhow::Result<BTreeSet<Uuid>> {
    let org = tx.org().0;
    let new: Vec<Uuid> = sqlx::query_scalar(INSERT)
        .bind(org)
        .bind(digests.iter().map(|digest| digest.id).collect::<Vec<_>>())
        .bind(digests.iter().map(|digest| digest.person.0).collect::<Vec<_>>())
        .bind(digests.iter().map(|digest| digest.local_date).collect::<Vec<_>>())
        .bind(digests.iter().map(|digest| digest.diagnosed_on).collect::<Vec<_>>())
        .bind(digests.iter().map(|digest| digest.late).collect::<Vec<_>>())
        .bind(digests.iter().map(|digest| &digest.totals).collect::<Vec<_>>())
        .bind(now)
        .fetch_all(tx.connection())
        .await
        .context("insert digests")?;
    let new = BTreeSet::from_iter(new);
    let items: Vec<(Uuid, i32, &Item)> = digests
        .iter()
        .filter(|digest| new.contains(&digest.id))
        .flat_map(|digest| (0..).zip(&digest.items).map(|(position, item)| (digest.id, position, item)))
        .collect();
    sqlx::query(INSERT_ITEMS)
        .bind(org)
        .bind(items.iter().map(|(digest, ..)| *digest).collect::<Vec<_>>())
        .bind(items.iter().map(|(_, position, _)| *position).collect::<Vec<_>>())
        .bind(items.iter().map(|(.., item)| item.place.number()).collect::<Vec<_>>())
        .bind(items.iter().map(|(.., item)| item.subject.to_string()).collect::<Vec<_>>())
        .bind(items.iter().map(|(.., item)| item.account.0.as_str()).collect::<Vec<_>>())
        .bind(items.iter().map(|(.., item)| item.heading.as_deref()).collect::<Vec<_>>())
        .bind(items.iter().map(|(.., item)| item.why.as_deref()).collect::<Vec<_>>())
        .bind(items.iter().map(|(.., item)| item.comes_back).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .context("insert digests' items")?;
    Ok(new)
}

#[derive(FromRow)]
struct DigestRow {
    digest_id: Uuid,
    person_id: Uuid,
    local_date: NaiveDate,
    diagnosed_on: NaiveDate,
    late: bool,
    totals: Value,
}

#[derive(FromRow)]
struct ItemRow {
    digest_id: Uuid,
    group_no: Option<i32>,
    subject: String,
    account_id: String,
    heading: Option<String>,
    why: Option<String>,
    comes_back: Option<NaiveDate>,
}

pub async fn read(tx: &mut Tenant, id: Uuid) -> anyhow::Result<Option<Digest>> {
    Ok(read_all(tx, &[id]).await?.remove(&id))
}

/// Those of these mornings that exist.
pub async fn read_all(tx: &mut Tenant, ids: &[Uuid]) -> anyhow::Result<BTreeMap<Uuid, Digest>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let org = tx.org().0;
    let rows: Vec<DigestRow> = sqlx::query_as(READ).bind(org).bind(ids).fetch_all(tx.connection()).await?;
    let mut digests: BTreeMap<Uuid, Digest> = rows
        .into_iter()
        .map(|row| {
            let digest = Digest {
                id: row.digest_id,
                person: PersonId(row.person_id),
                local_date: row.local_date,
                diagnosed_on: row.diagnosed_on,
                late: row.late,
                totals: row.totals,
                items: Vec::new(),
            };
            (row.digest_id, digest)
        })
        .collect();
    let items: Vec<ItemRow> = sqlx::query_as(ITEMS).bind(org).bind(ids).fetch_all(tx.connection()).await?;
    for item in items {
        let Some(digest) = digests.get_mut(&item.digest_id) else { continue };
        digest.items.push(Item {
            place: Place::of(item.group_no)?,
            subject: item.subject.parse().context("a digest's subject")?,
            account: AccountId(item.account_id),
            heading: item.heading,
            why: item.why,
            comes_back: item.comes_back,
        });
    }
    Ok(digests)
}

/// Whose morning it was, and what stood in it as cards, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    pub person: PersonId,
    pub cards: Vec<Subject>,
}

/// What those of these mornings that exist showed as cards.
pub async fn shown(tx: &mut Tenant, ids: &[Uuid]) -> anyhow::Result<BTreeMap<Uuid, Shown>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let org = tx.org().0;
    let rows: Vec<(Uuid, Uuid, Vec<String>)> =
        sqlx::query_as(CARDS).bind(org).bind(ids).fetch_all(tx.connection()).await?;
    rows.into_iter()
        .map(|(id, person, subjects)| {
            let cards = subjects.into_iter().map(|subject| subject.parse().context("a digest's subject"));
            Ok((id, Shown { person: PersonId(person), cards: cards.collect::<anyhow::Result<_>>()? }))
        })
        .collect()
}

/// A morning that somebody has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Past {
    #[sqlx(rename = "local_date")]
    pub on: NaiveDate,
    /// The night that it rested on.
    #[sqlx(rename = "diagnosed_on")]
    pub night: NaiveDate,
    /// When it was chosen: what was found later that day was not in it.
    pub queued_at: DateTime<Utc>,
}

/// A person's last morning before this date.
pub async fn before(tx: &mut Tenant, person: PersonId, date: NaiveDate) -> anyhow::Result<Option<Past>> {
    let org = tx.org().0;
    Ok(sqlx::query_as(BEFORE).bind(org).bind(person.0).bind(date).fetch_optional(tx.connection()).await?)
}

/// When each of these subjects last stood as a card in each of these people's mornings before `today`.
pub async fn last_shown(
    tx: &mut Tenant,
    people: &[PersonId],
    subjects: impl IntoIterator<Item = Subject>,
    today: NaiveDate,
) -> anyhow::Result<BTreeMap<(PersonId, Subject), NaiveDate>> {
    let org = tx.org().0;
    let people: Vec<Uuid> = people.iter().map(|person| person.0).collect();
    let subjects: Vec<String> = subjects.into_iter().map(|subject| subject.to_string()).collect();
    let rows: Vec<(Uuid, String, NaiveDate)> = sqlx::query_as(LAST_SHOWN)
        .bind(org)
        .bind(&people)
        .bind(&subjects)
        .bind(today)
        .fetch_all(tx.connection())
        .await?;
    rows.into_iter()
        .map(|(person, subject, date)| Ok(((PersonId(person), subject.parse().context("a digest's subject")?), date)))
        .collect()
}

/// When each of these people was last told by day of a decision about each risk, since `since`.
pub async fn told_by_day(
    tx: &mut Tenant,
    people: &[PersonId],
    since: DateTime<Utc>,
) -> anyhow::Result<BTreeMap<(PersonId, Uuid), DateTime<Utc>>> {
    let org = tx.org().0;
    let people: Vec<Uuid> = people.iter().map(|person| person.0).collect();
    let rows: Vec<(Uuid, Uuid, DateTime<Utc>)> =
        sqlx::query_as(TOLD_BY_DAY).bind(org).bind(&people).bind(since).fetch_all(tx.connection()).await?;
    Ok(rows.into_iter().map(|(person, risk, at)| ((PersonId(person), risk), at)).collect())
}

/// What these groups of the rest hold.
pub async fn group_subjects(
    tx: &mut Tenant,
    digest: Uuid,
    groups: RangeInclusive<u16>,
) -> anyhow::Result<Vec<Subject>> {
    let org = tx.org().0;
    let rows: Vec<String> = sqlx::query_scalar(GROUP)
        .bind(org)
        .bind(digest)
        .bind(i32::from(*groups.start()))
        .bind(i32::from(*groups.end()))
        .fetch_all(tx.connection())
        .await?;
    rows.into_iter().map(|subject| subject.parse().context("a digest's subject")).collect()
}

/// Whether this person's morning of that date has the subject as a card.
pub async fn has_card(tx: &mut Tenant, person: PersonId, date: NaiveDate, subject: &Subject) -> anyhow::Result<bool> {
    let org = tx.org().0;
    let subject = subject.to_string();
    Ok(sqlx::query_scalar(HAS_CARD)
        .bind(org)
        .bind(person.0)
        .bind(date)
        .bind(subject)
        .fetch_one(tx.connection())
        .await?)
}

/// A morning whose post has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    pub message: Uuid,
    pub person: PersonId,
    pub date: NaiveDate,
}

pub async fn open(tx: &mut Tenant) -> anyhow::Result<Vec<Open>> {
    let org = tx.org().0;
    let rows: Vec<(Uuid, Uuid, NaiveDate)> = sqlx::query_as(OPEN).bind(org).fetch_all(tx.connection()).await?;
    Ok(rows.into_iter().map(|(message, person, date)| Open { message, person: PersonId(person), date }).collect())
}

/// How many of these people's mornings of these dates were given up.
pub async fn given_up(tx: &mut Tenant, mornings: &[(PersonId, NaiveDate)]) -> anyhow::Result<u64> {
    let org = tx.org().0;
    let (people, dates): (Vec<Uuid>, Vec<NaiveDate>) = mornings.iter().map(|(person, date)| (person.0, *date)).unzip();
    let given_up: i64 =
        sqlx::query_scalar(GIVEN_UP).bind(org).bind(people).bind(dates).fetch_one(tx.connection()).await?;
    Ok(u64::try_from(given_up)?)
}

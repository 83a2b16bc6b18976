//! Signals: read out as a stream, ordered by account, in bounded memory.

use std::str::from_utf8;

use anyhow::Context;
use bytes::{Buf, BytesMut};
use chrono::{Days, NaiveDate};
use futures_util::TryStreamExt;
use sqlx::postgres::PgConnection;

use super::{Tenant, word};
use crate::domain::account::AccountId;
use crate::domain::signal::{Shape, Signal, SignalValue, Source, known_kind};

statements! {
    NEWEST_BY_SOURCE = "SELECT source, max(observed_on) FROM tandem.signal
                         WHERE org_id = $1 AND observed_on <= $2 GROUP BY source ORDER BY source";
    RECORD = "INSERT INTO tandem.signal (org_id, account_id, source, kind, observed_on, reference, number, words)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
              ON CONFLICT (org_id, account_id, kind, observed_on, reference, source)
              DO UPDATE SET number = excluded.number, words = excluded.words";
}

/// How far back the diagnosis looks: the peak's 365 days, behind a baseline of at
/// most four 31-day intervals and a recent window of two; decisions of the running term.
pub const LOOK_BACK: Days = Days::new(800);

/// Signals of the accounts from `first` to `last` (both included) observed up to `date`,
/// handed over account by account in the order of ids, each account's in the order of its kinds and days.
/// An account with a row that can't be read is handed over as the reason instead.
///
/// COPY binary is the fastest way out of Postgres; it takes no parameters, so the
/// statement is made of a uuid, dates and quoted ids.
pub async fn each_account(
    tx: &mut Tenant,
    first: &AccountId,
    last: &AccountId,
    date: NaiveDate,
    mut each: impl FnMut(&str, Result<&[Signal], anyhow::Error>),
) -> anyhow::Result<()> {
    let since = date.checked_sub_days(LOOK_BACK).unwrap_or(date);
    let sql = format!(
        "COPY (SELECT account_id, source, kind, observed_on, number, words, reference FROM tandem.signal \
          WHERE org_id = '{}' AND account_id BETWEEN {} AND {} AND observed_on BETWEEN '{since}' AND '{date}' \
          ORDER BY account_id, kind, observed_on, reference) TO STDOUT (FORMAT binary)",
        tx.org().0,
        quoted(&first.0),
        quoted(&last.0),
    );
    let connection: &mut PgConnection = tx.connection();
    let mut chunks = connection.copy_out_raw(&sql).await.context("read signals")?;
    let mut buffer = BytesMut::new();
    let mut header_read = false;
    let mut account = String::new();
    let mut signals: Vec<Signal> = Vec::new();
    let mut fault: Option<anyhow::Error> = None;
    while let Some(chunk) = chunks.try_next().await? {
        buffer.extend_from_slice(&chunk);
        if !header_read {
            // 11 bytes of signature, 4 of flags, 4 of extension length (always 0).
            if buffer.len() < 19 {
                continue;
            }
            buffer.advance(19);
            header_read = true;
        }
        while let Some(fields) = tuple_length(&buffer) {
            let Some(length) = fields else { break };
            let tuple = buffer.split_to(length);
            let mut fields = Fields { tuple: &tuple, at: 2 };
            let of = fields.text()?;
            if of != account {
                hand_over(&account, &mut signals, &mut fault, &mut each);
                of.clone_into(&mut account);
            }
            match decode(fields) {
                Ok(signal) => signals.push(signal),
                Err(error) => fault = Some(error),
            }
        }
    }
    hand_over(&account, &mut signals, &mut fault, &mut each);
    Ok(())
}

fn quoted(text: &str) -> String {
    // E'' strings need backslashes doubled whatever standard_conforming_strings says.
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// `None` when the tuple is not whole yet, `Some(None)` at the trailer.
fn tuple_length(buffer: &[u8]) -> Option<Option<usize>> {
    let mut at = 2;
    let fields = i16::from_be_bytes(buffer.get(..2)?.try_into().ok()?);
    if fields < 0 {
        return Some(None);
    }
    for _ in 0..fields {
        let length = i32::from_be_bytes(buffer.get(at..at + 4)?.try_into().ok()?);
        at += 4 + usize::try_from(length).unwrap_or(0);
        if buffer.len() < at {
            return None;
        }
    }
    Some(Some(at))
}

fn hand_over(
    account: &str,
    signals: &mut Vec<Signal>,
    fault: &mut Option<anyhow::Error>,
    each: &mut impl FnMut(&str, Result<&[Signal], anyhow::Error>),
) {
    match fault.take() {
        Some(fault) => each(account, Err(fault)),
        None if signals.is_empty() => {}
        None => each(account, Ok(signals)),
    }
    signals.clear();
}

/// The fields of one tuple of COPY's binary format, from left to right.
struct Fields<'a> {
    tuple: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// `None` for NULL.
    fn next(&mut self) -> anyhow::Result<Option<&'a [u8]>> {
        let length = self.tuple.get(self.at..self.at + 4).and_then(|bytes| bytes.try_into().ok());
        let length = length.map(i32::from_be_bytes).context("cut tuple")?;
        self.at += 4;
        let Ok(length) = usize::try_from(length) else { return Ok(None) };
        let value = self.tuple.get(self.at..self.at + length).context("cut field")?;
        self.at += length;
        Ok(Some(value))
    }

    fn text(&mut self) -> anyhow::Result<&'a str> {
        Ok(from_utf8(self.next()?.context("NULL in a key")?)?)
    }
}

/// What stands after the account's id.
fn decode(mut fields: Fields<'_>) -> anyhow::Result<Signal> {
    let source: Source = word("source", fields.text()?)?;
    let kind = fields.text()?;
    let days = fields.next()?.and_then(|b| b.try_into().ok()).map(i32::from_be_bytes).context("observed_on")?;
    let number = fields.next()?.and_then(|b| b.try_into().ok()).map(f64::from_be_bytes);
    let words = fields.next()?.map(from_utf8).transpose()?;
    let reference = fields.next()?.map(from_utf8).transpose()?.unwrap_or_default();
    // Postgres counts days from 2000-01-01.
    let epoch = NaiveDate::from_ymd_opt(2000, 1, 1).context("epoch")?;
    let observed_on = epoch + chrono::TimeDelta::days(i64::from(days));
    let shape = known_kind(source, kind).map(|known| known.shape);
    let value = match (number, words) {
        (Some(number), _) if shape == Some(Shape::Bool) => SignalValue::Bool(number != 0.0),
        (Some(number), _) => SignalValue::Number(number),
        (None, Some(words)) if shape == Some(Shape::Date) => SignalValue::Date(
            words
                .parse()
                .with_context(|| format!("the signal {kind} of {observed_on} is \"{words}\", which is no date"))?,
        ),
        (None, Some(words)) => SignalValue::Text(words.to_owned()),
        (None, None) => anyhow::bail!("the signal {kind} of {observed_on} has no value"),
    };
    Ok(Signal { source, kind: kind.to_owned(), observed_on, value, reference: reference.to_owned() })
}

/// The newest observation of each source up to `date`.
pub async fn newest_by_source(tx: &mut Tenant, date: NaiveDate) -> anyhow::Result<Vec<(Source, NaiveDate)>> {
    let org = tx.org().0;
    let rows: Vec<(String, NaiveDate)> =
        sqlx::query_as(NEWEST_BY_SOURCE).bind(org).bind(date).fetch_all(tx.connection()).await?;
    rows.into_iter().map(|(source, on)| Ok((word("source", &source)?, on))).collect()
}

/// Writes one signal that Tandem itself observed: a pulse that a person raised, a column that changed.
pub async fn record(tx: &mut Tenant, account: &AccountId, signal: &Signal) -> anyhow::Result<()> {
    let org = tx.org().0;
    sqlx::query(RECORD)
        .bind(org)
        .bind(&account.0)
        .bind(signal.source.as_str())
        .bind(&signal.kind)
        .bind(signal.observed_on)
        .bind(&signal.reference)
        .bind(signal.value.number())
        .bind(signal.value.text())
        .execute(tx.connection())
        .await?;
    Ok(())
}

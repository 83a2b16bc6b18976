//! Signals: read out as a stream, ordered by account, in bounded memory.

use std::str::from_utf8;

use anyhow::Context;
use bytes::{Buf, Bytes, BytesMut};
use chrono::{Days, NaiveDate, TimeDelta};
use futures_util::TryStreamExt;
use sqlx::postgres::PgConnection;
use tokio::sync::mpsc::Sender;

use super::{Tenant, word};
use crate::domain::account::AccountId;
use crate::domain::signal::{Shape, Signal, SignalValue, Source, known_kind};

statements! {
    RECORD = "INSERT INTO tandem.signal (org_id, account_id, source, kind, observed_on, reference, number, words)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
              ON CONFLICT (org_id, account_id, kind, observed_on, reference, source)
              DO UPDATE SET number = excluded.number, words = excluded.words";
}

/// How far back the diagnosis looks: the peak's 365 days, behind a baseline of at
/// most four 31-day intervals and a recent window of two.
pub const LOOK_BACK: Days = Days::new(800);

/// Decisions stand for as long as a term runs, which may be years: they are read however old they are.
const DECISIONS: [&str; 3] = ["auto_renew", "downgrade_requested", "notice_served"];

/// About so many bytes of signals are handed over at once: enough for a channel to cost nothing beside them.
const PIECE: usize = 1 << 18;

/// Sends the signals of the accounts from `first` to `last` (both included) observed up to `date`, in the order of
/// ids, each account's in the order of its kinds and days: as COPY's binary format, in pieces that are cut anywhere.
/// [`Decoder`] makes signals of them, beside the reading. Ends early where nobody receives any more.
///
/// COPY binary is the fastest way out of Postgres; it takes no parameters, so the
/// statement is made of a uuid, dates and quoted ids.
pub async fn read_between(
    tx: &mut Tenant,
    first: &AccountId,
    last: &AccountId,
    date: NaiveDate,
    pieces: &Sender<Bytes>,
) -> anyhow::Result<()> {
    let which = format!("account_id BETWEEN {} AND {}", quoted(&first.0), quoted(&last.0));
    let since = date.checked_sub_days(LOOK_BACK).unwrap_or(date);
    copy(tx, &which, &observed(since, true), date, pieces).await
}

/// A condition: observed since then, or a decision where those are wanted.
fn observed(since: NaiveDate, or_decided: bool) -> String {
    let decided = if or_decided { format!(" OR kind {}", any(DECISIONS.into_iter())) } else { String::new() };
    format!("(observed_on >= '{since}'{decided})")
}

/// A condition on what stands before it: one of these texts.
fn any<'a>(of: impl Iterator<Item = &'a str>) -> String {
    let listed: Vec<String> = of.map(quoted).collect();
    format!("= ANY (ARRAY[{}]::text[])", listed.join(", "))
}

/// The signals for which the conditions `which` and `since` hold, observed up to `until`, as [`read_between`] sends them.
async fn copy(
    tx: &mut Tenant,
    which: &str,
    since: &str,
    until: NaiveDate,
    pieces: &Sender<Bytes>,
) -> anyhow::Result<()> {
    let sql = format!(
        "COPY (SELECT account_id, source, kind, observed_on, number, words, reference FROM tandem.signal \
          WHERE org_id = '{}' AND {which} AND {since} AND observed_on <= '{until}' \
          ORDER BY account_id, kind, observed_on, reference) TO STDOUT (FORMAT binary)",
        tx.org().0,
    );
    let connection: &mut PgConnection = tx.connection();
    let mut rows = connection.copy_out_raw(&sql).await.context("read signals")?;
    let mut piece = BytesMut::with_capacity(PIECE);
    while let Some(row) = rows.try_next().await? {
        piece.extend_from_slice(&row);
        if piece.len() >= PIECE - row.len() && pieces.send(piece.split().freeze()).await.is_err() {
            return Ok(());
        }
    }
    // Fails only where nobody receives any more.
    let _ = pieces.send(piece.freeze()).await;
    Ok(())
}

/// One account's signals observed up to `date`, in the order of their kinds and days.
///
/// # Errors
/// The database's, and a row that can't be read.
pub async fn of_account(tx: &mut Tenant, id: &AccountId, date: NaiveDate) -> anyhow::Result<Vec<Signal>> {
    let mut signals = Ok(Vec::new());
    let since = date.checked_sub_days(LOOK_BACK).unwrap_or(date);
    of_accounts(tx, std::slice::from_ref(id), &[], since, date, |_, read| signals = read.map(<[Signal]>::to_vec))
        .await?;
    signals
}

/// Hands over the signals of these accounts observed from `since` to `until`, of these kinds where some are named, else
/// decisions of before, too: account by account in the order of ids, each account's in the order of kinds and days. Those
/// without a signal are not handed over.
pub async fn of_accounts(
    tx: &mut Tenant,
    ids: &[AccountId],
    kinds: &[&str],
    since: NaiveDate,
    until: NaiveDate,
    mut each: impl FnMut(&str, anyhow::Result<&[Signal]>),
) -> anyhow::Result<()> {
    let mut which = format!("account_id {}", any(ids.iter().map(|id| id.0.as_str())));
    if !kinds.is_empty() {
        which += &format!(" AND kind {}", any(kinds.iter().copied()));
    }
    let since = observed(since, kinds.is_empty());
    let (pieces, mut received) = tokio::sync::mpsc::channel(4);
    let reading = async {
        let read = copy(tx, &which, &since, until, &pieces).await;
        drop(pieces);
        read
    };
    let decoding = async move {
        let mut decoder = Decoder::default();
        while let Some(piece) = received.recv().await {
            decoder.take(&piece, &mut each)?;
        }
        decoder.end(&mut each);
        anyhow::Ok(())
    };
    let (read, decoded) = tokio::join!(reading, decoding);
    read?;
    decoded
}

fn quoted(text: &str) -> String {
    // E'' strings need backslashes doubled whatever standard_conforming_strings says.
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// Makes signals of what [`read_between`] sends, account by account: one account's are in memory at once.
#[derive(Default)]
pub struct Decoder {
    /// What is not decoded yet: less than a row, between two pieces.
    buffer: BytesMut,
    header_read: bool,
    account: String,
    signals: Vec<Signal>,
    /// Rows of earlier accounts, whose room is used again.
    spare: Vec<Signal>,
    fault: Option<anyhow::Error>,
    /// How the kind of the last row is read: rows come kind by kind.
    shape: Option<Shape>,
}

impl Decoder {
    /// Hands over each account that is whole. One with a row that can't be read is handed over as the reason.
    ///
    /// # Errors
    /// Where the bytes are no COPY of signals.
    pub fn take(&mut self, piece: &[u8], mut each: impl FnMut(&str, anyhow::Result<&[Signal]>)) -> anyhow::Result<()> {
        self.buffer.extend_from_slice(piece);
        if !self.header_read {
            // 11 bytes of signature, 4 of flags, 4 of extension length (always 0).
            if self.buffer.len() < 19 {
                return Ok(());
            }
            self.buffer.advance(19);
            self.header_read = true;
        }
        let buffer = std::mem::take(&mut self.buffer);
        let mut rows: &[u8] = &buffer;
        while let Some(Some(length)) = tuple_length(rows) {
            let (tuple, rest) = rows.split_at(length);
            rows = rest;
            let mut fields = Fields { tuple, at: 2 };
            let of = fields.text()?;
            if of != self.account {
                self.hand_over(&mut each);
                of.clone_into(&mut self.account);
            }
            if let Err(fault) = self.row(fields) {
                self.fault = Some(fault);
            }
        }
        let decoded = buffer.len() - rows.len();
        self.buffer = buffer;
        self.buffer.advance(decoded);
        Ok(())
    }

    /// Hands over the last account.
    pub fn end(mut self, mut each: impl FnMut(&str, anyhow::Result<&[Signal]>)) {
        self.hand_over(&mut each);
    }

    fn hand_over(&mut self, each: &mut impl FnMut(&str, anyhow::Result<&[Signal]>)) {
        match self.fault.take() {
            Some(fault) => each(&self.account, Err(fault)),
            None if self.signals.is_empty() => {}
            None => each(&self.account, Ok(&self.signals)),
        }
        self.spare.append(&mut self.signals);
    }

    /// What stands after the account's id.
    fn row(&mut self, mut fields: Fields<'_>) -> anyhow::Result<()> {
        let source: Source = word("source", fields.text()?)?;
        let kind = fields.text()?;
        let days = fields.next()?.and_then(|b| b.try_into().ok()).map(i32::from_be_bytes).context("observed_on")?;
        let number = fields.next()?.and_then(|b| b.try_into().ok()).map(f64::from_be_bytes);
        let words = fields.next()?.map(from_utf8).transpose()?;
        let reference = fields.next()?.map(from_utf8).transpose()?.unwrap_or_default();
        // Postgres counts days from 2000-01-01.
        let observed_on = NaiveDate::from_ymd_opt(2000, 1, 1)
            .and_then(|epoch| epoch.checked_add_signed(TimeDelta::days(days.into())))
            .context("observed_on")?;
        if self.signals.last().is_none_or(|last| last.source != source || last.kind != kind) {
            self.shape = known_kind(source, kind).map(|known| known.shape);
        }
        let value = match (number, words) {
            (Some(number), _) if self.shape == Some(Shape::Bool) => SignalValue::Bool(number != 0.0),
            (Some(number), _) => SignalValue::Number(number),
            (None, Some(words)) if self.shape == Some(Shape::Date) => SignalValue::Date(
                words
                    .parse()
                    .with_context(|| format!("the signal {kind} of {observed_on} is \"{words}\", which is no date"))?,
            ),
            (None, Some(words)) => SignalValue::Text(words.to_owned()),
            (None, None) => anyhow::bail!("the signal {kind} of {observed_on} has no value"),
        };
        let (mut own_kind, mut own_reference) =
            self.spare.pop().map(|spare| (spare.kind, spare.reference)).unwrap_or_default();
        kind.clone_into(&mut own_kind);
        reference.clone_into(&mut own_reference);
        self.signals.push(Signal { source, kind: own_kind, observed_on, value, reference: own_reference });
        Ok(())
    }
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

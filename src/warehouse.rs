//! Rows out of somebody else's Postgres, or what speaks like one: a query's result becomes the CSV that a file
//! would have been. Nothing is written there, and its address, which may hold a password, is in no error and no log.

use std::io::{self, Read};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use chrono_tz::Tz;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgErrorPosition, PgRow};
use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, Decode, Executor as _, Postgres, Row as _, SqlSafeStr as _,
    Statement as _, TypeInfo as _, ValueRef as _,
};
use tokio::sync::mpsc;

/// A warehouse that does not answer must not keep the night waiting.
const CONNECT: Duration = Duration::from_secs(10);
/// How long one statement may take there: a query of a night, not one that was forgotten.
const STATEMENT_TIMEOUT: &str = "15min";
/// Rows fetched at once.
const PAGE: usize = 5_000;
const CURSOR: &str = "DECLARE tandem_rows NO SCROLL CURSOR FOR ";

/// Where rows come from.
#[derive(Clone)]
pub struct Warehouse {
    options: PgConnectOptions,
}

/// A query that the warehouse understands, before its first row.
pub struct Query {
    connection: PgConnection,
    columns: Vec<Column>,
}

struct Column {
    name: String,
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Plain,
    Bool,
    /// Several texts: a list of roles or domains.
    Texts,
}

impl Warehouse {
    /// # Errors
    /// A sentence that does not repeat the address.
    pub fn at(address: &SecretString) -> anyhow::Result<Self> {
        let text = address.expose_secret();
        let known = text.starts_with("postgres://") || text.starts_with("postgresql://");
        // The parser's error may quote the address, and with it the password.
        let options = known.then(|| PgConnectOptions::from_str(text).ok()).flatten();
        let options = options.context(
            "the warehouse's address can't be read; expected for example postgres://reader:secret@host:5432/warehouse",
        )?;
        Ok(Self { options: options.application_name("tandem").statement_cache_capacity(0) })
    }

    /// Asks the warehouse whether it understands the query: one statement that only reads. Dates are read in
    /// `timezone`, the organisation's. `name` is what errors call the query.
    ///
    /// # Errors
    /// What stands in the way, with the line of the query where the warehouse names one.
    pub async fn prepare(&self, sql: &str, name: &str, timezone: Tz) -> anyhow::Result<Query> {
        let connecting = tokio::time::timeout(CONNECT, PgConnection::connect_with(&self.options));
        let mut connection = match connecting.await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => anyhow::bail!("{name}: the warehouse can't be reached: {}", said(&error, "", 0)),
            Err(_) => anyhow::bail!("{name}: the warehouse did not answer within {} s", CONNECT.as_secs()),
        };
        let begin = format!(
            "BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'; \
             SET LOCAL datestyle = 'ISO'; SET LOCAL timezone = '{}'",
            timezone.name()
        );
        sqlx::raw_sql(AssertSqlSafe(begin))
            .execute(&mut connection)
            .await
            .map_err(|error| anyhow::anyhow!("{name}: the warehouse did not begin: {}", said(&error, "", 0)))?;
        let statement = connection
            .prepare(AssertSqlSafe(sql.to_owned()).into_sql_str())
            .await
            .map_err(|error| anyhow::anyhow!("{name}{}", said(&error, sql, 0)))?;
        let columns: Vec<Column> = statement
            .columns()
            .iter()
            .map(|column| {
                let shape = match column.type_info().name() {
                    "BOOL" => Shape::Bool,
                    "TEXT[]" | "VARCHAR[]" | "CHAR[]" => Shape::Texts,
                    _ => Shape::Plain,
                };
                Column { name: column.name().to_owned(), shape }
            })
            .collect();
        anyhow::ensure!(!columns.is_empty(), "{name}: this gives no rows; expected one SELECT");
        // Whether a statement that gives rows does no more than that, the cursor tells before anything is read.
        sqlx::query(AssertSqlSafe(format!("{CURSOR}{sql}"))).execute(&mut connection).await.map_err(|error| {
            let expected =
                if is_no_query(&error) { "; expected one SELECT that changes and locks nothing" } else { "" };
            anyhow::anyhow!("{name}{}{expected}", said(&error, sql, CURSOR.len()))
        })?;
        Ok(Query { connection, columns })
    }
}

impl Query {
    /// Runs it: its rows as CSV with a header, streamed. Reading blocks, so it is done on a thread of its own.
    /// Where the warehouse breaks off, so does the text, with the reason.
    pub fn run(self) -> impl Read + Send + use<> {
        // A page in flight, one being read, one waiting.
        let (sender, receiver) = mpsc::channel(2);
        tokio::spawn(async move {
            let Query { mut connection, columns } = self;
            if let Err(error) = stream(&mut connection, &columns, &sender).await {
                // Whoever reads no more wants no reason either.
                let _ = sender.send(Err(io::Error::other(error))).await;
            }
            // Closing politely or not changes nothing: the transaction only read.
            let _ = connection.close().await;
        });
        Rows { receiver, page: Bytes::new() }
    }
}

async fn stream(
    connection: &mut PgConnection,
    columns: &[Column],
    sender: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), String> {
    let text = |records: &[Vec<String>]| -> Result<Bytes, String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for record in records {
            writer.write_record(record).map_err(|error| error.to_string())?;
        }
        writer.into_inner().map(Bytes::from).map_err(|error| error.to_string())
    };
    let header = columns.iter().map(|column| column.name.clone()).collect();
    if sender.send(Ok(text(&[header])?)).await.is_err() {
        return Ok(());
    }
    loop {
        // The simple protocol gives every type as its text, as a file would have it.
        let rows: Vec<PgRow> = sqlx::raw_sql(AssertSqlSafe(format!("FETCH {PAGE} FROM tandem_rows")))
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| said(&error, "", 0))?;
        if rows.is_empty() {
            return Ok(());
        }
        let records: Result<Vec<_>, _> = rows.iter().map(|row| record(row, columns)).collect();
        if sender.send(Ok(text(&records?)?)).await.is_err() {
            return Ok(());
        }
    }
}

/// One row's cells. Null is an empty cell: it leaves the value as it is.
fn record(row: &PgRow, columns: &[Column]) -> Result<Vec<String>, String> {
    let cell = |(at, column): (usize, &Column)| -> Result<String, String> {
        let value = row.try_get_raw(at).map_err(|error| said(&error, "", 0))?;
        if value.is_null() {
            return Ok(String::new());
        }
        Ok(match column.shape {
            Shape::Bool => match value.as_str() {
                Ok("t") => "true".to_owned(),
                _ => "false".to_owned(),
            },
            Shape::Texts => {
                let texts = <Vec<Option<String>> as Decode<Postgres>>::decode(value);
                let texts = texts.map_err(|_| format!("{} can't be read as a list of texts", column.name))?;
                texts.into_iter().flatten().collect::<Vec<_>>().join(";")
            }
            Shape::Plain => value.as_str().map_err(|_| format!("{} is no text", column.name))?.to_owned(),
        })
    };
    columns.iter().enumerate().map(cell).collect()
}

/// Whether no cursor runs over it: another statement than a query, one that writes within it, one that locks its rows.
fn is_no_query(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    // syntax_error, feature_not_supported, read_only_sql_transaction.
    matches!(code.as_deref(), Some("42601" | "0A000" | "25006"))
}

/// What the database or the way to it said, never the address. With the line of `sql` where the database names
/// a place; `before` characters stood before it.
fn said(error: &sqlx::Error, sql: &str, before: usize) -> String {
    match error {
        sqlx::Error::Database(database) => {
            let place = database.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::position);
            let message = database.message();
            match place {
                Some(PgErrorPosition::Original(at)) if !sql.is_empty() => {
                    let until = sql.chars().take(at.saturating_sub(before + 1));
                    format!(", line {}: {message}", until.filter(|c| *c == '\n').count() + 1)
                }
                _ if sql.is_empty() => message.to_owned(),
                _ => format!(": {message}"),
            }
        }
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Tls(_) => "no encrypted connection could be made".to_owned(),
        _ => "the connection broke".to_owned(),
    }
}

struct Rows {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    page: Bytes,
}

impl Read for Rows {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.page.is_empty() {
            match self.receiver.blocking_recv() {
                Some(page) => self.page = page?,
                None => return Ok(0),
            }
        }
        let n = self.page.len().min(buf.len());
        buf[..n].copy_from_slice(&self.page.split_to(n));
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_makes_no_sense_is_not_repeated() {
        for wrong in ["mysql://u:canary@h/d", "postgres://u:canary@h:port/d", "canary", ""] {
            let error = Warehouse::at(&wrong.to_owned().into()).err().expect("no address");
            assert!(!format!("{error:#}").contains("canary"), "{error:#}");
        }
    }
}

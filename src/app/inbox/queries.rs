//! Queries in the inbox: `*.sql` files that are run against the warehouse they name, and stay.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::Context;
use chrono::NaiveDate;
use secrecy::{ExposeSecret, SecretString};

use super::{Inbox, REJECTED, Taken, ending, free, name_of, names, writable};
use crate::app::App;
use crate::app::import::{self, Input, Source};
use crate::domain::calendar;
use crate::domain::row::RowKind;
use crate::ingest::{self, Format};
use crate::store::audit::Actor;
use crate::store::directory::Organisation;
use crate::warehouse::Warehouse;

/// A query's text, without the mark that editors put before UTF-8: it is no part of the first line, and no database
/// understands it.
pub fn read_query(path: &Path) -> io::Result<String> {
    let text = fs::read_to_string(path)?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The variable that a query's first line names: `-- from: WAREHOUSE_URL`.
pub fn named_warehouse(sql: &str) -> Option<&str> {
    let first = sql.lines().map(str::trim).find(|line| !line.is_empty())?;
    first.strip_prefix("--")?.trim().strip_prefix("from:").map(str::trim).filter(|name| !name.is_empty())
}

/// The address under a name, or a sentence that names those there are.
pub fn address<'w>(variables: &'w BTreeMap<String, SecretString>, name: &str) -> anyhow::Result<&'w SecretString> {
    let found = variables.get(name);
    found.filter(|value| is_postgres(value.expose_secret())).with_context(|| {
        let what = if found.is_some() { "holds no address" } else { "is not set" };
        let known = variables.iter().filter(|(_, value)| is_postgres(value.expose_secret()));
        let known: Vec<&str> = known.map(|(name, _)| name.as_str()).collect();
        let there = if known.is_empty() { "no variable".to_owned() } else { known.join(", ") };
        format!("the variable {name} {what}; an address that begins with postgres:// is in {there}")
    })
}

/// Whether this is the address of a Postgres.
pub fn is_postgres(address: &str) -> bool {
    address.starts_with("postgres://") || address.starts_with("postgresql://")
}

pub(super) fn queries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut queries = names(folder)?;
    queries.retain(|path| ending(path).as_deref() == Some("sql") && path.is_file());
    Ok(queries)
}

pub(super) async fn take_queries(
    app: &App,
    organisation: &Organisation,
    inbox: &Inbox,
    folder: &Path,
    paths: Vec<PathBuf>,
) -> anyhow::Result<Vec<Taken>> {
    let today = calendar::local_date(organisation.timezone, app.now());
    let mut queries: Vec<(Option<RowKind>, PathBuf)> =
        paths.into_iter().map(|path| (ingest::kind_of(&path), path)).collect();
    queries.sort();
    let mut taken = Vec::new();
    for (_, path) in queries {
        let outcome = match query(inbox, organisation, &path, folder, today).await {
            Ok(source) => {
                let sources = vec![source];
                match import::files(&app.store, organisation, sources, Actor::System, false, app.now()).await {
                    Ok(reports) => reports.into_iter().next().context("one query gives one report"),
                    Err(broken) => Err(broken.into()),
                }
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &outcome {
            tracing::error!(file = %path.display(), "a query of the inbox failed: {error:#}");
        }
        let ran = Taken { name: name_of(&path), outcome: outcome.map_err(|error| format!("{error:#}")) };
        say_why(folder, &ran)?;
        taken.push(ran);
    }
    Ok(taken)
}

/// Where the reasons of a query's last run are, if it did not go well. The query itself stays where it is.
pub(super) fn reasons_of_query(folder: &Path, name: &str) -> PathBuf {
    folder.join(REJECTED).join(format!("{name}.txt"))
}

fn say_why(folder: &Path, ran: &Taken) -> anyhow::Result<()> {
    let beside = reasons_of_query(folder, &ran.name);
    let cannot = || format!("{} can't be written", beside.display());
    match ran.reasons() {
        Some(reasons) => {
            writable(&folder.join(REJECTED))?;
            fs::write(&beside, reasons).with_context(cannot)
        }
        None if beside.exists() => fs::remove_file(&beside).with_context(cannot),
        None => Ok(()),
    }
}

async fn query(
    inbox: &Inbox,
    organisation: &Organisation,
    path: &Path,
    folder: &Path,
    today: NaiveDate,
) -> anyhow::Result<Source> {
    let name = name_of(path);
    let sql = read_query(path).with_context(|| format!("{name} can't be read"))?;
    let variable = named_warehouse(&sql).with_context(|| {
        format!("{name}: its first line names no warehouse; expected for example -- from: WAREHOUSE_URL")
    })?;
    let address = address(&inbox.warehouses, variable).with_context(|| name.clone())?;
    let rejected = folder.join(REJECTED);
    writable(&rejected)?;
    let rejected_to = Some(free(&rejected, &name_of(&ingest::beside(path)), today));
    let input = result_of(address, &sql, path, None, organisation).await?;
    Ok(Source { rejected_to, ..Source::from(input) })
}

/// The rows of a query as an input. The kind is the first word of its file's name, unless it is given.
///
/// # Errors
/// One sentence, without the address.
pub async fn result_of(
    address: &SecretString,
    sql: &str,
    path: &Path,
    kind: Option<RowKind>,
    organisation: &Organisation,
) -> anyhow::Result<Input> {
    let name = name_of(path);
    let kind = kind.or_else(|| ingest::kind_of(path)).with_context(|| {
        format!("{name}: its name says no kind of rows; call it for example signals.sql, or name the kind with --kind")
    })?;
    let query = Warehouse::at(address)?.prepare(sql, &name, organisation.timezone).await?;
    let reader = Box::new(query.run());
    Ok(Input { name: format!("rows of {name}"), kind, format: Format::Csv, reader })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_query_names_its_warehouse() {
        assert_eq!(named_warehouse("-- from: WAREHOUSE_URL\nSELECT 1"), Some("WAREHOUSE_URL"));
        assert_eq!(named_warehouse("\n--from:  A \nSELECT 1"), Some("A"));
        for none in ["", "SELECT 1", "-- from:\nSELECT 1", "-- of the CRM\n-- from: A\nSELECT 1"] {
            assert_eq!(named_warehouse(none), None, "{none:?}");
        }
    }
}

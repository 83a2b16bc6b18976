//! What a file's name says about it: its kind of rows and its format.

use std::path::Path;

use super::Refused;
use super::columns::meant;
use crate::domain::row::RowKind;

/// How rows are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// With a header; the separator is a comma, or what the header shows.
    Csv,
    /// One object a line, or one array of objects.
    Json,
    /// JSON if it begins with `{` or `[`, else CSV.
    Guess,
    /// iCalendar, for holidays.
    Calendar,
}

/// A file as its name introduces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// As reports name it.
    pub name: String,
    pub kind: RowKind,
    pub format: Format,
}

/// Reads kind and format off a path such as `signals.ndjson.gz`. The kind is the stem, or the first word
/// of it where several files hold rows of one kind: `signals-support.csv`, `signals.rejected.csv`. `kind`
/// overrides it; the path `-` (standard input) needs it.
///
/// # Errors
/// One sentence for a stem that is no kind, or an ending that is no format.
pub fn recognise(path: &Path, kind: Option<RowKind>) -> Result<Named, Refused> {
    if path == Path::new("-") {
        let name = "standard input".to_owned();
        return match kind {
            Some(kind) => Ok(Named { name, kind, format: Format::Guess }),
            None => Err(Refused::whole(&name, "its kind is not known; name it with --kind")),
        };
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let lower = name.to_lowercase();
    let plain = lower.strip_suffix(".gz").unwrap_or(&lower);
    let (stem, ending) = plain.rsplit_once('.').unwrap_or((plain, ""));
    let format = match ending {
        "csv" | "tsv" => Format::Csv,
        "ndjson" | "jsonl" | "json" => Format::Json,
        "ics" => Format::Calendar,
        _ if kind.is_some() => Format::Guess,
        _ => {
            let reason = "its ending says no format; expected .csv or .ndjson, with .gz behind if compressed";
            return Err(Refused::whole(&name, reason));
        }
    };
    let kind = match kind {
        Some(kind) => kind,
        None => first_word(stem).parse().or_else(|_| stem.parse()).map_err(|expected: String| {
            Refused::whole(
                &name,
                match meant(stem, RowKind::ALL.into_iter().map(RowKind::as_str)) {
                    Some(near) => {
                        format!(
                            "\"{stem}\" is no kind of rows; did you mean {near}? Rename it, or import it with --kind"
                        )
                    }
                    None => format!("{expected}; rename it, or import it with --kind"),
                },
            )
        })?,
    };
    Ok(Named { name, kind, format })
}

/// The kind that the first word of a file's name says, whatever its ending.
pub fn kind_of(path: &Path) -> Option<RowKind> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    first_word(&name).parse().ok()
}

fn first_word(stem: &str) -> &str {
    stem.split(['.', '-', '_', ' ']).next().unwrap_or(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_kind_and_format() {
        let of = |path: &str| recognise(Path::new(path), None).map(|named| (named.kind, named.format));
        assert_eq!(of("in/people.csv"), Ok((RowKind::People, Format::Csv)));
        assert_eq!(of("/a/Signals.NDJSON.gz"), Ok((RowKind::Signals, Format::Json)));
        assert_eq!(of("signals.rejected.csv"), Ok((RowKind::Signals, Format::Csv)));
        assert_eq!(of("signals-support_2026.ndjson"), Ok((RowKind::Signals, Format::Json)));
        let say = |path: &str| recognise(Path::new(path), None).unwrap_err().to_string();
        insta::assert_snapshot!(
            ["acounts.csv", "export.csv", "people.xlsx", "-", "people"].map(say).join("\n"),
            @r#"
        acounts.csv: "acounts" is no kind of rows; did you mean accounts? Rename it, or import it with --kind
        export.csv: "export" is no kind of rows; expected people, accounts, contacts, signals, outcomes, quotas or holidays; rename it, or import it with --kind
        people.xlsx: its ending says no format; expected .csv or .ndjson, with .gz behind if compressed
        standard input: its kind is not known; name it with --kind
        people: its ending says no format; expected .csv or .ndjson, with .gz behind if compressed
        "#
        );
        let named = recognise(Path::new("dump-7"), Some(RowKind::Quotas)).unwrap();
        assert_eq!((named.kind, named.format), (RowKind::Quotas, Format::Guess));
    }
}

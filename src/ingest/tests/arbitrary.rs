//! Whatever the bytes: no panic, every row counted once, good rows kept.

use proptest::prelude::*;

use super::super::{columns, values};
use super::{Format, RowKind, SIGNALS, context, day, gz, lines, read_all, read_text};

/// Text that is nearly a file: its pieces come from real ones.
fn nearly_a_file() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "account_id",
        "email",
        "name",
        "roles",
        "source",
        "kind",
        "observed_on",
        "value",
        "date",
        ",",
        ",",
        ",",
        ";",
        "\t",
        "\n",
        "\n",
        "\r\n",
        "\"",
        "\"",
        "\\N",
        "\0",
        "2026-11-20",
        "2026-02-30",
        "usage",
        "csm",
        "a@b.c",
        "active_users",
        "{",
        "}",
        "[",
        "]",
        ":",
        "null",
        "-1",
        "1e9",
        "é",
        "\u{feff}",
        " ",
    ]);
    prop::collection::vec(pieces, 0..120).prop_map(|pieces| pieces.concat().into_bytes())
}

fn tally(kind: RowKind, bytes: &[u8], format: Format) -> Result<(), TestCaseError> {
    let Ok((batches, summary)) = read_all(bytes, "some", kind, format, &context()) else { return Ok(()) };
    let accepted = lines(&batches).len() as u64;
    let rejected: u64 = batches.iter().map(|batch| batch.rejected.len() as u64).sum();
    prop_assert_eq!((accepted, rejected), (summary.accepted, summary.rejected));
    prop_assert_eq!(accepted + rejected, summary.rows);
    let mut at = 0;
    for line in lines(&batches) {
        prop_assert!(line > at, "line {} after {}", line, at);
        at = line;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_panic_and_every_row_is_counted(
        noise in prop::collection::vec(any::<u8>(), 0..400),
        pieces in nearly_a_file(),
        at in 0..RowKind::ALL.len(),
        cut_at in 0.0..1.0,
    ) {
        let kind = RowKind::ALL[at];
        let header: Vec<&str> = columns::schema(kind).columns.iter().map(|column| column.name).collect();
        let headed = [header.join(",").as_bytes(), b"\n", &pieces].concat();
        let mut packed = gz(&headed);
        packed.truncate((packed.len() as f64 * cut_at) as usize);
        for bytes in [&noise, &pieces, &headed, &packed] {
            for format in [Format::Csv, Format::Json, Format::Guess] {
                tally(kind, bytes, format)?;
            }
        }
    }

    #[test]
    fn good_rows_among_bad_ones_all_arrive(good in prop::collection::vec(any::<bool>(), 1..60), crlf in any::<bool>()) {
        let end = if crlf { "\r\n" } else { "\n" };
        let mut text = SIGNALS.trim_end().to_owned() + end;
        for (n, good) in good.iter().enumerate() {
            let value = if *good { n.to_string() } else { "NaN".to_owned() };
            text += &format!("a,usage,active_users,2026-11-20,{value},\"r,{n}\"{end}");
        }
        let (batches, summary) = read_text(RowKind::Signals, &text);
        let wanted: Vec<u64> = good.iter().zip(2..).filter(|(good, _)| **good).map(|(_, line)| line).collect();
        prop_assert_eq!(lines(&batches), wanted);
        prop_assert_eq!(summary.rejected as usize, good.iter().filter(|good| !**good).count());
    }

    #[test]
    fn dates_are_read_as_the_calendar_writes_them(days in 0..80_000_i64) {
        let day = day("1970-01-01") + chrono::TimeDelta::days(days);
        prop_assert_eq!(values::date(&day.to_string()), Ok(day));
    }
}

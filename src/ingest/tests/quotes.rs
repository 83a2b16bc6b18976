//! Quotes that stand where RFC 4180 has none: no value changes and no row is swallowed without a word.

use super::*;

/// Gives a byte at a time, so that every place is the end of some piece.
struct Dripping<'a>(&'a [u8]);

impl std::io::Read for Dripping<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.0.len().min(buf.len()).min(1);
        self.0.read(&mut buf[..n])
    }
}

/// Names that were taken, and the lines of rows that were not.
fn told(text: &str) -> (Vec<String>, Vec<u64>) {
    let (mut names, mut rejected) = (Vec::new(), Vec::new());
    let dripping = Dripping(text.as_bytes());
    let summary = read(dripping, "accounts.csv", RowKind::Accounts, Format::Csv, &context(), &mut |batch| {
        names.extend(accounts(&batch.rows).unwrap().iter().map(|row| row.name.clone()));
        rejected.extend(batch.rejected.iter().map(|one| one.line));
        ControlFlow::Continue(())
    });
    assert_eq!(summary.unwrap().broken_off_after, None);
    (names, rejected)
}

#[test]
fn a_row_with_text_behind_a_closing_quote_is_rejected() {
    let text = "account_id,name,seats\n\
        a,\"Acme\" Inc,1\n\
        b,Bolt,\"5\"6\n\
        c,\"C \\\"D\\\" E\",1\n\
        d,\"Dune\n\
        e,Elm,2\n\
        f,\"Fir\",3\n\
        g,\"\"Gem\"\",4\n\
        h,\"Hill \"\"H\"\" Inc\",5\n\
        i,17\" screens,6\n\
        j,\"Jay\"  ,7\n\
        k,\"Kit\" \"K\",8\n\
        l, \"Lot\",9\n\
        m,\"Mill\",10\n";
    let (batches, summary) = read_text(RowKind::Accounts, text);
    let names: Vec<&str> = accounts(&batches[0].rows).unwrap().iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["Hill \"H\" Inc", "17\" screens", "Jay", "\"Lot\"", "Mill"]);
    assert_eq!((summary.accepted, summary.rejected), (5, 6));
    insta::assert_snapshot!(complaints(RowKind::Accounts, text), @"
    accounts.csv, line 2: text stands behind a closing quote; a quote inside a cell is written twice
    accounts.csv, line 3: text stands behind a closing quote; a quote inside a cell is written twice
    accounts.csv, line 4: text stands behind a closing quote; a quote inside a cell is written twice
    accounts.csv, line 5: text stands behind a closing quote; a quote inside a cell is written twice; it runs over 3 lines: is a quote missing?
    accounts.csv, line 8: text stands behind a closing quote; a quote inside a cell is written twice
    accounts.csv, line 12: text stands behind a closing quote; a quote inside a cell is written twice
    ");
    let (names, rejected) = told(text);
    assert_eq!((names.len(), rejected), (5, vec![2, 3, 4, 5, 8, 12]));
}

/// In the cells of a row that was set aside, nothing is left of the quote: the reason alone keeps it from being taken.
#[test]
fn a_row_with_a_stray_quote_stays_set_aside_until_its_reason_is_emptied() {
    let (batches, _) = read_text(RowKind::Accounts, "account_id,name,seats\na,\"Acme\" Inc,1\nb,\"Bolt\nc,\"Cord,1\n");
    let aside = |batches: &[Batch], reason: Option<&str>| {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        writer.write_record(["account_id", "name", "seats", "reason"]).unwrap();
        for rejected in &batches[0].rejected {
            let cells = rejected.cells.as_ref().unwrap().iter().map(String::as_str);
            writer.write_record(cells.chain([reason.unwrap_or(&rejected.reason)])).unwrap();
        }
        writer.into_inner().unwrap()
    };
    let (mut again, mut text) = (batches, Vec::new());
    for _ in 0..2 {
        text = aside(&again, None);
        again = read_text(RowKind::Accounts, &text).0;
        assert_eq!((lines(&again).len(), again[0].rejected.len()), (0, 2));
    }
    insta::assert_snapshot!(complaints(RowKind::Accounts, &text), @"
    accounts.csv, line 2: text stands behind a closing quote; a quote inside a cell is written twice; once the row is mended, empty this reason
    accounts.csv, line 3: text stands behind a closing quote; a quote inside a cell is written twice; it runs over 2 lines: is a quote missing?; once the row is mended, empty this reason
    ");
    let (batches, _) = read_text(RowKind::Accounts, aside(&again, Some("")));
    assert_eq!(accounts(&batches[0].rows).unwrap()[0].name, "Acme Inc");
}

#[test]
fn quotes_are_looked_at_whatever_parts_cells_and_lines() {
    for (separator, end) in [(";", "\r\n"), ("\t", "\r"), ("|", "\n")] {
        let row = |id: &str, name: &str| [id, name, "1"].join(separator) + end;
        let text = [
            ["account_id", "name", "seats"].join(separator) + end,
            row("a", "\"Acme, Inc\""),
            row("b", &format!("\"Bolt{separator}Nut\"")),
            row("c", "\"Cord\"x"),
            row("d", "\"Dune\""),
        ]
        .concat();
        let bolt = format!("Bolt{separator}Nut");
        let taken = match separator {
            // A name stands on one line and holds no tab.
            "\t" => vec!["Acme, Inc", "Dune"],
            _ => vec!["Acme, Inc", &bolt, "Dune"],
        };
        let (names, rejected) = told(&text);
        assert_eq!(names, taken, "{separator:?}");
        assert!(rejected.contains(&4), "{separator:?}");
    }
    assert_eq!(
        refusal(RowKind::Accounts, "account_id,\"na\"me\na,Acme\n"),
        "accounts.csv, line 1: text stands behind a closing quote; a quote inside a cell is written twice"
    );
}

#[test]
fn a_line_break_within_a_cell_is_a_hint_only_where_it_is_wrong() {
    let text = "account_id,name,seats,goals\n\
        a,Acme,1,\"more\nspeed\"\n\
        b,\"Bolt\nNut\",1,\n\
        c,Cord,many,\"less\nnoise\"\n";
    assert_eq!(lines(&read_text(RowKind::Accounts, text).0), [2]);
    insta::assert_snapshot!(complaints(RowKind::Accounts, text), @r#"
    accounts.csv, line 4, name: holds a line break; expected text on one line; it runs over 2 lines: is a quote missing?
    accounts.csv, line 6, seats: "many" is no whole number; expected a whole number of 0 or more
    "#);
    let json = "{\"account_id\":\"a\",\"name\":\"Bolt\\nNut\"}\n";
    assert!(complaints(RowKind::Accounts, json).ends_with("expected text on one line"));
}

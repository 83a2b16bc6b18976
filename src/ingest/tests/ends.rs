//! How files end, and what is no row: blank lines, characters cut in two, archives that were damaged.

use std::io::Seek as _;

use super::*;

#[test]
fn blank_lines_at_the_end_are_no_rows() {
    for end in ["\n", "\r\n", "\r"] {
        for blank in 0..4 {
            let tail = end.repeat(blank);
            let text = format!("account_id,name{end}a,Acme{end}{tail}");
            let (batches, summary) = read_text(RowKind::Accounts, &text);
            assert_eq!((lines(&batches), summary.rejected, summary.broken_off_after), (vec![2], 0, None), "{text:?}");
            assert_eq!(summary.notes, Vec::<String>::new(), "{text:?}");

            let header = format!("account_id,name{end}{tail}");
            let (_, summary) = read_text(RowKind::Accounts, &header);
            assert_eq!((summary.rows, summary.broken_off_after), (0, None), "{header:?}");
            assert_eq!(summary.notes, ["There is a header and no row below it."], "{header:?}");

            let empty = "accounts.csv: empty; expected a header that names the columns";
            assert_eq!(refusal(RowKind::Accounts, &tail), empty, "{tail:?}");
        }
    }
    // Blanks in the last line are no row that was cut off, and what looks like the reader's own mark is one.
    let blank = read_text(RowKind::Accounts, "account_id,name\na,Acme\n  ").1;
    assert_eq!((blank.accepted, blank.rejected), (1, 0));
    let marked = read_text(RowKind::Accounts, "account_id,name\na,Acme\n\0end of file\0\nb,Bolt\n\0end of file\0").1;
    assert_eq!((marked.accepted, marked.rejected), (2, 2));
    assert_eq!(
        refusal(RowKind::Accounts, "\u{feff}\n"),
        "accounts.csv: empty; expected a header that names the columns"
    );
}

#[test]
fn json_without_a_row_is_refused_once() {
    let refused = |text: &[u8]| {
        read_all(text, "accounts.ndjson", RowKind::Accounts, Format::Json, &context()).unwrap_err().to_string()
    };
    let all = [
        refused(b""),
        refused(b"\xef\xbb\xbf\r\n\r\n"),
        refused(&gz(b"")),
        refused(b"account_id;name\na;Acme\n"),
        refused(b"{\n  \"account_id\": \"a\",\n  \"name\": \"Acme\"\n}\n"),
        refused(b"{\"account_id\": \"a\",\n \"name\": \"Acme\"}\n"),
    ]
    .join("\n");
    insta::assert_snapshot!(all, @"
    accounts.ndjson: empty; expected one JSON object a line
    accounts.ndjson: empty; expected one JSON object a line
    accounts.ndjson: empty; expected one JSON object a line
    accounts.ndjson: this looks like CSV; expected JSON
    accounts.ndjson: an object runs over several lines; expected one object a line, or a list of them in brackets
    accounts.ndjson: an object runs over several lines; expected one object a line, or a list of them in brackets
    ");
}

#[test]
fn a_file_that_ends_within_a_character_breaks_off() {
    let whole = "account_id,name\na,M\u{fc}ller\nb,Zo\u{eb}".as_bytes();
    let cut = &whole[..whole.len() - 1];
    let (batches, summary) = read_text(RowKind::Accounts, cut);
    assert_eq!((lines(&batches), summary.broken_off_after), (vec![2], Some(2)));
    assert_eq!(
        complaints(RowKind::Accounts, cut),
        "accounts.csv, line 3: the file breaks off in this row: its last character is not whole, and no line end after"
    );
    let whole = "{\"account_id\":\"a\",\"name\":\"A\"}\n{\"account_id\":\"b\",\"name\":\"Zo\u{eb}".as_bytes();
    let cut = &whole[..whole.len() - 1];
    assert_eq!(read_text(RowKind::Accounts, cut).1.broken_off_after, Some(1));
    assert_eq!(
        complaints(RowKind::Accounts, cut),
        "accounts.csv, line 2: the file breaks off in this row: its last character is not whole"
    );
}

#[test]
fn damaged_utf_8_is_not_taken_for_another_encoding() {
    let text = [&b"account_id,name,plan\na,M\xc3\xbcller,\xc3pro\nb,M\xfcller,\nc,Zo\xc3\xab \xc3,\n"[..]].concat();
    let (batches, _) = read_text(RowKind::Accounts, &text);
    insta::assert_snapshot!(complaints(RowKind::Accounts, &text), @r#"
    accounts.csv, line 2, plan: damaged: it reads "�pro", where � stands for bytes that are no UTF-8; export it again
    accounts.csv, line 3, name: not in UTF-8; in Windows-1252 it reads "Müller": save the file as UTF-8, or run iconv -f WINDOWS-1252 -t UTF-8
    accounts.csv, line 4, name: damaged: it reads "Zoë �", where � stands for bytes that are no UTF-8; export it again
    "#);
    // What is gone can't be mended in a cell; what is guessed can.
    let aside: Vec<bool> = batches[0].rejected.iter().map(|rejected| rejected.cells.is_some()).collect();
    assert_eq!(aside, [false, true, false]);
}

/// An archive of stored blocks, so that a changed byte is a changed value and nothing else.
fn stored(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_damaged_archive_gives_nothing_and_a_cut_one_what_is_left() {
    let good = stored(b"account_id,name\na,Acme\nb,Bolt\n");
    let mut wrong = good.clone();
    let at = wrong.windows(4).position(|bytes| bytes == b"Acme").unwrap();
    wrong[at] = b'E';
    let read_file = |bytes: &[u8]| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        let mut names = Vec::new();
        let read =
            read(Sound::from(file), "accounts.csv.gz", RowKind::Accounts, Format::Csv, &context(), &mut |batch| {
                names.extend(accounts(&batch.rows).unwrap().iter().map(|row| row.name.clone()));
                ControlFlow::Continue(())
            });
        (names, read.map(|summary| summary.broken_off_after).map_err(|refused| refused.to_string()))
    };
    assert_eq!(read_file(&good), (vec!["Acme".to_owned(), "Bolt".to_owned()], Ok(None)));
    insta::assert_snapshot!(
        read_file(&wrong).1.unwrap_err(),
        @"accounts.csv.gz: the archive is damaged (corrupt gzip stream does not have a matching checksum), so nothing of it was taken; fetch it again"
    );
    assert_eq!(read_file(&wrong).0, Vec::<String>::new());
    let cut = &good[..good.len() - 12];
    assert_eq!(read_file(cut), (vec!["Acme".to_owned()], Ok(Some(2))));
    // Bytes behind a whole archive spoil nothing before them.
    let (names, read) = read_file(&[&good[..], b"padding"].concat());
    assert_eq!((names.len(), read), (2, Ok(Some(3))));

    // What comes only once is read as it comes, and says at its end that it was wrong from somewhere on.
    let said = complaints(RowKind::Accounts, &wrong);
    assert!(said.contains("the archive is damaged (") && said.contains("rows before this may be wrong"), "{said}");
}

#[test]
fn what_cannot_be_seen_is_in_no_id_and_in_no_report() {
    let text = "account_id,name,csm_email\n\
        A-1\u{200b},Acme,\n\
        B-1,Bolt,dana\u{feff}@x.eu\n\
        C\u{202e}-1,Cord,\n\
        D-1,Du\u{ad}ne,\n";
    let (batches, _) = read_text(RowKind::Accounts, text);
    assert_eq!(only(&batches, accounts).name, "Du\u{ad}ne", "a name is not compared");
    insta::assert_snapshot!(complaints(RowKind::Accounts, text), @"
    accounts.csv, line 2, account_id: holds the invisible character U+200B; delete it, or type the cell anew
    accounts.csv, line 3, csm_email: holds the invisible character U+FEFF; delete it, or type the cell anew
    accounts.csv, line 4, account_id: holds the invisible character U+202E; delete it, or type the cell anew
    ");
    let said = complaints(RowKind::People, "email,name,roles\na@b.c,A,c\u{200b}sm\n");
    assert!(said.contains(r#""c\u{200b}sm" is no role"#), "{said}");
}

#[test]
fn a_header_that_comes_again_is_no_customer() {
    let text = "account_id,name\na,Acme\n\u{feff}account_id,name\nb,Bolt\n\"account_id\",name\n";
    assert_eq!(lines(&read_text(RowKind::Accounts, text).0), [2, 4]);
    insta::assert_snapshot!(complaints(RowKind::Accounts, text), @"
    accounts.csv, line 3: the header stands here again; delete this line
    accounts.csv, line 5: the header stands here again; delete this line
    ");
}

/// A row that JSON could not say in cells fails again where it was set aside, or is not set aside.
#[test]
fn what_json_says_beyond_cells_is_not_lost() {
    let rows = [
        r#"{"account_id":"a","name":"A","arr":{"amount":5}}"#,
        r#"{"account_id":"b","name":"B","seats":[10]}"#,
        r#"{"account_id":"c","name":"C","domains":["c.example",{"d":1}]}"#,
        r#"{"account_id":"d","name":"D","arr_usd":96000}"#,
        r#"{"account_id":"e","account_id":"ee","name":"E"}"#,
        r#"{"account_id":"f","name":{"first":"F"}}"#,
        r#"["g","G"]"#,
    ];
    let (batches, _) = read_text(RowKind::Accounts, rows.join("\n"));
    let rejected = &batches[0].rejected;
    let told: Vec<(u64, Option<&str>)> = rejected.iter().map(|one| (one.line, one.value.as_deref())).collect();
    assert_eq!(
        told,
        [
            (1, Some(r#"{"amount":5}"#)),
            (2, Some("[10]")),
            (3, Some(r#"["c.example",{"d":1}]"#)),
            (4, Some("96000")),
            (5, Some("\"ee\"")),
            (6, Some(r#"{"first":"F"}"#)),
            (7, Some(r#"["g","G"]"#)),
        ]
    );
    let mut aside = csv::Writer::from_writer(Vec::new());
    aside.write_record(&batches[0].columns[..]).unwrap();
    rejected.iter().filter_map(|one| one.cells.as_ref()).for_each(|cells| aside.write_record(cells).unwrap());
    let (_, again) = read_text(RowKind::Accounts, aside.into_inner().unwrap());
    assert_eq!((again.accepted, again.rejected), (0, 3));
}

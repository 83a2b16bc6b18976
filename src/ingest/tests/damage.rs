//! Damage that must cost no more than what is damaged.

use super::*;

#[test]
fn a_bad_element_costs_a_list_no_other() {
    let good = |id: &str| {
        format!(r#"{{"account_id":"{id}","source":"usage","kind":"sessions","observed_on":"2026-11-20","value":5}}"#)
    };
    let bad: [&[u8]; 9] = [
        br#"{"account_id":"b","value":1e999}"#,
        br#"{"account_id":"\ud83d"}"#,
        b"{\"account_id\":\"M\xfcller\"}",
        br#"{"account_id":"b","value":NaN}"#,
        br#"{"account_id":"b",}"#,
        br#"{"account_id":"b"}}"#,
        b"{\"account_id\":\n\"b\",\n]",
        br#"{"account_id":"a, ] \" [ b","value":}"#,
        b"",
    ];
    let mut text = b"[\n".to_vec();
    for bytes in bad {
        text.extend_from_slice(good("a").as_bytes());
        text.push(b',');
        text.extend_from_slice(bytes);
        text.push(b',');
    }
    text.extend_from_slice(good("c").as_bytes());
    text.extend_from_slice(b"]\n");
    let (batches, summary) = read_text(RowKind::Signals, &text);
    assert_eq!((summary.accepted, summary.rejected, summary.broken_off_after), (10, 9, None));
    assert_eq!(lines(&batches).last(), Some(&19));
    insta::assert_snapshot!(complaints(RowKind::Signals, &text), @r#"
    signals.csv, element 2, source: source is empty; it is required
    signals.csv, element 4: no JSON object: unexpected end of hex escape at character 23
    signals.csv, element 6: not in UTF-8; in Windows-1252 it reads "{"account_id":"Müller"}": save the file as UTF-8, or run iconv -f WINDOWS-1252 -t UTF-8
    signals.csv, element 8: no JSON object: expected value at character 27
    signals.csv, element 10: no JSON object: trailing comma at character 19
    signals.csv, element 12: no JSON object: trailing characters at character 19
    signals.csv, element 14: no JSON object: key must be a string at character 1 of its line 3
    signals.csv, element 16: no JSON object: expected value at character 37
    signals.csv, element 18: no JSON object: EOF while parsing a value at character 0
    "#);

    // What is whole is taken, also where the list's end is missing or something stands behind it.
    for (tail, said) in [
        ("", "element 2: the list breaks off after element 1: its closing bracket is missing"),
        (",", "element 2: the list breaks off after element 1: its closing bracket is missing"),
        ("] x", "element 2: something stands behind the list, and was not read"),
    ] {
        let (batches, summary) = read_text(RowKind::Signals, format!("[{}{tail}", good("a")));
        assert_eq!((summary.accepted, summary.rejected, summary.broken_off_after), (1, 1, Some(1)), "{tail:?}");
        assert!(batches[0].rejected[0].to_string().ends_with(said), "{:?}", batches[0].rejected);
    }
}

#[test]
fn a_rejected_element_has_its_number_and_its_line() {
    let text = "[\n {\"account_id\":\"a\",\n  \"name\":\"A\"}, 5,\n\n  {\"account_id\":\"a\",\"name\":\"B\"}";
    let (batches, _) = read_text(RowKind::Accounts, text);
    assert_eq!(batches[0].places, [Place { line: 2, element: Some(1) }]);
    let places: Vec<_> = batches[0].rejected.iter().map(|one| (one.line, one.element)).collect();
    assert_eq!(places, [(3, Some(2)), (5, Some(3)), (5, Some(4))]);
    insta::assert_snapshot!(complaints(RowKind::Accounts, text), @"
    accounts.csv, element 2: a number; expected an object with the columns as keys
    accounts.csv, element 3, account_id: a is also element 1
    accounts.csv, element 4: the list breaks off after element 3: its closing bracket is missing
    ");
}

#[test]
fn damaged_utf_16_ends_the_file_and_is_not_guessed() {
    let bytes = |units: &[u16]| units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>();
    let text: Vec<u16> = "account_id,name\na,A\nb,M\u{fc}x".encode_utf16().collect();
    let cut = bytes(&text)[..text.len() * 2 - 1].to_vec();
    let mut lone = text.clone();
    lone[text.len() - 2] = 0xd83d;
    for damaged in [cut, bytes(&lone)] {
        let (batches, summary) = read_text(RowKind::Accounts, &damaged);
        assert_eq!((lines(&batches), summary.broken_off_after), (vec![2], Some(2)));
        let said = complaints(RowKind::Accounts, &damaged);
        assert_eq!(said, "accounts.csv, line 3: the file breaks off after line 2: what follows is no text in UTF-16LE");
    }
}

#[test]
fn long_rejected_rows_are_neither_held_together_nor_kept() {
    let row = |length: usize| format!("a,A,{}\n", "x".repeat(length));
    let long = format!("account_id,name,goals\n{}", row(1 << 20).repeat(20));
    let (batches, summary) = read_text(RowKind::Accounts, long);
    assert_eq!(summary.rejected, 20);
    assert!(batches.iter().flat_map(|batch| &batch.rejected).all(|rejected| rejected.cells.is_none()));
    // Too long for its column, and short enough to be mended.
    let some = format!("account_id,name,goals\n{}", row(20_000).repeat(1_000));
    let (batches, _) = read_text(RowKind::Accounts, some);
    let held = batches.iter().map(|batch| {
        batch.rejected.iter().flat_map(|one| one.cells.clone().unwrap()).map(|cell| cell.len()).sum::<usize>()
    });
    assert!(batches.len() >= 2 && held.max() <= Some(BATCH_BYTES + MENDED_BYTES), "{} batches", batches.len());
}

#[test]
fn what_is_said_steers_no_terminal() {
    let said = complaints(RowKind::Accounts, "account_id,name,seats\na,A,\u{1b}[2Jx\nb,B,\"1\n2\u{202e}\"\n");
    insta::assert_snapshot!(said, @r#"
    accounts.csv, line 2, seats: "\u{1b}[2Jx" is no whole number; expected a whole number of 0 or more
    accounts.csv, line 3, seats: "1\n2\u{202e}" is no whole number; expected a whole number of 0 or more; it runs over 2 lines: is a quote missing?
    "#);
    assert_eq!(refusal(RowKind::Accounts, "account_id,name,\u{1b}c\n").matches(char::is_control).count(), 0);
}

#[test]
fn countries_are_those_that_people_live_in() {
    let text = "date,name,country\n2027-02-01,Bank,UK\n2027-02-01,Bank,ZZ\n2027-02-01,Bank,gb\n";
    assert_eq!(
        complaints(RowKind::Holidays, text),
        "holidays.csv, line 2, country: UK is no country of ISO 3166; did you mean GB?\n\
         holidays.csv, line 3, country: \"ZZ\" is no country; expected two letters of ISO 3166 such as DE"
    );
    assert_eq!(read_text(RowKind::Holidays, text).1.accepted, 1);
}

#[test]
fn an_entra_id_has_one_spelling_and_is_no_address() {
    let header = "email,name,roles,teams_user_id\n";
    let row = only(&read_text(RowKind::People, format!("{header}a@x.eu,A,csm,AAAA-0B\n")).0, people);
    assert_eq!(row.teams_user_id, Patch::Set("aaaa-0b".to_owned()));
    assert_eq!(
        complaints(RowKind::People, format!("{header}a@x.eu,A,csm,q3@x.com\n")),
        "people.csv, line 2, teams_user_id: \"q3@x.com\" is an address; expected the user's object id in Entra"
    );
}

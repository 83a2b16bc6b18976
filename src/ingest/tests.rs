use std::io::Write as _;

use chrono::NaiveTime;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::domain::money::Money;
use crate::domain::person::Role;
use crate::domain::row::Patch;
use crate::domain::signal::SignalValue;

mod arbitrary;
mod damage;
mod ends;
mod quotes;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn context() -> Context {
    let levels = ["month-to-month", "one-year"].map(str::to_owned).to_vec();
    Context {
        currency: Currency::USD,
        today: day("2026-11-22"),
        measures: BTreeMap::from([
            ("support_minutes".to_owned(), (Source::Support, CustomShape::Number)),
            ("contract".to_owned(), (Source::Billing, CustomShape::Levels(levels))),
        ]),
    }
}

fn read_text(kind: RowKind, text: impl AsRef<[u8]>) -> (Vec<Batch>, Summary) {
    let name = format!("{}.csv", kind.as_str());
    read_all(text.as_ref(), &name, kind, Format::Guess, &context()).unwrap_or_else(|refused| panic!("{refused}"))
}

/// Everything that was said about the rows, one sentence a line.
fn complaints(kind: RowKind, text: impl AsRef<[u8]>) -> String {
    let (batches, _) = read_text(kind, text);
    let all: Vec<String> = batches.iter().flat_map(|batch| &batch.rejected).map(Rejected::to_string).collect();
    all.join("\n")
}

fn refusal(kind: RowKind, text: impl AsRef<[u8]>) -> String {
    let name = format!("{}.csv", kind.as_str());
    read_all(text.as_ref(), &name, kind, Format::Guess, &context()).unwrap_err().to_string()
}

/// Of a list, its elements.
fn lines(batches: &[Batch]) -> Vec<u64> {
    batches.iter().flat_map(|batch| batch.places.iter().map(|place| place.number())).collect()
}

fn only<T: Clone>(batches: &[Batch], pick: impl Fn(&Rows) -> Option<&Vec<T>>) -> T {
    let rows: Vec<T> = batches.iter().flat_map(|batch| pick(&batch.rows).cloned().unwrap_or_default()).collect();
    assert_eq!(rows.len(), 1, "{} rows", rows.len());
    rows[0].clone()
}

fn people(rows: &Rows) -> Option<&Vec<PersonRow>> {
    if let Rows::People(rows) = rows { Some(rows) } else { None }
}

fn accounts(rows: &Rows) -> Option<&Vec<AccountRow>> {
    if let Rows::Accounts(rows) = rows { Some(rows) } else { None }
}

fn signals(rows: &Rows) -> Option<&Vec<SignalRow>> {
    if let Rows::Signals(rows) = rows { Some(rows) } else { None }
}

fn gz(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

const SIGNALS: &str = "account_id,source,kind,observed_on,value,reference\n";

#[test]
fn a_person_in_csv_and_in_json_is_the_same_row() {
    let csv = "\u{feff}email,name,roles,timezone,digest_time,workdays,manager_email,pool\r\n\
               \" Dana@Example.com \",Dana Reyes,csm;lead;csm,Europe/Berlin,07:30,sun-thu,,\\N\r\n";
    let json = r#"{"email":"dana@example.com","name":"Dana Reyes","roles":["lead","csm"],"timezone":"Europe/Berlin",
                  "digest_time":"07:30","workdays":["sun-thu"],"manager_email":null,"pool":"\\N"}"#
        .replace('\n', " ");
    let row = only(&read_text(RowKind::People, csv).0, people);
    assert_eq!(row, only(&read_text(RowKind::People, json).0, people));
    assert_eq!(row.email, "dana@example.com");
    assert_eq!(row.roles, [Role::Csm, Role::Lead]);
    assert_eq!(row.digest_time, Patch::Set(NaiveTime::from_hms_opt(7, 30, 0).unwrap()));
    assert_eq!((row.manager_email, row.pool, row.delegate_email), (Patch::Keep, Patch::Clear, Patch::Keep));
}

#[test]
fn an_account_keeps_its_money_in_minor_units_of_its_currency() {
    let text = "account_id,name,arr,currency,seats,domains,goals,auto_renew,start_date\n\
                a-1,\"Acme, Inc\",120000.50,eur,40.0,Acme.example; acme.test,\"Fewer \"\"tickets\"\"\nMore speed\",TRUE,2024-02-29T09:30:00+01:00\n";
    let row = only(&read_text(RowKind::Accounts, text).0, accounts);
    assert_eq!(row.name, "Acme, Inc");
    assert_eq!(row.arr, Patch::Set(Money::new(12_000_050, Currency::EUR)));
    assert_eq!(row.seats, Patch::Set(40));
    assert_eq!(row.domains, Patch::Set(vec!["acme.example".to_owned(), "acme.test".to_owned()]));
    assert_eq!(row.goals, Patch::Set("Fewer \"tickets\"\nMore speed".to_owned()));
    assert_eq!(row.auto_renew, Patch::Set(true));
    assert_eq!(row.start_date, Patch::Set(day("2024-02-29")));
}

#[test]
fn json_values_become_the_cells_that_csv_would_have() {
    let text = concat!(
        r#"{"account_id":"a","source":"usage","kind":"active_users","observed_on":"2026-11-20","value":12.5}"#,
        "\n\n",
        r#"{"account_id":"a","source":"crm","kind":"notice_served","observed_on":"2026-11-20","value":true,"reference":null}"#,
        "\n",
        r#"{"account_id":7,"source":"usage","kind":"api_calls","observed_on":"2026-11-20","value":1e5}"#,
    );
    let (batches, summary) = read_text(RowKind::Signals, text);
    assert_eq!(lines(&batches), [1, 3, 4]);
    let rows = signals(&batches[0].rows).unwrap();
    assert_eq!(rows[0].value, SignalValue::Number(12.5));
    assert_eq!((&rows[1].value, rows[1].reference.as_str()), (&SignalValue::Bool(true), ""));
    assert_eq!((&rows[2].value, rows[2].account_id.0.as_str()), (&SignalValue::Number(100_000.0), "7"));
    assert_eq!((summary.rows, summary.accepted, summary.broken_off_after), (3, 3, None));

    let list = format!("[{}]", text.trim().replace("\n\n", ",").replace('\n', ","));
    let (listed, _) = read_text(RowKind::Signals, list);
    assert_eq!(listed[0].rows, batches[0].rows);
    assert_eq!(lines(&listed), [1, 2, 3]);
}

#[test]
fn json_numbers_keep_every_digit() {
    let text = concat!(
        r#"{"account_id":184467440737095516170,"name":"A","arr":12345678901234567.89,"seats":4e1,"pool":7.0}"#,
        "\n",
        r#"{"account_id":-7,"name":1.50,"arr":90071992547409.93,"domains":["a.eu",1.10,"b\u002eeu"],"auto_renew":true}"#,
        "\n",
        r#"{"account_id":"b","name":"B","seats":1.5E400}"#,
    );
    let (batches, _) = read_text(RowKind::Accounts, text);
    let rows = accounts(&batches[0].rows).unwrap();
    assert_eq!((rows[0].account_id.0.as_str(), &rows[0].pool), ("184467440737095516170", &Patch::Set("7".to_owned())));
    assert_eq!(rows[0].arr, Patch::Set(Money::new(1_234_567_890_123_456_789, Currency::USD)));
    assert_eq!(rows[0].seats, Patch::Set(40));
    assert_eq!((rows[1].account_id.0.as_str(), rows[1].name.as_str()), ("-7", "1.5"));
    assert_eq!(rows[1].arr, Patch::Set(Money::new(9_007_199_254_740_993, Currency::USD)));
    assert_eq!(rows[1].domains, Patch::Set(["a.eu", "1.1", "b.eu"].map(str::to_owned).to_vec()));
    assert_eq!(rows[1].auto_renew, Patch::Set(true));
    insta::assert_snapshot!(
        complaints(RowKind::Accounts, text),
        @r#"accounts.csv, line 3, seats: "1.5E400" is no whole number; expected a whole number of 0 or more"#
    );
    insta::assert_snapshot!(
        complaints(RowKind::Accounts, r#"{"account_id":true,"name":"A"}"#),
        @"accounts.csv, line 1, account_id: true; expected text, a number or null"
    );
}

#[test]
fn bad_json_rows_do_not_end_the_file() {
    let deep = format!("{{\"email\":{}", "[".repeat(100_000));
    let text = [
        r#"{"email":"a@b.c","name":"A","roles":"csm"}"#,
        r#"{"email":"a@b.c","email":"d@b.c","name":"A","roles":"csm"}"#,
        r#"{"emial":"a@b.c","name":"A","roles":"csm"}"#,
        r#"{"email":{"a":[1]},"name":"A","roles":"csm"}"#,
        r#"[1,2]"#,
        r#"{"email":"#,
        r#"{"email":"x@b.c","name":["A"],"roles":["csm",{}]} "#,
        r#"{"email":"x@b.c","name":"A","roles":"csm"} true"#,
        r#"{"email":"e@b.c","name":"E","roles":"csm"}"#,
        "nonsense",
    ]
    .join("\n");
    let (batches, summary) = read_text(RowKind::People, &text);
    assert_eq!(lines(&batches), [1, 9]);
    assert_eq!((summary.rows, summary.accepted, summary.rejected), (10, 2, 8));
    insta::assert_snapshot!(complaints(RowKind::People, &text), @r#"
    people.csv, line 2: email is given twice
    people.csv, line 3, emial: "emial" is no column of people; the nearest known one is email
    people.csv, line 4, email: an object; expected text, a number or null
    people.csv, line 5: a list; expected an object with the columns as keys
    people.csv, line 6: no JSON object: EOF while parsing a value at character 9
    people.csv, line 7, name: a list; expected text, a number or null
    people.csv, line 8: no JSON object: trailing characters at character 44
    people.csv, line 10: no JSON object: expected ident at character 2
    "#);
    assert!(complaints(RowKind::People, deep + "\n").contains("line 1: no JSON object"));
}

#[test]
fn a_broken_list_keeps_what_came_before() {
    let text =
        r#"[{"email":"a@b.c","name":"A","roles":"csm"}, 5, {"email":"d@b.c","name":"D","roles":"csm"}, {"email":"#;
    let (batches, summary) = read_text(RowKind::People, text);
    assert_eq!(lines(&batches), [1, 3]);
    assert_eq!((summary.rows, summary.rejected, summary.broken_off_after), (4, 2, Some(3)));
    insta::assert_snapshot!(complaints(RowKind::People, text), @r#"
    people.csv, element 2: a number; expected an object with the columns as keys
    people.csv, element 4: the list breaks off after element 3: its closing bracket is missing
    "#);
    assert_eq!(read_text(RowKind::People, "[]").1, Summary::default());
}

#[test]
fn bad_people_are_told_apart() {
    let text = "email,name,roles,timezone,digest_time,workdays,delegate_email,out_of_office_until\n\
        dana.example.com,Dana,csm,,,,,\n\
        a@b.c,,csm,,,,,\n\
        a@b.c,A,cms,,,,,\n\
        a@b.c,A,csm;boss,,,,,\n\
        a@b.c,A,csm,Europe/Berln,,,,\n\
        a@b.c,A,csm,Kolkata,,,,\n\
        a@b.c,A,csm,,8am,,,\n\
        a@b.c,A,csm,,24:00,,,\n\
        a@b.c,A,csm,,,mon-fry,,\n\
        a@b.c,A,csm,,,,A@B.c,\n\
        a@b.c,A,csm,,,,,03/11/2026\n\
        a@b.c,A,csm,,,,,2026-02-30\n\
        \\N,A,csm,,,,,\n\
        a@b.c,A,csm,,,,,\n\
        A@B.C,B,csm,,,,,\n";
    insta::assert_snapshot!(complaints(RowKind::People, text), @r#"
    people.csv, line 2, email: "dana.example.com" is no e-mail address; expected for example dana@example.com
    people.csv, line 3, name: name is empty; it is required
    people.csv, line 4, roles: "cms" is no role; expected csm, account_manager, lead, admin or viewer
    people.csv, line 5, roles: "boss" is no role; expected csm, account_manager, lead, admin or viewer
    people.csv, line 6, timezone: "Europe/Berln" is no IANA time zone; did you mean Europe/Berlin?
    people.csv, line 7, timezone: "Kolkata" is no IANA time zone; did you mean Asia/Kolkata?
    people.csv, line 8, digest_time: "8am" is no time of day; expected HH:MM such as 08:00
    people.csv, line 9, digest_time: "24:00" is no time of day; expected HH:MM such as 08:00
    people.csv, line 10, workdays: "mon-fry" are no working days; expected for example mon-fri, sun-thu or mon;wed;fri
    people.csv, line 11, delegate_email: a@b.c cannot be their own delegate
    people.csv, line 12, out_of_office_until: "03/11/2026" is no date; expected ISO 8601 such as 2026-11-03
    people.csv, line 13, out_of_office_until: "2026-02-30" is no day of the calendar; expected ISO 8601 such as 2026-11-03
    people.csv, line 14, email: email is required and cannot be cleared
    people.csv, line 16, email: a@b.c is also on line 15
    "#);
}

#[test]
fn bad_accounts_are_told_apart() {
    let text = "account_id,name,segment,arr,currency,seats,url,start_date,renewal_date,term_months,notice_period_days,auto_renew,status,domains\n\
        ,A,,,,,,,,,,,,\n\
        a,A,midmarket,,,,,,,,,,,\n\
        a,A,,-5,,,,,,,,,,\n\
        a,A,,NaN,,,,,,,,,,\n\
        a,A,,\"1234,50\",,,,,,,,,,\n\
        a,A,,\"1,234.50\",,,,,,,,,,\n\
        a,A,,12.345,,,,,,,,,,\n\
        a,A,,,dollars,,,,,,,,,\n\
        a,A,,,,-3,,,,,,,,\n\
        a,A,,,,2.5,,,,,,,,\n\
        a,A,,,,,javascript:alert(1),,,,,,,\n\
        a,A,,,,,,2026-05-01,2026-04-30,,,,,\n\
        a,A,,,,,,,,0,,,,\n\
        a,A,,,,,,,,,4000,,,\n\
        a,A,,,,,,,,,,yes,,\n\
        a,A,,,,,,,,,,,gone,\n\
        a,A,,,,,,,,,,,,a@acme.test\n\
        a,A,,,,,,0026-05-01,,,,,,\n\
        a,A\n\
        a,A\0B,,,,,,,,,,,,\n\
        a,A,,,,,,,,,,,,\n\
        a,B,,,,,,,,,,,,\n";
    insta::assert_snapshot!(complaints(RowKind::Accounts, text), @r#"
    accounts.csv, line 2, account_id: account_id is empty; it is required
    accounts.csv, line 3, segment: "midmarket" is no segment; expected smb, mid_market or enterprise; did you mean mid_market?
    accounts.csv, line 4, arr: -5 is negative; expected 0 or more
    accounts.csv, line 5, arr: "NaN" is no amount; expected digits such as 42 or 0.5
    accounts.csv, line 6, arr: "1234,50" is no amount; write decimals with a point and thousands without a mark, such as 1234.50
    accounts.csv, line 7, arr: "1,234.50" is no amount; write thousands without a mark, such as 1234.50
    accounts.csv, line 8, arr: "12.345" has more decimals than USD knows (2)
    accounts.csv, line 9, currency: "dollars" is no currency; expected three letters of ISO 4217 such as USD
    accounts.csv, line 10, seats: -3 is negative; expected a whole number of 0 or more
    accounts.csv, line 11, seats: "2.5" is no whole number; expected a whole number of 0 or more
    accounts.csv, line 12, url: "javascript:alert(1)" is no web address; expected one that begins with https://
    accounts.csv, line 13, renewal_date: renewal_date 2026-04-30 is before start_date 2026-05-01
    accounts.csv, line 14, term_months: 0 is out of range; expected a whole number from 1 to 120
    accounts.csv, line 15, notice_period_days: 4000 is out of range; expected a whole number from 0 to 3650
    accounts.csv, line 16, auto_renew: "yes" is neither true nor false
    accounts.csv, line 17, status: "gone" is no status; expected active or churned
    accounts.csv, line 18, domains: "a@acme.test" is no domain; expected for example acme.example
    accounts.csv, line 19, start_date: "0026-05-01" is in the year 26; expected 1970 to 2199
    accounts.csv, line 20: 2 cells where the header has 14
    accounts.csv, line 21, name: holds a NUL byte; expected text on one line
    accounts.csv, line 23, account_id: a is also on line 22
    "#);
}

#[test]
fn bad_signals_are_told_apart() {
    let rows = "a,usage,actve_users,2026-11-20,5,\n\
        a,usage,csat,2026-11-20,5,\n\
        a,usage,zzz,2026-11-20,5,\n\
        a,telemetry,active_users,2026-11-20,5,\n\
        a,usage,active_users,2026-11-24,5,\n\
        a,usage,active_users,2026-11-23,5,\n\
        a,usage,active_users,2026-11-20,NaN,\n\
        a,usage,active_users,2026-11-20,inf,\n\
        a,usage,active_users,2026-11-20,1e999,\n\
        a,usage,active_users,2026-11-20,-1,\n\
        a,usage,active_users,2026-11-20,,\n\
        a,usage,plan_limit_hit,2026-11-20,1,\n\
        a,support,csat,2026-11-20,140,\n\
        a,sentiment,csm_pulse,2026-11-20,gren,\n\
        a,onboarding,go_live_planned,2026-11-20,soon,\n\
        a,onboarding,go_live_planned,2026-11-20,2027-03-01,\n\
        a,support,support_minutes,2026-11-20,7.5,\n\
        a,usage,support_minutes,2026-11-20,7.5,\n\
        a,billing,contract,2026-11-20,one-year,\n\
        a,billing,contract,2026-11-20,two-year,\n\
        a,usage,active_users,2026-11-20,5,\"x\ny\"\n\
        a,usage,active_users,2026-11-20,5,x,y\n\
        a,usage,active_users,2026-11-20,5,\n\
        a,usage,active_users,2026-11-20,6,\n";
    let text = format!("{SIGNALS}{rows}");
    assert_eq!(lines(&read_text(RowKind::Signals, &text).0), [7, 17, 18, 20, 25, 26]);
    insta::assert_snapshot!(complaints(RowKind::Signals, &text), @r#"
    signals.csv, line 2, kind: "actve_users" is no kind of usage; did you mean active_users?
    signals.csv, line 3, kind: "csat" is a kind of support, not of usage
    signals.csv, line 4, kind: "zzz" is no kind of usage, and no measure of the policy in use has that name
    signals.csv, line 5, source: "telemetry" is no source; expected crm, usage, support, billing, onboarding or sentiment
    signals.csv, line 6, observed_on: 2026-11-24 is in the future; today is 2026-11-22
    signals.csv, line 8, value: active_users: "NaN" is no number; expected digits such as 42 or 0.5
    signals.csv, line 9, value: active_users: "inf" is no number; expected digits such as 42 or 0.5
    signals.csv, line 10, value: active_users: "1e999" is no number; expected digits such as 42 or 0.5
    signals.csv, line 11, value: active_users: -1 is negative; expected 0 or more
    signals.csv, line 12, value: value is empty; it is required
    signals.csv, line 13, value: plan_limit_hit: "1" is neither true nor false
    signals.csv, line 14, value: csat: 140 is too high; expected 0 to 100
    signals.csv, line 15, value: csm_pulse: "gren" is no pulse; expected green, amber or red; did you mean green?
    signals.csv, line 16, value: go_live_planned: "soon" is no date; expected ISO 8601 such as 2026-11-03
    signals.csv, line 19, kind: "support_minutes" is a measure of support, not of usage
    signals.csv, line 21, value: contract: "two-year" is no level of it; expected month-to-month, one-year
    signals.csv, line 22, reference: holds a line break; expected text on one line; it runs over 2 lines: is a quote missing?
    signals.csv, line 24: 7 cells where the header has 6; a cell that holds the separator has to stand in quotes
    "#);
}

#[test]
fn other_kinds_are_held_to_their_rules() {
    let outcomes = "account_id,kind,decided_on,arr_before,arr_after,currency\n\
        a,renewed,2026-10-01,100,120,EUR\na,lost,2026-10-01,,,\na,churned,2027-10-01,,,\na,renewed,2026-10-01,,,\n";
    let quotas = "email,period,amount\na@b.c,2026-Q4,100000\na@b.c,2026-Q5,1\na@b.c,2026-10,1\nA@b.c,2026-q4,2\n";
    let holidays =
        "date,name,country\n2026-12-25,Christmas,\n2026-10-03,Unity,Germany\n2026-10-03,Unity,de\n2026-13-01,,\n";
    let contacts = "account_id,email,persona,last_interaction,departed_on\n\
        a,Ann@acme.test,champion,2026-11-01,2027-01-01\na,ann@ACME.test,,,\nb,ann@acme.test,,,\nb,bo@acme.test,boss,,\nb,cy@acme.test,,2027-01-01,\n";
    let all = [
        complaints(RowKind::Outcomes, outcomes),
        complaints(RowKind::Quotas, quotas),
        complaints(RowKind::Holidays, holidays),
        complaints(RowKind::Contacts, contacts),
    ]
    .join("\n");
    insta::assert_snapshot!(all, @r#"
    outcomes.csv, line 3, kind: "lost" is no outcome; expected renewed, churned, contracted or expanded
    outcomes.csv, line 4, decided_on: 2027-10-01 is in the future; today is 2026-11-22
    outcomes.csv, line 5, account_id: a · renewed · 2026-10-01 is also on line 2
    quotas.csv, line 3, period: "2026-Q5" is no quarter; expected such as 2026-Q4
    quotas.csv, line 4, period: "2026-10" is no quarter; expected such as 2026-Q4
    quotas.csv, line 5, email: a@b.c · 2026-Q4 is also on line 2
    holidays.csv, line 3, country: "Germany" is no country; expected two letters of ISO 3166 such as DE
    holidays.csv, line 5, date: "2026-13-01" is no day of the calendar; expected ISO 8601 such as 2026-11-03
    contacts.csv, line 3, email: a · ann@acme.test is also on line 2
    contacts.csv, line 5, persona: "boss" is no persona; expected economic_buyer, champion, admin or user
    contacts.csv, line 6, last_interaction: 2027-01-01 is in the future; today is 2026-11-22
    "#);
}

#[test]
fn headers_are_understood_or_refused() {
    let all = [
        refusal(RowKind::People, ""),
        refusal(RowKind::People, "email,name,role\n"),
        refusal(RowKind::Accounts, "account_id,name,renewal,csm\n"),
        refusal(RowKind::Accounts, "account_id,arr\n"),
        refusal(RowKind::Accounts, "account_id,name,arr,arr\n"),
        refusal(RowKind::Accounts, "account_id,name,\n"),
        refusal(RowKind::Accounts, "a-1,Acme,12\n"),
        refusal(RowKind::Accounts, b"account_id,n\xe4me\n"),
        refusal(RowKind::Accounts, b"\xff\xfe\0\0a\0\0\0"),
        refusal(RowKind::Accounts, b"PK\x03\x04rest"),
        refusal(RowKind::Accounts, gz(&gz(b"account_id,name\n"))),
        read_all(b"email,name,roles\n", "people.csv.gz", RowKind::People, Format::Csv, &context())
            .unwrap_err()
            .to_string(),
    ]
    .join("\n");
    insta::assert_snapshot!(all, @r#"
    people.csv: empty; expected a header that names the columns
    people.csv, line 1: "role" is no column of people; the nearest known one is roles
    accounts.csv, line 1: "renewal" is no column of accounts; the nearest known one is renewal_date; "csm" is no column of accounts; the nearest known one is csm_email
    accounts.csv, line 1: the column "name" is missing; accounts needs account_id, name
    accounts.csv, line 1: "arr" stands twice in the header
    accounts.csv, line 1: column 3 of the header has no name
    accounts.csv, line 1: the first line names no column of accounts; expected a header with some of account_id, name, segment, arr, currency, seats, plan, domains, url, goals, start_date, go_live_date, renewal_date, term_months, notice_period_days, auto_renew, csm_email, account_manager_email, pool, status, cost_to_serve
    accounts.csv, line 1: the header is not in UTF-8; in Windows-1252 it reads "näme": save the file as UTF-8, or run iconv -f WINDOWS-1252 -t UTF-8
    accounts.csv: this is text in UTF-32 (mend it with iconv -f UTF-32 -t UTF-8); expected text in UTF-8
    accounts.csv: this is a zip archive or a spreadsheet (save the sheet as CSV); expected text in UTF-8
    accounts.csv: this is compressed twice; expected text in UTF-8
    people.csv.gz: named .gz but not compressed with gzip
    "#);
}

#[test]
fn other_separators_are_guessed_and_said() {
    for text in ["email;name;roles\na@b.c;A;\"csm;lead\"\n", "email\tname\troles\na@b.c\tA\tcsm;lead\n"] {
        let (batches, summary) = read_text(RowKind::People, text);
        assert_eq!(only(&batches, people).roles, [Role::Csm, Role::Lead]);
        assert!(summary.notes[0].contains("a comma is expected"), "{:?}", summary.notes);
    }
    assert_eq!(read_text(RowKind::People, "email,name,roles\na@b.c,A,csm\n").1.notes, Vec::<String>::new());
}

#[test]
fn utf_16_is_read_as_such_and_said() {
    let text = "account_id,name\na,\u{e9}t\u{e9} \u{1f600}\n";
    for mark in [true, false] {
        for be in [true, false] {
            let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
            let bytes: Vec<u8> =
                units.flat_map(|unit| if be { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect();
            let (batches, summary) = read_text(RowKind::Accounts, &bytes);
            assert_eq!(only(&batches, accounts).name, "\u{e9}t\u{e9} \u{1f600}", "{mark} {be}");
            let which = if be { "UTF-16BE" } else { "UTF-16LE" };
            assert!(summary.notes[0].contains(which), "{:?}", summary.notes);
        }
    }
}

/// What the store refuses is written down again, and must then be the same row.
#[test]
fn a_row_written_down_is_the_same_row() {
    let all: [(RowKind, &str); 7] = [
        (
            RowKind::People,
            "dana@x.eu,\"Dana \"\"D\"\"\",csm;lead,Europe/Berlin,07:30,sun-thu,\\N,kim@x.eu,2026-12-01,U1,,East\n",
        ),
        (
            RowKind::Accounts,
            "a,\"A, B\",smb,1200.5,EUR,5,pro,a.example;b.example,https://crm.example/1,\"one\ntwo\",2024-01-01,\\N,2027-01-01,12,30,true,d@x.eu,,East,churned,12.34\n",
        ),
        (RowKind::Contacts, "a,eva@a.example,Eva,\\N,+49 30,champion,2026-01-01,2026-12-01\n"),
        (RowKind::Signals, "a,usage,active_users,2026-11-20,12.25,ref\n"),
        (RowKind::Outcomes, "a,renewed,2026-11-20,100,120.5,CHF\n"),
        (RowKind::Quotas, "dana@x.eu,2026-Q4,120000,EUR\n"),
        (RowKind::Holidays, "2026-12-25,Christmas,DE\n"),
    ];
    for (kind, row) in all {
        let columns: Vec<&str> = columns::schema(kind).columns.iter().map(|column| column.name).collect();
        let (first, _) = read_text(kind, format!("{}\n{row}", columns.join(",")));
        assert_eq!((first[0].places.len(), &first[0].columns[..]), (1, &columns[..]), "{:?}", first[0].rejected);
        let mut again = csv::Writer::from_writer(Vec::new());
        again.write_record(&columns).unwrap();
        again.write_record(cells_of(&first[0].rows, 0, &columns)).unwrap();
        let (second, _) = read_text(kind, again.into_inner().unwrap());
        assert_eq!(second[0].rows, first[0].rows, "{kind:?}");
    }
}

#[test]
fn lines_are_counted_as_editors_do() {
    let rows = ["account_id,name,goals", "", "a,A,\"one", "two\"", "", "b,B,", "c,C"];
    for end in ["\n", "\r\n", "\r"] {
        for tail in ["", end] {
            let text = rows.join(end) + tail;
            let (batches, summary) = read_text(RowKind::Accounts, &text);
            assert_eq!(lines(&batches), [3, 6], "{text:?}");
            assert_eq!(batches[0].rejected[0].line, 7, "{text:?}");
            // A short last row without a line end is taken for cut off.
            assert_eq!(summary.broken_off_after, tail.is_empty().then_some(6));
            assert_eq!(accounts(&batches[0].rows).unwrap()[0].goals, Patch::Set("one\ntwo".to_owned()));
        }
    }
}

#[test]
fn a_quote_that_never_closes_is_found() {
    let text = "account_id,name\na,A\n\nb,\"B\nc,C\nd,D\n";
    let (batches, summary) = read_text(RowKind::Accounts, text);
    assert_eq!(lines(&batches), [2]);
    assert_eq!(summary.broken_off_after, Some(2));
    insta::assert_snapshot!(complaints(RowKind::Accounts, text), @"accounts.csv, line 4: a quote opened in this row is never closed; nothing after it was read");

    let missing = "account_id,name\nb,\"B\nc,C\nd,\"D, E\"\ne,E\n";
    assert_eq!(lines(&read_text(RowKind::Accounts, missing).0), [5]);
    insta::assert_snapshot!(complaints(RowKind::Accounts, missing), @"accounts.csv, line 2: text stands behind a closing quote; a quote inside a cell is written twice; it runs over 3 lines: is a quote missing?");
}

#[test]
fn a_cut_gzip_keeps_its_rows_and_says_where() {
    let mut text = SIGNALS.to_owned();
    for n in 0..20_000 {
        text += &format!("account-{},usage,active_users,2026-11-20,{},\n", n * 7919 % 1000, n * 104_729 % 977);
    }
    let packed = gz(text.as_bytes());
    let (batches, summary) = read_text(RowKind::Signals, &packed);
    assert_eq!((summary.accepted, summary.rejected), (20_000, 0));
    assert_eq!(batches.iter().map(|batch| batch.places.len()).collect::<Vec<_>>(), [5_000; 4]);

    let (batches, summary) = read_text(RowKind::Signals, &packed[..packed.len() / 2]);
    let last = *lines(&batches).last().unwrap();
    assert!(summary.accepted > 1_000 && summary.rejected == 1, "{summary:?}");
    assert_eq!(summary.broken_off_after, Some(last));
    let said = complaints(RowKind::Signals, &packed[..packed.len() / 2]);
    assert!(said.contains(&format!("line {}: the file breaks off after line {last}: ", last + 1)), "{said}");
}

#[test]
fn poison_cells_cost_one_row_each() {
    let long = "x".repeat(1 << 20);
    let mut text = b"account_id,name,goals\na,A,".to_vec();
    text.extend_from_slice(long.as_bytes());
    text.extend_from_slice(b"\nb,M\xfcller,\nc,C\0,\nd,D,fine\n");
    assert_eq!(lines(&read_text(RowKind::Accounts, &text).0), [5]);
    let (batches, _) = read_text(RowKind::Accounts, &text);
    assert_eq!(batches[0].rejected[0].value.as_ref().unwrap().chars().count(), 80);
    insta::assert_snapshot!(complaints(RowKind::Accounts, &text), @r#"
    accounts.csv, line 2, goals: 1048576 bytes are too long; at most 10000 are taken
    accounts.csv, line 3, name: not in UTF-8; in Windows-1252 it reads "Müller": save the file as UTF-8, or run iconv -f WINDOWS-1252 -t UTF-8
    accounts.csv, line 4, name: holds a NUL byte; expected text on one line
    "#);

    let invalid = [&b"{\"email\":\"\xff\"}\n"[..], br#"{"email":"a@b.c","name":"A","roles":"csm"}"#].concat();
    assert_eq!(lines(&read_text(RowKind::People, &invalid).0), [2]);
}

#[test]
fn a_row_without_end_does_not_fill_the_memory() {
    let endless = b"account_id,name\na,A\nb,\"".chain(std::io::repeat(b'x'));
    let mut seen = 0;
    let summary = read(endless, "accounts.csv", RowKind::Accounts, Format::Csv, &context(), &mut |batch| {
        seen += batch.places.len();
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((seen, summary.broken_off_after), (1, Some(2)));
    let endless = br#"{"name":""#.chain(std::io::repeat(b'x'));
    let summary = read(endless, "-", RowKind::Accounts, Format::Guess, &context(), &mut |_| ControlFlow::Continue(()));
    assert_eq!(summary.unwrap().broken_off_after, Some(0));
}

#[test]
fn a_sink_that_breaks_is_not_called_again() {
    for (open, part, close) in [(SIGNALS, "\n", ""), ("", "\n", ""), ("[", ",", "]")] {
        let row = match open {
            SIGNALS => "a,usage,active_users,2026-11-20,5,",
            _ => r#"{"account_id":"a","source":"usage","kind":"active_users","observed_on":"2026-11-20","value":5}"#,
        };
        let text = format!("{open}{}{close}", vec![row; 12_000].join(part));
        let mut calls = 0;
        let summary = read(text.as_bytes(), "signals", RowKind::Signals, Format::Guess, &context(), &mut |_| {
            calls += 1;
            ControlFlow::Break(())
        })
        .unwrap();
        assert_eq!((calls, summary.accepted, summary.rejected), (1, BATCH_ROWS as u64, 0));
    }
}

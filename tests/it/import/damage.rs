//! Damaged files, one small file a kind of damage, and the sentence that each gets. The good rows beside the
//! damage are kept.

use std::io::{Cursor, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tandem::app::import::{self, Input};
use tandem::clock::{Clock as _, MockClock};
use tandem::domain::routing::Model;
use tandem::ingest;
use tandem::store::audit::Actor;
use tandem::store::directory::Organisation;

use tandem::app::organisation::{self, NewOrganisation};
use tandem::store::Store;

use crate::support::cluster::{TestDb, database};

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn utf_16(text: &str, mark: bool) -> Vec<u8> {
    let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

/// Rows of text, with a last line break.
fn rows(lines: &[&str]) -> Vec<u8> {
    (lines.join("\n") + "\n").into_bytes()
}

pub(super) struct Place {
    store: Store,
    org: Organisation,
    clock: MockClock,
}

impl Place {
    pub(super) async fn new(db: &TestDb) -> Self {
        let store = db.store().await;
        let clock = MockClock::new("2026-11-25T08:00:00Z".parse().unwrap());
        let new = NewOrganisation {
            slug: "north".into(),
            name: "North".into(),
            model: Model::Pair,
            timezone: chrono_tz::Europe::Berlin,
            currency: "USD".parse().unwrap(),
        };
        let org = organisation::create(&store, new, clock.now()).await.unwrap();
        Self { store, org, clock }
    }

    /// What is said of one file: counts, notes, and each rejected row.
    pub(super) async fn said_of(&self, name: &str, bytes: Vec<u8>) -> String {
        let named = match ingest::recognise(Path::new(name), None) {
            Ok(named) => named,
            Err(refused) => return format!("refused: {refused}"),
        };
        let reader = Box::new(Cursor::new(bytes));
        let input = Input { name: named.name, kind: named.kind, format: named.format, reader };
        let now = self.clock.now();
        let reports = import::files(&self.store, &self.org, vec![input], Actor::System, false, now).await.unwrap();
        let report = &reports[0];
        let mut said = format!("{} taken, {} rejected", report.accepted + report.unchanged, report.rejected);
        for line in report.rejections.iter().map(ToString::to_string).chain(report.notes.iter().cloned()) {
            said += &format!("\n    {line}");
        }
        said
    }
}

#[tokio::test]
async fn each_kind_of_damage_has_its_sentence() {
    let db = database().await;
    let place = Place::new(&db).await;
    for (name, text) in
        [("people.csv", "email,name,roles\ndana@x.eu,Dana,csm\n"), ("accounts.csv", "account_id,name\nacme,Acme\n")]
    {
        let said = place.said_of(name, text.into()).await;
        assert_eq!(said, "1 taken, 0 rejected", "{name}");
    }

    let signals = "account_id,source,kind,observed_on,value";
    let good = "acme,usage,sessions,2026-11-20,5";
    let accounts = "account_id,name,arr,renewal_date";
    let fine = "acme,Acme,1000,2027-01-31";
    let mut long = format!("{signals}\n");
    for n in 0..3_000 {
        long += &format!("acme,usage,sessions,2026-{:02}-{:02},{}\n", n % 10 + 1, n % 28 + 1, n * 7_919 % 10_007);
    }
    let packed = gz(long.as_bytes());
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        // The file as a whole.
        ("empty file", "accounts.csv", Vec::new()),
        ("header alone", "accounts.csv", rows(&[accounts])),
        ("zero bytes", "accounts.csv", vec![0; 512]),
        ("a stem that is no kind", "acounts.csv", rows(&[accounts, fine])),
        ("an ending that is no format", "accounts.xlsx", rows(&[accounts, fine])),
        ("a workbook named csv", "accounts.csv", b"PK\x03\x04\x14\0\x06\0".to_vec()),
        ("an old workbook", "accounts.csv", b"\xd0\xcf\x11\xe0\xa1\xb1".to_vec()),
        ("a PDF", "accounts.csv", b"%PDF-1.7\n".to_vec()),
        ("Parquet", "accounts.csv", b"PAR1\x15\x04".to_vec()),
        ("zstd", "accounts.csv", b"\x28\xb5\x2f\xfd\x04".to_vec()),
        ("a log-in page", "accounts.csv", b"<!DOCTYPE html><html><title>Sign in</title>".to_vec()),
        ("gz in name only", "accounts.csv.gz", rows(&[accounts, fine])),
        ("gz twice", "accounts.csv.gz", gz(&gz(&rows(&[accounts, fine])))),
        ("gz cut off", "signals.csv.gz", packed[..packed.len() / 2].to_vec()),
        ("gz with a wrong checksum", "accounts.csv.gz", {
            let mut bytes = gz(&rows(&[accounts, fine]));
            let at = bytes.len() - 8;
            bytes[at] ^= 0xff;
            bytes
        }),
        // Encodings.
        ("UTF-16 with a mark", "accounts.csv", utf_16("account_id\tname\nacme\tAcmé\n", true)),
        ("UTF-16 without", "accounts.csv", utf_16("account_id,name\nacme,Acmé\n", false)),
        ("UTF-32", "accounts.csv", b"\xff\xfe\0\0a\0\0\0c\0\0\0".to_vec()),
        ("Windows-1252", "accounts.csv", b"account_id,name\nacme,M\xfcller \x96 S\xf6hne\nacme,Acme\n".to_vec()),
        ("Latin-1 in the header", "accounts.csv", b"account_id,n\xe4me\nacme,Acme\n".to_vec()),
        ("Latin-1 in JSON", "accounts.ndjson", b"{\"account_id\":\"acme\",\"name\":\"M\xfcller\"}\n".to_vec()),
        ("a NUL in a cell", "accounts.csv", rows(&["account_id,name", "acme,A\0cme", "acme,Acme"])),
        // Separators and headers.
        ("semicolons", "accounts.csv", rows(&["account_id;name", "acme;Acme"])),
        ("tabs", "accounts.csv", rows(&["account_id\tname", "acme\tAcme"])),
        ("vertical bars", "accounts.csv", rows(&["account_id|name", "acme|Acme"])),
        ("Excel's sep line", "accounts.csv", rows(&["sep=;", "account_id;name", "acme;Acme"])),
        ("no header", "accounts.csv", rows(&[fine])),
        ("an unknown column", "accounts.csv", rows(&["account_id,name,renewal", "acme,Acme,2027-01-31"])),
        (
            "unknown columns by the dozen",
            "accounts.csv",
            rows(&["account_id,name,xa,xb,xc,xd,xe,xf,xg,xh,xi,xj,xk,xl", "acme,Acme,1,2,3,4,5,6,7,8,9,10,11,12"]),
        ),
        ("a column missing", "accounts.csv", rows(&["account_id,arr", "acme,5"])),
        ("a column twice", "accounts.csv", rows(&["account_id,name,name", "acme,Acme,Acme"])),
        ("a nameless column", "accounts.csv", rows(&["account_id,name,", "acme,Acme,"])),
        // Rows.
        ("a cell too few", "accounts.csv", rows(&[accounts, "acme,Acme,1000", fine])),
        ("a comma too many", "accounts.csv", rows(&[accounts, "acme,Acme, Inc,1000,2027-01-31", fine])),
        ("a stray quote", "accounts.csv", rows(&[accounts, "bolt,\"Bolt\" Inc,5,", fine])),
        ("files joined", "accounts.csv", rows(&[accounts, fine, accounts])),
        ("a quote without its partner", "accounts.csv", rows(&[accounts, fine, "bolt,\"Bolt,5,", "cord,Cord,5,"])),
        ("cut off in a row", "accounts.csv", format!("{accounts}\n{fine}\nbolt,Bo").into_bytes()),
        ("cut off in JSON", "accounts.ndjson", b"{\"account_id\":\"acme\",\"name\":\"Acme\"}\n{\"acc".to_vec()),
        ("cut off in a list", "accounts.json", b"[{\"account_id\":\"acme\",\"name\":\"Acme\"},{\"acc".to_vec()),
        ("empty rows", "accounts.csv", rows(&[accounts, ",,,", fine, "", " , ,,"])),
        ("a row twice", "accounts.csv", rows(&[accounts, fine, fine])),
        ("line ends of three kinds", "accounts.csv", format!("{accounts}\r\n{fine}\rbolt,Bolt,,\nx").into_bytes()),
        ("no JSON", "accounts.ndjson", rows(&["acme Acme", "{\"account_id\":\"acme\",\"name\":\"Acme\"}"])),
        ("CSV named ndjson", "accounts.ndjson", rows(&[accounts, fine, fine])),
        ("an empty ndjson", "accounts.ndjson", b"\n\n".to_vec()),
        (
            "JSON written for people",
            "accounts.ndjson",
            b"{\n  \"account_id\": \"acme\",\n  \"name\": \"Acme\"\n}\n".to_vec(),
        ),
        ("a key unknown", "accounts.ndjson", rows(&["{\"account_id\":\"acme\",\"nmae\":\"Acme\"}"])),
        ("a key twice", "accounts.ndjson", rows(&["{\"account_id\":\"a\",\"account_id\":\"b\",\"name\":\"x\"}"])),
        ("JSON too deep", "accounts.ndjson", format!("{{\"name\":{}\n", "[".repeat(9_999)).into_bytes()),
        ("an object for a cell", "accounts.ndjson", rows(&["{\"account_id\":\"a\",\"name\":{\"first\":\"x\"}}"])),
        // Cells.
        ("a decimal comma", "accounts.csv", rows(&[accounts, "acme,Acme,\"1000,50\",", fine])),
        ("a currency sign", "accounts.csv", rows(&[accounts, "acme,Acme,\"$1,000\",", fine])),
        ("money below zero", "accounts.csv", rows(&[accounts, "acme,Acme,-5,", fine])),
        ("not a number", "signals.csv", rows(&[signals, "acme,usage,sessions,2026-11-20,NaN", good])),
        ("a number beyond all", "signals.csv", rows(&[signals, "acme,usage,sessions,2026-11-20,1e301", good])),
        ("an endless number", "signals.csv", rows(&[signals, "acme,usage,sessions,2026-11-20,1e400", good])),
        ("a spreadsheet's fault", "signals.csv", rows(&[signals, "acme,usage,sessions,2026-11-20,#N/A", good])),
        ("a foreign date", "accounts.csv", rows(&[accounts, "acme,Acme,5,31.01.2027", fine])),
        ("a day that is none", "accounts.csv", rows(&[accounts, "acme,Acme,5,2027-02-30", fine])),
        ("a day's serial number", "accounts.csv", rows(&[accounts, "acme,Acme,5,46053", fine])),
        ("a day to come", "signals.csv", rows(&[signals, "acme,usage,sessions,2027-11-20,5", good])),
        ("a kind misspelt", "signals.csv", rows(&[signals, "acme,usage,sesions,2026-11-20,5", good])),
        ("a kind of another source", "signals.csv", rows(&[signals, "acme,support,sessions,2026-11-20,5", good])),
        ("an account unknown", "signals.csv", rows(&[signals, "acmee,usage,sessions,2026-11-20,5", good])),
        ("a person unknown", "accounts.csv", rows(&["account_id,name,csm_email", "acme,Acme,eve@x.eu"])),
        ("an id with an invisible end", "accounts.csv", rows(&[accounts, "bolt\u{200b},Bolt,5,", fine])),
        ("a required cell empty", "accounts.csv", rows(&[accounts, ",Acme,5,", fine])),
        ("a cell too long", "accounts.csv", rows(&[accounts, &format!("acme,{},5,", "x".repeat(500)), fine])),
        ("yes for true", "accounts.csv", rows(&["account_id,name,auto_renew", "acme,Acme,yes"])),
        ("a role that is none", "people.csv", rows(&["email,name,roles", "kim@x.eu,Kim,cms"])),
        ("an address that is none", "people.csv", rows(&["email,name,roles", "kim at x.eu,Kim,csm"])),
    ];
    assert!(cases.len() >= 40);
    let mut all = String::new();
    for (what, name, bytes) in cases {
        let said = place.said_of(name, bytes).await;
        all += &format!("{what}: {said}\n");
    }
    insta::assert_snapshot!(all, @r##"
    empty file: 0 taken, 1 rejected
        accounts.csv: empty; expected a header that names the columns
    header alone: 0 taken, 0 rejected
        There is a header and no row below it.
    zero bytes: 0 taken, 1 rejected
        accounts.csv: this begins with zero bytes: the file was damaged when it was written; expected text in UTF-8
    a stem that is no kind: refused: acounts.csv: "acounts" is no kind of rows; did you mean accounts? Rename it, or import it with --kind
    an ending that is no format: refused: accounts.xlsx: its ending says no format; expected .csv or .ndjson, with .gz behind if compressed
    a workbook named csv: 0 taken, 1 rejected
        accounts.csv: this is a zip archive or a spreadsheet (save the sheet as CSV); expected text in UTF-8
    an old workbook: 0 taken, 1 rejected
        accounts.csv: this is an old Excel workbook (save the sheet as CSV); expected text in UTF-8
    a PDF: 0 taken, 1 rejected
        accounts.csv: this is a PDF (export the table as CSV); expected text in UTF-8
    Parquet: 0 taken, 1 rejected
        accounts.csv: this is a Parquet file (export the table as CSV or NDJSON); expected text in UTF-8
    zstd: 0 taken, 1 rejected
        accounts.csv: this is compressed, and not with gzip (unpack it first); expected text in UTF-8
    a log-in page: 0 taken, 1 rejected
        accounts.csv: this is a web page or XML, perhaps the log-in page instead of the export; expected text in UTF-8
    gz in name only: 0 taken, 1 rejected
        accounts.csv.gz: named .gz but not compressed with gzip
    gz twice: 0 taken, 1 rejected
        accounts.csv.gz: this is compressed twice; expected text in UTF-8
    gz cut off: 1484 taken, 1 rejected
        signals.csv.gz, line 1486: the file breaks off after line 1485: incomplete deflate stream
        The file breaks off; what was accepted until there is kept.
    gz with a wrong checksum: 1 taken, 1 rejected
        accounts.csv.gz, line 3: the file breaks off after line 2: the archive is damaged (corrupt gzip stream does not have a matching checksum), so rows before this may be wrong: import a good copy of it
        The file breaks off; what was accepted until there is kept.
    UTF-16 with a mark: 1 taken, 0 rejected
        accounts.csv: this is text in UTF-16LE; it was read as such, UTF-8 is expected
        accounts.csv: columns are taken to be parted by a tab; a comma is expected
    UTF-16 without: 1 taken, 0 rejected
        accounts.csv: this is text in UTF-16LE; it was read as such, UTF-8 is expected
    UTF-32: 0 taken, 1 rejected
        accounts.csv: this is text in UTF-32 (mend it with iconv -f UTF-32 -t UTF-8); expected text in UTF-8
    Windows-1252: 1 taken, 1 rejected
        accounts.csv, line 2, name: not in UTF-8; in Windows-1252 it reads "Müller – Söhne": save the file as UTF-8, or run iconv -f WINDOWS-1252 -t UTF-8
    Latin-1 in the header: 0 taken, 1 rejected
        accounts.csv, line 1: the header is not in UTF-8; in Windows-1252 it reads "näme": save the file as UTF-8, or run iconv -f WINDOWS-1252 -t UTF-8
    Latin-1 in JSON: 0 taken, 1 rejected
        accounts.ndjson, line 1: not in UTF-8; in Windows-1252 it reads "{"account_id":"acme","name":"Müller"}": save the file as UTF-8, or run iconv -f WINDOWS-1252 -t UTF-8
    a NUL in a cell: 1 taken, 1 rejected
        accounts.csv, line 2, name: holds a NUL byte; expected text on one line
    semicolons: 1 taken, 0 rejected
        accounts.csv: columns are taken to be parted by a semicolon; a comma is expected
    tabs: 1 taken, 0 rejected
        accounts.csv: columns are taken to be parted by a tab; a comma is expected
    vertical bars: 1 taken, 0 rejected
        accounts.csv: columns are taken to be parted by a vertical bar; a comma is expected
    Excel's sep line: 0 taken, 1 rejected
        accounts.csv, line 1: the first line is Excel's "sep=" line; delete it, the separator is found without
    no header: 0 taken, 1 rejected
        accounts.csv, line 1: the first line names no column of accounts; expected a header with some of account_id, name, segment, arr, currency, seats, plan, domains, url, goals, start_date, go_live_date, renewal_date, term_months, notice_period_days, auto_renew, csm_email, account_manager_email, pool, status, cost_to_serve
    an unknown column: 0 taken, 1 rejected
        accounts.csv, line 1, renewal: "renewal" is no column of accounts; the nearest known one is renewal_date
    unknown columns by the dozen: 0 taken, 1 rejected
        accounts.csv, line 1, xa: "xa" is no column of accounts; the nearest known one is plan; "xb" is no column of accounts; the nearest known one is cost_to_serve; "xc" is no column of accounts; the nearest known one is currency; "xd" is no column of accounts; the nearest known one is domains; "xe" is no column of accounts; the nearest known one is seats; "xf" is no column of accounts; the nearest known one is cost_to_serve; "xg" is no column of accounts; the nearest known one is goals; "xh" is no column of accounts; the nearest known one is cost_to_serve; "xi" is no column of accounts; the nearest known one is go_live_date; "xj" is no column of accounts; the nearest known one is cost_to_serve; and so on, 12 columns in all
    a column missing: 0 taken, 1 rejected
        accounts.csv, line 1, name: the column "name" is missing; accounts needs account_id, name
    a column twice: 0 taken, 1 rejected
        accounts.csv, line 1, name: "name" stands twice in the header
    a nameless column: 0 taken, 1 rejected
        accounts.csv, line 1: column 3 of the header has no name
    a cell too few: 1 taken, 1 rejected
        accounts.csv, line 2: 3 cells where the header has 4
    a comma too many: 1 taken, 1 rejected
        accounts.csv, line 2: 5 cells where the header has 4; a cell that holds the separator has to stand in quotes
    a stray quote: 1 taken, 1 rejected
        accounts.csv, line 2: text stands behind a closing quote; a quote inside a cell is written twice
    files joined: 1 taken, 1 rejected
        accounts.csv, line 3: the header stands here again; delete this line
    a quote without its partner: 1 taken, 1 rejected
        accounts.csv, line 3: a quote opened in this row is never closed; nothing after it was read
        The file breaks off; what was accepted until there is kept.
    cut off in a row: 1 taken, 1 rejected
        accounts.csv, line 3: the file breaks off in this row: 2 cells where the header has 4, and no line end after
        The file breaks off; what was accepted until there is kept.
    cut off in JSON: 1 taken, 1 rejected
        accounts.ndjson, line 2: the file breaks off in this row: EOF while parsing a string at character 5
        The file breaks off; what was accepted until there is kept.
    cut off in a list: 1 taken, 1 rejected
        accounts.json, element 2: the list breaks off after element 1: its closing bracket is missing
        The file breaks off; what was accepted until there is kept.
    empty rows: 1 taken, 0 rejected
        2 empty rows were passed over.
    a row twice: 1 taken, 1 rejected
        accounts.csv, line 3, account_id: acme is also on line 2
    line ends of three kinds: 2 taken, 1 rejected
        accounts.csv, line 4: the file breaks off in this row: 1 cell where the header has 4, and no line end after
        The file breaks off; what was accepted until there is kept.
    no JSON: 1 taken, 1 rejected
        accounts.ndjson, line 1: no JSON object: expected value at character 1
    CSV named ndjson: 0 taken, 1 rejected
        accounts.ndjson: this looks like CSV; expected JSON
    an empty ndjson: 0 taken, 1 rejected
        accounts.ndjson: empty; expected one JSON object a line
    JSON written for people: 0 taken, 1 rejected
        accounts.ndjson: an object runs over several lines; expected one object a line, or a list of them in brackets
    a key unknown: 0 taken, 1 rejected
        accounts.ndjson, line 1, nmae: "nmae" is no column of accounts; the nearest known one is name
    a key twice: 0 taken, 1 rejected
        accounts.ndjson, line 1: account_id is given twice
    JSON too deep: 0 taken, 1 rejected
        accounts.ndjson, line 1: no JSON object: EOF while parsing a list at character 10007
    an object for a cell: 0 taken, 1 rejected
        accounts.ndjson, line 1, name: an object; expected text, a number or null
    a decimal comma: 1 taken, 1 rejected
        accounts.csv, line 2, arr: "1000,50" is no amount; write decimals with a point and thousands without a mark, such as 1234.50
    a currency sign: 1 taken, 1 rejected
        accounts.csv, line 2, arr: "$1,000" is no amount; expected digits such as 42 or 0.5
    money below zero: 1 taken, 1 rejected
        accounts.csv, line 2, arr: -5 is negative; expected 0 or more
    not a number: 1 taken, 1 rejected
        signals.csv, line 2, value: sessions: "NaN" is no number; expected digits such as 42 or 0.5
    a number beyond all: 1 taken, 1 rejected
        signals.csv, line 2, value: sessions: 1e301 is too large; expected at most 1e300
    an endless number: 1 taken, 1 rejected
        signals.csv, line 2, value: sessions: "1e400" is no number; expected digits such as 42 or 0.5
    a spreadsheet's fault: 1 taken, 1 rejected
        signals.csv, line 2, value: sessions: "#N/A" is no number; expected digits such as 42 or 0.5
    a foreign date: 1 taken, 1 rejected
        accounts.csv, line 2, renewal_date: "31.01.2027" is no date; expected ISO 8601 such as 2026-11-03
    a day that is none: 1 taken, 1 rejected
        accounts.csv, line 2, renewal_date: "2027-02-30" is no day of the calendar; expected ISO 8601 such as 2026-11-03
    a day's serial number: 1 taken, 1 rejected
        accounts.csv, line 2, renewal_date: "46053" is no date; expected ISO 8601 such as 2026-11-03
    a day to come: 1 taken, 1 rejected
        signals.csv, line 2, observed_on: 2027-11-20 is in the future; today is 2026-11-25
    a kind misspelt: 1 taken, 1 rejected
        signals.csv, line 2, kind: "sesions" is no kind of usage; did you mean sessions?
    a kind of another source: 1 taken, 1 rejected
        signals.csv, line 2, kind: "sessions" is a kind of usage, not of support
    an account unknown: 1 taken, 1 rejected
        signals.csv, line 2, account_id: there is no account "acmee"; import accounts first
    a person unknown: 0 taken, 1 rejected
        accounts.csv, line 2, csm_email: nobody has the e-mail "eve@x.eu"; import that person first, or in the same people file
    an id with an invisible end: 1 taken, 1 rejected
        accounts.csv, line 2, account_id: holds the invisible character U+200B; delete it, or type the cell anew
    a required cell empty: 1 taken, 1 rejected
        accounts.csv, line 2, account_id: account_id is empty; it is required
    a cell too long: 1 taken, 1 rejected
        accounts.csv, line 2, name: 500 bytes are too long; at most 400 are taken
    yes for true: 0 taken, 1 rejected
        accounts.csv, line 2, auto_renew: "yes" is neither true nor false
    a role that is none: 0 taken, 1 rejected
        people.csv, line 2, roles: "cms" is no role; expected csm, account_manager, lead, admin or viewer
    an address that is none: 0 taken, 1 rejected
        people.csv, line 2, email: "kim at x.eu" is no e-mail address; expected for example dana@example.com
    "##);
}

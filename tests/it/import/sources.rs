//! The commands of docs/sources.md, run as they stand there on small exports of the same shape.

use std::collections::BTreeMap;
use std::path::Path;

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, RcIter};
use jaq_json::Val;
use sqlx::{AssertSqlSafe, Executor as _};

use super::damage::Place;
use super::desk::Desk;
use crate::support::cluster::database;

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sources.md")).unwrap()
}

/// The blocks of one language, in their order.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    page().split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// A command `jq -c [--arg NAME VALUE] 'PROGRAM' FROM > TO`, run by a jq of our own: what is tried here must not
/// depend on what the machine has. The name of the file it writes, and what is in it.
fn ran(command: &str) -> (String, Vec<u8>) {
    let (before, rest) = command.split_once('\'').expect("a program in quotes");
    let (program, files) = rest.split_once('\'').expect("its end");
    let (from, to) = files.trim().split_once(" > ").expect("from a file to a file");
    let words: Vec<&str> = before.split_whitespace().collect();
    let (names, values) = match words.as_slice() {
        ["jq", "-c"] => (vec![], vec![]),
        ["jq", "-c", "--arg", name, value] => (vec![format!("${name}")], vec![Val::from((*value).to_owned())]),
        other => panic!("not a command that is known here: {other:?}"),
    };
    let export = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/import/sources").join(from);
    let input: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(export).unwrap()).unwrap();
    let arena = Arena::default();
    let modules = Loader::new(jaq_std::defs().chain(jaq_json::defs()))
        .load(&arena, File { code: program, path: () })
        .unwrap_or_else(|faults| panic!("{program}: {faults:?}"));
    let filter = Compiler::default()
        .with_funs(jaq_std::funs().chain(jaq_json::funs()))
        .with_global_vars(names.iter().map(String::as_str))
        .compile(modules)
        .unwrap_or_else(|faults| panic!("{program}: {faults:?}"));
    let inputs = RcIter::new(std::iter::empty());
    let rows = filter.run((Ctx::new(values, &inputs), Val::from(input)));
    let lines: String =
        rows.map(|row| format!("{}\n", row.unwrap_or_else(|error| panic!("{program}: {error}")))).collect();
    (to.to_owned(), lines.into_bytes())
}

#[tokio::test]
async fn the_commands_make_rows_that_are_taken() {
    let commands = blocks("sh");
    assert_eq!(commands.len(), 4);
    let made: BTreeMap<String, Vec<u8>> = commands.iter().map(|command| ran(command)).collect();
    let db = database().await;
    let place = Place::new(&db).await;
    let read = |name: &str| made[name].clone();
    let people = b"email,name,roles\ndana@x.eu,Dana,csm\n".to_vec();
    assert_eq!(place.said_of("people.csv", people).await, "1 taken, 0 rejected");
    for (name, rows) in
        [("accounts.ndjson", 2), ("outcomes.ndjson", 2), ("signals-stripe.ndjson", 1), ("signals-zendesk.ndjson", 2)]
    {
        assert_eq!(place.said_of(name, read(name)).await, format!("{rows} taken, 0 rejected"), "{name}");
    }
    let stripe = String::from_utf8(read("signals-stripe.ndjson")).unwrap();
    assert!(stripe.contains("\"value\":15,\"reference\":\"in_1\""), "{stripe}");
    let zendesk = String::from_utf8(read("signals-zendesk.ndjson")).unwrap();
    assert!(
        zendesk.contains("{\"account_id\":\"18001\",\"source\":\"support\",\"kind\":\"tickets_open\""),
        "{zendesk}"
    );
}

#[tokio::test]
async fn the_query_makes_rows_that_are_taken() {
    let (desk, there) = (Desk::new().await, database().await);
    let events = "CREATE TABLE public.segment_tracks (id text, user_id text, context_group_id text, received_at timestamptz);
                  INSERT INTO public.segment_tracks VALUES
                    ('1', 'u1', 'acme', now()), ('2', 'u1', 'acme', now() - interval '1 day'), ('3', 'u2', 'acme', now()),
                    ('4', 'u3', 'acme', now() - interval '40 days'), ('5', 'u4', NULL, now());";
    there.pool.execute(AssertSqlSafe(events)).await.unwrap();
    let accounts = desk.file("accounts.csv", "account_id,name\nacme,Acme\n");
    desk.import(&[accounts]).await.well();
    let [query] = blocks("sql").try_into().unwrap();
    let query = desk.file("signals-segment.sql", query);
    let program = desk.program.clone().with("SEGMENT_URL", there.url());
    let said = program.run(&["import", "--org", "north", "--query-file", &query]).await.well();
    assert_eq!(said, "rows of signals-segment.sql: 1 accepted, 0 unchanged, 0 rejected\n");
    assert_eq!(desk.count("SELECT number::bigint FROM tandem.signal WHERE kind = 'active_users'").await, 2);
}

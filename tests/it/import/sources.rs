//! The commands of docs/sources.md, run as they stand there on small exports of the same shape.

use std::path::Path;
use std::process::Command;

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

#[tokio::test]
async fn the_commands_make_rows_that_are_taken() {
    // Not passed over in silence: what docs/sources.md says is tried or fails.
    let jq = Command::new("jq").arg("--version").output();
    assert!(jq.is_ok(), "jq is needed to try the commands of docs/sources.md (Debian, Ubuntu: apt-get install jq)");
    let dir = tempfile::tempdir().unwrap();
    let exports = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/import/sources");
    for export in std::fs::read_dir(exports).unwrap() {
        let export = export.unwrap();
        std::fs::copy(export.path(), dir.path().join(export.file_name())).unwrap();
    }
    let commands = blocks("sh");
    assert_eq!(commands.len(), 4);
    for command in &commands {
        let ran = Command::new("sh").arg("-e").arg("-c").arg(command).current_dir(dir.path()).output().unwrap();
        assert!(ran.status.success(), "{command}\n{}", String::from_utf8_lossy(&ran.stderr));
    }
    let db = database().await;
    let place = Place::new(&db).await;
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
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

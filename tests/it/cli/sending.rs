//! Whose mornings are sent and printed, and how they are counted.

use chrono::{Datelike as _, Days, Weekday};
use serde_json::json;
use tandem::clock::{Clock as _, SystemClock};

use super::Desk;
use crate::support::program::Program;

impl Desk {
    /// Sends to the fake Slack, whose workspace belongs to this one of two organisations.
    async fn sends_as(&self, slug: &str) -> Program {
        self.run(&["org", "create", "south", "--name", "South", "--model", "pair", "--timezone", "UTC"]).await.well();
        self.program.clone().slack(&self.slack).with("TANDEM_ORG", slug)
    }
}

#[tokio::test]
async fn people_without_a_workspace_are_told_and_no_success() {
    let desk = Desk::diagnosed().await;
    let program = desk.sends_as("south").await;
    let said = program.run(&["send", "--org", "north", "--format", "json"]).await;
    let counts = ["queued", "sent", "no_workspace"].map(|key| said.json()[key].as_u64().unwrap());
    assert_eq!(counts, [0, 0, 2]);
    assert_eq!(
        said.failure(),
        "2 people have no workspace to send to; link one with `tandem link slack TEAM_ID --org north`"
    );
    assert!(desk.slack.texts().is_empty());
}

#[tokio::test]
async fn what_admins_are_told_is_not_counted_as_mornings() {
    let desk = Desk::diagnosed().await;
    let program = desk.sends_as("north").await;
    let admin = desk.file("people.csv", b"email,name,roles,slack_user_id\nada@x.eu,Ada Admin,admin,U5\n");
    desk.import(&[&admin]).await.well();
    // Dana's user is imported; Kim's is looked up by e-mail.
    desk.slack.answers("users.lookupByEmail", json!({"ok": false, "error": "users_not_found"}));
    let said = program.run(&["send", "--org", "north", "--format", "json"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let json = said.json();
    let counts = ["queued", "sent", "already_sent", "given_up"].map(|key| json[key].as_u64().unwrap());
    assert_eq!(counts, [2, 1, 0, 1], "{json}");
    let others = json["other_messages"]["sent"].as_u64().unwrap();
    assert!(others > 0, "{json}");
    assert_eq!(desk.slack.standing().len() as u64, 1 + others, "{:?}", desk.slack.texts());
}

#[tokio::test]
async fn a_morning_that_would_not_be_sent_is_not_printed_for_everybody() {
    let desk = Desk::diagnosed().await;
    let wes = desk.file("people.csv", b"email,name,roles,workdays\nwes@x.eu,Wes Csm,csm,mon-fri\n");
    desk.import(&[&wes]).await.well();
    let today = SystemClock.now().date_naive();
    let saturday = today.iter_days().find(|day| day.weekday() == Weekday::Sat).unwrap().to_string();
    let digest = ["digest", "--org", "north", "--format", "json", "--date", &saturday];
    let printed = desk.run(&digest).await;
    let people: Vec<String> = printed.json().as_array().unwrap().iter().map(|one| one["person"].to_string()).collect();
    assert_eq!(
        (people.as_slice(), &*printed.err),
        (&[r#""dana@x.eu""#.to_owned(), r#""kim@x.eu""#.to_owned()][..], "")
    );

    let asked_for = desk.run(&[&digest[..], &["--person", "wes@x.eu"]].concat()).await;
    assert_eq!(asked_for.json()[0]["person"], "wes@x.eu");
    assert_eq!(asked_for.err, "tandem: would not be sent: not their working day\n");

    let until = today.checked_add_days(Days::new(30)).unwrap();
    let away = format!(
        "email,name,roles,out_of_office_until\ndana@x.eu,Dana Csm,csm,{until}\nkim@x.eu,Kim Am,account_manager,{until}\n"
    );
    desk.import(&[&desk.file("people.csv", away.as_bytes())]).await.well();
    let nobody = desk.run(&digest).await;
    assert_eq!(
        (nobody.code, &nobody.json()[0]["person"], &nobody.json()[1]),
        (Some(0), &json!("wes@x.eu"), &json!(null))
    );
    assert_eq!(
        nobody.err,
        "tandem: nothing would be sent: not their working day (1), away (2); on a working day they would read this\n"
    );
}

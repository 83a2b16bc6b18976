//! A bot token that is another workspace's than the linked one.

use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::Desk;
use crate::support::PATIENCE;
use crate::support::program::said;

#[tokio::test]
async fn the_token_of_another_workspace_is_told_and_sends_nothing() {
    let desk = Desk::diagnosed().await;
    desk.run(&["org", "create", "south", "--name", "South", "--model", "pair", "--timezone", "UTC"]).await.well();
    desk.run(&["link", "slack", "T9", "--org", "south"]).await.well();
    desk.run(&["link", "slack", "T123", "--org", "north"]).await.well();
    let program = desk.program.clone().slack(&desk.slack).with("TANDEM_ORG", "north");
    let mistaken = "SLACK_BOT_TOKEN is for the workspace T1, and the linked one is T123; run `tandem link remove T123` and \
                    `tandem link slack T1 --org SLUG`, or set the token of T123";

    let ill = program.run(&["doctor", "--org", "north"]).await;
    assert_eq!(ill.code, Some(1), "{ill:?}");
    assert!(ill.out.lines().any(|line| line == format!("FAULT  slack: {mistaken}")), "{ill:?}");
    assert_eq!(program.run(&["send", "--org", "north"]).await.failure(), mistaken);

    // The service starts all the same: it does not wait for Slack.
    let mut serve = program.clone().with("TANDEM_BIND", "127.0.0.1:0").spawn(&["serve"]);
    let mut log = BufReader::new(serve.stderr.take().unwrap()).lines();
    let told = async {
        while let Some(line) = log.next_line().await.unwrap() {
            if line.contains("ERROR") && line.contains(mistaken) {
                return;
            }
        }
        panic!("the log ended without a word of it");
    };
    tokio::time::timeout(PATIENCE, told).await.expect("in time");
    let pid = rustix::process::Pid::from_raw(i32::try_from(serve.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(said(serve).await.code, Some(0));
    assert!(desk.slack.calls("chat.postMessage").is_empty());

    // The cure that it names.
    program.run(&["link", "remove", "T123"]).await.well();
    program.run(&["link", "slack", "T1", "--org", "north"]).await.well();
    program.run(&["doctor", "--org", "north"]).await.well();
    let sent = program.run(&["send", "--org", "north", "--format", "json"]).await;
    assert_eq!((sent.code, sent.json()["sent"].as_u64()), (Some(0), Some(2)), "{sent:?}");
}

#[tokio::test]
async fn a_token_that_cannot_be_asked_about_sends_nothing() {
    let desk = Desk::diagnosed().await;
    desk.run(&["org", "create", "south", "--name", "South", "--model", "pair", "--timezone", "UTC"]).await.well();
    desk.run(&["link", "slack", "T1", "--org", "north"]).await.well();
    let program = desk.program.clone().slack(&desk.slack).with("TANDEM_ORG", "north");
    desk.slack.once("auth.test", crate::support::fake_slack::Trouble::Refused("invalid_auth"));
    assert_eq!(
        program.run(&["send", "--org", "north"]).await.failure(),
        "SLACK_BOT_TOKEN could not be checked: the workspace does not accept Tandem's token: invalid_auth"
    );
    assert!(desk.slack.texts().is_empty());
}

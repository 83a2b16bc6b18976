//! Health over time follows the answer to `/account` as a picture.

use serde_json::json;

use super::tuesday;
use crate::support::fake_slack::Trouble;

#[tokio::test(flavor = "multi_thread")]
async fn health_follows_its_answer_as_a_picture() {
    let bot = tuesday().await;
    let said = bot.slash("dana", "/account acme").await;
    assert!(said.contains("Health, last 90 days") && said.contains('▁'), "words stand in the answer: {said}");
    let alt = bot.private().await;
    assert!(alt.starts_with("Health has been about ") && alt.contains("risk opened 23 Nov"), "{alt}");

    let [bytes] = bot.slack.calls("upload").try_into().expect("one upload");
    assert_eq!(bytes.arguments["is_png"], json!(true));
    let asked = bot.slack.calls("files.getUploadURLExternal").remove(0).arguments;
    assert_eq!(asked["length"], json!(bytes.arguments["length"].to_string()));
    assert!(asked["alt_txt"].as_str().unwrap().starts_with("Health "));
    let done = bot.slack.calls("files.completeUploadExternal").remove(0).arguments;
    assert!(done.get("channel_id").is_none() && done.get("channels").is_none(), "it is in no channel: {done}");
    let shown = bot.slack.calls("response").remove(0).arguments;
    let image = &shown["blocks"][0];
    assert_eq!((&image["type"], &image["slack_file"]["id"]), (&json!("image"), &done["files"][0]["id"]));
    assert_eq!(image["alt_text"], json!(alt));

    // The same picture again is not uploaded again.
    bot.slash("dana", "/account acme").await;
    assert_eq!(bot.private().await, alt);
    assert_eq!(bot.slack.calls("upload").len(), 1);

    // What was done about it is in the next one.
    bot.at("2026-11-24T07:00:00Z").await;
    let morning = bot.next_post("dana");
    bot.click("dana", &morning, "Acknowledge", "Acme").await;
    bot.skip();
    bot.slash("kim", "/account acme").await;
    assert!(bot.private().await.contains("acknowledged 24 Nov"));
    assert_eq!(bot.slack.calls("upload").len(), 2);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_is_still_being_processed_is_shown_a_moment_later() {
    let bot = tuesday().await;
    bot.slack.once("response", Trouble::Word(404, r#"{"ok":false,"error":"invalid_blocks"}"#));
    bot.slash("dana", "/account acme").await;
    assert!(bot.private().await.starts_with("Health "), "refused once");
    assert!(bot.private().await.starts_with("Health "), "and shown");
    assert_eq!(bot.slack.calls("upload").len(), 1);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_picture_the_answer_says_it_in_words() {
    let bot = tuesday().await;
    bot.slack.once("files.getUploadURLExternal", Trouble::Refused("missing_scope"));
    let said = bot.slash("dana", "/account acme").await;
    assert!(said.contains("Health has been about "), "{said}");
    // An upload address that is nobody we know gets no bytes.
    bot.slack.once(
        "files.getUploadURLExternal",
        Trouble::Said(r#"{"ok":true,"upload_url":"http://10.0.0.1/x","file_id":"F1"}"#),
    );
    bot.slash("kim", "/account acme").await;
    // Who is no colleague gets neither.
    let stranger = bot.slash("nobody", "/account acme").await;
    assert!(!stranger.contains("Health") && !bot.private().await.contains("Health"), "{stranger}");
    bot.read_privates().await;
    assert_eq!((bot.slack.calls("upload").len(), bot.slack.calls("response").len()), (0, 1));
    bot.finish().await;
}

//! Whatever a message or a dialog says, Slack takes it.

use proptest::bool;
use proptest::prelude::*;
use serde_json::json;

use super::tests::carried;
use super::*;
use crate::domain::message::any::{self, button, text, words};
use crate::domain::message::{Dialog, Field};
use crate::slack::inbound::Origin;

/// Slack's limits, checked on the JSON alone.
fn hold_limits(value: &Value) {
    let size = |value: &Value| value.as_str().map_or(0, |text| text.encode_utf16().count());
    let count = |value: &Value| value.as_array().map_or(0, Vec::len);
    match value {
        Value::Array(list) => list.iter().for_each(hold_limits),
        Value::Object(map) => {
            let text = &value["text"];
            match value["type"].as_str() {
                Some("plain_text" | "mrkdwn") => assert!((1..=3000).contains(&size(text))),
                Some("section") => {
                    assert!(!text.is_null() || (1..=10).contains(&count(&value["fields"])));
                    value["fields"].as_array().into_iter().flatten().for_each(|f| assert!(size(&f["text"]) <= 2000));
                }
                Some("header") => assert!(size(&text["text"]) <= 150),
                Some("context") => assert!((1..=10).contains(&count(&value["elements"]))),
                Some("actions") => {
                    assert!((1..=25).contains(&count(&value["elements"])));
                    let mut ids: Vec<&str> = value["elements"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|e| e["action_id"].as_str().unwrap())
                        .collect();
                    ids.sort_unstable();
                    ids.dedup();
                    assert_eq!(ids.len(), count(&value["elements"]));
                }
                Some("button") => {
                    assert!(
                        size(&text["text"]) <= 75
                            && size(&value["value"]) <= 2000
                            && size(&value["accessibility_label"]) <= 75
                    );
                }
                Some("overflow") => assert!((1..=5).contains(&count(&value["options"]))),
                Some("static_select") => assert!((1..=100).contains(&count(&value["options"]))),
                Some("modal") => {
                    ["title", "submit", "close"].iter().for_each(|key| assert!(size(&value[*key]["text"]) <= 24));
                    assert!(size(&value["private_metadata"]) <= 3000 && count(&value["blocks"]) <= 100);
                }
                Some("input") => assert!(size(&value["label"]["text"]) <= 2000 && size(&value["hint"]["text"]) <= 2000),
                Some("plain_text_input") => {
                    let max = value["max_length"].as_u64().unwrap();
                    assert!((1..=3000).contains(&max) && size(&value["initial_value"]) as u64 <= max);
                }
                _ => {}
            }
            for option in value["options"].as_array().into_iter().flatten() {
                assert!(
                    (1..=75).contains(&size(&option["text"]["text"])) && (1..=150).contains(&size(&option["value"]))
                );
            }
            map.values().for_each(hold_limits);
        }
        Value::String(text) => assert!(!text.contains('\0')),
        _ => {}
    }
}

fn any_message() -> impl Strategy<Value = Message> {
    any::message(words())
}

fn any_dialog() -> impl Strategy<Value = Dialog> {
    let field = (words(), prop::option::of(words()), bool::ANY, any::input(words()))
        .prop_map(|(label, hint, required, input)| Field { id: "f", label, hint, required, input });
    (words(), words(), prop::option::of(text()), prop::collection::vec(field, 0..5), button()).prop_map(
        |(title, submit, intro, fields, button)| Dialog { title, submit, intro, fields, action: button.action },
    )
}

#[test]
fn a_hundred_thousand_characters() {
    for text in ["usage fell & ", "x", "👩‍👩‍👧", "\n", "\"\\"] {
        let long = text.repeat(100_000 / text.chars().count());
        let blocks = vec![
            Block::Heading(long.clone()),
            Block::Text(Text::strong(long.clone())),
            Block::Context(long.clone().into()),
        ];
        let parts = message(&Message { summary: long, blocks });
        for part in &parts {
            let blocks = json!(part.blocks);
            assert!(blocks.to_string().encode_utf16().count() <= 12_000);
            hold_limits(&blocks);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_message_holds_every_limit(said in any_message()) {
        let parts = message(&said);
        prop_assert!(!parts.is_empty());
        for part in &parts {
            prop_assert!((1..=3000).contains(&part.text.encode_utf16().count()));
            prop_assert!(!part.text.contains(['<', '>', '\0']));
            let blocks = json!(part.blocks);
            prop_assert!(part.blocks.len() <= 50 && blocks.to_string().encode_utf16().count() <= 12_000);
            hold_limits(&blocks);
            for block in &part.blocks {
                prop_assert!(blocks::at_most(block) >= blocks::weight(block), "{:?}", block);
            }
        }
        let fits = |button: &&Button| {
            let value = button.action.to_string();
            value.encode_utf16().count() <= 2000 && !value.contains(char::is_control)
        };
        let drawn: usize = parts.iter().map(|part| carried(&json!(part.blocks)).len()).sum();
        prop_assert_eq!(drawn, said.buttons().filter(fits).count(), "no action is lost");
        prop_assert!(reply(&Reply::Private(said.clone())).len() <= 5);
        hold_limits(&notice("Title", &said));
    }

    #[test]
    fn buttons_stay_with_the_text_before_them(said in any_message()) {
        for part in message(&said) {
            let blocks = json!(part.blocks);
            let torn = blocks.get(0).is_some_and(|block| block["type"] == "actions");
            // Only buttons that follow more buttons, or nothing, may begin a message.
            prop_assert!(!torn || !follows_a_text(&said, &blocks[0]));
        }
    }

    #[test]
    fn any_dialog_holds_every_limit(asked in any_dialog()) {
        hold_limits(&dialog(&asked, Some(&Origin { channel: "C1".into(), ts: "1.2".into() })));
    }
}

/// Whether the first action of these buttons stands in the message directly after something visible that is no
/// buttons, and first among its own.
fn follows_a_text(said: &Message, buttons: &Value) -> bool {
    let Some(first) = carried(&json!([buttons])).into_iter().next() else { return false };
    let pieces: Vec<(&Block, Vec<pages::Piece>)> =
        said.blocks.iter().map(|b| (b, block(b))).filter(|(_, drawn)| !drawn.is_empty()).collect();
    pieces.windows(2).any(|pair| {
        let Block::Buttons(below) = pair[1].0 else { return false };
        let above = !matches!(pair[0].0, Block::Buttons(_) | Block::Divider);
        above && below.shown.first().is_some_and(|button| button.action == first)
    })
}

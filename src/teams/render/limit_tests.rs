//! Whatever a message or a dialog says, Teams takes it and shows it whole on a phone.

use std::collections::BTreeSet;

use proptest::bool;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain::message::any::{self, button, text, words};
use crate::domain::message::{Answers, Button, Dialog, Field};

/// The largest activity that is known to arrive everywhere, in bytes.
const ACTIVITY: usize = 28 * 1024;
/// The largest picture that a card carries.
const PICTURE: Draw = |_| Some(format!("data:image/png;base64,{}", "A".repeat(22_000)));

/// Teams' limits and those of a narrow screen, checked on the JSON alone.
fn hold_limits(value: &Value, ids: &mut BTreeSet<String>) {
    let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    match value {
        Value::Array(list) => list.iter().for_each(|inner| hold_limits(inner, ids)),
        Value::Object(map) => {
            if let Some(actions) = value["actions"].as_array() {
                assert!((1..=2).contains(&actions.len()), "two whole titles fit beside each other: {value}");
                assert!(actions.iter().all(|action| (1..=30).contains(&length(&action["title"]))), "{value}");
            }
            if let Some(id) = value["id"].as_str() {
                assert!(ids.insert(id.to_owned()), "{id} stands there twice");
            }
            match value["type"].as_str() {
                Some("AdaptiveCard") => assert_eq!(value["version"], "1.5"),
                Some("Action.Execute") if value["fallback"].is_object() => {
                    assert_eq!(value["data"], value["fallback"]["data"], "one action behind both");
                }
                Some("Action.Execute") => assert_eq!(value["verb"], REFRESH, "{value}"),
                Some("Action.OpenUrl") => assert!(value["url"].as_str().unwrap().starts_with("https://"), "{value}"),
                Some("Image") => assert!(length(&value["altText"]) > 0, "a picture without words"),
                Some("TextBlock") => assert_eq!(value["wrap"], true, "a line that is cut off: {value}"),
                Some("Input.Text") => assert!(length(&value["value"]) as u64 <= value["maxLength"].as_u64().unwrap()),
                Some("Input.ChoiceSet") => assert!(!value["choices"].as_array().unwrap().is_empty()),
                _ => {}
            }
            if value["type"].as_str().is_some_and(|kind| kind.starts_with("Input.")) {
                assert!(length(&value["label"]) > 0, "an input without a label: {value}");
            }
            // What a button carries is nobody's text.
            map.iter().filter(|(key, _)| *key != "data").for_each(|(_, inner)| hold_limits(inner, ids));
        }
        Value::String(text) => assert!(!text.contains(['\0', '\u{202e}']), "{text:?}"),
        _ => {}
    }
}

fn holds(card: &Value) {
    hold_limits(card, &mut BTreeSet::new());
}

fn any_message() -> impl Strategy<Value = Message> {
    // A chart is made with its words.
    any::message("\\PC{0,300}[a-z]")
}

fn any_dialog() -> impl Strategy<Value = Dialog> {
    let field = ("\\PC{1,80}[a-z]", prop::option::of(words()), bool::ANY, any::input("[a-z0-9-]{1,36}"))
        .prop_map(|(label, hint, required, input)| Field { id: "f", label, hint, required, input });
    ("\\PC{1,80}[a-z]", "[a-zA-Z ]{1,40}[a-z]", prop::option::of(text()), field, button()).prop_map(
        |(title, submit, intro, field, button)| Dialog {
            title,
            submit,
            intro,
            fields: vec![field],
            action: button.action,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_message_holds_every_limit(said in any_message()) {
        let parts = super::message(&said, PICTURE);
        prop_assert!(!parts.is_empty());
        let mut drawn = 0;
        for part in &parts {
            let activity = activity(part).to_string();
            prop_assert!(activity.len() < ACTIVITY, "{}", activity.len());
            prop_assert!((1..=260).contains(&part.summary.chars().count()), "{:?}", part.summary);
            holds(&part.card);
            drawn += activity.matches("\"tooltip\"").count() - activity.matches("Action.ToggleVisibility").count();
        }
        let fits = |button: &&Button| {
            button.action.to_string().len() <= buttons::ACTION && !words::line(&button.spoken, 75).is_empty()
        };
        prop_assert_eq!(drawn, said.buttons().filter(fits).count(), "no action is lost");
    }

    #[test]
    fn any_answer_and_any_page_hold_them_too(said in any_message(), asked in "[a-z ]{0,200}") {
        let question = Question::Command(format!("account {asked}"));
        let asked = Asked { question: &question, account_id: "29:1x", channel: Some("19:t@thread.tacv2") };
        let parts = answer(&said, asked, PICTURE);
        prop_assert!((1..=ANSWER_PARTS).contains(&parts.len()));
        for part in &parts {
            prop_assert!(activity(part).to_string().len() < ACTIVITY);
            holds(&part.card);
        }
        let foot = |page: usize, pages: usize| vec![Block::Context(format!("Page {page} of {pages}").into())];
        let one = page(&said, 2, (|_| question.clone(), foot), "29:1x", |_| None);
        prop_assert!(activity(&one).to_string().len() < ACTIVITY);
        holds(&one.card);
    }

    #[test]
    fn any_dialog_holds_every_limit(asked in any_dialog(), said in words()) {
        let errors = [("f".to_owned(), "Please fill this in.".to_owned()), (String::new(), said.clone())];
        let typed = Answers::from([("f".to_owned(), said)]);
        for opened in [dialog(&asked, &Carried::default()), refused(&asked, &Carried::default(), &typed, &errors)] {
            let value = &opened["task"]["value"];
            prop_assert!((1..=60).contains(&value["title"].as_str().unwrap().chars().count()));
            // 100 KB as UTF-16 are refused.
            prop_assert!(opened.to_string().encode_utf16().count() * 2 < 100 * 1024);
            holds(&value["card"]["content"]);
        }
    }
}

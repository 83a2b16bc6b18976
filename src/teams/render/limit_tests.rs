//! Whatever a message or a dialog says, Teams takes it and shows it whole on a phone.

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveTime};
use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::domain::account::AccountId;
use crate::domain::action::{Action, Subject, Verb};
use crate::domain::message::chart::{Chart, Kind};
use crate::domain::message::{Answers, Button, Buttons, Dialog, Emphasis, Field, Input, Span, Style, Text};
use crate::domain::money::Currency;

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

fn words() -> impl Strategy<Value = String> {
    let sample = prop_oneof![
        4 => "[ -~]{0,30}",
        2 => "\\PC{0,40}",
        1 => Just("👩‍👩‍👧🇺🇦".to_owned()),
        1 => Just("שלום \u{202e}مرحبا".to_owned()),
        1 => Just("\0\u{1}\r\n\t".to_owned()),
        1 => Just("**a** [b](https://x.example) _c_ `d`\n- e".to_owned()),
        1 => Just(String::new()),
    ];
    let times = prop_oneof![60 => Just(1usize), 12 => Just(60), 1 => Just(1000)];
    (sample, times).prop_map(|(text, times)| text.repeat(times))
}

fn text() -> impl Strategy<Value = Text> {
    let style = prop_oneof![
        Just(Style::Plain),
        Just(Style::Strong),
        Just(Style::Emphasis),
        Just(Style::Code),
        words().prop_map(Style::Link),
        Just(Style::Link("https://crm.example/?a=<b>|c&d".into())),
    ];
    let span = (words(), style).prop_map(|(text, style)| Span { text, style });
    prop::collection::vec(span, 0..4).prop_map(Text)
}

fn button() -> impl Strategy<Value = Button> {
    let subject = prop_oneof![
        3 => any::<u128>().prop_map(|id| Subject::Risk(Uuid::from_u128(id))),
        1 => words().prop_map(|id| Subject::Account(AccountId(format!("x{id}")))),
    ];
    let emphasis = prop_oneof![Just(Emphasis::Normal), Just(Emphasis::Primary), Just(Emphasis::Danger)];
    (words(), prop::sample::select(&Verb::ALL[..]), subject, emphasis, words()).prop_map(
        |(label, verb, subject, emphasis, spoken)| Button {
            label,
            action: Action::new(verb, subject),
            emphasis,
            spoken,
        },
    )
}

fn any_block() -> impl Strategy<Value = Block> {
    // A chart is made with its words.
    let chart = (words(), "\\PC{0,300}[a-z]");
    let chart = chart.prop_map(|(title, alt)| Chart { title, alt, kind: Kind::Bars(Vec::new()) });
    prop_oneof![
        1 => words().prop_map(Block::Heading),
        3 => text().prop_map(Block::Text),
        1 => prop::collection::vec(text(), 0..6).prop_map(Block::Bullets),
        1 => prop::collection::vec((words(), text()), 0..14).prop_map(Block::Facts),
        1 => text().prop_map(Block::Context),
        1 => chart.prop_map(Block::Chart),
        1 => Just(Block::Divider),
        2 => (prop::collection::vec(button(), 0..4), prop::collection::vec(button(), 0..9))
            .prop_map(|(shown, more)| Block::Buttons(Buttons { shown, more })),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    (words(), prop::collection::vec(any_block(), 0..25)).prop_map(|(summary, blocks)| Message { summary, blocks })
}

fn any_dialog() -> impl Strategy<Value = Dialog> {
    let date = prop::option::of((1900i32..2200, 1u32..366).prop_map(|(y, d)| NaiveDate::from_yo_opt(y, d).unwrap()));
    let options = |most| prop::collection::vec(("[a-z0-9-]{1,36}", words()), 0..most);
    let input = prop_oneof![
        (words(), any::<u16>()).prop_map(|(value, max)| Input::Line { value, max }),
        (words(), any::<u16>()).prop_map(|(value, max)| Input::Paragraph { value, max }),
        (date.clone(), date).prop_map(|(value, min)| Input::Date { value, min }),
        words().prop_map(|value| Input::Amount { value, currency: Currency::USD }),
        (0..24_u32, 0..60_u32)
            .prop_map(|(hour, minute)| Input::Time { value: NaiveTime::from_hms_opt(hour, minute, 0).unwrap() }),
        options(8).prop_map(|options| Input::Choices {
            values: options.iter().take(2).map(|option| option.0.clone()).collect(),
            options,
        }),
        options(100)
            .prop_map(|options| Input::Select { value: options.first().map(|option| option.0.clone()), options }),
    ];
    let field = ("\\PC{1,80}[a-z]", prop::option::of(words()), any::<bool>(), input)
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

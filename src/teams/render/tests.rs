//! What people see in Teams, and the limits that Teams sets.

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::domain::account::AccountId;
use crate::domain::action::{Action, Subject, Verb};
use crate::domain::message::chart::Bar;
use crate::domain::message::{Answers, Button, Buttons, Dialog, Field, Input, Text};

const RISK: Subject = Subject::Risk(Uuid::nil());

fn press(verb: Verb) -> Button {
    Button::new(Action::new(verb, RISK), "Acme")
}

fn saying(blocks: Vec<Block>) -> Message {
    Message { summary: "14 at risk".into(), blocks }
}

fn only(message: Message) -> Value {
    let mut parts = super::message(&message, |_| None);
    assert_eq!(parts.len(), 1);
    parts.remove(0).card
}

/// Every object in a card that has this type.
fn find<'v>(value: &'v Value, kind: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(fields) => {
            if fields.get("type").and_then(Value::as_str) == Some(kind) {
                found.push(value);
            }
            fields.values().for_each(|inner| find(inner, kind, found));
        }
        Value::Array(items) => items.iter().for_each(|item| find(item, kind, found)),
        _ => {}
    }
}

fn all<'v>(card: &'v Value, kind: &str) -> Vec<&'v Value> {
    let mut found = Vec::new();
    find(card, kind, &mut found);
    found
}

fn risk_card(name: &str) -> Vec<Block> {
    vec![
        Block::Text(Text::strong(name).then(" · health 34, at risk (was 52) · ARR $184k")),
        Block::Text(Text::plain(
            "Active users fell from 80 to 28 in five weeks.\nThis week: ask the champion what changed.",
        )),
        Block::Context(Text::plain("New · at risk since Mon 2 Nov · AM: Kim")),
        Block::Buttons(Buttons {
            shown: vec![press(Verb::Acknowledge).primary(), press(Verb::SetNextStep)],
            more: vec![press(Verb::Snooze), press(Verb::Note), press(Verb::ShowMore)],
        }),
        Block::Divider,
    ]
}

#[test]
fn a_card_as_teams_gets_it() {
    let card = only(saying(risk_card("Acme")));
    insta::assert_json_snapshot!(card["body"], @r#"
    [
      {
        "inlines": [
          {
            "text": "Acme",
            "type": "TextRun",
            "weight": "Bolder"
          },
          {
            "text": " · health 34, at risk (was 52) · ARR $184k",
            "type": "TextRun"
          }
        ],
        "type": "RichTextBlock"
      },
      {
        "inlines": [
          {
            "text": "Active users fell from 80 to 28 in five weeks.",
            "type": "TextRun"
          }
        ],
        "type": "RichTextBlock"
      },
      {
        "inlines": [
          {
            "text": "This week: ask the champion what changed.",
            "type": "TextRun"
          }
        ],
        "spacing": "Small",
        "type": "RichTextBlock"
      },
      {
        "inlines": [
          {
            "isSubtle": true,
            "size": "Small",
            "text": "New · at risk since Mon 2 Nov · AM: Kim",
            "type": "TextRun"
          }
        ],
        "type": "RichTextBlock"
      },
      {
        "actions": [
          {
            "data": {
              "a": "acknowledge|risk:00000000-0000-0000-0000-000000000000"
            },
            "fallback": {
              "data": {
                "a": "acknowledge|risk:00000000-0000-0000-0000-000000000000"
              },
              "title": "Acknowledge",
              "type": "Action.Submit"
            },
            "style": "positive",
            "title": "Acknowledge",
            "tooltip": "Acknowledge Acme",
            "type": "Action.Execute",
            "verb": "acknowledge"
          },
          {
            "data": {
              "a": "set_next_step|risk:00000000-0000-0000-0000-000000000000",
              "msteams": {
                "type": "task/fetch"
              }
            },
            "title": "Set next step",
            "tooltip": "Set next step Acme",
            "type": "Action.Submit"
          }
        ],
        "type": "ActionSet"
      },
      {
        "actions": [
          {
            "targetElements": [
              "more1"
            ],
            "title": "More",
            "tooltip": "Show or hide further actions",
            "type": "Action.ToggleVisibility"
          }
        ],
        "spacing": "Small",
        "type": "ActionSet"
      },
      {
        "id": "more1",
        "isVisible": false,
        "items": [
          {
            "actions": [
              {
                "data": {
                  "a": "snooze|risk:00000000-0000-0000-0000-000000000000",
                  "msteams": {
                    "type": "task/fetch"
                  }
                },
                "title": "Snooze",
                "tooltip": "Snooze Acme",
                "type": "Action.Submit"
              },
              {
                "data": {
                  "a": "note|risk:00000000-0000-0000-0000-000000000000",
                  "msteams": {
                    "type": "task/fetch"
                  }
                },
                "title": "Note",
                "tooltip": "Note Acme",
                "type": "Action.Submit"
              }
            ],
            "type": "ActionSet"
          },
          {
            "actions": [
              {
                "data": {
                  "a": "show_more|risk:00000000-0000-0000-0000-000000000000"
                },
                "fallback": {
                  "data": {
                    "a": "show_more|risk:00000000-0000-0000-0000-000000000000"
                  },
                  "title": "Show more",
                  "type": "Action.Submit"
                },
                "title": "Show more",
                "tooltip": "Show more Acme",
                "type": "Action.Execute",
                "verb": "show_more"
              }
            ],
            "spacing": "Small",
            "type": "ActionSet"
          }
        ],
        "spacing": "Small",
        "type": "Container"
      }
    ]
    "#);
}

#[test]
fn every_block_and_every_verb_is_drawn() {
    let blocks = vec![
        Block::Heading("Good morning, Dana".into()),
        Block::Text(Text::plain("A text")),
        Block::Bullets(vec!["one".into(), Text::new().then_link("two", "https://crm.example/2")]),
        Block::Facts(vec![("ARR".into(), Text::strong("$184k"))]),
        Block::Context("usage: yesterday".into()),
        Block::Divider,
        Block::Chart(chart()),
        Block::Buttons(Buttons { shown: vec![press(Verb::Acknowledge)], more: Vec::new() }),
    ];
    let card = only(saying(blocks));
    let text = card.to_string();
    for said in ["NPS", "Good morning, Dana", "A text", "• ", "https://crm.example/2", "**$184k**", "usage: yesterday"]
    {
        assert!(text.contains(said), "{said}");
    }
    for verb in Verb::ALL {
        let card = only(saying(vec![Block::Buttons(Buttons { shown: vec![press(verb)], more: Vec::new() })]));
        let data = json!(Action::new(verb, RISK).to_string());
        let (execute, submit) = (all(&card, "Action.Execute"), all(&card, "Action.Submit"));
        if verb.opens_dialog() {
            assert_eq!((execute.len(), submit.len()), (0, 1), "{verb:?}");
            assert_eq!(submit[0]["data"], json!({"msteams": {"type": "task/fetch"}, "a": data}));
        } else {
            // The same action behind both.
            assert_eq!((execute.len(), submit.len()), (1, 1), "{verb:?}");
            assert_eq!((&execute[0]["data"]["a"], &submit[0]["data"]["a"]), (&data, &data));
            assert_eq!(execute[0]["verb"], verb.as_str());
        }
        assert_eq!(submit[0]["title"], verb.label());
    }
}

fn chart() -> Chart {
    Chart::bars("Your quarter".into(), vec![Bar { label: "NPS".into(), value: 41.0, said: "41".into() }]).unwrap()
}

#[test]
fn a_chart_is_a_picture_that_says_what_it_shows() {
    let saying = saying(vec![Block::Text("before".into()), Block::Chart(chart()), Block::Text("after".into())]);
    let parts = super::message(&saying, |_| Some("data:image/png;base64,AA".into()));
    let picture = all(&parts[0].card, "Image")[0];
    assert_eq!(
        (picture["url"].as_str(), picture["altText"].as_str()),
        (Some("data:image/png;base64,AA"), Some("Your quarter: NPS 41."))
    );
    // A large one stands in a card of its own, and that stays below 28 KB too.
    let parts = super::message(&saying, |_| Some(format!("data:image/png;base64,{}", "A".repeat(22_000))));
    assert!(parts.iter().all(|part| activity(part).to_string().len() < 28 * 1024));
}

#[test]
fn rows_have_two_buttons_and_the_rest_stands_under_more() {
    let card = only(saying([risk_card("Acme"), risk_card("Globex")].concat()));
    for set in all(&card, "ActionSet") {
        assert!(set["actions"].as_array().unwrap().len() <= 2, "{set}");
    }
    let toggles = all(&card, "Action.ToggleVisibility");
    let targets: Vec<&Value> = toggles.iter().map(|toggle| &toggle["targetElements"][0]).collect();
    assert_eq!(targets, [&json!("more1"), &json!("more2")]);
    let hidden: Vec<&Value> = all(&card, "Container").iter().map(|hidden| &hidden["id"]).collect();
    assert_eq!(hidden, targets);
}

#[test]
fn one_or_two_further_actions_need_no_menu() {
    let buttons = |more: &[Verb]| {
        let more = more.iter().map(|verb| press(*verb)).collect();
        only(saying(vec![Block::Buttons(Buttons { shown: vec![press(Verb::Qualify), press(Verb::Pass)], more })]))
    };
    for more in [&[][..], &[Verb::NotUseful], &[Verb::NotUseful, Verb::Note]] {
        assert!(all(&buttons(more), "Action.ToggleVisibility").is_empty(), "{more:?}");
    }
    assert_eq!(all(&buttons(&[Verb::NotUseful, Verb::Note, Verb::Raise]), "Action.ToggleVisibility").len(), 1);
}

#[test]
fn titles_that_are_too_long_for_a_phone_stand_alone() {
    let named = |name: &str| {
        let mut button = press(Verb::ShowMore);
        button.label = name.into();
        button
    };
    let names = ["Aldermoor Estates", "Anselm Pharma Research", "Arbor", "Ashgrove"];
    let shown = names.map(named).into();
    let card = only(saying(vec![Block::Buttons(Buttons { shown, more: Vec::new() })]));
    let rows: Vec<usize> = all(&card, "ActionSet").iter().map(|set| set["actions"].as_array().unwrap().len()).collect();
    assert_eq!(rows, [1, 2, 1]);
}

#[test]
fn a_line_with_one_link_is_a_link_as_a_whole() {
    let one = Text::new().then_link("Acme", "https://crm.example/1").then(" · health 34");
    let two = Text::new().then_link("a", "https://crm.example/1").then_link("b", "https://crm.example/2");
    let card = only(saying(vec![Block::Text(one), Block::Text(two)]));
    let (line, several) = (&card["body"][0], &card["body"][1]);
    assert_eq!(
        line["selectAction"],
        json!({"type": "Action.OpenUrl", "title": "Acme", "url": "https://crm.example/1"})
    );
    let run = &line["items"][0]["inlines"][0];
    assert_eq!((&run["underline"], &run["selectAction"]), (&json!(true), &Value::Null));
    assert_eq!(
        (&several["type"], &several["inlines"][1]["selectAction"]["url"]),
        (&json!("RichTextBlock"), &json!("https://crm.example/2"))
    );
}

#[test]
fn a_long_message_becomes_several_activities_below_28_kb() {
    let cards = (0..40).flat_map(|number| risk_card(&format!("Customer {number} {}", "ü".repeat(60))));
    let parts = super::message(&saying(cards.collect()), |_| None);
    assert!(parts.len() > 1);
    let mut acknowledged = 0;
    for (number, part) in parts.iter().enumerate() {
        let text = activity(part).to_string();
        assert!(text.len() < 28 * 1024, "part {number}: {}", text.len());
        assert!(text.encode_utf16().count() * 2 < 80 * 1024);
        acknowledged +=
            all(&part.card, "Action.Execute").iter().filter(|action| action["verb"] == "acknowledge").count();
        // No part begins with somebody else's buttons.
        assert_ne!(part.card["body"][0]["type"], "ActionSet");
    }
    assert_eq!(acknowledged, 40);
    assert!(parts[1].summary.ends_with(&format!("(2/{})", parts.len())), "{}", parts[1].summary);
    let monster = Block::Text(Text::plain("x".repeat(90_000)));
    for part in super::message(&saying(vec![monster]), |_| None) {
        assert!(activity(&part).to_string().len() < 28 * 1024);
    }
}

#[test]
fn an_answer_can_be_asked_how_it_reads_now() {
    let question = Question::Command("account acme".into());
    let asked = Asked { question: &question, account_id: "29:1x", channel: Some("19:t@thread.tacv2") };
    let parts = answer(&saying(risk_card("Acme")), asked, |_| None);
    let card = &parts[0].card;
    assert_eq!(card["refresh"]["userIds"], json!(["29:1x"]));
    assert_eq!(card["refresh"]["action"]["verb"], REFRESH);
    let carried = json!({"q": {"c": "account acme"}, "c": "19:t@thread.tacv2"});
    assert_eq!(card["refresh"]["action"]["data"], carried);
    for action in all(card, "Action.Execute").into_iter().chain(all(card, "Action.Submit")) {
        assert_eq!((&action["data"]["q"], &action["data"]["c"]), (&carried["q"], &carried["c"]), "{action}");
    }
    assert_eq!(super::message(&saying(risk_card("Acme")), |_| None)[0].card["refresh"], Value::Null);
}

fn form() -> Dialog {
    Dialog {
        title: "Set next step".into(),
        submit: "Save".into(),
        intro: Some("Acme".into()),
        fields: vec![
            Field {
                id: "step",
                label: "Next step".into(),
                hint: None,
                required: true,
                input: Input::Line { value: "call".into(), max: 200 },
            },
            Field {
                id: "due",
                label: "Due".into(),
                hint: Some("At the latest Fri 27 Nov".into()),
                required: true,
                input: Input::Date { value: "2026-11-10".parse().ok(), min: "2026-11-03".parse().ok() },
            },
            Field {
                id: "how",
                label: "How".into(),
                hint: None,
                required: false,
                input: Input::Select {
                    value: None,
                    options: vec![("fixed".into(), "Fixed".into()), ("loss".into(), "Loss".into())],
                },
            },
            Field {
                id: "amount",
                label: "Amount".into(),
                hint: Some("In USD, digits only.".into()),
                required: false,
                input: Input::Amount { value: String::new(), currency: "USD".parse().unwrap() },
            },
        ],
        action: Action::new(Verb::SetNextStep, RISK),
    }
}

#[test]
fn a_dialog_asks_and_keeps_what_was_typed() {
    let carried = Carried { card: Some("17".into()), ..Carried::default() };
    let opened = dialog(&form(), &carried);
    let card = &opened["task"]["value"]["card"]["content"];
    assert_eq!(opened["task"]["value"]["title"], "Set next step");
    assert_eq!(card["actions"][0]["data"], json!({"a": form().action.to_string(), "t": "17"}));
    let input =
        |card: &Value, id: &str| card["body"].as_array().unwrap().iter().find(|e| e["id"] == id).unwrap().clone();
    assert_eq!(input(card, "f.step")["value"], "call");
    assert_eq!(card.to_string().matches("digits only").count(), 1);
    assert_eq!(input(card, "f.due")["min"], "2026-11-03");
    assert_eq!(input(card, "f.how")["choices"][1], json!({"title": "Loss", "value": "loss"}));
    for element in card["body"].as_array().unwrap().iter().filter(|e| e["type"].as_str().unwrap().starts_with("Input."))
    {
        assert!(element["label"].is_string(), "{element}");
    }

    let typed = Answers::from([("due".into(), "2026-12-24".into()), ("how".into(), "loss".into())]);
    let errors =
        [("due".to_owned(), "Please pick an earlier day.".to_owned()), (String::new(), "Tandem is busy.".to_owned())];
    let again = refused(&form(), &carried, &typed, &errors);
    let card = &again["task"]["value"]["card"]["content"];
    assert_eq!(input(card, "f.step")["value"], Value::Null, "what was cleared stays cleared");
    assert_eq!(input(card, "f.due")["value"], "2026-12-24");
    assert_eq!(input(card, "f.how")["value"], "loss");
    let body = card["body"].as_array().unwrap();
    let at = body.iter().position(|element| element["id"] == "f.due").unwrap();
    assert!(body[at - 1].to_string().contains("Please pick an earlier day."));
    assert!(body[1].to_string().contains("Tandem is busy."));
}

#[test]
fn answers_to_presses_have_teams_shapes() {
    let sentence = Message::sentence("Acme: note saved. See it all with /tandem voice.");
    assert!(is_sentence(&sentence) && !is_sentence(&saying(risk_card("Acme"))));
    assert_eq!(
        told(&sentence),
        json!({"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": "Acme: note saved. See it all with \"voice\"."})
    );
    assert_eq!(notice("Note", &sentence, |_| None)["task"]["type"], "message");
    assert_eq!(notice("Note", &saying(risk_card("Acme")), |_| None)["task"]["type"], "continue");
    assert_eq!(super::sentence(&Message::sentence("**no** bold"))["text"], "∗∗no∗∗ bold");
}

#[test]
fn an_account_id_of_a_customers_own_survives() {
    let id = AccountId("a-1 \"ü\" [x](y)".into());
    let button = Button::new(Action::new(Verb::ShowMore, Subject::Account(id)), "Acme");
    let card = only(saying(vec![Block::Buttons(Buttons { shown: vec![button.clone()], more: Vec::new() })]));
    let data = all(&card, "Action.Execute")[0]["data"]["a"].as_str().unwrap().to_owned();
    assert_eq!(data.parse::<Action>(), Ok(button.action));
}

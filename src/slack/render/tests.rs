use chrono::NaiveDate;
use serde_json::json;

use super::*;
use crate::domain::account::AccountId;
use crate::domain::action::{Action, Subject, Verb};
use crate::domain::message::{Dialog, Field, Input};
use crate::domain::money::Currency;
use crate::slack::address::ApiUrl;
use crate::slack::inbound::{Inbound, Origin, interaction};

fn risk(n: u128) -> Subject {
    Subject::Risk(Uuid::from_u128(n))
}

fn card() -> Message {
    let button = |verb| Button::new(Action::new(verb, risk(7)), "Acme & Sons");
    Message {
        summary: "14 at risk, €410k; Acme & Sons served notice".into(),
        blocks: vec![
            Block::Heading("Good morning, Dana: 14 at risk".into()),
            Block::Text(
                Text::strong("Acme & Sons")
                    .then(" 38 (−12): served notice. ")
                    .then_link("Open in CRM", "https://crm.example/a?b=1&c=2"),
            ),
            Block::Bullets(vec![Text::plain("Ask <why>"), Text::plain("Book the sponsor").then_emphasis(" today")]),
            Block::Facts(vec![("ARR".into(), "$120,000".into()), ("Opt-out".into(), Text::plain("in 12 days"))]),
            Block::Context("crm 2026-09-20 · usage 2026-09-19".into()),
            Block::Buttons(Buttons {
                shown: vec![button(Verb::Acknowledge).primary(), button(Verb::SetNextStep)],
                more: vec![button(Verb::Snooze), button(Verb::Resolve)],
            }),
            Block::Divider,
            Block::Text("41 accounts are quiet.".into()),
        ],
    }
}

#[test]
fn a_card() {
    let parts = message(&card());
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].text, "14 at risk, €410k; Acme &amp; Sons served notice");
    insta::assert_json_snapshot!(json!(parts[0].blocks), @r#"
    [
      {
        "block_id": "b0",
        "text": {
          "emoji": false,
          "text": "Good morning, Dana: 14 at risk",
          "type": "plain_text"
        },
        "type": "header"
      },
      {
        "block_id": "b1",
        "text": {
          "text": "*Acme &amp; Sons* 38 (−12): served notice. <https://crm.example/a?b=1&amp;c=2|Open in CRM>",
          "type": "mrkdwn"
        },
        "type": "section"
      },
      {
        "block_id": "b2",
        "text": {
          "text": "• Ask &lt;why&gt;\n• Book the sponsor _today_",
          "type": "mrkdwn"
        },
        "type": "section"
      },
      {
        "block_id": "b3",
        "fields": [
          {
            "text": "*ARR*\n$120,000",
            "type": "mrkdwn"
          },
          {
            "text": "*Opt-out*\nin 12 days",
            "type": "mrkdwn"
          }
        ],
        "type": "section"
      },
      {
        "block_id": "b4",
        "elements": [
          {
            "text": "crm 2026-09-20 · usage 2026-09-19",
            "type": "mrkdwn"
          }
        ],
        "type": "context"
      },
      {
        "block_id": "b5",
        "elements": [
          {
            "accessibility_label": "Acknowledge Acme & Sons",
            "action_id": "acknowledge",
            "style": "primary",
            "text": {
              "emoji": false,
              "text": "Acknowledge",
              "type": "plain_text"
            },
            "type": "button",
            "value": "acknowledge|risk:00000000-0000-0000-0000-000000000007"
          },
          {
            "accessibility_label": "Set next step Acme & Sons",
            "action_id": "set_next_step",
            "text": {
              "emoji": false,
              "text": "Set next step",
              "type": "plain_text"
            },
            "type": "button",
            "value": "set_next_step|risk:00000000-0000-0000-0000-000000000007"
          },
          {
            "action_id": "more",
            "options": [
              {
                "text": {
                  "emoji": false,
                  "text": "Snooze",
                  "type": "plain_text"
                },
                "value": "snooze|risk:00000000-0000-0000-0000-000000000007"
              },
              {
                "text": {
                  "emoji": false,
                  "text": "Resolve",
                  "type": "plain_text"
                },
                "value": "resolve|risk:00000000-0000-0000-0000-000000000007"
              }
            ],
            "type": "overflow"
          }
        ],
        "type": "actions"
      },
      {
        "block_id": "b6",
        "type": "divider"
      },
      {
        "block_id": "b7",
        "text": {
          "text": "41 accounts are quiet.",
          "type": "mrkdwn"
        },
        "type": "section"
      }
    ]
    "#);
}

#[test]
fn a_post_can_be_found_again() {
    let rendered = Rendered { text: "Hi".into(), blocks: vec![] };
    insta::assert_json_snapshot!(json!(post("D1", &rendered, Some("17.1"), Some(Uuid::from_u128(5)))), @r#"
    {
      "blocks": [],
      "channel": "D1",
      "metadata": {
        "event_payload": {
          "delivery_id": "00000000-0000-0000-0000-000000000005"
        },
        "event_type": "tandem_delivery"
      },
      "text": "Hi",
      "thread_ts": "17.1",
      "unfurl_links": false,
      "unfurl_media": false
    }
    "#);
}

#[test]
fn a_private_answer() {
    assert_eq!(reply(&Reply::Silent), []);
    insta::assert_json_snapshot!(json!(reply(&Reply::Private(Message::sentence("Lee acknowledged it at 08:04.")))), @r#"
    [
      {
        "blocks": [
          {
            "block_id": "b0",
            "text": {
              "text": "Lee acknowledged it at 08:04.",
              "type": "mrkdwn"
            },
            "type": "section"
          }
        ],
        "replace_original": false,
        "response_type": "ephemeral",
        "text": "Lee acknowledged it at 08:04."
      }
    ]
    "#);
    let errors = Reply::FieldErrors(vec![("until".into(), "Pick a day before 2026-10-01.".into())]);
    assert_eq!(json!(reply(&errors)[0])["text"], "Pick a day before 2026-10-01.");
}

fn snooze() -> Dialog {
    let day = |d| NaiveDate::from_ymd_opt(2026, 9, d);
    let field = |id, label: &str, required, input| Field { id, label: label.into(), hint: None, required, input };
    Dialog {
        title: "Snooze the risk of Acme & Sons".into(),
        submit: "Snooze".into(),
        intro: Some("It wakes early if the band gets worse.".into()),
        fields: vec![
            Field {
                hint: Some("A working day.".into()),
                ..field("until", "Until", true, Input::Date { value: day(30), min: day(22) })
            },
            field("why", "Why", false, Input::Paragraph { value: "waiting for <them>".into(), max: 500 }),
            field("step", "Next step", true, Input::Line { value: String::new(), max: 120 }),
            field("amount", "Amount", false, Input::Amount { value: "1200".into(), currency: Currency::EUR }),
            field(
                "kind",
                "Kind",
                true,
                Input::Select {
                    value: Some("b".into()),
                    options: vec![("a".into(), "First".into()), ("b".into(), "Second".into())],
                },
            ),
        ],
        action: Action::new(Verb::Snooze, risk(7)),
    }
}

#[test]
fn a_dialog() {
    let origin = Origin { channel: "D1".into(), ts: "17.1".into() };
    insta::assert_json_snapshot!(dialog(&snooze(), Some(&origin)), @r#"
    {
      "blocks": [
        {
          "text": {
            "text": "It wakes early if the band gets worse.",
            "type": "mrkdwn"
          },
          "type": "section"
        },
        {
          "block_id": "until",
          "element": {
            "action_id": "until",
            "initial_date": "2026-09-30",
            "type": "datepicker"
          },
          "hint": {
            "emoji": false,
            "text": "A working day. Not before 22 Sep 2026.",
            "type": "plain_text"
          },
          "label": {
            "emoji": false,
            "text": "Until",
            "type": "plain_text"
          },
          "optional": false,
          "type": "input"
        },
        {
          "block_id": "why",
          "element": {
            "action_id": "why",
            "initial_value": "waiting for <them>",
            "max_length": 500,
            "multiline": true,
            "type": "plain_text_input"
          },
          "label": {
            "emoji": false,
            "text": "Why",
            "type": "plain_text"
          },
          "optional": true,
          "type": "input"
        },
        {
          "block_id": "step",
          "element": {
            "action_id": "step",
            "max_length": 120,
            "multiline": false,
            "type": "plain_text_input"
          },
          "label": {
            "emoji": false,
            "text": "Next step",
            "type": "plain_text"
          },
          "optional": false,
          "type": "input"
        },
        {
          "block_id": "amount",
          "element": {
            "action_id": "amount",
            "initial_value": "1200",
            "max_length": 3000,
            "multiline": false,
            "type": "plain_text_input"
          },
          "hint": {
            "emoji": false,
            "text": "In EUR.",
            "type": "plain_text"
          },
          "label": {
            "emoji": false,
            "text": "Amount",
            "type": "plain_text"
          },
          "optional": true,
          "type": "input"
        },
        {
          "block_id": "kind",
          "element": {
            "action_id": "kind",
            "initial_option": {
              "text": {
                "emoji": false,
                "text": "Second",
                "type": "plain_text"
              },
              "value": "b"
            },
            "options": [
              {
                "text": {
                  "emoji": false,
                  "text": "First",
                  "type": "plain_text"
                },
                "value": "a"
              },
              {
                "text": {
                  "emoji": false,
                  "text": "Second",
                  "type": "plain_text"
                },
                "value": "b"
              }
            ],
            "type": "static_select"
          },
          "label": {
            "emoji": false,
            "text": "Kind",
            "type": "plain_text"
          },
          "optional": false,
          "type": "input"
        }
      ],
      "callback_id": "snooze",
      "close": {
        "emoji": false,
        "text": "Cancel",
        "type": "plain_text"
      },
      "private_metadata": "{\"a\":\"snooze|risk:00000000-0000-0000-0000-000000000007\",\"o\":{\"c\":\"D1\",\"t\":\"17.1\"}}",
      "submit": {
        "emoji": false,
        "text": "Snooze",
        "type": "plain_text"
      },
      "title": {
        "emoji": false,
        "text": "Snooze the risk of Acme…",
        "type": "plain_text"
      },
      "type": "modal"
    }
    "#);
}

#[test]
fn what_a_dialog_is_opened_with_and_answered_with() {
    insta::assert_json_snapshot!(skeleton("Snooze"), @r#"
    {
      "blocks": [
        {
          "text": {
            "text": "Loading…",
            "type": "mrkdwn"
          },
          "type": "section"
        }
      ],
      "close": {
        "emoji": false,
        "text": "Close",
        "type": "plain_text"
      },
      "title": {
        "emoji": false,
        "text": "Snooze",
        "type": "plain_text"
      },
      "type": "modal"
    }
    "#);
    let errors =
        vec![("until".to_owned(), "Pick a day before 2026-10-01.".to_owned()), ("until".into(), "Second.".into())];
    assert_eq!(
        submission("Snooze", &Reply::FieldErrors(errors), None),
        Some(json!({"response_action": "errors", "errors": {"until": "Pick a day before 2026-10-01."}}))
    );
    assert_eq!(submission("Snooze", &Reply::Silent, None), None);
    assert_eq!(submission("Snooze", &Reply::FieldErrors(vec![]), None), None);
    insta::assert_json_snapshot!(submission("Snooze", &Reply::Private(Message::sentence("Already snoozed.")), None), @r#"
    {
      "response_action": "update",
      "view": {
        "blocks": [
          {
            "block_id": "b0",
            "text": {
              "text": "Already snoozed.",
              "type": "mrkdwn"
            },
            "type": "section"
          }
        ],
        "close": {
          "emoji": false,
          "text": "Close",
          "type": "plain_text"
        },
        "title": {
          "emoji": false,
          "text": "Snooze",
          "type": "plain_text"
        },
        "type": "modal"
      }
    }
    "#);
    let next = submission("Snooze", &Reply::Dialog(snooze()), None).unwrap();
    assert_eq!((&next["response_action"], &next["view"]["callback_id"]), (&json!("update"), &json!("snooze")));
}

#[test]
fn a_dialog_comes_back_as_it_was_sent() {
    let origin = Origin { channel: "D1".into(), ts: "17.1".into() };
    for (id, kept) in [(AccountId("acme".into()), Some(origin.clone())), (AccountId("x".repeat(2970)), None)] {
        let mut asked = snooze();
        asked.action = Action::new(Verb::Note, Subject::Account(id));
        let view = dialog(&asked, Some(&origin));
        let payload = json!({"type": "view_submission", "user": {"id": "U1"}, "team": {"id": "T1"},
            "view": {"id": "V1", "private_metadata": view["private_metadata"]}});
        let Ok(Inbound::Submission(back)) = interaction(payload, &ApiUrl::default()) else { panic!() };
        assert_eq!((back.action, back.origin), (Ok(asked.action), kept));
    }
    let mut asked = snooze();
    asked.action = Action::new(Verb::Note, Subject::Account(AccountId("x".repeat(3000))));
    let view = dialog(&asked, None);
    assert_eq!((view.get("submit"), view.get("private_metadata")), (None, None), "a form that could not be answered");
}

#[test]
fn every_verb_is_drawn_and_comes_back() {
    for in_menu in [false, true] {
        let buttons: Vec<Button> =
            Verb::ALL.iter().map(|verb| Button::new(Action::new(*verb, risk(1)), "Acme")).collect();
        let (shown, more) = if in_menu { (vec![], buttons) } else { (buttons, vec![]) };
        let said = Message { blocks: vec![Block::Buttons(Buttons { shown, more })], ..Message::default() };
        let drawn = message(&said);
        let actions: Vec<Action> = drawn.iter().flat_map(|part| carried(&json!(part.blocks))).collect();
        assert_eq!(actions, said.buttons().map(|button| button.action.clone()).collect::<Vec<_>>());
    }
}

/// The actions on the buttons and in the menus, in order, as `inbound` reads them.
pub(super) fn carried(blocks: &Value) -> Vec<Action> {
    let elements = blocks.as_array().into_iter().flatten().filter_map(|block| block["elements"].as_array()).flatten();
    let mut actions = Vec::new();
    for element in elements {
        match element["options"].as_array() {
            Some(options) => {
                actions.extend(options.iter().map(|option| option["value"].as_str().unwrap().parse().unwrap()))
            }
            None => actions.extend(element["value"].as_str().map(|value| value.parse::<Action>().unwrap())),
        }
    }
    actions
}

#[test]
fn menus_for_few_lists_for_more_and_buttons_for_long_ids() {
    let kinds = |more: Vec<Button>| {
        let parts =
            message(&Message { blocks: vec![Block::Buttons(Buttons { shown: vec![], more })], ..Message::default() });
        let blocks = json!(parts[0].blocks).as_array().unwrap().clone();
        let elements = blocks.iter().flat_map(|block| block["elements"].as_array().unwrap().clone());
        elements
            .map(|e| format!("{} {}", e["type"].as_str().unwrap(), e["action_id"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    let some = |n: u128| (0..n).map(|n| Button::new(Action::new(Verb::Claim, risk(n)), "Acme")).collect::<Vec<_>>();
    assert_eq!(kinds(some(1)), ["overflow more"]);
    assert_eq!(kinds(some(5)), ["overflow more"]);
    assert_eq!(kinds(some(6)), ["static_select more"]);
    let long = |length| Button::new(Action::new(Verb::Note, Subject::Account(AccountId("x".repeat(length)))), "Acme");
    assert_eq!(kinds(vec![long(150), long(151), long(3000)]), ["button note", "button note.2"]);
}

#[test]
fn a_long_digest_becomes_a_thread() {
    let mut long = Message { summary: "60 at risk".into(), blocks: vec![] };
    for n in 0..90 {
        long.blocks
            .push(Block::Text(Text::strong(format!("Account {n}")).then(format!(": {}", "usage fell ".repeat(40)))));
        let button = Button::new(Action::new(Verb::Acknowledge, risk(n)), "it");
        long.blocks.push(Block::Buttons(Buttons { shown: vec![button], more: vec![] }));
        long.blocks.push(Block::Divider);
    }
    let parts = message(&long);
    let count = parts.len();
    assert!(count > 3);
    assert_eq!(parts[0].text, "60 at risk");
    assert_eq!(parts[count - 1].text, format!("60 at risk ({count}/{count})"));
    for part in &parts {
        let blocks = json!(part.blocks);
        let kinds: Vec<&str> = blocks.as_array().unwrap().iter().map(|b| b["type"].as_str().unwrap()).collect();
        assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("section", "actions"), "no line at the edges, no card torn");
    }
    let actions: Vec<Action> = parts.iter().flat_map(|part| carried(&json!(part.blocks))).collect();
    assert_eq!(actions.len(), 90);

    let private = reply(&Reply::Private(long));
    assert_eq!(private.len(), 5, "a response_url takes five");
    assert_eq!(json!(private[4])["text"], "The rest is too long to be shown here.");
}

#[test]
fn nothing_to_say_still_has_a_text() {
    let empty = message(&Message::default());
    assert_eq!(empty, [Rendered { text: "Tandem".into(), blocks: vec![] }]);
    let blank = Message {
        summary: " \n".into(),
        blocks: vec![Block::Divider, Block::Text("\0".into()), Block::Heading("Hi".into())],
    };
    assert_eq!(message(&blank)[0].text, "Hi");
}

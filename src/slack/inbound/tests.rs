use proptest::prelude::*;
use serde_json::json;

use super::signature::tests::{SECRET, at, headers};
use super::*;
use crate::domain::action::{Action, Subject, UnknownAction, Verb};

const NOW: i64 = 1_790_000_000;

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn signed(body: &[u8]) -> HeaderMap {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("v0:{NOW}:").as_bytes());
    mac.update(body);
    let signature = format!("v0={}", hex::encode(mac.finalize().into_bytes()));
    headers(&[("x-slack-request-timestamp", &NOW.to_string()), ("x-slack-signature", &signature)])
}

fn receive_signed(door: Door, body: &[u8]) -> Result<Inbound, Refusal> {
    receive(door, &signed(body), body, at(NOW), &[SECRET.into()], &ApiUrl::default())
}

fn interact(payload: &Value) -> Result<Inbound, Refusal> {
    receive_signed(Door::Interactions, form(&[("payload", &payload.to_string())]).as_bytes())
}

fn press_of(payload: &Value) -> Press {
    match interact(payload) {
        Ok(Inbound::Press(press)) => press,
        other => panic!("expected a press, got {other:?}"),
    }
}

fn submission_of(payload: &Value) -> Submission {
    match interact(payload) {
        Ok(Inbound::Submission(submission)) => submission,
        other => panic!("expected a submission, got {other:?}"),
    }
}

fn happened(payload: &Value) -> Result<Inbound, Refusal> {
    receive_signed(Door::Events, payload.to_string().as_bytes())
}

const RISK: &str = "acknowledge|risk:00000000-0000-0000-0000-000000000007";

fn click() -> Value {
    json!({
        "type": "block_actions",
        "user": {"id": "U1", "team_id": "T1", "username": "dana"},
        "team": {"id": "T1", "domain": "north"},
        "enterprise": null,
        "container": {"type": "message", "message_ts": "17.000100", "channel_id": "D1", "is_ephemeral": false},
        "channel": {"id": "D1", "name": "directmessage"},
        "message": {"ts": "17.000100", "text": "14 at risk"},
        "trigger_id": "1.2.abc",
        "response_url": "https://hooks.slack.com/actions/T1/1/abc",
        "actions": [{"type": "button", "action_id": "acknowledge", "block_id": "b2", "value": RISK, "action_ts": "18.5"}],
    })
}

#[test]
fn a_slash_command() {
    let body = form(&[
        ("command", "/account"),
        ("text", "acme & söhne"),
        ("team_id", "T1"),
        ("enterprise_id", ""),
        ("user_id", "U1"),
        ("channel_id", "C1"),
        ("channel_name", "random"),
        ("response_url", "https://hooks.slack.com/commands/T1/1/abc"),
        ("trigger_id", "1.2.abc"),
        ("is_enterprise_install", "false"),
    ]);
    insta::assert_debug_snapshot!(receive_signed(Door::Commands, body.as_bytes()), @r#"
    Ok(
        Command(
            SlashCommand {
                who: Who {
                    team_id: "T1",
                    enterprise_id: None,
                    user_id: "U1",
                },
                command: "/account",
                text: "acme & söhne",
                channel_id: Some(
                    "C1",
                ),
                channel_name: Some(
                    "random",
                ),
                response_url: Some(
                    ResponseUrl(…),
                ),
                trigger_id: Some(
                    "1.2.abc",
                ),
                is_enterprise_install: false,
            },
        ),
    )
    "#);
}

#[test]
fn a_command_from_an_enterprise_without_a_workspace_or_with_a_foreign_response_url() {
    let body = form(&[
        ("command", "/tandem"),
        ("team_id", ""),
        ("enterprise_id", "E1"),
        ("user_id", "U1"),
        ("response_url", "https://evil.example/"),
        ("is_enterprise_install", "true"),
    ]);
    let Ok(Inbound::Command(command)) = receive_signed(Door::Commands, body.as_bytes()) else { panic!() };
    assert_eq!(command.who.team_id, "E1");
    assert!(command.is_enterprise_install);
    assert_eq!((command.text.as_str(), command.response_url), ("", None));

    let nobody = form(&[("command", "/tandem"), ("user_id", "U1")]);
    let refusal = receive_signed(Door::Commands, nobody.as_bytes()).unwrap_err();
    assert_eq!(refusal.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn unsigned_requests_are_401_except_the_look_at_the_certificate() {
    let unsigned = |door, body: &str| {
        receive(door, &HeaderMap::new(), body.as_bytes(), at(NOW), &[SECRET.into()], &ApiUrl::default())
    };
    let command = form(&[("command", "/account"), ("team_id", "T1"), ("user_id", "U1")]);
    assert_eq!(unsigned(Door::Commands, &command).unwrap_err().status(), StatusCode::UNAUTHORIZED);
    let both = format!("{command}&ssl_check=1");
    assert_eq!(unsigned(Door::Commands, &both).unwrap_err().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(unsigned(Door::Events, "ssl_check=1").unwrap_err().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(unsigned(Door::Commands, "token=x&ssl_check=1"), Ok(Inbound::SslCheck));
    for door in [Door::Commands, Door::Interactions] {
        assert_eq!(receive_signed(door, b"token=x&ssl_check=1"), Ok(Inbound::SslCheck));
    }
}

#[test]
fn a_button_press() {
    let press = press_of(&click());
    assert_eq!(press.action, Ok(Action::new(Verb::Acknowledge, Subject::Risk(uuid::Uuid::from_u128(7)))));
    assert_eq!(press.message, Some(Origin { channel: "D1".into(), ts: "17.000100".into() }));
    assert_eq!(press.dedup_key(), "T1:D1:17.000100:18.5:U1");
    assert!(press.response_url.is_some());
    assert_eq!(press.trigger_id.as_deref(), Some("1.2.abc"));
}

#[test]
fn a_menu_carries_the_action_in_its_option() {
    for kind in ["overflow", "static_select"] {
        let mut payload = click();
        payload["actions"] = json!([{"type": kind, "action_id": "more", "action_ts": "18.5", "selected_option": {
            "text": {"type": "plain_text", "text": "Acknowledge"}, "value": RISK}}]);
        assert!(press_of(&payload).action.is_ok(), "{kind}");
    }
}

#[test]
fn a_press_without_a_team() {
    let mut payload = click();
    payload["team"] = Value::Null;
    assert_eq!(press_of(&payload).who.team_id, "T1", "the user's own workspace stands in");
    payload["user"] = json!({"id": "U1"});
    payload["enterprise"] = json!({"id": "E1", "name": "North"});
    let who = press_of(&payload).who;
    assert_eq!((who.team_id.as_str(), who.enterprise_id.as_deref()), ("E1", Some("E1")));
    payload["enterprise"] = Value::Null;
    assert_eq!(interact(&payload).unwrap_err().status(), StatusCode::BAD_REQUEST);
    payload["team"] = json!({"id": "T1", "enterprise_id": "E1"});
    assert_eq!(press_of(&payload).who.enterprise_id.as_deref(), Some("E1"));
}

#[test]
fn a_press_on_the_home_tab() {
    let mut payload = click();
    payload["container"] = json!({"type": "view", "view_id": "V1"});
    for field in ["channel", "message", "response_url"] {
        payload.as_object_mut().unwrap().remove(field);
    }
    payload["view"] = json!({"id": "V1", "type": "home"});
    let press = press_of(&payload);
    assert_eq!((press.message.clone(), press.view_id.as_deref()), (None, Some("V1")));
    assert_eq!(press.dedup_key(), "T1:V1:18.5:U1");
}

#[test]
fn what_a_press_may_lack_and_what_it_may_not() {
    let mut payload = click();
    payload["actions"][0]["value"] = json!("drop_table|risk:1");
    payload["response_url"] = json!("http://169.254.169.254/");
    let press = press_of(&payload);
    assert_eq!((press.action, press.response_url), (Err(UnknownAction), None));

    payload["actions"][0] = json!({"type": "datepicker", "action_id": "x"});
    let press = press_of(&payload);
    assert_eq!((press.action, press.action_ts.as_str()), (Err(UnknownAction), "1.2.abc"));

    payload["trigger_id"] = Value::Null;
    assert!(interact(&payload).is_err(), "two such presses could not be told apart");
    for actions in [json!([]), json!("all"), json!([7])] {
        payload["actions"] = actions;
        assert_eq!(interact(&payload).unwrap_err().status(), StatusCode::BAD_REQUEST);
    }
}

fn submitted() -> Value {
    json!({
        "type": "view_submission",
        "team": {"id": "T1", "domain": "north"},
        "user": {"id": "U1", "team_id": "T1"},
        "trigger_id": "1.2.abc",
        "view": {
            "id": "V1", "type": "modal", "callback_id": "resolve", "hash": "1.a", "app_installed_team_id": "T1",
            "private_metadata": format!(r#"{{"a":"{}","o":{{"c":"D1","t":"17.1"}}}}"#, RISK.replace("acknowledge", "resolve")),
            "state": {"values": {
                "reason": {"reason": {"type": "static_select", "selected_option": {"value": "fixed", "text": {"type": "plain_text", "text": "Fixed"}}}},
                "note": {"note": {"type": "plain_text_input", "value": "two\nlines"}},
                "by": {"by": {"type": "datepicker", "selected_date": "2026-10-01"}},
                "amount": {"amount": {"type": "number_input", "value": "12.5"}},
                "to": {"to": {"type": "users_select", "selected_user": "U2"}},
                "blank": {"blank": {"type": "plain_text_input", "value": "  "}},
                "empty": {"empty": {"type": "plain_text_input", "value": null}},
                "nothing": {"nothing": {"type": "static_select", "selected_option": null}},
            }},
        },
        "response_urls": [],
    })
}

#[test]
fn a_submitted_dialog() {
    insta::assert_debug_snapshot!(submission_of(&submitted()), @r#"
    Submission {
        who: Who {
            team_id: "T1",
            enterprise_id: None,
            user_id: "U1",
        },
        view_id: "V1",
        hash: Some(
            "1.a",
        ),
        action: Ok(
            Action {
                verb: Resolve,
                subject: Risk(
                    00000000-0000-0000-0000-000000000007,
                ),
            },
        ),
        origin: Some(
            Origin {
                channel: "D1",
                ts: "17.1",
            },
        ),
        answers: {
            "amount": "12.5",
            "by": "2026-10-01",
            "note": "two\nlines",
            "reason": "fixed",
            "to": "U2",
        },
    }
    "#);
}

#[test]
fn a_dialog_with_an_empty_state_or_strange_metadata() {
    let mut payload = submitted();
    for state in [Value::Null, json!({}), json!({"values": {}}), json!({"values": {"note": 7}})] {
        payload["view"]["state"] = state;
        assert!(submission_of(&payload).answers.is_empty());
    }
    for metadata in [json!(null), json!(""), json!("This is for you!"), json!("{}"), json!(r#"{"a":"x|y"}"#)] {
        payload["view"]["private_metadata"] = metadata;
        assert_eq!(submission_of(&payload).action, Err(UnknownAction));
    }
    payload["team"] = Value::Null;
    assert_eq!(submission_of(&payload).who.team_id, "T1");
    payload.as_object_mut().unwrap().remove("view");
    assert_eq!(interact(&payload).unwrap_err().status(), StatusCode::BAD_REQUEST);
}

#[test]
fn other_interactions() {
    let mut payload = submitted();
    payload["type"] = json!("view_closed");
    assert!(matches!(interact(&payload), Ok(Inbound::Closed(Closed { view_id: Some(id), .. })) if id == "V1"));
    for kind in ["block_suggestion", "shortcut", "message_action", "tomorrow's"] {
        assert_eq!(interact(&json!({"type": kind, "user": 7})), Ok(Inbound::Ignored), "{kind}");
    }
    for body in ["", "payload=", "payload=%7B", "payload=%7B%7D&payload=%7B%7D", "payload=%ff", "payload=[]"] {
        let refusal = receive_signed(Door::Interactions, body.as_bytes()).unwrap_err();
        assert_eq!(refusal.status(), StatusCode::BAD_REQUEST, "{body}");
    }
}

fn callback(event: Value) -> Value {
    json!({"type": "event_callback", "team_id": "T1", "enterprise_id": null, "event_id": "Ev1", "event": event})
}

#[test]
fn events() {
    let kind = |event| match happened(&callback(event)) {
        Ok(Inbound::Event(event)) => event.kind,
        other => panic!("expected an event, got {other:?}"),
    };
    assert_eq!(
        kind(json!({"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "home", "view": {"id": "V1"}})),
        EventKind::HomeOpened { user_id: "U1".into(), tab: Some("home".into()) }
    );
    assert_eq!(kind(json!({"type": "app_uninstalled"})), EventKind::Uninstalled);
    assert_eq!(
        kind(json!({"type": "tokens_revoked", "tokens": {"oauth": ["U1"], "bot": ["U9"]}})),
        EventKind::TokensRevoked { users: vec!["U1".into()], bots: vec!["U9".into()] }
    );
    assert_eq!(kind(json!({"type": "tokens_revoked"})), EventKind::TokensRevoked { users: vec![], bots: vec![] });
    assert_eq!(
        kind(json!({"type": "member_joined_channel", "user": "U9", "channel": "C1", "channel_type": "C"})),
        EventKind::MemberJoined { channel_id: "C1".into(), user_id: "U9".into() }
    );
    assert_eq!(
        kind(json!({"type": "channel_shared", "connected_team_id": "T2", "channel": "C1"})),
        EventKind::ChannelShared { channel_id: "C1".into() }
    );
    assert_eq!(
        kind(
            json!({"type": "message", "channel_type": "im", "channel": "D1", "user": "U1", "ts": "1.2", "text": "hi"})
        ),
        EventKind::DirectMessage { channel_id: "D1".into(), user_id: "U1".into(), ts: "1.2".into(), text: "hi".into() }
    );
}

#[test]
fn events_that_say_nothing_to_us() {
    for event in [
        json!({"type": "reaction_added", "user": "U1", "item": {}}),
        json!({"type": "channel_created", "channel": {"id": "C1"}}),
        json!({"type": "message", "channel_type": "channel", "channel": "C1", "user": "U1", "text": "hi"}),
        json!({"type": "message", "channel_type": "im", "channel": "D1", "bot_id": "B1", "text": "our own"}),
        json!({"type": "message", "channel_type": "im", "channel": "D1", "subtype": "message_changed"}),
    ] {
        assert_eq!(happened(&callback(event.clone())), Ok(Inbound::Ignored), "{event}");
    }
    assert_eq!(happened(&json!({"type": "app_rate_limited", "team_id": "T1"})), Ok(Inbound::Ignored));
}

#[test]
fn an_event_names_our_installation() {
    let mut payload = callback(json!({"type": "app_uninstalled"}));
    payload["team_id"] = json!("T_THEIRS");
    payload["authorizations"] = json!([{"team_id": "T1", "enterprise_id": "E1", "user_id": "U9", "is_bot": true}]);
    let Ok(Inbound::Event(event)) = happened(&payload) else { panic!() };
    assert_eq!((event.team_id.as_str(), event.enterprise_id.as_deref()), ("T1", Some("E1")));

    payload["authorizations"] = json!([{"team_id": null, "enterprise_id": "E1"}]);
    payload["team_id"] = Value::Null;
    let Ok(Inbound::Event(event)) = happened(&payload) else { panic!() };
    assert_eq!(event.team_id, "E1");

    payload["authorizations"] = json!([]);
    assert_eq!(happened(&payload).unwrap_err().status(), StatusCode::BAD_REQUEST);
}

#[test]
fn the_challenge_comes_back() {
    let payload = json!({"type": "url_verification", "token": "x", "challenge": "3eZbrw1a"});
    assert_eq!(happened(&payload), Ok(Inbound::Verification { challenge: "3eZbrw1a".into() }));
    assert!(happened(&json!({"type": "url_verification"})).is_err());
    for body in ["", "{", "[]", "null", r#"{"type":7}"#, r#"{"type":"a","type":"b"}"#, "\u{feff}{}"] {
        let refusal = receive_signed(Door::Events, body.as_bytes()).unwrap_err();
        assert_eq!(refusal.status(), StatusCode::BAD_REQUEST, "{body}");
    }
}

/// Any JSON of the shapes that Slack could send one day, in place of a field of a real payload.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// The JSON pointers of every place in a value.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| places(value, &format!("{at}/{key}"), out)),
        Value::Array(list) => list.iter().enumerate().for_each(|(i, value)| places(value, &format!("{at}/{i}"), out)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body: Vec<u8>) {
        for door in [Door::Commands, Door::Interactions, Door::Events] {
            let _ = receive_signed(door, &body);
        }
    }

    #[test]
    fn no_field_of_another_shape_makes_it_panic(which in 0usize..3, place: prop::sample::Index, instead in any_json()) {
        let mut payload = match which {
            0 => click(),
            1 => submitted(),
            _ => callback(json!({"type": "tokens_revoked", "tokens": {"oauth": ["U1"]}})),
        };
        let mut all = Vec::new();
        places(&payload, "", &mut all);
        let place = place.get(&all);
        if let Some(slot) = payload.pointer_mut(place) {
            *slot = instead;
        }
        let _ = if which == 2 { happened(&payload) } else { interact(&payload) };
    }
}

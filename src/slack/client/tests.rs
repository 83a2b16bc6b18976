use std::sync::Once;

use wiremock::matchers::{any, body_json, body_string, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

const TOKEN: &str = "xoxb-very-secret";

fn token() -> SecretString {
    TOKEN.into()
}

fn client_of(server: &MockServer, attempt: Duration) -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let api = ApiUrl::parse(&format!("{}/api", server.uri())).unwrap();
    Client::new(Settings { api, attempt }).unwrap()
}

async fn slack() -> (MockServer, Client) {
    let server = MockServer::start().await;
    let client = client_of(&server, Duration::from_secs(5));
    (server, client)
}

fn ok(body: Value) -> ResponseTemplate {
    let mut body = body;
    body["ok"] = true.into();
    ResponseTemplate::new(200).set_body_json(body)
}

fn rendered() -> Rendered {
    Rendered { text: "14 at risk".into(), blocks: vec![Block::Divider { block_id: Default::default() }] }
}

async fn posting(client: &Client) -> Result<Posted, Error> {
    client.post_message(&token(), "D1", &rendered(), None, Uuid::from_u128(5)).await
}

/// What posting says when Slack answers like this.
async fn posting_met_with(answer: ResponseTemplate) -> Error {
    let (server, client) = slack().await;
    Mock::given(any()).respond_with(answer).expect(1).mount(&server).await;
    let error = posting(&client).await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("secret"));
    error
}

#[tokio::test]
async fn a_message_is_posted() {
    let (server, client) = slack().await;
    Mock::given(method("POST"))
        .and(path("/api/chat.postMessage"))
        .and(header("authorization", "Bearer xoxb-very-secret"))
        .and(header("content-type", "application/json; charset=utf-8"))
        .and(body_json(json!({
            "channel": "D1", "text": "14 at risk", "blocks": [{"type": "divider"}], "thread_ts": "17.1",
            "unfurl_links": false, "unfurl_media": false,
            "metadata": {"event_type": "tandem_delivery", "event_payload": {"delivery_id": "00000000-0000-0000-0000-000000000005"}},
        })))
        .respond_with(ok(json!({"channel": "D1", "ts": "18.2", "message": {"blocks": [{"type": "of tomorrow"}]}})))
        .expect(1)
        .mount(&server)
        .await;
    let posted = client.post_message(&token(), "D1", &rendered(), Some("17.1"), Uuid::from_u128(5)).await;
    assert_eq!(posted, Ok(Posted { channel: "D1".into(), ts: "18.2".into() }));
    assert!(!format!("{client:?}").contains("secret"));
}

#[tokio::test]
async fn too_many_requests() {
    let wait = |seconds| Error::RateLimited { retry_after: Duration::from_secs(seconds) };
    let limited = |status| ResponseTemplate::new(status).set_body_json(json!({"ok": false, "error": "ratelimited"}));
    assert_eq!(posting_met_with(limited(429).insert_header("Retry-After", "7")).await, wait(7));
    assert_eq!(posting_met_with(limited(200).insert_header("Retry-After", "7")).await, wait(7));
    assert_eq!(posting_met_with(ResponseTemplate::new(429)).await, wait(30));
    assert_eq!(posting_met_with(limited(429).insert_header("Retry-After", "soon")).await, wait(30));
    assert_eq!(posting_met_with(limited(429).insert_header("Retry-After", "0")).await, wait(1));
    let forever = limited(429).insert_header("Retry-After", "18446744073709551615");
    assert_eq!(posting_met_with(forever).await, wait(86_400));
}

#[tokio::test]
async fn what_may_have_been_sent_and_what_was_not() {
    let maybe_sent = |error: Error| match error {
        Error::Transient { maybe_sent, .. } => maybe_sent,
        other => panic!("expected a transient error, got {other:?}"),
    };
    let refused = |code: &str| ResponseTemplate::new(200).set_body_json(json!({"ok": false, "error": code}));
    for answer in [
        ResponseTemplate::new(503),
        ResponseTemplate::new(500).set_body_json(json!({"ok": false, "error": "internal_error"})),
        refused("fatal_error"),
        refused("internal_error"),
        refused("service_unavailable"),
        ResponseTemplate::new(200).set_body_string("<html>hello</html>"),
        ResponseTemplate::new(200),
        ResponseTemplate::new(200).set_body_json(json!({"ok": true, "channel": "D1"})),
        ResponseTemplate::new(200).set_body_json(json!([])),
    ] {
        assert!(maybe_sent(posting_met_with(answer).await));
    }
    assert!(!maybe_sent(posting_met_with(refused("request_timeout")).await));

    // Nobody listens where a server has been.
    let server = MockServer::start().await;
    let client = client_of(&server, Duration::from_secs(5));
    drop(server);
    let api = ApiUrl::parse("http://127.0.0.1:1/api").unwrap();
    let nobody = Client { settings: Settings { api, ..client.settings.clone() }, ..client };
    assert!(!maybe_sent(posting(&nobody).await.unwrap_err()));
}

#[tokio::test]
async fn a_slow_answer_may_have_been_sent() {
    let server = MockServer::start().await;
    let client = client_of(&server, Duration::from_millis(80));
    Mock::given(any()).respond_with(ok(json!({})).set_delay(Duration::from_secs(5))).mount(&server).await;
    let error = posting(&client).await.unwrap_err();
    assert_eq!(error, Error::Transient { reason: "no answer in time".into(), maybe_sent: true });
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = MockServer::start().await;
    Mock::given(any()).respond_with(ok(json!({"channel": "D1", "ts": "1.2"}))).expect(0).mount(&elsewhere).await;
    for status in [301, 302, 307, 308] {
        let error = posting_met_with(ResponseTemplate::new(status).insert_header("Location", elsewhere.uri())).await;
        assert!(matches!(error, Error::Transient { .. }), "{status}: {error:?}");
    }
}

#[tokio::test]
async fn refusals_are_sorted_by_what_to_do() {
    let met = async |code: &str| {
        posting_met_with(ResponseTemplate::new(200).set_body_json(json!({"ok": false, "error": code}))).await
    };
    assert_eq!(met("message_not_found").await, Error::Gone("message_not_found".into()));
    assert_eq!(met("channel_not_found").await, Error::ChannelUnreachable("channel_not_found".into()));
    assert_eq!(met("token_revoked").await, Error::Unauthorized("token_revoked".into()));
    for code in ["missing_scope", "no_permission", "not_allowed_token_type", "access_denied"] {
        assert_eq!(met(code).await, Error::Denied { code: code.into(), needed: None }, "other methods may be open");
    }
    let needs =
        json!({"ok": false, "error": "missing_scope", "needed": "groups:read,users:read", "provided": "chat:write"});
    let denied = posting_met_with(ResponseTemplate::new(200).set_body_json(needs)).await;
    let said = "the workspace does not let Tandem do this: missing_scope, it needs groups:read,users:read";
    assert_eq!(denied.to_string(), said);
    assert_eq!(met("msg_blocks_too_long").await, Error::Rejected("msg_blocks_too_long".into()));
    let talkative = met("the token xoxb-very-secret is no good").await;
    assert_eq!(talkative, Error::Rejected("an error without a readable code".into()));
    let met = |status: u16| posting_met_with(ResponseTemplate::new(status).set_body_string("<html>"));
    for status in [401, 403, 404, 408, 421, 425] {
        let error = Error::Transient { reason: format!("HTTP {status}"), maybe_sent: false };
        assert_eq!(met(status).await, error, "something on the way did not let it through");
    }
    let unauthorised = ResponseTemplate::new(401).set_body_json(json!({"ok": false, "error": "invalid_auth"}));
    assert_eq!(posting_met_with(unauthorised).await, Error::Unauthorized("invalid_auth".into()));
}

#[tokio::test]
async fn a_token_that_cannot_be_a_header_is_not_repeated() {
    let (_server, client) = slack().await;
    let error = client.identify(&"xoxb-secret\n".into()).await.unwrap_err();
    assert!(matches!(&error, Error::Unauthorized(_)) && !format!("{error:?}").contains("secret"));
}

#[tokio::test]
async fn people_and_channels() {
    let (server, client) = slack().await;
    let given = async |name: &str, body: &str, answer: ResponseTemplate| {
        let mock = Mock::given(method("POST")).and(path(format!("/api/{name}"))).and(body_string(body));
        mock.respond_with(answer).expect(1).mount(&server).await;
    };
    given(
        "users.info",
        "user=U1",
        ok(json!({"user": {"id": "U1", "tz": "Europe/Berlin", "is_restricted": true,
        "profile": {"email": "dana@north.example", "fields": null}}})),
    )
    .await;
    let user = client.user(&token(), "U1").await.unwrap();
    assert_eq!((user.tz.as_deref(), user.email()), (Some("Europe/Berlin"), Some("dana@north.example")));
    assert!(user.is_outsider());

    given("users.lookupByEmail", "email=dana%2Bx%40north.example", ok(json!({"user": {"id": "U1"}}))).await;
    let found = client.user_by_email(&token(), "dana+x@north.example").await.unwrap();
    assert_eq!(found.map(|user| user.id).as_deref(), Some("U1"));
    let unknown = ResponseTemplate::new(200).set_body_json(json!({"ok": false, "error": "users_not_found"}));
    given("users.lookupByEmail", "email=nobody", unknown).await;
    assert_eq!(client.user_by_email(&token(), "nobody").await, Ok(None));

    given("conversations.info", "channel=C1", ok(json!({"channel": {"id": "C1", "is_ext_shared": true}}))).await;
    assert!(outsiders(&client.channel(&token(), "C1").await.unwrap(), &[]));
    given("conversations.open", r#"{"users":"U1"}"#, ok(json!({"channel": {"id": "D1"}}))).await;
    assert_eq!(client.open_conversation(&token(), "U1").await.as_deref(), Ok("D1"));

    given(
        "conversations.members",
        "channel=C1&limit=200",
        ok(json!({"members": ["U1", "U2"], "response_metadata": {"next_cursor": "c="}})),
    )
    .await;
    given(
        "conversations.members",
        "channel=C1&limit=200&cursor=c%3D",
        ok(json!({"members": ["U3"], "response_metadata": {"next_cursor": ""}})),
    )
    .await;
    assert_eq!(client.members(&token(), "C1", 100).await, Ok(vec!["U1".into(), "U2".into(), "U3".into()]));

    given(
        "auth.test",
        "",
        ok(json!({"team_id": "T1", "user_id": "U9", "bot_id": "B1"}))
            .insert_header("x-oauth-scopes", "commands, chat:write"),
    )
    .await;
    let identity = client.identify(&token()).await.unwrap();
    assert_eq!((identity.team_id.as_str(), identity.scopes), ("T1", vec!["commands".to_owned(), "chat:write".into()]));
}

#[tokio::test]
async fn redraws_and_views() {
    let (server, client) = slack().await;
    let given = async |name: &str, body: Value, answer: ResponseTemplate| {
        let mock = Mock::given(path(format!("/api/{name}"))).and(body_json(body));
        mock.respond_with(answer).expect(1).mount(&server).await;
    };
    let at = Posted { channel: "D1".into(), ts: "18.2".into() };
    given(
        "chat.update",
        json!({"channel": "D1", "ts": "18.2", "text": "14 at risk", "blocks": [{"type": "divider"}]}),
        ok(json!({})),
    )
    .await;
    assert_eq!(client.update_message(&token(), &at, &rendered()).await, Ok(()));
    given("views.open", json!({"trigger_id": "1.2", "view": {"type": "modal"}}), ok(json!({"view": {"id": "V1"}})))
        .await;
    assert_eq!(client.open_view(&token(), "1.2", &json!({"type": "modal"})).await.as_deref(), Ok("V1"));
    given("views.update", json!({"view_id": "V1", "view": {"type": "modal"}}), ok(json!({}))).await;
    assert_eq!(client.update_view(&token(), "V1", &json!({"type": "modal"})).await, Ok(()));
}

fn search(thread_ts: Option<&str>) -> Search<'_> {
    Search { channel: "D1", thread_ts, delivery_id: Uuid::from_u128(5), oldest: 100, latest: 200 }
}

fn past(ts: &str, event: &str, id: u128) -> Value {
    json!({"ts": ts, "metadata": {"event_type": event, "event_payload": {"delivery_id": Uuid::from_u128(id)}}})
}

#[tokio::test]
async fn a_message_is_found_again() {
    let (server, client) = slack().await;
    let page = async |body: &str, messages: Value, next: &str| {
        let mock = Mock::given(path("/api/conversations.history")).and(body_string(body));
        let answer = ok(json!({"messages": messages, "response_metadata": {"next_cursor": next}}));
        mock.respond_with(answer).expect(1).mount(&server).await;
    };
    let first = "channel=D1&include_all_metadata=true&inclusive=true&oldest=100&latest=200&limit=100";
    let strangers = json!([{"ts": "150.1"}, past("150.2", "tandem_delivery", 6), past("150.3", "other", 5), {"ts": "150.4", "metadata": {}}]);
    page(first, strangers, "n").await;
    page(&format!("{first}&cursor=n"), json!([past("150.5", "tandem_delivery", 5)]), "m").await;
    let found = client.find_delivery(&token(), &search(None)).await;
    assert_eq!(found, Ok(Some(Posted { channel: "D1".into(), ts: "150.5".into() })));
}

#[tokio::test]
async fn a_reply_is_looked_for_in_its_thread() {
    let (server, client) = slack().await;
    let body = "channel=D1&include_all_metadata=true&inclusive=true&oldest=100&latest=200&limit=100&ts=99.1";
    Mock::given(path("/api/conversations.replies"))
        .and(body_string(body))
        .respond_with(ok(json!({"messages": [past("99.1", "tandem_delivery", 4)]})))
        .expect(1)
        .mount(&server)
        .await;
    assert_eq!(client.find_delivery(&token(), &search(Some("99.1"))).await, Ok(None));
}

#[tokio::test]
async fn a_search_without_end_is_undecided() {
    let (server, client) = slack().await;
    let answer = ok(json!({"messages": [], "response_metadata": {"next_cursor": "again"}}));
    Mock::given(any()).respond_with(answer).expect(20).mount(&server).await;
    assert!(matches!(
        client.find_delivery(&token(), &search(None)).await,
        Err(Error::Transient { maybe_sent: true, .. })
    ));
}

#[tokio::test]
async fn private_answers() {
    let (server, client) = slack().await;
    let url = |name: &str| ResponseUrl::parse(&format!("{}/hook/{name}", server.uri()), &client.settings.api).unwrap();
    for (name, answer) in [
        ("good", ResponseTemplate::new(200).set_body_string("ok")),
        ("used", ResponseTemplate::new(404).set_body_json(json!({"ok": false, "error": "used_url"}))),
        ("busy", ResponseTemplate::new(429).insert_header("Retry-After", "3")),
        ("bad", ResponseTemplate::new(400).set_body_string("no_text")),
        ("odd", ResponseTemplate::new(400).set_body_string("secret words")),
        ("down", ResponseTemplate::new(500)),
    ] {
        Mock::given(path(format!("/hook/{name}")))
            .and(body_json(json!({"text": "Hi"})))
            .respond_with(answer)
            .mount(&server)
            .await;
    }
    let respond = async |name: &str| client.respond(&url(name), &json!({"text": "Hi"})).await;
    assert_eq!(respond("good").await, Ok(()));
    assert_eq!(respond("used").await, Err(Error::Gone("response_url, HTTP 404".into())));
    assert_eq!(respond("busy").await, Err(Error::RateLimited { retry_after: Duration::from_secs(3) }));
    assert_eq!(respond("bad").await, Err(Error::Rejected("no_text".into())));
    assert_eq!(respond("odd").await, Err(Error::Rejected("HTTP 400".into())));
    assert_eq!(respond("down").await, Err(Error::Transient { reason: "HTTP 500".into(), maybe_sent: true }));
    let requests = server.received_requests().await.unwrap();
    assert!(requests.iter().all(|request| !request.headers.contains_key("authorization")), "no token leaves here");
}

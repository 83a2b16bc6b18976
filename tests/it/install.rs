//! Workspaces that install Tandem by themselves: the way through the browser, whose the token is, how it is kept
//! alive, and what is left when they remove it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tandem::app::organisation;
use tandem::clock::Clock as _;
use tandem::delivery::{Delivery, Senders, SlackSender};
use tandem::domain::person::OrgId;
use tandem::store::directory::{Linked, Platform, Workspace};
use tandem::store::message::{self, Address, NewMessage};
use tandem::store::{audit, settings};
use uuid::Uuid;

use crate::support::service::{Service, answer, now};

/// A browser at the service: keeps the one cookie, follows nothing.
struct Browser {
    http: reqwest::Client,
    cookie: Option<String>,
}

impl Browser {
    fn new() -> Self {
        let builder =
            reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).pool_max_idle_per_host(0);
        Self { http: builder.build().unwrap(), cookie: None }
    }

    async fn get(&mut self, service: &Service, path: &str) -> (StatusCode, HeaderMap, String) {
        let mut request = self.http.get(service.url(path));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        if let Some(set) = headers.get(SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
            self.cookie = Some(pair).filter(|pair| !pair.ends_with('='));
        }
        (status, headers, response.text().await.unwrap())
    }

    /// Begins, and comes to Slack's page; the state that Slack will send back.
    async fn begin(&mut self, service: &Service) -> String {
        let (status, headers, _) = self.get(service, "/slack/install").await;
        assert_eq!(status, StatusCode::FOUND);
        let to = url::Url::parse(headers[LOCATION].to_str().unwrap()).unwrap();
        assert_eq!(to.path(), "/oauth/v2/authorize");
        let cookie = headers[SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("HttpOnly; SameSite=Lax; Secure") && cookie.contains("Max-Age=600"), "{cookie}");
        let asked: std::collections::BTreeMap<_, _> = to.query_pairs().into_owned().collect();
        assert_eq!(asked["client_id"], "1.2");
        assert_eq!(asked["redirect_uri"], "https://tandem.example.com/slack/oauth/callback");
        assert!(asked["scope"].split(',').any(|scope| scope == "chat:write") && asked["scope"].contains("commands"));
        asked["state"].clone()
    }

    async fn back(&mut self, service: &Service, query: &str) -> (StatusCode, String) {
        let (status, headers, page) = self.get(service, &format!("/slack/oauth/callback?{query}")).await;
        assert!(headers["content-type"].to_str().unwrap().starts_with("text/html"));
        assert!(
            headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'; style-src 'sha256-")
        );
        assert!(page.contains("<h1>") && page.contains("lang=\"en\"") && !page.contains("xoxb"), "{page}");
        (status, page)
    }

    /// The whole way, as whoever agrees.
    async fn install(service: &Service, code: &str) -> (StatusCode, String) {
        let mut browser = Self::new();
        let state = browser.begin(service).await;
        browser.back(service, &format!("code={code}&state={state}")).await
    }
}

fn granted(team: &str, token: &str) -> Value {
    json!({
        "ok": true, "access_token": token, "token_type": "bot", "scope": "commands,chat:write", "bot_user_id": "U0",
        "app_id": "A1", "team": {"id": team, "name": "Fifth & Co"}, "enterprise": null, "authed_user": {"id": "UADA"},
        "is_enterprise_install": false,
    })
}

fn rotating(team: &str, token: &str, refresh: &str) -> Value {
    let mut grant = granted(team, token);
    grant["refresh_token"] = refresh.into();
    grant["expires_in"] = 43_200.into();
    grant
}

fn place(team: &str) -> Workspace {
    Workspace { platform: Platform::Slack, id: team.into() }
}

async fn organisation(service: &Service, slug: &str, team: Option<&str>) -> OrgId {
    let org = service.organisation(slug).await.0;
    if let Some(team) = team {
        organisation::link(&service.store, org, &place(team), now()).await.unwrap();
    }
    let mut tx = service.store.tenant(org).await.unwrap();
    let pacing = "[pacing]\nper_channel_per_second = 1000.0\nper_workspace_per_minute = 60000\n";
    settings::use_policy(&mut tx, pacing, now()).await.unwrap();
    tx.commit().await.unwrap();
    org
}

async fn slash(service: &Service, team: &str, user: &str) -> String {
    let body = format!("command=%2Ftandem&text=help&team_id={team}&user_id={user}&channel_id=D1&trigger_id=1.2.x");
    let (status, text) = answer(service.signed("/slack/commands", body)).await;
    assert_eq!(status, 200);
    serde_json::from_str::<Value>(&text).unwrap()["text"].as_str().unwrap().to_owned()
}

/// Queues one message to a channel of a workspace.
async fn say(service: &Service, org: OrgId, team: &str) {
    let new = NewMessage {
        id: Uuid::now_v7(),
        workspace: place(team),
        to: Address::Channel("C1".into()),
        content: json!({"feed": {"source": "usage", "silent": 3}}),
        accounts: Vec::new(),
        thread_of: None,
    };
    let mut tx = service.store.tenant(org).await.unwrap();
    message::queue_posts(&mut tx, &[new], service.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn deliver(service: &Service) -> (u64, u64) {
    let sender = SlackSender { client: service.client.clone(), tokens: service.tokens.clone() };
    let delivery = Delivery::new(service.app.clone(), Senders { slack: Some(sender), ..Senders::default() });
    let drained = delivery.drain(None, Duration::ZERO).await.unwrap();
    (drained.sent, drained.given_up)
}

/// Whose token each message was posted with.
fn posted_with(service: &Service) -> Vec<String> {
    service.slack.calls("chat.postMessage").into_iter().map(|call| call.authorization).collect()
}

async fn event(service: &Service, id: &str, team: &str, seconds: i64, inner: Value) {
    let at = service.clock.now().timestamp() + seconds;
    let body = json!({"type": "event_callback", "event_id": id, "event_time": at, "team_id": team, "event": inner});
    assert_eq!(answer(service.signed("/slack/events", body.to_string())).await.0, 200, "{inner}");
}

/// What stands in the database of a workspace's tokens, and of its outbox.
async fn left(service: &Service, org: OrgId, team: &str) -> (bool, Vec<String>) {
    let mut tx = service.db.pool.begin_with("BEGIN; SET LOCAL ROLE tandem_directory").await.unwrap();
    let tokens: bool = sqlx::query_scalar(
        "SELECT access_token IS NOT NULL OR refresh_token IS NOT NULL FROM directory.slack_installation WHERE team_id = $1",
    )
    .bind(team)
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    drop(tx);
    let begin = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{org}'");
    let mut tx = service.db.pool.begin_with(AssertSqlSafe(begin)).await.unwrap();
    let sql = "SELECT state || coalesce(' ' || problem, '') FROM tandem.outbox ORDER BY queued_at, outbox_id";
    (tokens, sqlx::query_scalar(sql).fetch_all(&mut *tx).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_installs_is_linked_and_is_served_without_a_restart() {
    let service = Service::for_many().await;
    let north = organisation(&service, "north", Some("T1")).await;
    service.slack.grant("code-5", granted("T5", "xoxb-five"));
    let (status, page) = Browser::install(&service, "code-5").await;
    assert_eq!(status, 200);
    assert!(page.contains("Fifth &amp; Co") && page.contains("tandem link slack T5 --org SLUG"), "{page}");
    let exchanged = &service.slack.calls("oauth.v2.access")[0];
    assert!(exchanged.authorization.starts_with("Basic ") && exchanged.arguments.get("client_secret").is_none());
    assert!(slash(&service, "T5", "U7").await.starts_with("This workspace is not linked to an organisation"));

    let fifth = organisation(&service, "fifth", Some("T5")).await;
    let stolen = organisation::link(&service.store, north, &place("T5"), now()).await.unwrap();
    assert_eq!(stolen, Linked::Taken);
    say(&service, north, "T1").await;
    say(&service, fifth, "T5").await;
    assert_eq!(deliver(&service).await, (2, 0));
    let mut with = posted_with(&service);
    with.sort();
    assert_eq!(with, ["Bearer xoxb-five", "Bearer xoxb-test"]);

    // Installed again, with other scopes: at once ready, since it is linked.
    service.slack.grant("code-6", granted("T5", "xoxb-six"));
    let (status, page) = Browser::install(&service, "code-6").await;
    assert!(status == 200 && page.contains("/tandem help") && !page.contains("tandem link"), "{page}");
    say(&service, fifth, "T5").await;
    assert_eq!(deliver(&service).await, (1, 0));
    assert_eq!(posted_with(&service).last().unwrap(), "Bearer xoxb-six");
    assert_eq!(service.count(fifth, "installation.added").await, 2);
    assert_eq!(service.count(north, "installation.added").await, 1, "its link");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_begun_here_is_refused_with_a_page_that_says_so() {
    let service = Service::for_many().await;
    let stale = |(status, page): (StatusCode, String)| {
        assert_eq!(status, 403, "{page}");
        assert!(page.contains("does not work any more") && page.contains("https://tandem.example.com/slack/install"));
    };
    service.slack.grant("code", granted("T5", "xoxb-five"));
    let mut browser = Browser::new();
    let state = browser.begin(&service).await;
    // Somebody else's browser, which was sent the address; then one with a link of its own.
    stale(Browser::new().back(&service, &format!("code=code&state={state}")).await);
    let mut other = Browser::new();
    other.begin(&service).await;
    stale(other.back(&service, &format!("code=code&state={state}")).await);
    stale(browser.back(&service, "code=code&state=").await);
    for query in ["code=code", "state=a&state=b", ""] {
        let mut fresh = Browser::new();
        fresh.begin(&service).await;
        let (status, page) = fresh.back(&service, query).await;
        assert!(status.is_client_error() && page.contains("Nothing was installed"), "{query}: {page}");
    }
    let mut late = Browser::new();
    let state = late.begin(&service).await;
    service.clock.set(service.clock.now() + TimeDelta::minutes(10));
    stale(late.back(&service, &format!("code=code&state={state}")).await);
    assert!(service.slack.calls("oauth.v2.access").is_empty(), "Slack was not asked for any of these");

    // Twice, with the cookie kept by hand: the second time nothing happens.
    let mut twice = Browser::new();
    let state = twice.begin(&service).await;
    let cookie = twice.cookie.clone();
    let query = format!("code=code&state={state}");
    assert_eq!(twice.back(&service, &query).await.0, 200);
    twice.cookie = cookie;
    stale(twice.back(&service, &query).await);
    assert_eq!(service.slack.calls("oauth.v2.access").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_and_not_possible_are_told_apart() {
    let service = Service::for_many().await;
    let came_back = async |query: &str| {
        let mut browser = Browser::new();
        let state = browser.begin(&service).await;
        browser.back(&service, &format!("{query}&state={state}")).await
    };
    let (status, page) = came_back("error=access_denied").await;
    assert!(status == 200 && page.contains("you cancelled"), "{page}");
    let (status, page) = came_back("error=%3Cscript%3Eoops").await;
    assert!(status == 400 && page.contains("scriptoops") && !page.contains("<script"), "{page}");
    let (status, page) = came_back("code=unknown").await;
    assert!(status == 502 && page.contains("invalid_code"), "{page}");
    let mut whole = granted("T5", "xoxb-org");
    whole["team"] = Value::Null;
    whole["is_enterprise_install"] = true.into();
    whole["enterprise"] = json!({"id": "E1", "name": "Grid"});
    service.slack.grant("org", whole);
    let (status, page) = came_back("code=org").await;
    assert!(status == 400 && page.contains("for a whole organisation"), "{page}");
    assert_eq!(
        service.slack.calls("auth.revoke")[0].authorization,
        "Bearer xoxb-org",
        "what is not used is given back"
    );
    assert!(service.tokens.of("T5").await.unwrap().is_none() && service.tokens.of("E1").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_in_any_order_its_tokens_go_and_its_history_stays() {
    for (first, second) in [("app_uninstalled", "tokens_revoked"), ("tokens_revoked", "app_uninstalled")] {
        let service = Service::for_many().await;
        let north = organisation(&service, "north", Some("T1")).await;
        let fifth = organisation(&service, "fifth", Some("T5")).await;
        service.slack.grant("code", rotating("T5", "xoxb-five", "r-1"));
        assert_eq!(Browser::install(&service, "code").await.0, 200);
        say(&service, fifth, "T5").await;
        assert_eq!(deliver(&service).await, (1, 0));
        say(&service, fifth, "T5").await;
        say(&service, north, "T1").await;
        let inner = |kind: &str| match kind {
            "tokens_revoked" => json!({"type": kind, "tokens": {"oauth": ["U1"], "bot": ["U0"]}}),
            kind => json!({"type": kind}),
        };
        event(&service, "E0", "T5", 0, json!({"type": "tokens_revoked", "tokens": {"oauth": ["U1"]}})).await;
        assert!(left(&service, fifth, "T5").await.0, "somebody's own token is nothing of ours");
        for (id, kind) in [("E1", first), ("E2", second), ("E1", first)] {
            event(&service, id, "T5", 0, inner(kind)).await;
        }
        let (tokens, rows) = left(&service, fifth, "T5").await;
        assert_eq!((tokens, rows), (false, vec!["sent".to_owned(), "given_up uninstalled".to_owned()]));
        assert_eq!(service.count(fifth, "installation.removed").await, 1);
        assert!(service.tokens.of("T5").await.unwrap().is_none());
        assert_eq!(deliver(&service).await, (1, 0), "the other workspace goes on");
        // A message that is queued all the same stays where it is; nobody is called.
        say(&service, fifth, "T5").await;
        let calls = posted_with(&service).len();
        deliver(&service).await;
        assert_eq!(posted_with(&service).len(), calls);

        // Installed again, the link holds; and an old event that Slack repeats does not take it away.
        service.clock.set(service.clock.now() + TimeDelta::minutes(30));
        service.slack.grant("again", granted("T5", "xoxb-again"));
        let (_, page) = Browser::install(&service, "again").await;
        assert!(page.contains("/tandem help") && !page.contains("tandem link"), "{page}");
        event(&service, "E3", "T5", -1700, inner(first)).await;
        assert!(left(&service, fifth, "T5").await.0);
        assert_eq!(service.count(fifth, "installation.removed").await, 1);
        deliver(&service).await;
        assert_eq!(posted_with(&service).last().unwrap(), "Bearer xoxb-again");
    }
}

/// An internal channel that outsiders come into later: what stands there is taken back at once, nothing more is said.
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_outsiders_come_to_read_is_emptied() {
    let shared = json!({"type": "channel_shared", "channel": "C1", "connected_team_id": "T9"});
    let joined = json!({"type": "member_joined_channel", "channel": "C1", "user": "UG", "channel_type": "C"});
    for (inner, channel) in [
        (shared, json!({"is_ext_shared": true})),
        (json!({"type": "channel_shared", "channel": "C1"}), json!({"is_pending_ext_shared": true})),
        (joined, json!({"members": ["U1", "UG"]})),
    ] {
        let service = Service::for_many().await;
        let north = organisation(&service, "north", Some("T1")).await;
        say(&service, north, "T1").await;
        assert_eq!(deliver(&service).await, (1, 0));
        let before = service.slack.standing()[0].text.clone();
        event(&service, "E0", "T1", 0, json!({"type": "member_joined_channel", "channel": "C1", "user": "U2"})).await;
        deliver(&service).await;
        assert_eq!(service.slack.standing()[0].text, before, "a colleague joined");

        service.slack.user("UG", json!({"is_restricted": true}));
        service.slack.channel("C1", channel);
        event(&service, "E1", "T1", 0, inner.clone()).await;
        deliver(&service).await;
        let after = service.slack.standing()[0].text.clone();
        assert!(after != before && after.contains("outside"), "{inner}: {after}");
        say(&service, north, "T1").await;
        assert_eq!(deliver(&service).await, (0, 1));
        assert_eq!(service.slack.standing().len(), 1);
    }
}

/// The event was lost, but Slack's answer says the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_slack_calls_dead_is_taken_for_a_removal() {
    let service = Service::for_many().await;
    let fifth = organisation(&service, "fifth", Some("T5")).await;
    service.slack.grant("code", granted("T5", "xoxb-five"));
    assert_eq!(Browser::install(&service, "code").await.0, 200);
    service.slack.always("chat.postMessage", crate::support::fake_slack::Trouble::Refused("account_inactive"));
    say(&service, fifth, "T5").await;
    assert_eq!(deliver(&service).await, (0, 1));
    assert_eq!(left(&service, fifth, "T5").await, (false, vec!["given_up uninstalled".to_owned()]));
    assert_eq!(service.count(fifth, "installation.removed").await, 1);
    let mut tx = service.store.tenant(fifth).await.unwrap();
    let events = audit::recent(&mut tx, 100).await.unwrap();
    let removed = events.iter().find(|event| event.event == "installation.removed").unwrap();
    assert_eq!((&removed.subject, &removed.data["why"]), (&"slack:T5".to_owned(), &json!("account_inactive")));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_end_are_refreshed_before_anybody_waits() {
    let service = Service::for_many().await;
    let fifth = organisation(&service, "fifth", Some("T5")).await;
    service.slack.grant("code", rotating("T5", "xoxe-1", "r-1"));
    assert_eq!(Browser::install(&service, "code").await.0, 200);
    let asked = || service.slack.calls("oauth.v2.access").len();
    let at = |hours: i64| now() + TimeDelta::hours(hours);
    let token = async || {
        use secrecy::ExposeSecret as _;
        service.tokens.of("T5").await.unwrap().unwrap().expose_secret().to_owned()
    };
    service.clock.set(at(9));
    service.tokens.keep_fresh(|| false).await;
    assert_eq!((token().await, asked()), ("xoxe-1".to_owned(), 1), "three hours are left");
    service.slack.grant("r-1", rotating("T5", "xoxe-2", "r-2"));
    service.clock.set(at(10));
    service.tokens.keep_fresh(|| false).await;
    service.tokens.keep_fresh(|| false).await;
    assert_eq!((token().await, asked()), ("xoxe-2".to_owned(), 2));

    // Down for a day: whoever needs it first refreshes it.
    service.slack.grant("r-2", rotating("T5", "xoxe-3", "r-3"));
    service.clock.set(at(40));
    say(&service, fifth, "T5").await;
    assert_eq!(deliver(&service).await, (1, 0));
    assert_eq!(posted_with(&service), ["Bearer xoxe-3"]);
    assert_eq!(asked(), 3);

    // Slack is away at the refresh: the message waits, nothing is used up.
    service.slack.always("oauth.v2.access", crate::support::fake_slack::Trouble::Status(503));
    service.clock.set(at(80));
    say(&service, fifth, "T5").await;
    assert_eq!(deliver(&service).await, (0, 0));
    service.slack.forget_troubles();
    service.slack.grant("r-3", rotating("T5", "xoxe-4", "r-4"));
    service.clock.set(at(81));
    assert_eq!(deliver(&service).await, (1, 0));
    assert_eq!(posted_with(&service).last().unwrap(), "Bearer xoxe-4");

    // Slack's clock is ahead of ours: what it calls expired is renewed at once, and sent with the new one.
    service.slack.grant("r-4", rotating("T5", "xoxe-5", "r-5"));
    service.slack.once("chat.postMessage", crate::support::fake_slack::Trouble::Refused("token_expired"));
    say(&service, fifth, "T5").await;
    assert_eq!(deliver(&service).await, (0, 0));
    service.clock.set(at(81) + TimeDelta::seconds(10));
    assert_eq!(deliver(&service).await, (1, 0));
    assert_eq!(posted_with(&service).last().unwrap(), "Bearer xoxe-5");
    let expiry: DateTime<chrono::Utc> = {
        let mut tx = service.db.pool.begin_with("BEGIN; SET LOCAL ROLE tandem_directory").await.unwrap();
        sqlx::query_scalar("SELECT expires_at FROM directory.slack_installation").fetch_one(&mut *tx).await.unwrap()
    };
    assert_eq!(expiry, at(81) + TimeDelta::hours(12));
}

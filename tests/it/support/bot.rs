//! The TestBot: the whole service in the test's process, spoken to as people
//! speak to it. Webhooks are really signed and come over HTTP, messages go to a
//! fake Slack over HTTP, the clock stands still until it is moved.
//!
//! Nothing may go unnoticed: a test ends with [`TestBot::finish`], which fails
//! where a post or a private answer was not looked at, a row of the outbox is
//! left, the audit trail does not verify, or anything happened to the
//! organisation beside, which has the same people, accounts and nights.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool, Row as _};
use tandem::app::App;
use tandem::app::import::{self, Input};
use tandem::app::organisation::{self, NewOrganisation};
use tandem::clock::{Clock as _, MockClock};
use tandem::delivery::{Delivery, Senders, SlackSender};
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;
use tandem::http::{Drain, Http, Metrics, SlackDoor, router, serve};
use tandem::ingest::Format;
use tandem::scheduler;
use tandem::slack::address::ApiUrl;
use tandem::slack::client::{Client, Settings};
use tandem::store::audit::{self, Actor, Event, Look};
use tandem::store::directory::{Organisation, Platform, Workspace};
use tandem::store::settings;
use tandem::tokens::{Bot, Tokens};

use super::PATIENCE;
use super::cluster::{self, TestDb};
use super::fake_slack::{Call, FakeSlack, Standing};
use super::fake_teams::FakeTeams;
use super::service::{SECRET, answer, headers, http_client, sign, tls};
use super::teams;

/// The workspace whose token the service has; the organisation beside it has [`BESIDE`].
pub(crate) const TEAM: &str = "T1";
pub(crate) const BESIDE: &str = "T2";

/// No test waits for Slack's limits: those are tried in `delivery`.
const PACING: &str = "[pacing]\nper_channel_per_second = 1000.0\nper_workspace_per_minute = 60000\n";

pub(crate) struct TestBot {
    pub(crate) clock: MockClock,
    pub(crate) slack: FakeSlack,
    /// Nobody's tenant is linked until a test does it.
    pub(crate) teams: FakeTeams,
    pub(crate) org: Organisation,
    /// The organisation beside.
    pub(crate) other: Organisation,
    pub(crate) app: App,
    delivery: Delivery,
    pub(super) address: SocketAddr,
    drain: Drain,
    pub(super) http: reqwest::Client,
    db: TestDb,
    /// Numbers clicks, each with an `action_ts` of its own.
    pub(crate) clicks: AtomicU32,
    seen: std::sync::Mutex<Seen>,
    finished: AtomicBool,
}

#[derive(Default)]
struct Seen {
    /// Posts by channel and time stamp.
    posts: BTreeSet<(String, String)>,
    /// How many private answers were looked at.
    answers: usize,
    /// How many filled dialogs.
    dialogs: usize,
}

/// A message with its thread, as it stands in somebody's chat now.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) channel: String,
    pub(crate) ts: String,
    /// The notification line.
    pub(crate) summary: String,
    pub(crate) blocks: Vec<Value>,
}

impl Post {
    /// Every word that can be read, one line a text.
    pub(crate) fn text(&self) -> String {
        let mut lines = Vec::new();
        self.blocks.iter().for_each(|block| read(block, &mut lines));
        lines.join("\n")
    }

    /// What each button and menu option says and sends: (label, what screen readers say, value).
    fn buttons(&self) -> Vec<(String, String, String)> {
        let mut found = Vec::new();
        for element in self.blocks.iter().flat_map(|block| block["elements"].as_array().into_iter().flatten()) {
            let options = element["options"].as_array().into_iter().flatten();
            for one in std::iter::once(element).chain(options) {
                if let Some(value) = one["value"].as_str() {
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    found.push((text(&one["text"]["text"]), text(&one["accessibility_label"]), value.to_owned()));
                }
            }
        }
        found
    }

    pub(crate) fn labels(&self) -> Vec<String> {
        self.buttons().into_iter().map(|(label, _, _)| label).collect()
    }

    /// What the button with this label sends. Of several, the one of the card that names `about`.
    pub(crate) fn value(&self, label: &str, about: &str) -> String {
        let mut under = false;
        for block in &self.blocks {
            let mut lines = Vec::new();
            read(block, &mut lines);
            if block["type"] == "section" && lines.iter().any(|line| line.contains(about)) {
                under = true;
            }
            let alone = Post { blocks: vec![block.clone()], ..self.clone() };
            let found = alone.buttons().into_iter().find(|(found, _, _)| found == label);
            if let Some((_, _, value)) = found.filter(|_| under) {
                return value;
            }
            // The next card begins: what follows belongs to somebody else.
            under &= block["type"] != "divider" && block["type"] != "header";
        }
        panic!("no button \"{label}\" about \"{about}\" in\n{}\n{:?}", self.text(), self.labels());
    }
}

fn read(value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get("text") {
                lines.push(text.clone());
            }
            fields.values().for_each(|value| read(value, lines));
        }
        Value::Array(items) => items.iter().for_each(|item| read(item, lines)),
        _ => {}
    }
}

impl TestBot {
    /// Two organisations in Berlin with this model, at this time; nobody works there yet.
    pub(crate) async fn new(model: Model, at: &str) -> Self {
        tls();
        let db = cluster::database().await;
        let clock = MockClock::new(at.parse().expect("a time"));
        let slack = FakeSlack::start(Arc::new(clock.clone())).await;
        let api = ApiUrl::parse(slack.url()).unwrap();
        let client = Client::new(Settings { api: api.clone(), ..Settings::default() }).unwrap();
        let app = App::new(db.store().await, Arc::new(clock.clone()));
        let bot = Bot { token: "xoxb-test".into(), team: TEAM.into() };
        let tokens = Tokens::configured(client.clone(), Some(bot));
        let door = SlackDoor::new(vec![SECRET.into()], api, client.clone(), tokens.clone(), None);
        let sender = SlackSender { client, tokens };
        let teams = FakeTeams::start(Arc::new(clock.clone())).await;
        let (teams_door, teams_sender) = teams::sides(&teams);
        let senders = Senders { slack: Some(sender), teams: Some(teams_sender), preview: false };
        let delivery = Delivery::new(app.clone(), senders);
        let drain = Drain::new();
        let http = Http::new(app.clone(), app.beside(2), Some(door), Metrics::install().unwrap(), drain.clone());
        let http = http.with_teams(Some(teams_door));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router(http), drain.clone(), std::future::pending()));
        let http = http_client();

        let mut made = Vec::new();
        for (slug, team) in [("north", TEAM), ("south", BESIDE)] {
            let new = NewOrganisation {
                slug: slug.to_owned(),
                name: slug.to_owned(),
                model,
                timezone: chrono_tz::Europe::Berlin,
                currency: "EUR".parse().unwrap(),
            };
            let org = organisation::create(&app.store, new, app.now()).await.unwrap();
            let workspace = Workspace { platform: Platform::Slack, id: team.to_owned() };
            organisation::link(&app.store, org.id, &workspace, app.now()).await.unwrap();
            let mut tx = app.store.tenant(org.id).await.unwrap();
            settings::use_policy(&mut tx, PACING, app.now()).await.unwrap();
            settings::touch(&mut tx).await.unwrap();
            tx.commit().await.unwrap();
            made.push(org);
        }
        let other = made.pop().unwrap();
        let org = made.pop().unwrap();
        let (clicks, finished) = (AtomicU32::new(1), AtomicBool::new(false));
        Self {
            clock,
            slack,
            teams,
            org,
            other,
            app,
            delivery,
            address,
            drain,
            http,
            db,
            clicks,
            seen: Default::default(),
            finished,
        }
    }

    /// The same rows for both organisations.
    pub(crate) async fn import(&self, kind: RowKind, csv: &str) {
        for org in [&self.org, &self.other] {
            self.import_to(org, kind, csv).await;
        }
    }

    pub(crate) async fn import_to(&self, org: &Organisation, kind: RowKind, csv: &str) {
        let input = Input {
            name: format!("{}.csv", kind.as_str()),
            kind,
            format: Format::Csv,
            reader: Box::new(Cursor::new(csv.to_owned().into_bytes())),
        };
        let reports =
            import::files(&self.app.store, org, vec![input], Actor::System, false, self.app.now()).await.unwrap();
        assert_eq!(reports[0].rejected, 0, "{:?}", reports[0].rejections);
    }

    pub(crate) fn db(&self) -> &TestDb {
        &self.db
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.db.pool
    }

    /// The database, for the program itself.
    pub(crate) fn url(&self) -> &str {
        self.db.url()
    }

    /// Moves the clock, does what is owed by then, and delivers it.
    pub(crate) async fn at(&self, time: &str) {
        self.clock.set(time.parse::<DateTime<Utc>>().unwrap_or_else(|error| panic!("{time}: {error}")));
        // Time is skipped on purpose here: the watch need not say that nothing was looked after meanwhile.
        let skipped = "UPDATE directory.due SET due_at = $1 WHERE kind = 'watch' AND due_at < $1";
        sqlx::query(skipped).bind(self.clock.now()).execute(&self.db.pool).await.unwrap();
        self.tick().await;
    }

    pub(crate) async fn tick(&self) {
        scheduler::tick(&self.app).await.unwrap();
        self.deliver().await;
    }

    pub(crate) async fn deliver(&self) {
        let drained = self.delivery.drain(None, Duration::ZERO).await.unwrap();
        assert_eq!(drained.given_up, 0, "a message was given up");
    }

    /// Where a message must not arrive.
    pub(crate) async fn deliver_or_give_up(&self) -> u64 {
        self.delivery.drain(None, Duration::ZERO).await.unwrap().given_up
    }

    /// The direct messages with a colleague: dana@… is Udana, and has Ddana.
    pub(crate) fn place(who: &str) -> String {
        format!("D{who}")
    }

    fn standing(&self, channel: &str) -> Vec<Standing> {
        self.slack.standing().into_iter().filter(|message| message.channel == channel).collect()
    }

    /// A post with its thread, as it stands now.
    fn whole(&self, parent: &Standing) -> Post {
        let thread = self.standing(&parent.channel);
        let parts = thread.iter().filter(|part| part.ts == parent.ts || part.thread_ts.as_ref() == Some(&parent.ts));
        let blocks = parts.flat_map(|part| serde_json::from_str::<Vec<Value>>(&part.blocks).expect("blocks"));
        Post {
            channel: parent.channel.clone(),
            ts: parent.ts.clone(),
            summary: parent.text.clone(),
            blocks: blocks.collect(),
        }
    }

    fn unseen(&self) -> Vec<Standing> {
        let seen = self.seen.lock().unwrap();
        let is_new = |message: &Standing| !seen.posts.contains(&(message.channel.clone(), message.ts.clone()));
        self.slack.standing().into_iter().filter(|message| message.thread_ts.is_none()).filter(is_new).collect()
    }

    /// The first post to somebody, or in a channel (C1), that was not looked at yet.
    pub(crate) fn next_post(&self, who: &str) -> Post {
        let place = if who.starts_with('C') { who.to_owned() } else { Self::place(who) };
        let next = self.unseen().into_iter().find(|message| message.channel == place);
        let next = next.unwrap_or_else(|| panic!("nothing new was said to {who}; unseen: {:?}", self.unseen_lines()));
        self.seen.lock().unwrap().posts.insert((next.channel.clone(), next.ts.clone()));
        self.whole(&next)
    }

    /// Who has a post that was not looked at, and what it says first.
    pub(crate) fn unseen_lines(&self) -> Vec<(String, String)> {
        self.unseen().into_iter().map(|message| (message.channel, message.text)).collect()
    }

    /// Looks at everything that is new, without a word about it.
    pub(crate) fn skip(&self) {
        let unseen = self.unseen();
        let mut seen = self.seen.lock().unwrap();
        seen.posts.extend(unseen.into_iter().map(|message| (message.channel, message.ts)));
    }

    /// How a post stands now, after redraws.
    pub(crate) fn now(&self, post: &Post) -> Post {
        let all = self.standing(&post.channel);
        self.whole(all.iter().find(|message| message.ts == post.ts).expect("the post"))
    }

    /// What was said in a post's thread by messages of their own, oldest first; not the parts of a long message.
    pub(crate) fn replies(&self, post: &Post) -> Vec<String> {
        let thread = self.standing(&post.channel).into_iter().filter(|part| part.thread_ts.as_ref() == Some(&post.ts));
        thread.map(|part| part.text).filter(|text| *text != post.summary).collect()
    }

    /// Everything that stands in somebody's direct messages, threads too: the notification lines.
    pub(crate) fn said_to(&self, who: &str) -> Vec<String> {
        self.standing(&Self::place(who)).into_iter().map(|message| message.text).collect()
    }

    /// Sends a signed request; its status and body.
    pub(crate) async fn signed(&self, path: &str, body: &str) -> (u16, String) {
        let at = self.clock.now().timestamp();
        self.with_headers(path, body, &at.to_string(), &sign(at, body.as_bytes())).await
    }

    /// Sends a request with whatever signature.
    pub(crate) async fn with_headers(&self, path: &str, body: &str, at: &str, signature: &str) -> (u16, String) {
        let headers = headers(at, signature);
        let request = self.http.post(format!("http://{}{path}", self.address)).headers(headers).body(body.to_owned());
        let (status, text) = answer(request).await;
        (status.as_u16(), text)
    }

    /// Types a command in the direct messages with Tandem; all that the answer says.
    pub(crate) async fn slash(&self, who: &str, typed: &str) -> String {
        self.slash_from(TEAM, who, typed).await
    }

    pub(crate) async fn slash_from(&self, team: &str, who: &str, typed: &str) -> String {
        let (command, text) = typed.split_once(' ').unwrap_or((typed, ""));
        let (user, channel) = (format!("U{who}"), Self::place(who));
        let fields = [
            ("command", command),
            ("text", text),
            ("team_id", team),
            ("user_id", &user),
            ("channel_id", &channel),
            ("trigger_id", "1.2.x"),
            ("response_url", &self.response_url()),
        ];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let (status, text) = self.signed("/slack/commands", &body).await;
        assert_eq!(status, 200, "{text}");
        let said: Value = serde_json::from_str(&text).unwrap_or_default();
        let mut lines = Vec::new();
        read(&said, &mut lines);
        lines.join("\n")
    }

    fn response_url(&self) -> String {
        format!("{}response", self.slack.url())
    }

    /// The payload of a press by somebody, each one a click of its own.
    pub(crate) fn press(&self, team: &str, who: &str, post: &Post, value: &str) -> Value {
        let click = self.clicks.fetch_add(1, Ordering::Relaxed);
        json!({
            "type": "block_actions", "user": {"id": format!("U{who}"), "team_id": team}, "team": {"id": team},
            "container": {"type": "message", "message_ts": post.ts, "channel_id": post.channel},
            "trigger_id": format!("{click}.2.x"), "response_url": self.response_url(),
            "actions": [{"type": "button", "value": value, "action_ts": format!("{click}.1")}],
        })
    }

    /// Looks at the home tab; the view once it was published, the `n`th of all.
    pub(crate) async fn open_home(&self, who: &str) -> Post {
        let at = self.slack.calls("views.publish").len();
        let event = json!({"type": "event_callback", "event_id": format!("Eh{at}"), "team_id": TEAM,
                           "event": {"type": "app_home_opened", "user": format!("U{who}"), "tab": "home"}});
        let (status, text) = self.signed("/slack/events", &event.to_string()).await;
        assert_eq!(status, 200, "{text}");
        self.published(at).await
    }

    /// The `at`th home view that was published, delivering what is queued until it was.
    pub(crate) async fn published(&self, at: usize) -> Post {
        let begun = Instant::now();
        loop {
            self.deliver().await;
            if let Some(call) = self.slack.calls("views.publish").into_iter().nth(at) {
                let view = &call.arguments["view"];
                assert_eq!(view["type"], "home");
                return Post {
                    channel: call.arguments["user_id"].as_str().expect("a user").to_owned(),
                    ts: String::new(),
                    summary: String::new(),
                    blocks: view["blocks"].as_array().expect("blocks").clone(),
                };
            }
            assert!(begun.elapsed() < PATIENCE, "no home view number {} was published", at + 1);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Presses a button of a home tab.
    pub(crate) async fn press_home(&self, who: &str, home: &Post, label: &str, about: &str) {
        let value = home.value(label, about);
        let click = self.clicks.fetch_add(1, Ordering::Relaxed);
        let payload = json!({
            "type": "block_actions", "user": {"id": format!("U{who}"), "team_id": TEAM}, "team": {"id": TEAM},
            "container": {"type": "view", "view_id": "VH"}, "view": {"id": "VH", "type": "home"},
            "trigger_id": format!("{click}.2.x"),
            "actions": [{"type": "button", "value": value, "action_ts": format!("{click}.1")}],
        });
        assert_eq!(self.interact(&payload).await, (200, String::new()), "{label}");
        self.deliver().await;
    }

    pub(crate) async fn interact(&self, payload: &Value) -> (u16, String) {
        let text = payload.to_string();
        let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &text).finish();
        self.signed("/slack/interactions", &body).await
    }

    /// Presses the button with this label on the card about `about`, and lets every copy be redrawn.
    pub(crate) async fn click(&self, who: &str, post: &Post, label: &str, about: &str) {
        let value = self.now(post).value(label, about);
        let done = self.interact(&self.press(TEAM, who, post, &value)).await;
        assert_eq!(done, (200, String::new()), "{label}");
        self.deliver().await;
    }

    /// The next private answer that was not looked at: its summary.
    pub(crate) async fn private(&self) -> String {
        let at = self.seen.lock().unwrap().answers;
        let call = self.wait_for("response", at).await;
        self.seen.lock().unwrap().answers += 1;
        assert_eq!(call.arguments["response_type"], "ephemeral", "{:?}", call.arguments);
        call.arguments["text"].as_str().expect("a text").to_owned()
    }

    /// Looks at every private answer, also those that are under way.
    pub(crate) async fn read_privates(&self) {
        self.drain.idle().await;
        self.seen.lock().unwrap().answers = self.slack.calls("response").len();
    }

    async fn wait_for(&self, method: &str, at: usize) -> Call {
        let begun = Instant::now();
        loop {
            if let Some(call) = self.slack.calls(method).into_iter().nth(at) {
                return call;
            }
            assert!(begun.elapsed() < PATIENCE, "no {method} number {} came", at + 1);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The dialog that the last click or command opened, once it is filled.
    pub(crate) async fn dialog(&self) -> Value {
        let at = self.seen.lock().unwrap().dialogs;
        let call = self.wait_for("views.update", at).await;
        self.seen.lock().unwrap().dialogs += 1;
        call.arguments["view"].clone()
    }

    /// The same, where what follows cannot all be delivered.
    pub(crate) async fn submit_without_delivery(&self, who: &str, answers: &[(&str, &str)]) {
        let view = self.dialog().await;
        let (status, text) = self.interact(&self.submission(who, &view, answers)).await;
        assert_eq!(status, 200, "{text}");
    }

    /// Fills in the dialog that was just opened and submits it; what the response asks of Slack: null closes it.
    pub(crate) async fn submit(&self, who: &str, answers: &[(&str, &str)]) -> Value {
        let view = self.dialog().await;
        let view = match view {
            Value::String(text) => serde_json::from_str(&text).expect("a view"),
            view => view,
        };
        self.submit_view(who, &view, answers).await
    }

    pub(crate) async fn submit_view(&self, who: &str, view: &Value, answers: &[(&str, &str)]) -> Value {
        let (status, text) = self.interact(&self.submission(who, view, answers)).await;
        assert_eq!(status, 200, "{text}");
        self.deliver().await;
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn submission(&self, who: &str, view: &Value, answers: &[(&str, &str)]) -> Value {
        let mut values = json!({});
        for (field, said) in answers {
            let block = view["blocks"].as_array().expect("blocks").iter().find(|block| block["block_id"] == *field);
            let block = block.unwrap_or_else(|| panic!("the dialog has no field {field}: {view:#}"));
            values[*field][*field] = match block["element"]["type"].as_str() {
                Some("timepicker") => json!({"type": "timepicker", "selected_time": said}),
                Some("checkboxes") => {
                    let options: Vec<Value> = said.split(';').map(|value| json!({"value": value})).collect();
                    json!({"type": "checkboxes", "selected_options": options})
                }
                Some("datepicker") => json!({"type": "datepicker", "selected_date": said}),
                Some("static_select") => json!({"type": "static_select", "selected_option": {"value": said}}),
                kind => json!({"type": kind, "value": said}),
            };
        }
        let click = self.clicks.fetch_add(1, Ordering::Relaxed);
        json!({
            "type": "view_submission", "user": {"id": format!("U{who}"), "team_id": TEAM}, "team": {"id": TEAM},
            "view": {"id": format!("V{click}"), "hash": format!("{click}.x"),
                     "private_metadata": view["private_metadata"], "state": {"values": values}},
        })
    }

    /// What people did in an organisation, oldest first.
    pub(crate) async fn events_of(&self, org: &Organisation) -> Vec<Event> {
        let mut tx = self.app.store.tenant(org.id).await.unwrap();
        let mut events = audit::recent(&mut tx, 100_000).await.unwrap();
        events.reverse();
        events
    }

    /// Names of what people did, oldest first; not what the night and the scheduler did.
    pub(crate) async fn done(&self) -> Vec<String> {
        let events = self.events_of(&self.org).await;
        events.into_iter().filter(|event| event.actor.starts_with("person:")).map(|event| event.event).collect()
    }

    pub(crate) async fn times(&self, event: &str) -> usize {
        self.events_of(&self.org).await.iter().filter(|found| found.event == event).count()
    }

    /// One number, asked as the application asks.
    pub(crate) async fn number(&self, org: &Organisation, sql: &str) -> i64 {
        let begin = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{}'", org.id);
        let mut tx = self.db.pool.begin_with(AssertSqlSafe(begin)).await.unwrap();
        let row = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut *tx).await;
        row.unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
    }

    /// One text, likewise; empty where there is none.
    pub(crate) async fn text(&self, org: &Organisation, sql: &str) -> String {
        let begin = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{}'", org.id);
        let mut tx = self.db.pool.begin_with(AssertSqlSafe(begin)).await.unwrap();
        let row = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut *tx).await;
        row.unwrap_or_else(|error| panic!("{sql}: {error}")).get::<Option<String>, _>(0).unwrap_or_default()
    }

    /// A refused click leaves its receipt and nothing else.
    pub(crate) async fn forget_receipts_beside(&self) {
        let begin = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{}'", self.other.id);
        let mut tx = self.db.pool.begin_with(AssertSqlSafe(begin)).await.unwrap();
        sqlx::query("DELETE FROM tandem.inbound_receipt").execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The end of a test: nothing is left over, and nothing went astray.
    pub(crate) async fn finish(self) {
        self.drain.idle().await;
        self.deliver().await;
        assert_eq!(self.unseen_lines(), [], "posts that nobody looked at");
        let looked_at = self.seen.lock().unwrap().answers;
        let unread: Vec<Value> =
            self.slack.calls("response").into_iter().skip(looked_at).map(|call| call.arguments).collect();
        assert!(unread.is_empty(), "private answers that nobody read: {unread:?}");
        assert_eq!(self.teams.unseen(), [], "messages in Teams that nobody looked at");
        let left = "SELECT count(*) FROM tandem.outbox WHERE state IN ('queued', 'sending')";
        assert_eq!(self.number(&self.org, left).await, 0, "rows of the outbox are left");
        self.beside_is_untouched().await;
        for org in [&self.org, &self.other] {
            organisation::seal(&self.app.store, org.id, Look::WHOLE).await.unwrap();
            let mut tx = self.app.store.tenant(org.id).await.unwrap();
            let verdict = audit::verify(&mut tx).await.unwrap();
            assert_eq!((&verdict.broken, verdict.unsealed), (&None, 0), "{}", org.slug);
        }
        self.set_aside().await;
    }

    /// Ends without the checks: for tests that are not about a conversation.
    pub(crate) async fn set_aside(self) {
        self.finished.store(true, Ordering::Relaxed);
    }

    /// Nights and mornings of the organisation beside go their way; nobody of it did anything, and nobody heard anything.
    async fn beside_is_untouched(&self) {
        let events = self.events_of(&self.other).await;
        let strange: Vec<&Event> = events.iter().filter(|event| event.actor != "system").collect();
        assert!(strange.is_empty(), "something was done to the organisation beside: {strange:?}");
        for (what, sql) in [
            ("clicks", "SELECT count(*) FROM tandem.inbound_receipt"),
            ("copies", "SELECT count(*) FROM tandem.message_copy"),
            ("attempts", "SELECT count(*) FROM tandem.outbox WHERE attempts > 0 OR state <> 'queued'"),
            ("redraws", "SELECT count(*) FROM tandem.outbox WHERE kind = 'redraw'"),
            ("notes", "SELECT count(*) FROM tandem.note"),
            ("chat users", "SELECT count(*) FROM tandem.chat_user"),
            ("moved risks", "SELECT count(*) FROM tandem.risk WHERE moved_by IS NOT NULL"),
            (
                "moved handoffs",
                "SELECT count(*) FROM tandem.handoff WHERE moved_by IS NOT NULL OR clock_since IS NOT NULL",
            ),
        ] {
            assert_eq!(self.number(&self.other, sql).await, 0, "{what} of the organisation beside");
        }
    }
}

impl Drop for TestBot {
    fn drop(&mut self) {
        if !self.finished.load(Ordering::Relaxed) && !std::thread::panicking() {
            panic!("the test ended without bot.finish()");
        }
    }
}

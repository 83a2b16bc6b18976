//! The two chats of one world: an organisation in Slack, the one beside it in Teams, with the same people, accounts and
//! nights. What one says is waited for and read beside what the other says.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tandem::domain::action::Verb;
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;
use tandem::store::directory::{Organisation, Platform};

use crate::support::PATIENCE;
use crate::support::bot::{BESIDE, Post, TEAM, TestBot};
use crate::support::fake_teams::Standing;
use crate::support::teams::TENANT;
use crate::teams::surfaces::texts;

use super::form::{Field, is_input, slack_fields, slack_options, teams_fields, teams_options};
use super::words::{counted, is_answer, pages, said, same, slack_lines, summary, teams_lines, text_of};

pub(super) struct Both {
    pub(super) bot: TestBot,
}

/// What both chats answered a press with, once it was found to be the same.
pub(super) enum Answer {
    Dialog(Form),
    /// Words, or silence: the card says it.
    Said,
}

/// The same dialog as each chat has it.
pub(super) struct Form {
    view: Value,
    task: Value,
    pub(super) fields: Vec<Field>,
}

impl Both {
    /// Monday after everybody's morning.
    pub(super) async fn monday() -> Self {
        let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
        bot.unlink(Platform::Slack, BESIDE).await;
        bot.link_tenant(&bot.other, TENANT).await;
        let people = |chat: &str, prefix: &str| {
            let of = |who: &str, name: &str, roles: &str, more: &str, known: bool| {
                let id = if known { format!("{prefix}{who}") } else { String::new() };
                format!("{who}@x.eu,{name},{roles},Europe/Berlin,08:00,{more},{id}\n")
            };
            format!("email,name,roles,timezone,digest_time,manager_email,pool,{chat}\n")
                + &of("lea", "Lea Lead", "lead", ",", true)
                + &of("ada", "Ada Quinn", "admin", ",", true)
                + &of("dana", "Dana Reyes", "csm", "lea@x.eu,", true)
                + &of("kim", "Kim Okafor", "account_manager", "lea@x.eu,", true)
                + &of("cora", "Cora Both", "csm;account_manager", "lea@x.eu,", true)
                + &of("pat", "Pat Moss", "account_manager", "lea@x.eu,emea", true)
                + &of("vic", "Vic Hale", "viewer", ",", true)
                + "rio@x.eu,Rio Vance,account_manager,Europe/Berlin,22:00,lea@x.eu,,\n"
        };
        bot.import_to(&bot.org, RowKind::People, &people("slack_user_id", "U")).await;
        bot.import_to(&bot.other, RowKind::People, &people("teams_user_id", "aad-")).await;
        let mut accounts = "account_id,name,arr,seats,renewal_date,term_months,notice_period_days,csm_email,\
                            account_manager_email,pool,goals,start_date\n"
            .to_owned();
        let mut signals = "account_id,source,kind,observed_on,value\nacme,crm,notice_served,2026-11-20,true\n\
                           eden,crm,notice_served,2026-11-20,true\n"
            .to_owned();
        let weeks = ["2026-10-11", "2026-10-18", "2026-10-25", "2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22"];
        let mut account = |id: &str, arr: u32, renewal: &str, csm: &str, am: &str, pool: &str, users: [u32; 7]| {
            let name = format!("{}{}", id[..1].to_uppercase(), &id[1..]);
            accounts +=
                &format!("{id},{name},{arr},100,{renewal},12,30,{csm}@x.eu,{am},{pool},Halve the tickets,2024-01-15\n");
            for (day, users) in weeks.iter().zip(users) {
                signals += &format!("{id},usage,active_users,{day},{users}\n");
            }
        };
        let (steady, full, falling) = ([60; 7], [95; 7], [80, 80, 80, 80, 8, 8, 8]);
        account("acme", 100_000, "2027-02-28", "dana", "kim@x.eu", "", steady);
        account("eden", 90_000, "2027-09-30", "dana", "kim@x.eu", "", full);
        account("bolt", 50_000, "2027-09-30", "dana", "kim@x.eu", "", full);
        account("dock", 40_000, "2027-09-30", "dana", "", "emea", full);
        account("calm", 30_000, "2027-09-30", "dana", "kim@x.eu", "", steady);
        account("solo", 60_000, "2027-02-28", "cora", "cora@x.eu", "", full);
        for id in ["h1", "h2", "h3"] {
            account(id, 20_000, "2027-09-30", "dana", "kim@x.eu", "", full);
        }
        for id in ["i1", "i2"] {
            account(id, 20_000, "2027-02-28", "dana", "kim@x.eu", "", steady);
        }
        for n in 1..=9 {
            account(&format!("g{n}"), 20_000 + 1000 * n, "2027-09-30", "dana", "kim@x.eu", "", falling);
        }
        for n in 1..=9 {
            signals += &format!(
                "g{n},billing,invoice_overdue_days,2026-11-21,95\ng{n},sentiment,nps,2026-11-20,1\n\
                 g{n},usage,seats_assigned,2026-11-22,100\n"
            );
            if n % 2 == 1 {
                signals += &format!("g{n},support,sev1_open_days,2026-11-21,20\ng{n},support,csat,2026-11-21,20\n");
            }
        }
        bot.import(RowKind::Accounts, &accounts).await;
        bot.import(RowKind::Signals, &signals).await;
        bot.deliver().await;
        bot.at("2026-11-23T01:00:00Z").await;
        bot.at("2026-11-23T07:00:00Z").await;
        bot.clock.advance(chrono::TimeDelta::minutes(10));
        bot.skip();
        bot.teams.skip();
        Self { bot }
    }

    /// Typed, it begins with the same overview; how much follows on the first page is each chat's own.
    pub(super) async fn homes_begin_the_same(&self, who: &str, typed: &str) {
        let said = self.bot.slash(who, &format!("/tandem {typed}")).await;
        let card = self.bot.types(who, typed).await;
        let (one, other) = (said.lines().next().unwrap_or_default(), &card.summary);
        assert_eq!(counted(&[one.to_owned()]), counted(std::slice::from_ref(other)), "{who} types \"{typed}\"");
        // A long one has further parts, which come behind it.
        self.bot.read_privates().await;
    }

    /// Reads both until they say the same, or complains of what they differ in.
    async fn until_same(
        &self,
        what: &str,
        mut slack: impl FnMut() -> Vec<String>,
        mut teams: impl FnMut() -> Vec<String>,
    ) {
        let begun = Instant::now();
        loop {
            let (one, other) = (slack(), teams());
            if !one.is_empty() && counted(&one) == counted(&other) {
                return;
            }
            if begun.elapsed() > PATIENCE {
                return same(what, &one, &other);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn answers(&self, from: usize) -> Vec<Value> {
        self.bot.slack.calls("response").into_iter().skip(from).map(|call| call.arguments).collect()
    }

    async fn view(&self, at: usize) -> Value {
        let begun = Instant::now();
        loop {
            if let Some(call) = self.bot.slack.calls("views.update").into_iter().nth(at) {
                return match &call.arguments["view"] {
                    Value::String(text) => serde_json::from_str(text).expect("a view"),
                    view => view.clone(),
                };
            }
            assert!(begun.elapsed() < PATIENCE, "Slack opened no dialog");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Types the same in both chats and compares all that is answered.
    pub(super) async fn ask(&self, who: &str, typed: &str) {
        let bot = &self.bot;
        let from = bot.slack.calls("response").len();
        let slash = if typed.starts_with("account") { format!("/{typed}") } else { format!("/tandem {typed}") };
        let (command, text) = slash.split_once(' ').unwrap_or((&slash, ""));
        let fields = [
            ("command", command.to_owned()),
            ("text", text.to_owned()),
            ("team_id", TEAM.to_owned()),
            ("user_id", format!("U{who}")),
            ("channel_id", TestBot::place(who)),
            ("trigger_id", "1.2.x".to_owned()),
            ("response_url", format!("{}response", bot.slack.url())),
        ];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let (status, answer) = bot.signed("/slack/commands", &body).await;
        assert_eq!(status, 200, "{answer}");
        let first: Value = serde_json::from_str(&answer).unwrap_or_default();
        let activity = bot.activity(who, "message", json!({"text": typed}));
        assert_eq!(bot.teams_sends(&activity).await.0, 200);
        let slack = || {
            let more = self.answers(from);
            let all = std::iter::once(&first).chain(&more).filter(|said| said.is_object());
            // A picture comes after the answer that it belongs to.
            let worded =
                all.filter(|said| said["blocks"].as_array().is_none_or(|all| all.iter().any(|b| b["type"] != "image")));
            worded
                .flat_map(|said| {
                    summary(&text_of(&said["text"])).into_iter().chain(slack_lines(&said["blocks"])).collect::<Vec<_>>()
                })
                .collect()
        };
        let mut heard: Vec<Standing> = Vec::new();
        let teams = || {
            heard.extend(bot.teams.news(&format!("a:{who}")));
            heard.iter().flat_map(|one| said(&one.activity)).collect()
        };
        self.until_same(&format!("{who} types \"{typed}\""), slack, teams).await;
    }

    pub(super) async fn asked_by_unknown(&self, who: &str, typed: &str) {
        let bot = &self.bot;
        let from = bot.slack.calls("response").len();
        bot.slash(who, &format!("/{typed}")).await;
        let activity = bot.activity(who, "message", json!({"text": typed}));
        assert_eq!(bot.teams_sends(&activity).await.0, 200);
        let slack = || {
            self.answers(from)
                .iter()
                .flat_map(|said| [vec![text_of(&said["text"])], slack_lines(&said["blocks"])].concat())
                .collect()
        };
        let mut heard = Vec::new();
        let teams = || {
            heard.extend(bot.teams.news(&format!("a:{who}")));
            heard.iter().flat_map(|one: &Standing| said(&one.activity)).collect()
        };
        self.until_same("an answer to somebody unknown", slack, teams).await;
    }

    /// In Slack the dialog is the answer; Teams opens none by itself, so a button does.
    pub(super) async fn settings_are_the_same(&self, who: &str, typed: &str) {
        let bot = &self.bot;
        let at = bot.slack.calls("views.update").len();
        assert_eq!(bot.slash(who, &format!("/tandem {typed}")).await, "", "the dialog is the answer");
        let view = self.view(at).await;
        let card = bot.types(who, typed).await;
        let task = bot.fetches(who, &card, "Settings", "").await;
        self.form(&format!("{who} types \"{typed}\""), view, task);
    }

    /// A press with an action of one's own in each chat.
    pub(super) async fn press(&self, who: &str, verb: Verb, (slack, teams): &(String, String)) -> Answer {
        let what = format!("{who} presses {}", verb.label());
        let bot = &self.bot;
        bot.teams.skip();
        let (views, from) = (bot.slack.calls("views.update").len(), bot.slack.calls("response").len());
        let place = Post { channel: TestBot::place(who), ts: "1.1".into(), summary: String::new(), blocks: Vec::new() };
        assert_eq!(bot.interact(&bot.press(TEAM, who, &place, slack)).await, (200, String::new()), "{what}");
        if verb.opens_dialog() {
            let more =
                json!({"name": "task/fetch", "value": {"data": {"a": teams, "msteams": {"type": "task/fetch"}}}});
            let (status, body) = bot.teams_sends(&bot.activity(who, "invoke", more)).await;
            assert_eq!(status, 200, "{body}");
            let (view, task) = (self.view(views).await, body["task"].clone());
            return self.dialog_or_words(&what, view, task);
        }
        let action = json!({"type": "Action.Execute", "verb": verb.as_str(), "data": {"a": teams}});
        let more = json!({"name": "adaptiveCard/action", "value": {"action": action, "trigger": "manual"}});
        let (status, body) = bot.teams_sends(&bot.activity(who, "invoke", more)).await;
        assert_eq!(status, 200, "{body}");
        let told = text_of(&body["value"]);
        let slack = || self.answers(from).iter().map(|said| text_of(&said["text"])).take(1).collect::<Vec<_>>();
        if verb == Verb::ShowMore && !told.starts_with("This is not there") {
            // The answer is a card of its own.
            let card = bot.hears(who).await;
            let shown = || self.answers(from).iter().take(1).flat_map(|said| slack_lines(&said["blocks"])).collect();
            self.until_same(&what, shown, || card.bodies.iter().flat_map(teams_lines).collect()).await;
        } else if told.starts_with("Done. This copy") {
            assert_eq!(slack(), Vec::<String>::new(), "{what}: Teams lets the card speak");
        } else {
            self.until_same(&what, slack, || vec![told.clone()]).await;
        }
        Answer::Said
    }

    fn dialog_or_words(&self, what: &str, view: Value, task: Value) -> Answer {
        if view["submit"].is_object() {
            return Answer::Dialog(self.form(what, view, task));
        }
        let teams = match &task["value"] {
            Value::String(said) => vec![said.clone()],
            value => teams_lines(&value["card"]["content"]),
        };
        same(what, &slack_lines(&view["blocks"]), &teams);
        Answer::Said
    }

    fn form(&self, what: &str, view: Value, task: Value) -> Form {
        let card = &task["value"]["card"]["content"];
        let (slack, teams) = (slack_fields(&view), teams_fields(card));
        let before: Vec<String> = view["blocks"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|block| block["type"] == "section")
            .flat_map(slack_lines)
            .collect();
        let body: Vec<Value> = card["body"].as_array().into_iter().flatten().cloned().collect();
        let above: Vec<String> = body.iter().take_while(|one| !is_input(one)).flat_map(teams_lines).collect();
        assert_eq!(counted(&before), counted(&above), "{what}: the words above the fields");
        assert_eq!(slack, teams, "{what}: the fields");
        assert_eq!(view["title"]["text"], task["value"]["title"], "{what}: the title");
        assert_eq!(view["submit"]["text"], card["actions"][0]["title"], "{what}: the button");
        Form { view, task, fields: slack }
    }

    /// Submits in both; what comes back, errors at their fields too, is the same.
    pub(super) async fn fill(&self, who: &str, form: &Form, answers: &[(&str, &str)], what: &str) {
        let bot = &self.bot;
        let chosen = |side: &dyn Fn(&str) -> Vec<(String, String)>| -> Vec<(String, String)> {
            let pick = |(id, said): &(&str, &str)| match said.strip_prefix('@') {
                Some(words) => {
                    let options = side(id);
                    let found = options.iter().find(|(title, _)| title == words);
                    ((*id).to_owned(), found.unwrap_or_else(|| panic!("no {words} in {options:?}")).1.clone())
                }
                None => ((*id).to_owned(), (*said).to_owned()),
            };
            answers.iter().map(pick).collect()
        };
        let in_slack = chosen(&|id| slack_options(&form.view, id));
        let in_teams = chosen(&|id| teams_options(&form.task["value"]["card"]["content"], id));
        let slack: Vec<(&str, &str)> = in_slack.iter().map(|(id, said)| (id.as_str(), said.as_str())).collect();
        let teams: Vec<(&str, &str)> = in_teams.iter().map(|(id, said)| (id.as_str(), said.as_str())).collect();
        let answered = bot.submit_view(who, &form.view, &slack).await;
        let returned = bot.submits(who, &form.task, &teams).await;
        let task = &returned["task"];
        match answered["response_action"].as_str() {
            None => assert_eq!(returned, json!({}), "{what}: Slack closes the dialog"),
            Some("errors") => {
                let errors: Vec<String> =
                    answered["errors"].as_object().into_iter().flatten().map(|(_, said)| text_of(said)).collect();
                let body = &task["value"]["card"]["content"]["body"];
                let problems: Vec<String> = body
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter(|one| one["inlines"][0]["text"] == "Not saved: ")
                    .map(|one| text_of(&one["inlines"][1]["text"]))
                    .collect();
                same(&format!("{what}: what is wrong"), &errors, &problems);
            }
            Some(_) => drop(self.dialog_or_words(what, answered["view"].clone(), task.clone())),
        }
    }

    /// What people did, and how risks, handoffs, renewals, notes and settings stand: the same in both databases.
    pub(super) async fn same_effect(&self, what: &str) -> Vec<String> {
        let (one, other) = (self.effect(&self.bot.org).await, self.effect(&self.bot.other).await);
        assert_eq!(one, other, "{what}: the databases differ");
        one
    }

    async fn effect(&self, org: &Organisation) -> Vec<String> {
        let events = self.bot.events_of(org).await;
        let did = |actor: &str| !matches!(actor.split(':').next(), Some("system" | "cli"));
        let mut all: Vec<String> =
            events.iter().filter(|event| did(&event.actor)).map(|event| event.event.clone()).collect();
        for sql in [
            "SELECT string_agg(concat_ws(' ', account_id, state, version, next_step, next_step_due, snoozed_until, resolution, \
             raised_why), ',' ORDER BY account_id) FROM tandem.risk",
            "SELECT string_agg(concat_ws(' ', account_id, matter, state, pool, need, contact, timing, reason, won_minor, \
             override_reason, version), ',' ORDER BY account_id, matter, state) FROM tandem.handoff",
            "SELECT string_agg(concat_ws(' ', account_id, state, version), ',' ORDER BY account_id) FROM tandem.renewal",
            "SELECT string_agg(concat_ws(' ', account_id, kind, body), ',' ORDER BY account_id, body) FROM tandem.note",
            "SELECT string_agg(concat_ws(' ', p.email, s.digest_time, s.workdays, s.attention_budget, s.empty_mornings, \
             (SELECT email FROM tandem.person AS d WHERE d.person_id = s.delegate_id)), ',' ORDER BY p.email) \
             FROM tandem.person_setting AS s JOIN tandem.person AS p USING (person_id)",
        ] {
            all.push(self.bot.text(org, sql).await);
        }
        all
    }

    /// Everything that stands in everybody's own chat.
    pub(super) async fn same_standing(&self, what: &str) {
        for who in ["lea", "ada", "dana", "kim", "cora", "pat", "vic"] {
            let begun = Instant::now();
            loop {
                let (slack, teams) = (self.slack_chat(who), self.teams_chat(who));
                if counted(&slack) == counted(&teams) {
                    break;
                }
                if begun.elapsed() > PATIENCE {
                    same(&format!("{what}: the chat of {who}"), &slack, &teams);
                }
                self.bot.deliver().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    fn slack_chat(&self, who: &str) -> Vec<String> {
        let place = TestBot::place(who);
        let all = self.bot.slack.standing().into_iter().filter(|one| one.channel == place);
        all.flat_map(|one| {
            let blocks: Value = serde_json::from_str(&one.blocks).unwrap_or_default();
            summary(&one.text).into_iter().chain(slack_lines(&blocks)).collect::<Vec<_>>()
        })
        .collect()
    }

    /// What delivery put there: private answers to what was typed or pressed stand nowhere in Slack.
    fn teams_chat(&self, who: &str) -> Vec<String> {
        let place = format!("a:{who}");
        let all = self.bot.teams.standing().into_iter().filter(|one| one.conversation == place);
        all.filter(|one| !is_answer(&one.activity)).flat_map(|one| said(&one.activity)).collect()
    }

    /// What a button of this verb carries on the newest message of somebody, in both chats.
    pub(super) fn carried(&self, verb: Verb, who: &str) -> (String, String) {
        let begins = format!("{}|", verb.as_str());
        let place = TestBot::place(who);
        let mut slack: Vec<String> = Vec::new();
        for one in self.bot.slack.standing().into_iter().filter(|one| one.channel == place) {
            let blocks: Value = serde_json::from_str(&one.blocks).unwrap_or_default();
            slack.extend(texts(&blocks, &["value"]).into_iter().filter(|value| value.starts_with(&begins)));
        }
        for said in self.answers(0) {
            slack.extend(texts(&said["blocks"], &["value"]).into_iter().filter(|value| value.starts_with(&begins)));
        }
        let place = format!("a:{who}");
        let cards = self.bot.teams.standing().into_iter().filter(|one| one.conversation == place);
        let teams: Vec<String> =
            cards.flat_map(|one| texts(&one.activity, &["a"])).filter(|action| action.starts_with(&begins)).collect();
        let newest = |all: &[String], chat: &str| {
            all.last().cloned().unwrap_or_else(|| panic!("{who} has no {} in {chat}", verb.label()))
        };
        (newest(&slack, "Slack"), newest(&teams, "Teams"))
    }

    /// Presses somewhere in Slack; the private answer.
    pub(super) async fn slack_presses(&self, who: &str, channel: &str, value: &str) -> String {
        let from = self.bot.slack.calls("response").len();
        let place = Post { channel: channel.into(), ts: "1.1".into(), summary: String::new(), blocks: Vec::new() };
        assert_eq!(self.bot.interact(&self.bot.press(TEAM, who, &place, value)).await.0, 200);
        let begun = Instant::now();
        while self.answers(from).is_empty() {
            assert!(begun.elapsed() < PATIENCE, "Slack said nothing");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        text_of(&self.answers(from)[0]["text"])
    }

    /// Turns every page of the home in both chats; together they say the same.
    pub(super) async fn homes_are_the_same(&self, who: &str) {
        let bot = &self.bot;
        let mut view = bot.open_home(who).await;
        let mut slack = slack_lines(&Value::Array(view.blocks.clone()));
        while view.labels().iter().any(|label| label == "Next page") {
            let at = bot.slack.calls("views.publish").len();
            let buttons = view.blocks.iter().flat_map(|block| block["elements"].as_array().into_iter().flatten());
            let next =
                buttons.filter(|one| one["text"]["text"] == "Next page").map(|one| text_of(&one["value"])).next_back();
            let mut on_home = bot.press(TEAM, who, &view, &next.expect("a value"));
            on_home["container"] = json!({"type": "view", "view_id": "VH"});
            on_home["view"] = json!({"id": "VH", "type": "home"});
            assert_eq!(bot.interact(&on_home).await.0, 200);
            view = bot.published(at).await;
            slack.extend(slack_lines(&Value::Array(view.blocks.clone())));
        }
        bot.teams.skip();
        let mut card = bot.types(who, "home").await;
        let mut teams: Vec<String> = card.bodies.iter().flat_map(teams_lines).collect();
        while card.labels().iter().any(|label| label == "Next page") {
            let invoke = bot.executes(who, &card, "Next page", "");
            let (status, body) = bot.teams_sends(&invoke).await;
            assert_eq!(status, 200, "{body}");
            card.bodies = vec![body["value"].clone()];
            teams.extend(card.bodies.iter().flat_map(teams_lines));
        }
        same(&format!("the home of {who}"), &pages(slack), &pages(teams));
    }
}

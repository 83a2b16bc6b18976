//! A quarter of a company's life, by dice: people who answer at once, late or never, who race for the same offer,
//! go on leave and leave for good; accounts that fall, recover and serve notice. Then what must hold, over the
//! stored rows of each day and over the whole history of events.
//!
//! The short one runs with the others. The whole quarter of 200 accounts and 20 people is run by hand:
//! `cargo test --test it -- --ignored a_whole_quarter --nocapture`; in `QUARTER_DIR` it leaves what the lead reads.

mod history;
mod recount;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc, Weekday};
use sqlx::{AssertSqlSafe, Row as _};
use tandem::app::import::{self, Input};
use tandem::app::model::{self, Wish};
use tandem::app::organisation::{self, NewOrganisation};
use tandem::app::{App, Asker, Who, act, content, query};
use tandem::clock::MockClock;
use tandem::delivery::{Delivery, Senders};
use tandem::domain::action::{Action, Subject, Verb};
use tandem::domain::message::text::to_text;
use tandem::domain::message::{Answers, Message, Reply, form};
use tandem::domain::person::PersonId;
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;
use tandem::ingest::Format;
use tandem::scheduler;
use tandem::store::audit::{self, Actor, Event, Look};
use tandem::store::directory::{Organisation, Platform, Workspace};
use uuid::Uuid;

use crate::support::CLOCKS_ASTRAY;
use crate::support::cluster::{TestDb, database};

/// A Monday.
const FIRST: NaiveDate = NaiveDate::from_ymd_opt(2026, 9, 7).unwrap();

/// The same throws for the same seed.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        // Knuth's MMIX constants; the upper bits are the random ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

struct Firm {
    app: App,
    clock: MockClock,
    org: Organisation,
    workspace: Workspace,
    delivery: Delivery,
    db: TestDb,
    model: Model,
    accounts: usize,
    csms: usize,
    managers: usize,
    dice: Dice,
    people: BTreeMap<String, PersonId>,
}

impl Firm {
    async fn new(model: Model, accounts: usize, people: usize) -> Self {
        let db = database().await;
        let clock = MockClock::new(at(FIRST - Days::new(1), "12:00"));
        let app = App::new(db.store().await, Arc::new(clock.clone()));
        let new = NewOrganisation {
            slug: "firm".into(),
            name: "Firm".into(),
            model,
            timezone: chrono_tz::Europe::Berlin,
            currency: "EUR".parse().unwrap(),
        };
        let org = organisation::create(&app.store, new, tandem::clock::Clock::now(&clock)).await.unwrap();
        let workspace = Workspace { platform: Platform::Preview, id: "firm".into() };
        organisation::link(&app.store, org.id, &workspace, tandem::clock::Clock::now(&clock)).await.unwrap();
        let delivery = Delivery::new(app.clone(), Senders { slack: None, teams: None, preview: true });
        // Two leads and an admin; of the rest a little more than half are CSMs.
        let (csms, managers) = ((people - 3) * 5 / 9, people - 3 - (people - 3) * 5 / 9);
        let dice = Dice(model as u64 + 7);
        let people = BTreeMap::new();
        let mut firm = Self { app, clock, org, workspace, delivery, db, model, accounts, csms, managers, dice, people };
        firm.begin().await;
        firm
    }

    async fn begin(&mut self) {
        self.import(RowKind::People, &self.staff("")).await;
        let mut rows = "account_id,name,segment,arr,seats,renewal_date,term_months,notice_period_days,csm_email,account_manager_email,pool\n".to_owned();
        for n in 0..self.accounts {
            let csm = format!("csm{}@x.eu", n % self.csms);
            let (manager, pool) = match (self.model, n % 3) {
                (Model::Combined, _) => (csm.clone(), ""),
                (Model::Asymmetric, 1) => (String::new(), "emea"),
                (Model::Asymmetric, 2) => (String::new(), ""),
                _ => (format!("am{}@x.eu", n % self.managers), ""),
            };
            let renewal = FIRST + Days::new(40 + (n as u64 * 37) % 400);
            let segment = ["smb", "mid_market", "enterprise"][n % 3];
            rows += &format!(
                "a{n:03},Account {n},{segment},{},100,{renewal},12,30,{csm},{manager},{pool}\n",
                10_000 + n * 700
            );
        }
        self.import(RowKind::Accounts, &rows).await;
        let weeks = (0..12).map(|back| FIRST - Days::new(1 + back * 7)).collect::<Vec<_>>();
        for week in weeks.into_iter().rev() {
            self.usage(week, 0).await;
        }
        let mut tx = self.db.tenant(self.org.id).await;
        let known: Vec<(String, Uuid)> =
            sqlx::query_as("SELECT email, person_id FROM tandem.person").fetch_all(&mut *tx).await.unwrap();
        self.people = known.into_iter().map(|(email, id)| (email.replace("@x.eu", ""), PersonId(id))).collect();
    }

    /// Everybody who works there; `away` adds a delegate and a last day to the lines it names.
    fn staff(&self, away: &str) -> String {
        let (csm, manager) = match self.model {
            Model::Combined => ("csm;account_manager", "account_manager"),
            _ => ("csm", "account_manager"),
        };
        let mut rows = "email,name,roles,timezone,manager_email,pool,delegate_email,out_of_office_until\n\
            lea@x.eu,Lea,lead,Europe/Berlin,,,,\nlou@x.eu,Lou,lead,Europe/Berlin,lea@x.eu,,,\nada@x.eu,Ada,admin,Europe/Berlin,,,,\n"
            .to_owned();
        let line = |who: String, role: &str, lead: &str, pool: &str| {
            let absence = away.lines().find_map(|line| line.strip_prefix(&format!("{who}:"))).unwrap_or("\\N,\\N");
            format!("{who}@x.eu,{who},{role},Europe/Berlin,{lead}@x.eu,{pool},{absence}\n")
        };
        for n in 0..self.csms {
            rows += &line(format!("csm{n}"), csm, "lea", "");
        }
        for n in 0..self.managers {
            rows += &line(format!("am{n}"), manager, "lou", if n + 2 >= self.managers { "emea" } else { "" });
        }
        rows
    }

    async fn import(&self, kind: RowKind, csv: &str) {
        let reader = Box::new(Cursor::new(csv.to_owned().into_bytes()));
        let input = Input { name: kind.as_str().to_owned(), kind, format: Format::Csv, reader };
        let now = tandem::clock::Clock::now(&self.clock);
        let reports = import::files(&self.app.store, &self.org, vec![input], Actor::System, false, now).await.unwrap();
        assert_eq!(reports[0].rejected, 0, "{:?}", reports[0].rejections);
    }

    /// A week's usage: each account has its own course, and now and then falls.
    async fn usage(&mut self, on: NaiveDate, falls: usize) {
        let mut rows = "account_id,source,kind,observed_on,value\n".to_owned();
        for n in 0..self.accounts {
            let level = match n % 4 {
                0 => 60,
                1 => 93,
                _ => 75,
            };
            let fallen = falls > 0 && self.dice.throw(8) < falls;
            let value = if fallen { level / 3 } else { level + self.dice.throw(5) };
            rows += &format!("a{n:03},usage,active_users,{on},{value}\n");
        }
        self.import(RowKind::Signals, &rows).await;
    }

    async fn tick(&self, day: NaiveDate, time: &str) {
        self.clock.set(at(day, time));
        scheduler::tick(&self.app).await.unwrap();
        let drained = self.delivery.drain(None, Duration::ZERO).await.unwrap();
        assert_eq!(drained.given_up, 0, "{day} {time}");
    }

    async fn number(&self, sql: &str) -> i64 {
        let mut tx = self.db.tenant(self.org.id).await;
        sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut *tx).await.unwrap().get(0)
    }

    /// What lies with somebody.
    async fn in_hand(&self, person: PersonId) -> Vec<Subject> {
        let sql = "SELECT 'handoff:' || handoff_id FROM tandem.handoff h WHERE accountable IS NOT NULL AND (accountable = $1
                          OR pool = (SELECT pool FROM tandem.person p WHERE p.person_id = $1))
                   UNION ALL SELECT 'risk:' || risk_id FROM tandem.risk r JOIN tandem.account a USING (org_id, account_id)
                    WHERE a.csm_id = $1 AND r.state IN ('open', 'acknowledged', 'snoozed')
                   UNION ALL SELECT 'renewal:' || renewal_id FROM tandem.renewal WHERE owner_id = $1 ORDER BY 1";
        let mut tx = self.db.tenant(self.org.id).await;
        let rows: Vec<String> = sqlx::query_scalar(sql).bind(person.0).fetch_all(&mut *tx).await.unwrap();
        rows.into_iter().map(|text| text.parse().unwrap()).collect()
    }

    async fn press(&self, who: PersonId, action: &Action, answers: &Answers) {
        let asker = Asker { org: self.org.id, workspace: self.workspace.clone(), who: Who::Person(who), channel: None };
        let replied = if action.verb.opens_dialog() {
            act::submit(&self.app, &asker, action, answers, None).await
        } else {
            act::press(&self.app, &asker, action, None).await
        };
        replied.unwrap_or_else(|error| panic!("{action}: {error:#}"));
    }

    /// One person takes up one thing.
    async fn somebody_acts(&mut self, day: NaiveDate) {
        let names: Vec<String> = self.people.keys().cloned().collect();
        let name = names[self.dice.throw(names.len())].clone();
        // Every third answers rarely.
        if name.ends_with(['0', '3', '6']) && self.dice.throw(6) > 0 {
            return;
        }
        let me = self.people[&name];
        let held = self.in_hand(me).await;
        if held.is_empty() {
            return;
        }
        let subject = held[self.dice.throw(held.len())].clone();
        let verbs: &[Verb] = match subject {
            Subject::Risk(_) => {
                &[Verb::Acknowledge, Verb::SetNextStep, Verb::Snooze, Verb::Resolve, Verb::HandToAccountManager]
            }
            Subject::Renewal(_) => &[
                Verb::Prepare,
                Verb::Prepare,
                Verb::Brief,
                Verb::Negotiate,
                Verb::Acknowledge,
                Verb::Renewed,
                Verb::Contracted,
                Verb::RenewalLost,
            ],
            _ => &[
                Verb::Qualify,
                Verb::Offer,
                Verb::Claim,
                Verb::Claim,
                Verb::Decline,
                Verb::HandBack,
                Verb::Won,
                Verb::Lost,
                Verb::Pass,
                Verb::Withdraw,
                Verb::Acknowledge,
            ],
        };
        let action = Action::new(verbs[self.dice.throw(verbs.len())], subject);
        let ahead = |days: u64| (day + Days::new(days)).to_string();
        let days = 1 + self.dice.throw(12) as u64;
        let how = ["fixed", "accepted_loss", "not_a_risk"][self.dice.throw(3)];
        let (due, until) = (ahead(days), ahead(days));
        let answers: Answers = [
            (form::STEP, "call"),
            (form::DUE, &due),
            (form::UNTIL, &until),
            (form::HOW, how),
            (form::NOTE, "a note"),
            (form::NEED, "seats"),
            (form::CONTACT, "Eva"),
            (form::TIMING, "soon"),
            (form::AMOUNT, "9000"),
            (form::REASON, "no budget"),
            (form::GOALS, "three"),
            (form::USAGE, "80"),
            (form::ISSUES, "two"),
        ]
        .into_iter()
        .map(|(field, answer)| (field.to_owned(), answer.to_owned()))
        .collect();
        if action.verb == Verb::Claim && self.dice.throw(3) == 0 {
            // Two at the same moment.
            let other = self.people[&names[self.dice.throw(names.len())]];
            tokio::join!(self.press(me, &action, &answers), self.press(other, &action, &answers));
        } else {
            self.press(me, &action, &answers).await;
        }
    }

    async fn day(&mut self, day: NaiveDate, acts: usize) {
        self.clock.set(at(day, "00:01"));
        if day.weekday() == Weekday::Mon {
            self.usage(day - Days::new(1), 1).await;
        }
        self.tick(day, "00:05").await;
        self.holds(day).await;
        for time in ["06:00", "08:00", "10:00", "13:00", "15:05"] {
            self.tick(day, time).await;
            for _ in 0..acts {
                self.somebody_acts(day).await;
            }
            if time == "08:00" && self.dice.throw(3) == 0 {
                let kind = ["notice_served", "downgrade_requested"][self.dice.throw(2)];
                let account = self.dice.throw(self.accounts);
                let row = format!("account_id,source,kind,observed_on,value\na{account:03},crm,{kind},{day},true\n");
                self.import(RowKind::Signals, &row).await;
            }
        }
    }

    /// What holds of the stored rows after every night.
    async fn holds(&self, day: NaiveDate) {
        let gone = "SELECT count(*) FROM tandem.handoff h JOIN tandem.person p USING (org_id) WHERE p.person_id = h.accountable AND NOT p.active";
        let idle = "SELECT count(*) FROM tandem.renewal r JOIN tandem.person p USING (org_id) WHERE p.person_id = r.owner_id AND NOT p.active";
        let late = format!("SELECT count(*) FROM directory.due WHERE due_at <= '{}'", at(day, "00:05"));
        for (what, sql) in [
            ("handoffs with somebody who has left", gone),
            ("renewals with somebody who has left", idle),
            ("clocks that the index does not have as the row has them", CLOCKS_ASTRAY),
            ("things owed and not done", &late),
        ] {
            assert_eq!(self.number(sql).await, 0, "{day}: {what}");
        }
    }

    /// The state of every matter, as it is stored: subject → state.
    async fn stored(&self) -> BTreeMap<String, String> {
        let sql = "SELECT 'handoff:' || handoff_id, state FROM tandem.handoff
                   UNION ALL SELECT 'risk:' || risk_id, state FROM tandem.risk
                   UNION ALL SELECT 'renewal:' || renewal_id, state FROM tandem.renewal";
        let mut tx = self.db.tenant(self.org.id).await;
        let rows: Vec<(String, String)> = sqlx::query_as(sql).fetch_all(&mut *tx).await.unwrap();
        rows.into_iter().collect()
    }

    /// What the leads and the admin read at the end, as the messages of both chats and as text.
    async fn leave_pictures(&self) {
        let Some(dir) = std::env::var_os("QUARTER_DIR") else { return };
        let dir = std::path::Path::new(&dir).join(self.model.as_str());
        std::fs::create_dir_all(&dir).unwrap();
        let mut tx = self.app.store.tenant(self.org.id).await.unwrap();
        let workspace = &self.workspace;
        for name in ["lea", "lou", "ada", "csm0", "am0"] {
            let person = self.people[name];
            let held = tandem::store::message::of_person(&mut tx, workspace, person).await.unwrap();
            // A Monday's morning is the lead's weekly one.
            for (n, message) in held.iter().filter(|message| message.thread_of.is_none()).rev().take(40).enumerate() {
                let drawn = content::render(&self.app, self.org.id, message.message_id, &message.content, Some(person));
                if let Some(drawn) = drawn.await.unwrap() {
                    self.leave(&dir, &format!("{name}-{n:02}"), &drawn);
                }
            }
            let asker =
                Asker { org: self.org.id, workspace: workspace.clone(), who: Who::Person(person), channel: None };
            let asked = tandem::domain::command::parse("", "kpi");
            let said = query::command(&self.app, &asker, &asked).await.unwrap();
            if let Reply::Private(said) = said {
                self.leave(&dir, &format!("{name}-kpi"), &said);
            }
        }
    }

    fn leave(&self, dir: &std::path::Path, name: &str, message: &Message) {
        std::fs::write(dir.join(format!("{name}.txt")), to_text(message, 100)).unwrap();
        let slack: Vec<_> =
            tandem::slack::render::message(message).into_iter().map(|part| serde_json::json!(part.blocks)).collect();
        std::fs::write(dir.join(format!("{name}.slack.json")), serde_json::to_string_pretty(&slack).unwrap()).unwrap();
        let teams: Vec<_> =
            tandem::teams::render::message(message, |_| None).into_iter().map(|part| part.card).collect();
        std::fs::write(dir.join(format!("{name}.teams.json")), serde_json::to_string_pretty(&teams).unwrap()).unwrap();
    }

    async fn events(&self) -> Vec<Event> {
        let mut tx = self.app.store.tenant(self.org.id).await.unwrap();
        let mut events = audit::recent(&mut tx, 1_000_000).await.unwrap();
        events.reverse();
        events
    }
}

fn at(day: NaiveDate, time: &str) -> DateTime<Utc> {
    day.and_time(time.parse().unwrap()).and_utc()
}

async fn quarter(model: Model, accounts: usize, people: usize, days: usize) {
    let mut firm = Firm::new(model, accounts, people).await;
    let working = FIRST.iter_days().filter(|day| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun));
    let mut before = 0;
    for (n, day) in working.take(days).enumerate() {
        if n == days / 5 {
            // On leave for a week, one with a delegate and one without.
            let until = day + Days::new(6);
            let away = format!("csm1:csm0@x.eu,{until}\nam1:,{until}");
            firm.import(RowKind::People, &firm.staff(&away)).await;
        }
        if n == days / 2 {
            // Gone for good.
            let leaves = format!("csm{}", firm.csms - 1);
            let sql = format!("UPDATE tandem.person SET active = false WHERE email = '{leaves}@x.eu'");
            let mut tx = firm.db.tenant(firm.org.id).await;
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
            sqlx::query("UPDATE tandem.organisation_setting SET stamp = stamp + 1").execute(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
            firm.people.remove(&leaves);
        }
        if n == days * 3 / 5 || n == days * 3 / 5 + 1 {
            // Another model for a day, and back.
            let other = if model == Model::Combined { Model::Pair } else { Model::Combined };
            let wish = Wish { model: Some(if n == days * 3 / 5 { other } else { model }), ..Wish::default() };
            firm.clock.set(at(day, "00:00"));
            let now = tandem::clock::Clock::now(&firm.clock);
            model::set(&firm.app.store, firm.org.id, &wish, Actor::System, now).await.unwrap().expect("a change");
        }
        firm.day(day, 1 + accounts / 30).await;
        let now = firm.number("SELECT count(*) FROM tandem.audit_event").await;
        assert!(now > before, "{day}: history was lost");
        before = now;
    }
    let events = firm.events().await;
    let counts = history::holds(&events);
    history::replayed(&events, &firm.stored().await);
    for event in [
        "risk.opened",
        "risk.acknowledged",
        "handoff.detected",
        "escalation.reminded",
        "escalation.ended",
        "renewal.step",
    ] {
        assert!(counts.contains_key(event), "{model:?}: no {event} in {counts:?}");
    }
    recount::agrees(&firm).await;
    let doubled =
        "SELECT count(*) FROM (SELECT FROM tandem.digest GROUP BY person_id, local_date HAVING count(*) > 1) d";
    assert_eq!(firm.number(doubled).await, 0);
    organisation::seal(&firm.app.store, firm.org.id, Look::WHOLE).await.unwrap();
    let mut tx = firm.app.store.tenant(firm.org.id).await.unwrap();
    let verdict = audit::verify(&mut tx).await.unwrap();
    assert_eq!((&verdict.broken, verdict.unsealed), (&None, 0));
    drop(tx);
    println!("{model:?}: {} events, {counts:?}", events.len());
    firm.leave_pictures().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn some_weeks_of_a_pair() {
    quarter(Model::Pair, 16, 12, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn some_weeks_of_one_person_for_both() {
    quarter(Model::Combined, 16, 12, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn some_weeks_with_a_pool() {
    quarter(Model::Asymmetric, 16, 12, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: three models, 200 accounts, 65 working days, 20 people"]
async fn a_whole_quarter() {
    for model in Model::ALL {
        quarter(model, 200, 20, 65).await;
    }
}

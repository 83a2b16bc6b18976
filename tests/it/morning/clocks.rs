//! Clocks as people live them: asked once, passed on once, and then silence.

mod hands;

use sqlx::AssertSqlSafe;
use tandem::app::clocks::{self, What};
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;
use tandem::scheduler;

use super::sunday;
use crate::support::CLOCKS_ASTRAY;
use crate::support::bot::{Post, TestBot};

/// Monday morning, everybody's message there.
async fn monday() -> (TestBot, Post) {
    let bot = sunday().await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let danas = bot.next_post("dana");
    bot.at("2026-11-23T14:00:00Z").await;
    bot.skip();
    (bot, danas)
}

impl TestBot {
    /// Nights and mornings of these days, as they would come.
    async fn days(&self, days: &[&str]) {
        for day in days {
            for time in ["01:00:00", "07:00:00", "07:30:00", "11:00:00", "14:00:00"] {
                self.at(&format!("{day}T{time}Z")).await;
            }
        }
    }

    async fn escalations(&self) -> Vec<String> {
        let events = self.events_of(&self.org).await.into_iter();
        events.filter(|event| event.event.starts_with("escalation.")).map(|event| event.event).collect()
    }

    /// The escalations about Acme's risk.
    async fn of_risks(&self) -> Vec<String> {
        let events = self.events_of(&self.org).await.into_iter();
        let risks = events.filter(|event| event.event.starts_with("escalation.") && event.subject.starts_with("risk:"));
        risks.filter(|event| event.data["account"] == "acme").map(|event| event.event).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_risk_that_nobody_answers_is_asked_about_passed_on_and_left_alone() {
    let (bot, danas) = monday().await;
    bot.days(&["2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-30"]).await;
    // Five working days: the morning has the card again, so noon has nothing to add.
    assert_eq!(bot.of_risks().await, ["escalation.reminded"]);
    assert!(bot.replies(&danas).iter().all(|said| !said.contains("Acme · at risk")), "{:?}", bot.replies(&danas));
    bot.skip();
    bot.at("2026-12-02T10:59:00Z").await;
    bot.skip();
    assert_eq!(bot.of_risks().await.len(), 1);
    bot.at("2026-12-02T11:00:00Z").await;
    assert_eq!(bot.of_risks().await, ["escalation.reminded", "escalation.escalated", "escalation.ended"]);
    let leas = bot.next_post("lea");
    let said = "Acme · at risk. No answer from Dana in time. Please nudge or reassign; no further reminder follows.";
    assert_eq!(leas.summary, said);
    assert!(leas.labels().contains(&"Nudge".to_owned()), "{:?}", leas.labels());
    let informed = "Acme · at risk. No answer from Dana yet; their lead Lea was told.";
    let kims = bot.said_to("kim");
    assert!(kims.iter().any(|said| said == informed), "{kims:?}");
    bot.skip();
    // And that was all, for as long as it stays as it is.
    bot.days(&["2026-12-03"]).await;
    let leas = bot.next_post("lea");
    assert!(leas.summary.contains("1 escalated"), "{}", leas.summary);
    for words in ["*Acme* · risk, €100k · escalated since Wed 2 Dec · with Dana", "1 late"] {
        assert!(leas.text().contains(words), "{words} is not in\n{}", leas.text());
    }
    bot.days(&["2026-12-04", "2026-12-07", "2026-12-08", "2026-12-15", "2027-01-11"]).await;
    assert_eq!(bot.of_risks().await.len(), 3);
    bot.skip();
    bot.finish().await;
}

impl TestBot {
    /// Acme's risk, acknowledged and resolved within the same moment.
    async fn acknowledged_and_resolved(&self, danas: &Post) {
        let acknowledge = self.press("T1", "dana", danas, &danas.value("Acknowledge", "Acme"));
        assert_eq!(self.interact(&acknowledge).await.0, 200);
        self.click("dana", danas, "Resolve", "Acme").await;
        assert_eq!(self.submit("dana", &[("how", "accepted_loss")]).await, serde_json::Value::Null);
        assert_eq!(self.done().await, ["risk.acknowledged", "risk.resolved"]);
    }
}

/// Three defects that users of a well-known alerting bot reported. The first: an acknowledgement that comes together with
/// a resolution.
#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_together_with_a_resolution_leaves_no_clock() {
    let (bot, danas) = monday().await;
    bot.acknowledged_and_resolved(&danas).await;
    let clocks = "SELECT count(*) FROM tandem.risk WHERE clock_since IS NOT NULL OR due_at IS NOT NULL";
    let owed = "SELECT count(*) FROM directory.due WHERE kind = 'risk'";
    assert_eq!((bot.number(&bot.org, clocks).await, bot.number(&bot.org, owed).await), (0, 0));
    bot.days(&["2026-12-01", "2026-12-02", "2026-12-09"]).await;
    assert_eq!(bot.of_risks().await, Vec::<String>::new());
    bot.skip();
    bot.finish().await;
}

/// The second: one that was acknowledged in June and fires in October.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_settled_in_june_says_nothing_in_october() {
    let (bot, danas) = monday().await;
    bot.acknowledged_and_resolved(&danas).await;
    bot.at("2027-06-01T01:00:00Z").await;
    bot.at("2027-10-04T01:00:00Z").await;
    bot.at("2027-10-04T12:00:00Z").await;
    // Where it got worse than what was resolved, it is a matter again; until then not a word.
    let acmes: Vec<String> = {
        let events = bot.events_of(&bot.org).await.into_iter().filter(|event| event.data["account"] == "acme");
        events.filter(|event| event.subject.starts_with("risk:")).map(|event| event.event).collect()
    };
    let resolved = acmes.iter().position(|event| event == "risk.resolved").unwrap();
    assert!(acmes[..resolved].iter().all(|event| !event.starts_with("escalation.")), "{acmes:?}");
    if let Some(escalated) = acmes.iter().position(|event| event.starts_with("escalation.")) {
        let again = |event: &String| event == "risk.reopened" || event == "risk.opened";
        assert!(acmes[resolved..escalated].iter().any(again), "{acmes:?}");
    }
    bot.skip();
    bot.finish().await;
}

/// The third: an acknowledgement that does not stop the next reminder. The reminder was even queued already.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_stops_the_reminder_that_is_under_way() {
    let (bot, danas) = monday().await;
    let (due, before) = ("SELECT count(*) FROM directory.due WHERE kind = 'risk'", bot.replies(&danas));
    assert_eq!(bot.number(&bot.org, due).await, 1);
    // Down on the mornings: nothing has the card again, so the clock itself would say it.
    bot.clock.set("2026-11-30T11:00:00Z".parse().unwrap());
    scheduler::tick(&bot.app).await.unwrap();
    assert_eq!(bot.of_risks().await, ["escalation.reminded"]);
    let queued = "SELECT count(*) FROM tandem.outbox o JOIN tandem.message m USING (org_id, message_id) \
                  WHERE o.state = 'queued' AND m.content -> 'notice' ->> 'event' = 'reminded' AND m.content -> 'notice' ? 'risk'";
    assert_eq!(bot.number(&bot.org, queued).await, 1);
    let value = danas.value("Acknowledge", "Acme");
    assert_eq!(bot.interact(&bot.press("T1", "dana", &danas, &value)).await.0, 200);
    bot.deliver().await;
    let said: Vec<String> = bot.replies(&danas).into_iter().filter(|said| said.contains("Acme")).collect();
    assert_eq!(said, before, "the queued reminder had nothing left to say");
    bot.at("2026-12-02T11:00:00Z").await;
    assert_eq!(bot.of_risks().await, ["escalation.reminded"]);
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_and_idle_is_asked_about_and_then_open_again() {
    let (bot, danas) = monday().await;
    bot.click("dana", &danas, "Acknowledge", "Acme").await;
    // Its next step is due on 30 November; on the day after somebody asks.
    bot.at("2026-12-01T10:59:00Z").await;
    bot.skip();
    assert_eq!(bot.of_risks().await, Vec::<String>::new());
    bot.at("2026-12-01T11:00:00Z").await;
    assert_eq!(bot.of_risks().await, ["escalation.reminded"]);
    let asked = bot.replies(&danas).pop().unwrap();
    assert!(asked.starts_with("Acme · at risk. Still on it? The next step was due Mon 30 Nov."), "{asked}");
    // One tap says yes, and starts anew.
    bot.click("dana", &danas, "Acknowledge", "Acme").await;
    assert_eq!(bot.done().await, ["risk.acknowledged", "risk.acknowledged"]);
    bot.skip();
    bot.at("2026-12-09T11:00:00Z").await;
    assert_eq!(bot.of_risks().await, ["escalation.reminded", "escalation.reminded"]);
    bot.at("2026-12-11T11:00:00Z").await;
    assert_eq!(bot.times("risk.reopened").await, 1);
    assert_eq!(bot.number(&bot.org, "SELECT count(*) FROM tandem.risk WHERE state = 'open'").await, 1);
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_move_a_clock_once() {
    let (bot, _) = monday().await;
    bot.clock.set("2026-11-30T11:00:00Z".parse().unwrap());
    let (one, two) = tokio::join!(clocks::settle_all(&bot.app, bot.org.id), clocks::settle_all(&bot.app, bot.org.id));
    let moved: Vec<What> = one.unwrap().into_iter().chain(two.unwrap()).map(|moved| moved.what).collect();
    let reminded = moved.iter().filter(|what| matches!(what, What::Reminded { .. })).count();
    assert_eq!(
        (moved.len(), bot.escalations().await.iter().filter(|event| *event == "escalation.reminded").count()),
        (reminded, reminded)
    );
    assert_eq!(bot.of_risks().await, ["escalation.reminded"]);
    bot.skip();
    bot.set_aside().await;
}

/// A renewal's owner who does not touch it at a step.
#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_nobody_touches_is_asked_about() {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, super::PEOPLE).await;
    let account = "account_id,name,arr,renewal_date,term_months,notice_period_days,csm_email,account_manager_email\n\
        near,Near,100000,2027-03-31,12,60,dana@x.eu,pat@x.eu\n";
    bot.import(RowKind::Accounts, account).await;
    bot.days(&["2026-11-23"]).await;
    let pats = bot.next_post("pat");
    assert!(pats.labels().contains(&"Start preparing".to_owned()), "{}", pats.text());
    bot.skip();
    bot.days(&["2026-11-24", "2026-11-25", "2026-11-26"]).await;
    bot.at("2026-11-26T16:00:00Z").await;
    assert_eq!(bot.escalations().await, ["escalation.reminded"]);
    assert_eq!(bot.replies(&pats), ["Reminder: Near · renewal. Your answer is due Fri 27 Nov."]);
    bot.skip();
    bot.at("2026-11-27T16:00:00Z").await;
    assert_eq!(bot.escalations().await, ["escalation.reminded", "escalation.escalated", "escalation.ended"]);
    assert!(bot.next_post("lea").summary.starts_with("Near · renewal. No answer from Pat in time."));
    bot.skip();
    bot.days(&["2026-11-30"]).await;
    let leas = bot.next_post("lea").text();
    assert!(leas.contains("*Near* · renewal, €100k · escalated since Fri 27 Nov · with Pat"), "{leas}");
    let pats = bot.next_post("pat");
    bot.skip();
    bot.click("pat", &pats, "Start preparing", "Near").await;
    bot.at("2026-12-15T12:00:00Z").await;
    assert_eq!(bot.escalations().await.len(), 3);
    bot.skip();
    bot.finish().await;
}

/// Of what one statement moves some clocks start, some stop and some stay.
#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_are_moved_together_are_each_followed() {
    let bot = sunday().await;
    let mut accounts = "account_id,name,arr,seats,renewal_date,csm_email,account_manager_email\n".to_owned();
    let mut signals = "account_id,source,kind,observed_on,value\n".to_owned();
    for account in ["a1", "a2", "a3", "a4"] {
        accounts += &format!("{account},{account} Inc,50000,100,2027-01-10,dana@x.eu,kim@x.eu\n");
        signals += &format!("{account},crm,notice_served,2026-11-20,true\n");
        for day in ["2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22"] {
            signals += &format!("{account},usage,active_users,{day},97\n");
        }
    }
    bot.import(RowKind::Accounts, &accounts).await;
    bot.import(RowKind::Signals, &signals).await;
    bot.at("2026-11-23T01:00:00Z").await;
    let change = async |sql: &str| {
        let begin = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{}'", bot.org.id);
        let mut tx = bot.pool().begin_with(AssertSqlSafe(begin)).await.unwrap();
        let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        done.rows_affected()
    };
    for (table, moved, clock) in [
        ("renewal", "next_at = ", "next_at"),
        ("risk", "clock_since = now(), remind_at = NULL, due_at = ", "due_at"),
        (
            "handoff",
            "withheld_by = NULL, withheld_since = NULL, clock_since = now(), remind_at = NULL, due_at = ",
            "due_at",
        ),
    ] {
        let ids = format!(
            "SELECT {table}_id AS id, row_number() OVER (ORDER BY {table}_id) AS n FROM tandem.{table}
              WHERE state IN ('open', 'upcoming', 'preparing', 'detected', 'qualified', 'offered')"
        );
        // All run; every second stops and another moves; those start again and the rest stop; nothing moves.
        for (next, running) in [
            ("'2027-01-01'::timestamptz + n * interval '1 day'", "n > 0"),
            ("CASE WHEN n % 2 = 0 THEN NULL WHEN n = 1 THEN '2027-03-01' ELSE r.CLOCK END", "n % 2 = 1"),
            ("CASE WHEN n % 2 = 0 THEN '2027-02-01'::timestamptz END", "n % 2 = 0"),
            ("r.CLOCK", "n % 2 = 0"),
        ] {
            let next = next.replace("CLOCK", clock);
            let sql = format!("UPDATE tandem.{table} r SET {moved}{next} FROM ({ids}) i WHERE i.id = r.{table}_id");
            assert!(change(&sql).await >= 3, "{table}: too few to tell");
            let astray = bot.number(&bot.org, CLOCKS_ASTRAY).await;
            let expected = bot.number(&bot.org, &format!("SELECT count(*) FROM ({ids}) i WHERE {running}")).await;
            let due = format!("SELECT count(*) FROM directory.due WHERE kind = '{table}'");
            assert_eq!((astray, bot.number(&bot.org, &due).await), (0, expected), "{sql}");
        }
    }
    bot.finish().await;
}

/// The watch over everything owed, and over itself.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_late_is_told_to_the_admins_once() {
    let bot = TestBot::new(Model::Pair, "2026-11-23T12:00:00Z").await;
    bot.import(RowKind::People, &format!("{}ada@x.eu,Ada Quinn,admin,Europe/Berlin,08:00,,,\n", super::PEOPLE)).await;
    bot.at("2026-11-23T12:10:00Z").await;
    assert_eq!(bot.unseen_lines(), [], "all is well");
    // A clock that could not be moved.
    let stuck = "INSERT INTO directory.due SELECT org_id, 'handoff', gen_random_uuid(), '2026-11-23T12:15:00Z' FROM directory.organisation WHERE slug = 'north'";
    sqlx::query(stuck).execute(bot.pool()).await.unwrap();
    bot.at("2026-11-23T12:25:00Z").await;
    assert_eq!(bot.unseen_lines(), [], "ten minutes are no trouble yet");
    bot.at("2026-11-23T12:36:00Z").await;
    let told = bot.next_post("ada").text();
    assert!(told.starts_with("1 clock not moved, the oldest due on 23 Nov 2026 at 13:15."), "{told}");
    bot.at("2026-11-23T12:47:00Z").await;
    assert_eq!(bot.unseen_lines(), [], "once");
    sqlx::query("DELETE FROM directory.due WHERE kind = 'handoff'").execute(bot.pool()).await.unwrap();
    bot.at("2026-11-23T12:58:00Z").await;
    assert_eq!(bot.next_post("ada").text(), "Everything that was late has been done.");
    // Two hours without the scheduler.
    bot.clock.set("2026-11-23T15:10:00Z".parse().unwrap());
    bot.tick().await;
    let told = bot.next_post("ada").text();
    assert!(told.starts_with("Tandem did not look after its clocks since 23 Nov 2026 at 14:08."), "{told}");
    bot.finish().await;
}

/// Claimed, and then nothing for two weeks.
#[tokio::test(flavor = "multi_thread")]
async fn a_claimed_window_that_lies_there_is_asked_about_and_then_told_to_the_lead() {
    let (bot, danas) = monday().await;
    bot.click("dana", &danas, "Qualify", "Bolt").await;
    bot.submit("dana", &[("need", "Seats"), ("contact", "Eva Sol"), ("timing", "Soon")]).await;
    let pats = bot.next_post("pat");
    bot.skip();
    bot.click("pat", &pats, "Claim", "Bolt").await;
    let of_bolt = async || -> Vec<(String, bool)> {
        let events = bot.events_of(&bot.org).await.into_iter();
        let bolts = events.filter(|event| event.event.starts_with("escalation.") && event.data["account"] == "bolt");
        bolts.map(|event| (event.event, event.actor == "system")).collect()
    };
    let event = |name: &str, by_clock: bool| (format!("escalation.{name}"), by_clock);
    bot.at("2026-12-07T01:00:00Z").await;
    bot.skip();
    bot.at("2026-12-07T07:00:00Z").await;
    let morning = bot.next_post("pat");
    bot.skip();
    assert_eq!(of_bolt().await, []);
    bot.at("2026-12-07T11:00:00Z").await;
    let asked = bot.replies(&morning).pop().unwrap();
    let words = "Still on it? Nothing was done about it since Mon 23 Nov. Acknowledge says yes.";
    assert!(asked.starts_with("Bolt · more seats") && asked.ends_with(words), "{asked}");
    // One tap says yes, and starts anew.
    bot.click("pat", &morning, "Acknowledge", "Bolt").await;
    assert_eq!(bot.private().await, "Bolt: noted that you are on it. Nobody asks again for now.");
    assert_eq!(of_bolt().await, [event("reminded", true), event("ended", false)]);
    bot.at("2026-12-18T07:00:00Z").await;
    bot.skip();
    assert_eq!(of_bolt().await.len(), 2);
    bot.at("2026-12-21T11:00:00Z").await;
    bot.skip();
    assert_eq!(of_bolt().await.pop(), Some(event("reminded", true)));
    bot.at("2026-12-23T11:00:00Z").await;
    assert_eq!(of_bolt().await[3..], [event("escalated", true), event("ended", true)]);
    let leas = bot.said_to("lea");
    assert!(
        leas.iter().any(|said| said.starts_with("Bolt · more seats") && said.contains("No answer from Pat in time.")),
        "{leas:?}"
    );
    // It stays where it is, and nobody hears of it again.
    let held = "SELECT count(*) FROM tandem.handoff h JOIN tandem.person p USING (org_id)
                 WHERE h.state = 'accepted' AND p.person_id = h.accountable AND p.email = 'pat@x.eu'";
    assert_eq!(bot.number(&bot.org, held).await, 1);
    // Dana waits for what comes of it.
    let told = bot.said_to("dana");
    let words = "No answer from Pat yet; their lead Lea was told.";
    assert!(told.iter().any(|said| said.starts_with("Bolt · more seats") && said.ends_with(words)), "{told:?}");
    bot.skip();
    bot.days(&["2026-12-24"]).await;
    let leas = bot.next_post("lea").text();
    assert!(leas.contains(" · escalated since Wed 23 Dec · with Pat"), "{leas}");
    bot.skip();
    bot.at("2027-01-15T12:00:00Z").await;
    assert_eq!(of_bolt().await.len(), 5);
    bot.skip();
    bot.finish().await;
}

/// Handed back, and left there.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_has_a_clock_too() {
    let (bot, danas) = monday().await;
    bot.click("dana", &danas, "Qualify", "Bolt").await;
    bot.submit("dana", &[("need", "Seats"), ("contact", "Eva Sol"), ("timing", "Soon")]).await;
    let pats = bot.next_post("pat");
    bot.skip();
    bot.click("pat", &pats, "Claim", "Bolt").await;
    bot.click("pat", &pats, "Hand back", "Bolt").await;
    bot.submit("pat", &[("note", "No time before January")]).await;
    let of_bolt = async || -> Vec<String> {
        let events = bot.events_of(&bot.org).await.into_iter();
        let bolts = events.filter(|event| event.event.starts_with("escalation.") && event.data["account"] == "bolt");
        bolts.map(|event| event.event).collect()
    };
    // Five business days from Monday afternoon, asked one before.
    bot.at("2026-11-27T13:00:00Z").await;
    bot.skip();
    assert_eq!(of_bolt().await, Vec::<String>::new());
    bot.at("2026-11-30T08:00:00Z").await;
    let newest = bot.next_post("dana");
    bot.at("2026-11-30T15:00:00Z").await;
    assert_eq!(of_bolt().await, ["escalation.reminded"]);
    bot.skip();
    // Offered again, it is not hers to answer for: the clock of before says nothing more.
    bot.click("dana", &newest, "Offer to AM", "Bolt").await;
    let now = bot.now(&newest).text();
    assert!(
        now.contains("Qualified by you on Mon 23 Nov.") && now.contains("Offered to the emea pool by you"),
        "{now}"
    );
    bot.skip();
    bot.at("2026-12-01T12:00:00Z").await;
    assert_eq!(of_bolt().await, ["escalation.reminded"], "the new offer's own clock asks on its own time");
    bot.skip();
    bot.finish().await;
}

/// A negotiation in which nothing happens; a note is a happening.
#[tokio::test(flavor = "multi_thread")]
async fn a_negotiation_that_lies_there_is_asked_about() {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, super::PEOPLE).await;
    // Its opt-out date is 89 days ahead: the step of 90 days is reached, the next in a month.
    let account = "account_id,name,arr,renewal_date,term_months,notice_period_days,csm_email,account_manager_email\n\
        near,Near,100000,2027-03-22,12,30,dana@x.eu,pat@x.eu\n";
    bot.import(RowKind::Accounts, account).await;
    bot.days(&["2026-11-23"]).await;
    let pats = bot.next_post("pat");
    bot.click("pat", &pats, "Start negotiating", "Near").await;
    bot.skip();
    bot.at("2026-12-07T07:00:00Z").await;
    bot.skip();
    assert_eq!(bot.escalations().await, Vec::<String>::new());
    bot.at("2026-12-07T11:00:00Z").await;
    assert_eq!(bot.escalations().await, ["escalation.reminded"]);
    let asked = bot.next_post("pat");
    let words = "Near · renewal. Still on it? Nothing was done about it since Mon 23 Nov. Acknowledge says yes.";
    assert_eq!(asked.summary, words);
    bot.click("pat", &asked, "Note", "Near").await;
    bot.submit("pat", &[("text", "Waiting for their lawyer")]).await;
    bot.read_privates().await;
    assert!(!bot.now(&asked).labels().contains(&"Acknowledge".to_owned()), "{:?}", bot.now(&asked).labels());
    bot.at("2026-12-11T12:00:00Z").await;
    assert_eq!(bot.escalations().await.len(), 1, "the note has answered");
    bot.skip();
    bot.at("2026-12-21T11:00:00Z").await;
    assert_eq!(bot.escalations().await.len(), 2);
    bot.skip();
    bot.finish().await;
}

/// What changes hands with a book starts anew with who has it now; what ran before says nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_takes_open_handoffs_and_renewals_along() {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, super::PEOPLE).await;
    let account = "account_id,name,arr,seats,renewal_date,term_months,notice_period_days,csm_email,account_manager_email\n\
        near,Near,100000,100,2027-03-22,12,30,dana@x.eu,pat@x.eu\n";
    bot.import(RowKind::Accounts, account).await;
    let mut usage = "account_id,source,kind,observed_on,value\n".to_owned();
    for day in ["2026-10-18", "2026-10-25", "2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22"] {
        usage += &format!("near,usage,active_users,{day},95\n");
    }
    bot.import(RowKind::Signals, &usage).await;
    bot.days(&["2026-11-23"]).await;
    bot.skip();
    let actor = tandem::store::audit::Actor::System;
    for (from, to) in [("dana@x.eu", "noa@x.eu"), ("pat@x.eu", "pia@x.eu")] {
        let done = tandem::app::transfer::transfer(&bot.app, bot.org.id, from, to, None, actor).await.unwrap();
        assert_eq!((done.accounts, done.handoffs + done.renewals), (1, 1), "{from}");
    }
    bot.deliver().await;
    bot.skip();
    let clocks = "SELECT count(*) FROM directory.due WHERE kind IN ('handoff', 'renewal')";
    assert_eq!(bot.number(&bot.org, clocks).await, 0, "nothing runs before the new ones were shown it");
    bot.days(&["2026-11-24", "2026-11-25", "2026-11-26"]).await;
    bot.at("2026-11-27T15:00:00Z").await;
    assert_eq!(bot.escalations().await, Vec::<String>::new(), "the old owners' time would have been over");
    bot.skip();
    bot.at("2026-11-30T12:00:00Z").await;
    let asked: Vec<String> = bot.escalations().await;
    assert!(asked.iter().all(|event| event == "escalation.reminded") && !asked.is_empty(), "{asked:?}");
    for who in ["dana", "pat"] {
        assert!(bot.said_to(who).iter().all(|said| !said.starts_with("Reminder")), "{who}");
    }
    bot.skip();
    bot.finish().await;
}

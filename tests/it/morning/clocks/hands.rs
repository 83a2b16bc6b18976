//! What changes hands asks whoever has it now, from when they were shown it.

use tandem::app::transfer;
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;
use tandem::store::audit::Actor;

use super::{TestBot, monday};

impl TestBot {
    /// How many clocks of risks run.
    async fn running(&self) -> i64 {
        self.number(&self.org, "SELECT count(*) FROM directory.due WHERE kind = 'risk'").await
    }

    async fn id_of(&self, who: &str) -> String {
        let sql = format!("SELECT person_id::text FROM tandem.person WHERE email = '{who}@x.eu'");
        self.text(&self.org, &sql).await
    }

    /// Whom each escalation about a risk, Acme's, found late.
    async fn late(&self) -> Vec<String> {
        let events = self.events_of(&self.org).await.into_iter();
        let late = events.filter(|event| event.event == "escalation.escalated" && event.subject.starts_with("risk:"));
        late.map(|event| event.data["late"].as_str().unwrap().to_owned()).collect()
    }

    async fn goes_to(&self, from: &str, to: &str) {
        let (from, to) = (format!("{from}@x.eu"), format!("{to}@x.eu"));
        transfer::transfer(&self.app, self.org.id, &from, &to, None, Actor::System).await.unwrap();
        self.deliver().await;
        self.skip();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_risk_that_was_escalated_and_reassigned_asks_its_new_owner() {
    let (bot, _) = monday().await;
    bot.days(&["2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-30"]).await;
    bot.skip();
    bot.at("2026-12-02T11:00:00Z").await;
    let leas = bot.next_post("lea");
    bot.skip();
    assert_eq!((bot.of_risks().await.len(), bot.running().await), (3, 0));
    let (dana, noa) = (bot.id_of("dana").await, bot.id_of("noa").await);
    bot.click("lea", &leas, "Reassign", "Acme").await;
    let said = bot.submit("lea", &[("person", &noa)]).await;
    assert!(said.to_string().contains("Acme: now with Noa."), "{said}");
    assert!(bot.next_post("noa").labels().contains(&"Acknowledge".to_owned()));
    assert_eq!(bot.running().await, 1, "it runs from when Noa was shown it");
    bot.skip();
    bot.days(&["2026-12-03"]).await;
    let leas = bot.next_post("lea").text();
    assert!(!leas.contains("escalated since"), "nobody has asked Noa yet: {leas}");
    bot.days(&["2026-12-04", "2026-12-07", "2026-12-08"]).await;
    assert_eq!(bot.of_risks().await.len(), 3);
    bot.days(&["2026-12-09"]).await;
    assert_eq!(bot.of_risks().await[3..], ["escalation.reminded"]);
    bot.days(&["2026-12-10", "2026-12-11"]).await;
    assert_eq!(bot.of_risks().await[4..], ["escalation.escalated", "escalation.ended"]);
    assert_eq!(bot.late().await, [dana, noa]);
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_risk_that_goes_with_a_book_runs_on_its_new_owners_dates() {
    for imported in [false, true] {
        let (bot, _) = monday().await;
        bot.days(&["2026-11-24", "2026-11-25"]).await;
        bot.skip();
        assert_eq!(bot.running().await, 1);
        if imported {
            let csm = "account_id,name,csm_email\nacme,Acme,noa@x.eu\nbolt,Bolt,noa@x.eu\n";
            bot.import_to(&bot.org, RowKind::Accounts, csm).await;
        } else {
            bot.goes_to("dana", "noa").await;
        }
        assert_eq!(bot.running().await, 0, "Noa has not been shown it yet");
        // In her morning of Thursday; Dana's time is over on Wednesday.
        bot.days(&["2026-11-26", "2026-11-27", "2026-11-30", "2026-12-01", "2026-12-02"]).await;
        assert_eq!((bot.of_risks().await.len(), bot.running().await), (0, 1));
        bot.days(&["2026-12-03", "2026-12-04", "2026-12-07"]).await;
        assert_eq!(bot.of_risks().await, ["escalation.reminded", "escalation.escalated", "escalation.ended"]);
        assert_eq!(bot.late().await, [bot.id_of("noa").await]);
        bot.skip();
        bot.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_it_now_is_asked_about_the_next_step_of_before() {
    let (bot, danas) = monday().await;
    bot.click("dana", &danas, "Acknowledge", "Acme").await;
    bot.goes_to("dana", "noa").await;
    // Its next step is due on 30 November.
    bot.at("2026-12-01T11:00:00Z").await;
    let asked = "Acme · at risk. Still on it? The next step was due Mon 30 Nov.";
    let is_asked = |said: &String| said.starts_with(asked);
    assert!(!bot.said_to("dana").iter().any(is_asked), "she could not answer");
    assert!(bot.said_to("noa").iter().any(is_asked), "{:?}", bot.said_to("noa"));
    bot.skip();
    bot.days(&["2026-12-02"]).await;
    let leas = bot.next_post("lea").text();
    assert!(leas.contains("*Acme* · risk, next step, €100k") && leas.contains("with Noa"), "{leas}");
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_falls_ill_after_the_reminder_is_not_late_and_nor_is_the_delegate() {
    let (bot, _) = monday().await;
    bot.days(&["2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-30"]).await;
    assert_eq!(bot.of_risks().await, ["escalation.reminded"]);
    bot.import_to(&bot.org, RowKind::People, &super::super::handoffs::danas_absence("noa@x.eu", "2026-12-31")).await;
    bot.deliver().await;
    bot.skip();
    // Dana's time is over.
    bot.at("2026-12-02T11:00:00Z").await;
    assert_eq!(bot.of_risks().await, ["escalation.reminded", "escalation.delegated"]);
    assert!(bot.said_to("lea").iter().all(|said| !said.contains("No answer from")), "{:?}", bot.said_to("lea"));
    let asked = "Acme · at risk. Dana is away until Thu 31 Dec; please answer instead.";
    assert_eq!(bot.next_post("noa").summary, asked);
    assert_eq!(bot.running().await, 1);
    bot.skip();
    // Noa has a reminder and a time of her own, and only then is she late.
    bot.days(&["2026-12-03", "2026-12-04", "2026-12-07", "2026-12-08", "2026-12-09"]).await;
    assert_eq!(bot.of_risks().await[2..], ["escalation.delegated"]);
    bot.days(&["2026-12-10", "2026-12-11", "2026-12-14"]).await;
    assert_eq!(bot.of_risks().await[3..], ["escalation.escalated", "escalation.ended"]);
    assert_eq!(bot.late().await, [bot.id_of("noa").await]);
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_was_escalated_and_reassigned_asks_its_new_owner() {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, super::super::PEOPLE).await;
    // Its opt-out date is 89 days ahead: the next step of the ladder is in a month.
    let account = "account_id,name,arr,renewal_date,term_months,notice_period_days,csm_email,account_manager_email\n\
        near,Near,100000,2027-03-22,12,30,dana@x.eu,pat@x.eu\n";
    bot.import(RowKind::Accounts, account).await;
    bot.days(&["2026-11-23", "2026-11-24", "2026-11-25", "2026-11-26"]).await;
    bot.at("2026-11-26T16:00:00Z").await;
    bot.skip();
    bot.at("2026-11-27T16:00:00Z").await;
    assert_eq!(bot.escalations().await, ["escalation.reminded", "escalation.escalated", "escalation.ended"]);
    let leas = bot.next_post("lea");
    bot.skip();
    bot.click("lea", &leas, "Reassign", "Near").await;
    bot.submit("lea", &[("person", &bot.id_of("pia").await)]).await;
    assert!(bot.next_post("pia").labels().contains(&"Start preparing".to_owned()));
    bot.skip();
    bot.days(&["2026-11-30"]).await;
    let leas = bot.next_post("lea").text();
    assert!(!leas.contains("escalated since"), "nobody has asked Pia yet: {leas}");
    // Five business days from Monday, asked one before.
    bot.days(&["2026-12-01", "2026-12-02", "2026-12-03"]).await;
    assert_eq!(bot.escalations().await.len(), 3);
    bot.at("2026-12-03T16:00:00Z").await;
    assert_eq!(bot.escalations().await[3..], ["escalation.reminded"]);
    bot.at("2026-12-04T16:00:00Z").await;
    assert_eq!(bot.escalations().await[4..], ["escalation.escalated", "escalation.ended"]);
    assert!(bot.said_to("lea").iter().any(|said| said.starts_with("Near · renewal. No answer from Pia in time.")));
    bot.skip();
    bot.finish().await;
}

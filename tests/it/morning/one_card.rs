//! One open card an account and person: all that is theirs there, in the newest message that has it.

use tandem::app::{Asker, Who, act};
use tandem::domain::action::{Action, Subject, Verb};
use tandem::domain::person::PersonId;
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;
use tandem::store::directory::{Platform, Workspace};

use super::{PEOPLE, sunday};
use crate::support::bot::{TEAM, TestBot};

impl TestBot {
    /// Kim, the account manager, tells the CSM of a budget cut.
    async fn kim_warns_about(&self, account: &str) {
        let kim = self.text(&self.org, "SELECT person_id::text FROM tandem.person WHERE email = 'kim@x.eu'").await;
        let asker = Asker {
            org: self.org.id,
            workspace: Workspace { platform: Platform::Slack, id: TEAM.to_owned() },
            who: Who::Person(PersonId(kim.parse().unwrap())),
            channel: None,
        };
        let warn = Action::new(Verb::RaiseRisk, Subject::Account(account.into()));
        let answers = [("what".to_owned(), "Budget cut of a third".to_owned())].into();
        act::submit(&self.app, &asker, &warn, &answers, None).await.unwrap();
        self.deliver().await;
    }
}

/// Acme is Dana's alone: its risk, its renewal, and a window that waits for her.
async fn alone() -> TestBot {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, PEOPLE).await;
    let accounts = "account_id,name,arr,seats,renewal_date,term_months,notice_period_days,csm_email\n\
        acme,Acme,100000,100,2027-01-20,12,30,dana@x.eu\n";
    bot.import(RowKind::Accounts, accounts).await;
    let mut signals = "account_id,source,kind,observed_on,value\n".to_owned();
    for day in ["2026-10-18", "2026-10-25", "2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22"] {
        signals += &format!("acme,usage,active_users,{day},95\n");
    }
    signals += "acme,crm,notice_served,2026-11-20,true\n";
    bot.import(RowKind::Signals, &signals).await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    bot
}

#[tokio::test(flavor = "multi_thread")]
async fn risk_window_and_renewal_stand_on_one_card_each_with_its_buttons() {
    let bot = alone().await;
    let danas = bot.next_post("dana");
    bot.skip();
    let said = danas.text();
    assert!(said.contains("At risk (1)"), "{said}");
    for heading in ["Renewals (", "Windows to qualify (", "Expansion windows ("] {
        assert!(!said.contains(heading), "a second card: {said}");
    }
    assert_eq!(said.matches("Acme").count() - said.matches("Acme served").count(), 1, "named once: {said}");
    for words in [
        "*Renewal*. They served notice: it ends on Wed 20 Jan 2027",
        "*More seats, about €",
        "Withheld while the account is",
    ] {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
    let labels = danas.labels();
    for (label, times) in
        [("Acknowledge", 1), ("Start preparing", 1), ("Pass", 1), ("Qualify", 0), ("Note", 1), ("Show more", 1)]
    {
        assert_eq!(labels.iter().filter(|found| *found == label).count(), times, "{label}: {labels:?}");
    }
    // Its clocks started with the card that shows them; none runs while the window is withheld.
    let clocks = "SELECT count(*) FROM directory.due WHERE kind IN ('risk', 'renewal', 'handoff')";
    assert_eq!(bot.number(&bot.org, clocks).await, 2);
    bot.click("dana", &danas, "Start preparing", "Renewal").await;
    bot.click("dana", &danas, "Acknowledge", "Acme").await;
    let now = bot.now(&danas);
    assert!(now.text().contains("In preparation since Mon 23 Nov.") && now.text().contains("Acknowledged by you"));
    assert!(now.labels().contains(&"Start negotiating".to_owned()), "{:?}", now.labels());
    assert_eq!(bot.done().await, ["renewal.preparing", "risk.acknowledged"]);
    // Silent, the account says nothing on the next day.
    bot.at("2026-11-24T01:00:00Z").await;
    bot.at("2026-11-24T07:00:00Z").await;
    let tuesday = bot.next_post("dana");
    assert!(!tuesday.text().contains("Opt-out date:"), "{}", tuesday.text());
    assert!(bot.now(&danas).labels().contains(&"Start negotiating".to_owned()), "the card stays where it is");
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_message_has_the_card_and_the_one_before_says_so() {
    let bot = sunday().await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let monday = bot.next_post("dana");
    bot.click("dana", &monday, "Acknowledge", "Acme").await;
    bot.skip();
    let worse = "account_id,source,kind,observed_on,value\nacme,support,sev1_open_days,2026-11-24,20\n";
    bot.import(RowKind::Signals, worse).await;
    bot.at("2026-11-25T01:00:00Z").await;
    bot.at("2026-11-25T07:00:00Z").await;
    let wednesday = bot.next_post("dana");
    bot.skip();
    assert!(wednesday.labels().contains(&"Set next step".to_owned()), "{:?}", wednesday.labels());
    let before = bot.now(&monday);
    assert!(before.text().contains("In newer messages now: Acme (Wed 25 Nov)."), "{}", before.text());
    assert!(!before.labels().contains(&"Set next step".to_owned()), "{:?}", before.labels());
    // What stands nowhere else stays.
    assert!(before.text().contains("Bolt") && before.labels().contains(&"Qualify".to_owned()), "{}", before.text());
    // A click on what was on the screen before still works, and both say so.
    let value = monday.value("Acknowledge", "Acme");
    assert_eq!(bot.interact(&bot.press("T1", "dana", &monday, &value)).await.0, 200);
    assert!(bot.private().await.starts_with("Acme: already acknowledged by you"));
    bot.finish().await;
}

/// What is new to somebody comes as a message of its own, with all else that is theirs on the account.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_matter_brings_the_whole_card() {
    let bot = sunday().await;
    for time in ["01:00:00", "07:00:00", "14:00:00"] {
        bot.at(&format!("2026-11-23T{time}Z")).await;
    }
    let danas = bot.next_post("dana");
    bot.skip();
    // Kim warns Dana: a matter that she has not seen.
    bot.kim_warns_about("acme").await;
    let warning = bot.next_post("dana");
    assert_eq!(bot.unseen_lines(), []);
    let (said, labels) = (warning.text(), warning.labels());
    assert!(said.contains("Budget cut of a third") && said.contains("At risk since"), "{said}");
    for label in ["Claim", "Acknowledge", "Note"] {
        assert_eq!(labels.iter().filter(|found| *found == label).count(), 1, "{label}: {labels:?}");
    }
    let before = bot.now(&danas);
    assert!(before.text().contains("In newer messages now: Acme (Mon 23 Nov)."), "{}", before.text());
    assert!(!before.labels().contains(&"Acknowledge".to_owned()), "{:?}", before.labels());
    // What happens next is said where the card is now.
    bot.click("dana", &warning, "Acknowledge", "At risk since").await;
    bot.click("dana", &warning, "Claim", "Budget cut").await;
    assert!(bot.now(&warning).text().contains("Acknowledged by you"), "{}", bot.now(&warning).text());
    assert_eq!(bot.done().await.len(), 3);
    bot.skip();
    bot.finish().await;
}

/// A warning is nothing to sell, whatever the account pays.
#[tokio::test(flavor = "multi_thread")]
async fn a_warning_is_not_announced_as_a_window() {
    let bot = sunday().await;
    bot.kim_warns_about("acme").await;
    bot.skip();
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let danas = bot.next_post("dana");
    assert!(danas.text().contains("Budget cut of a third"), "{}", danas.text());
    assert_eq!(danas.summary, "1 at risk, €100k; 1 window, about €14k; Acme served notice");
    bot.skip();
    bot.finish().await;
}

/// Whoever reads of an account from either side can see that it is the same diagnosis.
#[tokio::test(flavor = "multi_thread")]
async fn both_sides_name_the_same_diagnosis() {
    let bot = sunday().await;
    for time in ["01:00:00", "07:00:00", "14:00:00"] {
        bot.at(&format!("2026-11-23T{time}Z")).await;
    }
    let named = |text: &str| -> Vec<String> {
        let ids = text.match_indices("iagnosis ").map(|(at, found)| &text[at + found.len()..]);
        let digits = ids.filter_map(|rest| rest.get(..9)).filter(|id| id.as_bytes()[4] == b'-');
        digits.map(str::to_owned).collect()
    };
    let (danas, kims) = (bot.next_post("dana"), bot.next_post("kim"));
    let of_acme = |text: String| {
        let from = text.find("Acme ·").or_else(|| text.find("Acme* ·")).unwrap_or_else(|| panic!("{text}"));
        named(&text[from..]).into_iter().next().unwrap_or_else(|| panic!("{text}"))
    };
    let id = of_acme(danas.text());
    assert_eq!(of_acme(kims.text()), id);
    assert!(named(&danas.text()).iter().any(|other| *other != id), "Bolt has another: {}", danas.text());
    let asked = bot.slash("kim", "/account acme").await;
    assert!(asked.contains(&id), "{asked}");
    bot.skip();
    bot.finish().await;
}

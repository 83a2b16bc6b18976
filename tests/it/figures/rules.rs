//! Rules as people judge them, on trial and back.

use tandem::app::figures::Report;
use tandem::app::policy;
use tandem::domain::figures::Whose;
use tandem::store::audit::Actor;

use super::sunday;
use crate::support::bot::TestBot;

const PACING: &str = "[pacing]\nper_channel_per_second = 1000\nper_workspace_per_minute = 60000\n";

impl TestBot {
    async fn use_policy(&self, text: &str) {
        let text = format!("{text}\n{PACING}");
        policy::switch(&self.app.store, self.org.id, &text, Actor::System, self.app.now()).await.unwrap();
    }

    async fn quarter(&self) -> Report {
        self.report(Whose::Organisation, "2026-Q4").await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn not_useful_counts_against_the_rule_that_led_the_card() {
    let bot = sunday().await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let danas = bot.next_post("dana");
    bot.click("dana", &danas, "Not useful", "Acme").await;
    assert!(bot.private().await.contains("not useful"));
    let report = bot.quarter().await;
    let used = |rule: &str| {
        let found = report.rules.iter().find(|used| used.rule == rule);
        found.map(|used| (used.shown, used.not_useful))
    };
    // Dana, and Kim for whom the risk stands before a deadline.
    let (shown, judged) = used("notice_served").unwrap();
    assert!((1..=2).contains(&shown) && judged == 1, "{:?}", report.rules);
    assert_eq!(used("window_seats").map(|(_, judged)| judged), Some(0), "{:?}", report.rules);
    let adas = bot.slash("ada", "/tandem kpi").await;
    assert!(adas.contains("Precision of the rules") && adas.contains("1 was called not useful"), "{adas}");
    // The picture.
    bot.read_privates().await;
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_on_trial_is_counted_and_comes_back_when_it_was_right() {
    let bot = sunday().await;
    bot.use_policy("shadow = [\"nps_low\"]\n[precision]\nshown_at_least = 1\nat_least = 0.5").await;
    bot.at("2026-11-23T01:00:00Z").await;
    let firings = "SELECT count(*) FROM tandem.shadow_firing WHERE rule = 'nps_low' AND account_id = 'acme'";
    assert_eq!(bot.number(&bot.org, firings).await, 1);
    assert_eq!(bot.number(&bot.other, "SELECT count(*) FROM tandem.shadow_firing").await, 0, "no trial beside");
    // Nobody is woken for it; on Monday morning the admin reads that Acme, on which it fired, is at risk by another rule.
    assert_eq!(bot.unseen_lines(), []);
    bot.at("2026-11-23T07:00:00Z").await;
    let adas = bot.next_post("ada");
    assert_eq!(adas.summary, "1 rule to look at");
    let text = adas.text();
    for words in ["nps_low", "1 of them fell at risk", "A change holds from the next diagnosis on."] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    // One press follows it, the next undoes it, each in the audit trail; nobody but an admin may.
    let value = adas.value("Bring back", "nps_low");
    assert_eq!(bot.interact(&bot.press("T1", "dana", &adas, &value)).await.0, 200);
    assert_eq!(bot.private().await, "Only your admins can do that.");
    bot.click("ada", &adas, "Bring back", "nps_low").await;
    assert_eq!(bot.private().await, "nps_low is shown again from the next diagnosis on. Put on trial undoes it.");
    assert!(bot.now(&adas).text().contains("nps_low* is shown."), "{}", bot.now(&adas).text());
    assert_eq!(bot.interact(&bot.press("T1", "ada", &adas, &value)).await.0, 200);
    assert_eq!(bot.private().await, "nps_low is not on trial. Nothing was changed.");
    bot.click("ada", &adas, "Put on trial", "nps_low").await;
    assert!(bot.private().await.starts_with("nps_low is on trial from the next diagnosis on"));
    assert_eq!(bot.done().await, ["policy.changed", "policy.changed"]);
    let kept = bot.text(&bot.org, "SELECT policy_toml FROM tandem.organisation_setting").await;
    assert!(kept.contains("shown_at_least = 1") && kept.contains("[pacing]"), "all else stays: {kept}");
    let report = bot.quarter().await;
    assert_eq!(report.trials.iter().map(|trial| (trial.fired, trial.right)).collect::<Vec<_>>(), [(1, 1)]);

    // A second night counts the account once; on Tuesday nothing is said again.
    bot.skip();
    bot.at("2026-11-24T01:00:00Z").await;
    bot.at("2026-11-24T07:00:00Z").await;
    assert_eq!(bot.number(&bot.org, firings).await, 1);
    assert!(bot.unseen_lines().iter().all(|(place, _)| place != "Dada"));
    bot.use_policy("").await;
    bot.skip();
    bot.at("2026-11-25T01:00:00Z").await;
    assert_eq!(bot.number(&bot.org, firings).await, 0, "its trial has ended");
    bot.skip();
    bot.finish().await;
}

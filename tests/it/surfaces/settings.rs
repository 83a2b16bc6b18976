//! What people set for themselves, and that it holds at once.

use tandem::domain::row::RowKind;

use super::{PEOPLE, tuesday};
use crate::support::bot::TestBot;

const KEPT: [(&str, &str); 4] =
    [("digest_time", "10:15"), ("workdays", "mon;tue;wed;thu;fri"), ("budget", "5"), ("empty_mornings", "say")];

fn with<'a>(mut answers: Vec<(&'a str, &'a str)>, id: &'a str, said: &'a str) -> Vec<(&'a str, &'a str)> {
    answers.retain(|(known, _)| *known != id);
    answers.push((id, said));
    answers
}

async fn saved(bot: &TestBot, who: &str, answers: &[(&str, &str)]) -> String {
    bot.slash(who, "/tandem settings").await;
    let view = bot.dialog().await;
    bot.submit_view(who, &view, answers).await.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_hour_holds_from_now_on_whatever_is_imported() {
    let bot = tuesday().await;
    bot.at("2026-11-24T06:00:00Z").await;
    assert_eq!(bot.slash("dana", "/tandem settings").await, "", "the dialog is the answer");
    let view = bot.dialog().await;
    assert!(view.to_string().contains("Europe/Berlin"), "the time zone is said: {view}");
    let time = view["blocks"].as_array().unwrap().iter().find(|block| block["block_id"] == "digest_time").unwrap();
    assert_eq!(time["element"]["initial_time"], "08:00");
    let said = bot.submit_view("dana", &view, &KEPT).await.to_string();
    assert!(said.contains("Your next morning message comes on Tue 24 Nov at 10:15 (Europe/Berlin)."), "{said}");
    assert_eq!(bot.times("settings.changed").await, 1);

    bot.import_to(&bot.org, RowKind::People, PEOPLE).await;
    bot.at("2026-11-24T09:14:59Z").await;
    assert!(bot.unseen_lines().iter().all(|(channel, _)| channel != "Ddana"), "not at 08:00");
    bot.at("2026-11-24T09:15:00Z").await;
    bot.next_post("dana");
    bot.skip();

    // The same again changes nothing.
    assert!(saved(&bot, "dana", &KEPT).await.contains("Nothing was changed."));
    assert_eq!(bot.times("settings.changed").await, 1);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_stand_at_their_fields_and_nothing_is_saved() {
    let bot = tuesday().await;
    let away = with(KEPT.into(), "away_until", "2026-11-20");
    let said = saved(&bot, "dana", &away).await;
    assert!(said.contains("\"response_action\":\"errors\"") && said.contains("\"away_until\""), "{said}");
    let nobody_works = KEPT.into_iter().filter(|(id, _)| *id != "workdays").collect::<Vec<_>>();
    let said = saved(&bot, "dana", &nobody_works).await;
    assert!(said.contains("Please choose at least one day."), "{said}");
    let stranger = with(KEPT.into(), "delegate", "00000000-0000-0000-0000-000000000007");
    let said = saved(&bot, "dana", &stranger).await;
    assert!(said.contains("Choose a colleague who works here."), "{said}");
    assert_eq!(bot.times("settings.changed").await, 0);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn budget_and_silence_are_ones_own() {
    let bot = tuesday().await;
    // Pat's accounts are well: nothing needs Pat, who wants to hear nothing then.
    saved(&bot, "pat", &with(KEPT.into(), "empty_mornings", "silent")).await;
    saved(&bot, "dana", &with(KEPT.into(), "budget", "1")).await;
    bot.at("2026-11-24T07:00:00Z").await;
    bot.skip();
    bot.at("2026-11-24T09:15:00Z").await;
    let danas = bot.next_post("dana");
    assert!(danas.text().contains("Also on your list (1)"), "{}", danas.text());
    assert_eq!(bot.unseen_lines(), []);
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_away_gets_nothing_and_the_stand_in_gets_it() {
    let bot = tuesday().await;
    bot.slash("dana", "/tandem settings").await;
    let view = bot.dialog().await;
    let delegate = view["blocks"].as_array().unwrap().iter().find(|block| block["block_id"] == "delegate").unwrap();
    let options = delegate["element"]["options"].as_array().unwrap();
    let kim = options.iter().find(|option| option["text"]["text"] == "Kim Okafor").unwrap();
    let answers = with(with(KEPT.into(), "away_until", "2026-11-25"), "delegate", kim["value"].as_str().unwrap());
    let said = bot.submit_view("dana", &view, &answers).await.to_string();
    assert!(said.contains("Thu 26 Nov at 10:15") && said.contains("Kim stands in for you until Wed 25 Nov."), "{said}");
    bot.at("2026-11-24T10:00:00Z").await;
    // Kim hears of it first, and then has it in the morning.
    let told = bot.next_post("kim");
    assert!(told.text().contains("Standing in: you"), "{}", told.text());
    let kims = bot.next_post("kim");
    assert!(kims.text().contains("Acme"), "{}", kims.text());
    // That is all that Dana hears: who has it meanwhile.
    let heard = |channel: &str| -> Vec<String> {
        bot.unseen_lines().into_iter().filter(|line| line.0 == channel).map(|line| line.1).collect()
    };
    let danas = heard("Ddana");
    assert!(danas.len() == 1 && danas[0].contains("Standing in: Kim"), "{danas:?}");
    bot.skip();
    bot.finish().await;
}

/// A viewer sees and does not act; and whoever is chosen may be away too.
#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_act_stands_in_and_whoever_does_is_named() {
    let bot = tuesday().await;
    bot.import_to(&bot.org, RowKind::People, "email,name,roles\nvic@x.eu,Vic Hale,viewer\n").await;
    let absence = "email,name,roles,out_of_office_until\nkim@x.eu,Kim Okafor,account_manager,2026-11-27\n";
    bot.import_to(&bot.org, RowKind::People, absence).await;
    bot.slash("dana", "/tandem settings").await;
    let view = bot.dialog().await;
    let delegate = view["blocks"].as_array().unwrap().iter().find(|block| block["block_id"] == "delegate").unwrap();
    let options = delegate["element"]["options"].as_array().unwrap();
    assert!(options.iter().all(|option| option["text"]["text"] != "Vic Hale"), "{options:?}");
    let kim = options.iter().find(|option| option["text"]["text"] == "Kim Okafor").unwrap();

    let away = with(KEPT.into(), "away_until", "2026-11-25");
    let vic = bot.text(&bot.org, "SELECT person_id::text FROM tandem.person WHERE email = 'vic@x.eu'").await;
    let said = bot.submit_view("dana", &view, &with(away.clone(), "delegate", &vic)).await.to_string();
    assert!(said.contains("A viewer cannot stand in."), "{said}");
    let kim = kim["value"].as_str().unwrap();
    let said = bot.submit_view("dana", &view, &with(away, "delegate", kim)).await.to_string();
    assert!(said.contains("Lea stands in for you until Wed 25 Nov."), "Kim is away as well: {said}");

    let said = saved(&bot, "ada", &with(KEPT.into(), "budget", "3")).await;
    assert!(said.contains("Saved.") && !said.contains("morning message"), "an admin has no mornings: {said}");
    bot.skip();
    bot.finish().await;
}

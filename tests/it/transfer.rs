//! A book changes hands: seats, open matters, and what the two are told. What cannot be read, said weekly.

use tandem::app::transfer::{self, Transferred};
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;
use tandem::store::audit::Actor;

use crate::support::bot::TestBot;

const PEOPLE: &str = "email,name,roles,manager_email,slack_user_id\n\
    lea@x.eu,Lea Lead,lead;admin,,Ulea\n\
    dana@x.eu,Dana Ruiz,csm,lea@x.eu,Udana\n\
    sam@x.eu,Sam Novak,csm,lea@x.eu,Usam\n\
    tom@x.eu,Tom Okafor,account_manager,lea@x.eu,Utom\n\
    vic@x.eu,Vic Hale,viewer,,Uvic\n";
const ACCOUNTS: &str = "account_id,name,arr,csm_email,account_manager_email\n\
    a1,Acme,100000,dana@x.eu,tom@x.eu\n\
    b1,Bolt,50000,dana@x.eu,tom@x.eu\n\
    c1,Cord,20000,sam@x.eu,tom@x.eu\n";
const SIGNALS: &str = "account_id,source,kind,observed_on,value\n\
    a1,crm,notice_served,2026-11-20,true\n\
    c1,usage,active_users,2026-11-20,20\n";

async fn staffed() -> TestBot {
    let bot = TestBot::new(Model::Pair, "2026-11-23T00:00:00Z").await;
    bot.import(RowKind::People, PEOPLE).await;
    bot.import(RowKind::Accounts, ACCOUNTS).await;
    bot.import(RowKind::Signals, SIGNALS).await;
    bot
}

#[tokio::test]
async fn a_book_changes_hands_with_a_brief() {
    let bot = staffed().await;
    bot.at("2026-11-23T01:00:30Z").await;
    bot.at("2026-11-23T07:00:30Z").await;
    bot.skip();
    let give = async |from: &str, to: &str, only: Option<&str>| {
        let done = transfer::transfer(&bot.app, bot.org.id, from, to, only, Actor::System).await;
        done.map_err(|error| error.to_string())
    };
    for (from, to, only, sentence) in [
        ("eve@x.eu", "sam@x.eu", None, "nobody has the e-mail \"eve@x.eu\""),
        ("dana@x.eu", "dana@x.eu", None, "dana@x.eu cannot take over from themselves"),
        (
            "dana@x.eu",
            "vic@x.eu",
            None,
            "vic@x.eu is a viewer, who sees and does not act; give them another role first",
        ),
        ("dana@x.eu", "sam@x.eu", Some("c1"), "dana@x.eu is neither CSM nor account manager of an account \"c1\""),
    ] {
        assert_eq!(give(from, to, only).await, Err(sentence.to_owned()));
    }
    let done = give("dana@x.eu", "sam@x.eu", Some("b1")).await.unwrap();
    assert_eq!(done, Transferred { accounts: 1, as_csm: 1, ..Transferred::default() });
    bot.deliver().await;
    bot.skip();

    let done = give("DANA@x.eu", "sam@x.eu", None).await.unwrap();
    assert_eq!((done.accounts, done.as_csm, done.as_account_manager), (1, 1, 0));
    bot.deliver().await;
    let brief = bot.next_post("sam").text();
    assert!(brief.contains("You take over 1 account from Dana"), "{brief}");
    assert!(brief.contains("Acme") && brief.contains("Notice to end the contract was served"), "{brief}");
    let told = bot.next_post("dana").text();
    assert!(told.contains("1 account went from you to Sam"), "{told}");
    assert_eq!(give("dana@x.eu", "sam@x.eu", None).await.unwrap(), Transferred::default(), "nothing is left");
    assert!(bot.slash("sam", "/tandem risks").await.contains("Acme"));
    assert!(!bot.slash("dana", "/tandem risks").await.contains("Acme"));
    bot.finish().await;
}

#[tokio::test]
async fn who_has_left_is_stood_in_for_and_hears_nothing() {
    let bot = staffed().await;
    bot.import(RowKind::People, "email,name,roles\ndana@x.eu,Dana Ruiz,\\N\n").await;
    bot.at("2026-11-23T01:00:30Z").await;
    bot.at("2026-11-23T07:00:30Z").await;
    let lead = bot.next_post("lea").text();
    assert!(lead.contains("Acme"), "the next in line has the risk of whoever left: {lead}");
    assert!(bot.unseen_lines().iter().all(|(channel, _)| channel != "Ddana"), "{:?}", bot.unseen_lines());
    assert!(!bot.slash("dana", "/account acme").await.contains("100k"), "who has left sees nothing");
    bot.skip();
    let done = transfer::transfer(&bot.app, bot.org.id, "dana@x.eu", "sam@x.eu", None, Actor::System).await.unwrap();
    assert_eq!(done.accounts, 2, "the book of whoever left can still be given on");
    bot.deliver().await;
    assert!(bot.next_post("sam").text().contains("You take over 2 accounts"));
    bot.skip();

    // Whoever comes back gets a role again.
    bot.import(RowKind::People, "email,name,roles\ndana@x.eu,Dana Ruiz,csm\n").await;
    assert!(bot.slash("dana", "/account acme").await.contains("Acme"));
    bot.finish().await;
}

#[tokio::test]
async fn leads_and_admins_read_weekly_what_cannot_be_read() {
    let bot = staffed().await;
    bot.at("2026-11-23T01:00:30Z").await;
    bot.at("2026-11-23T07:00:30Z").await;
    let monday = bot.next_post("lea").text();
    assert!(monday.contains("What cannot be read this week"), "{monday}");
    assert!(monday.contains("3 accounts, €170k: usage missing."), "{monday}");
    assert!(monday.contains("2 accounts, €70k: too little data for a diagnosis: Bolt and Cord."), "{monday}");
    assert!(!monday.contains("onboarding missing"), "what nobody has is not connected: {monday}");
    bot.skip();
    bot.at("2026-11-24T01:00:30Z").await;
    bot.at("2026-11-24T07:00:30Z").await;
    let tuesday = bot.next_post("lea").text();
    assert!(!tuesday.contains("What cannot be read"), "once a week: {tuesday}");
    bot.skip();
    bot.finish().await;
}

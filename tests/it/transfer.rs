//! A book changes hands: seats, open matters, and what the two are told. What cannot be read, said weekly.

use tandem::app::transfer::{self, Transferred};
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;
use tandem::store::audit::Actor;
use tandem::store::handoff;

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
    assert!(bot.private().await.starts_with("Tandem does not know you yet"));
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

/// Also what is said in the month's first of these messages: a week belongs to the month in which it began.
#[tokio::test]
async fn who_is_away_when_the_week_begins_reads_it_when_they_are_back() {
    let bot = staffed().await;
    let mut read = Vec::new();
    for (day, away_until) in [
        ("2026-11-23", "2026-11-20"),
        ("2026-11-27", "2026-11-20"),
        ("2026-11-30", "2026-11-30"),
        ("2026-12-01", "2026-11-30"),
        ("2026-12-02", "2026-11-30"),
        ("2026-12-07", "2026-12-08"),
        ("2026-12-09", "2026-12-08"),
        ("2026-12-14", "2026-12-08"),
    ] {
        let people = format!(
            "email,name,roles,slack_user_id,out_of_office_until\n\
             lea@x.eu,Lea Lead,lead,Ulea,{away_until}\nada@x.eu,Ada Root,admin,Uada,{away_until}\n"
        );
        bot.import_to(&bot.org, RowKind::People, &people).await;
        bot.at(&format!("{day}T01:00:30Z")).await;
        bot.skip();
        bot.at(&format!("{day}T07:00:30Z")).await;
        for (place, _) in bot.unseen_lines() {
            let Some(who @ ("lea" | "ada")) = place.strip_prefix('D') else { continue };
            let said = bot.next_post(who).text();
            let weekly = [
                "Good morning",
                "No handoff was offered",
                "What cannot be read this week",
                "The model pair does not fit",
            ];
            let weekly: Vec<&str> = weekly.into_iter().filter(|words| said.contains(words)).collect();
            if !weekly.is_empty() {
                read.push(format!("{day} {who}: {}", weekly.join(" · ")));
            }
        }
        bot.skip();
    }
    read.sort();
    insta::assert_snapshot!(read.join("\n"), @r"
    2026-11-23 ada: Good morning · What cannot be read this week
    2026-11-23 lea: Good morning · No handoff was offered · What cannot be read this week · The model pair does not fit
    2026-11-27 lea: Good morning
    2026-12-01 ada: Good morning · What cannot be read this week
    2026-12-01 lea: Good morning · No handoff was offered · What cannot be read this week
    2026-12-02 lea: Good morning
    2026-12-09 ada: Good morning · What cannot be read this week
    2026-12-09 lea: Good morning · No handoff was offered · What cannot be read this week · The model pair does not fit
    2026-12-14 ada: Good morning · What cannot be read this week
    2026-12-14 lea: Good morning · No handoff was offered · What cannot be read this week
    ");
    bot.finish().await;
}

#[tokio::test]
async fn admins_without_a_morning_read_it_in_a_message_of_their_own() {
    let bot = staffed().await;
    let more = "email,name,roles,timezone,workdays,slack_user_id,out_of_office_until,digest_time\n\
        ada@x.eu,Ada Root,admin,Europe/Berlin,mon-fri,Uada,,07:30\n\
        sun@x.eu,Sun Root,admin;viewer,Asia/Dubai,sun-thu,Usun,,\n\
        off@x.eu,Off Root,admin,Europe/Berlin,mon-fri,Uoff,2026-12-01,\n";
    bot.import(RowKind::People, more).await;
    bot.deliver().await;
    bot.skip();
    bot.at("2026-11-23T01:00:30Z").await;
    assert_eq!(bot.unseen_lines(), [], "nobody is woken at night");
    bot.at("2026-11-23T06:30:30Z").await;
    let post = bot.next_post("ada");
    assert_eq!(post.summary, "2 accounts, €70k cannot be diagnosed; usage is missing for 3 accounts, €170k");
    let said = post.text();
    for words in [
        "Good morning, Ada · Monday 23 November 2026",
        "What cannot be read this week",
        "2 accounts, €70k: too little data for a diagnosis: Bolt and Cord.",
        "3 accounts, €170k: usage missing.",
        "Last data: usage: 3 days ago · crm: 3 days ago",
    ] {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
    bot.at("2026-11-23T07:00:30Z").await;
    assert!(bot.next_post("lea").text().contains("What cannot be read this week"), "in her morning, not beside it");
    let heard = bot.unseen_lines();
    assert!(heard.iter().all(|(place, _)| !["Dlea", "Doff", "Dada", "Dsun"].contains(&place.as_str())), "{heard:?}");
    bot.skip();

    // Once a week; a week begins with each one's own first working day.
    for night in ["2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-28"] {
        bot.at(&format!("{night}T01:00:30Z")).await;
        bot.at(&format!("{night}T12:00:30Z")).await;
        let heard = bot.unseen_lines();
        assert!(heard.iter().all(|(place, _)| !["Doff", "Dada", "Dsun"].contains(&place.as_str())), "{heard:?}");
        bot.skip();
    }
    bot.at("2026-11-29T01:00:30Z").await;
    bot.at("2026-11-29T04:00:30Z").await;
    assert!(bot.next_post("sun").text().contains("Sunday 29 November 2026"));
    assert_eq!(bot.unseen_lines(), []);
    bot.finish().await;
}

/// Bolt and Dune have full seats, Dune's renewal is near, Acme served notice.
async fn with_open_matters() -> (TestBot, crate::support::bot::Post, crate::support::bot::Post) {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, PEOPLE).await;
    bot.import(
        RowKind::People,
        "email,name,roles,manager_email,slack_user_id,delegate_email,out_of_office_until\n\
         kim@x.eu,Kim Berg,account_manager,lea@x.eu,Ukim,,\n\
         una@x.eu,Una Voss,account_manager,lea@x.eu,Uuna,kim@x.eu,2026-11-30\n",
    )
    .await;
    let accounts = "account_id,name,arr,seats,renewal_date,term_months,notice_period_days,csm_email,account_manager_email\n\
        a1,Acme,100000,100,2027-09-30,12,30,dana@x.eu,tom@x.eu\n\
        b1,Bolt,50000,100,2027-09-30,12,30,dana@x.eu,tom@x.eu\n\
        d1,Dune,40000,100,2027-03-22,12,30,dana@x.eu,tom@x.eu\n";
    bot.import(RowKind::Accounts, accounts).await;
    let mut signals = "account_id,source,kind,observed_on,value\na1,crm,notice_served,2026-11-20,true\n".to_owned();
    for day in ["2026-10-18", "2026-10-25", "2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22"] {
        for account in ["b1", "d1"] {
            signals += &format!("{account},usage,active_users,{day},95\n");
        }
    }
    bot.import(RowKind::Signals, &signals).await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let (danas, toms) = (bot.next_post("dana"), bot.next_post("tom"));
    bot.skip();
    (bot, danas, toms)
}

const NEED: [(&str, &str); 3] = [("need", "Twenty more seats"), ("contact", "Eva Sol, COO"), ("timing", "By March")];

/// Who is accountable for what is open, by e-mail: every open handoff, then every open renewal.
async fn held(bot: &TestBot) -> String {
    let sql = "SELECT string_agg(line, ' · ' ORDER BY line) FROM (
        SELECT h.account_id || ' ' || h.state || ' ' || p.email AS line FROM tandem.handoff h
          JOIN tandem.person p ON p.org_id = h.org_id AND p.person_id = h.accountable
        UNION ALL SELECT r.account_id || ' renewal ' || p.email FROM tandem.renewal r
          JOIN tandem.person p ON p.org_id = r.org_id AND p.person_id = r.owner_id WHERE r.state <> 'ended') AS open";
    bot.text(&bot.org, sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn open_matters_go_with_the_book_and_the_brief_names_them() {
    let (bot, danas, toms) = with_open_matters().await;
    bot.clock.advance(chrono::TimeDelta::minutes(10));
    // Dana snoozes, writes a note, and offers a window; Tom claims it.
    bot.click("dana", &danas, "Snooze", "Acme").await;
    bot.submit("dana", &[("until", "2026-12-01")]).await;
    bot.click("dana", &danas, "Note", "Acme").await;
    bot.submit("dana", &[("text", "The CFO decides in January")]).await;
    bot.click("dana", &danas, "Qualify", "Bolt").await;
    bot.submit("dana", &NEED).await;
    let offer = bot.next_post("tom");
    bot.click("tom", &offer, "Claim", "Bolt").await;
    bot.click("dana", &danas, "Qualify", "Dune").await;
    bot.submit("dana", &NEED).await;
    bot.skip();
    assert_eq!(held(&bot).await, "b1 accepted tom@x.eu · d1 offered tom@x.eu · d1 renewal tom@x.eu");

    // Tom leaves; who takes over is away until Monday, and Kim stands in.
    let give = async |from: &str, to: &str| {
        transfer::transfer(&bot.app, bot.org.id, from, to, None, Actor::System).await.map_err(|error| error.to_string())
    };
    let done = give("tom@x.eu", "una@x.eu").await.unwrap();
    assert_eq!((done.accounts, done.as_account_manager, done.handoffs, done.renewals), (3, 3, 2, 1));
    bot.deliver().await;
    let brief = bot.next_post("una").text();
    insta::assert_snapshot!(brief, @r"
    You take over 3 accounts from Tom
    *Acme* · health 0, at risk · ARR €100k
    Risk: Notice to end the contract was served on 20 Nov 2026. Snoozed by Dana until Tue 1 Dec.
    Last note (Dana, Mon 23 Nov): The CFO decides in January.
    *Bolt* · health 100, healthy · ARR €50k
    Window: more seats, about €14k, with you.
    *Dune* · health 100, healthy · ARR €40k
    Window: more seats, about €11k, with you, with the renewal.
    Renewal: opt-out date Sat 20 Feb 2027, in 89 days.
    ");
    bot.skip();
    assert_eq!(held(&bot).await, "b1 accepted una@x.eu · d1 offered una@x.eu · d1 renewal una@x.eu");
    assert!(!bot.now(&toms).labels().contains(&"Claim".to_owned()), "an old copy offers nothing");
    assert_eq!(give("tom@x.eu", "una@x.eu").await.unwrap(), Transferred::default());

    // Dana's half goes too: the snooze stays a snooze, the note is told.
    let done = give("dana@x.eu", "sam@x.eu").await.unwrap();
    assert_eq!((done.accounts, done.as_csm, done.handoffs, done.renewals), (3, 3, 0, 0));
    bot.deliver().await;
    insta::assert_snapshot!(bot.next_post("sam").text(), @r"
    You take over 3 accounts from Dana
    *Acme* · health 0, at risk · ARR €100k
    Risk: Notice to end the contract was served on 20 Nov 2026. Snoozed by Dana until Tue 1 Dec.
    Last note (Dana, Mon 23 Nov): The CFO decides in January.
    *Bolt* · health 100, healthy · ARR €50k
    Window: more seats, about €14k, with Una.
    *Dune* · health 100, healthy · ARR €40k
    Window: more seats, about €11k, with Una, with the renewal.
    Renewal: opt-out date Sat 20 Feb 2027, in 89 days.
    ");
    bot.skip();
    let snoozed = bot.slash("sam", "/tandem snoozed").await;
    assert!(snoozed.contains("Acme") && snoozed.contains("1 Dec"), "{snoozed}");
    assert_eq!(bot.times("risk.woken").await, 0);

    // The night and the morning after: who is away is stood in for, who has given hears of nothing.
    bot.at("2026-11-24T01:00:00Z").await;
    bot.at("2026-11-24T08:00:00Z").await;
    let places: Vec<String> = bot.unseen_lines().into_iter().map(|(place, _)| place).collect();
    assert!(!places.contains(&"Duna".to_owned()), "nobody is written to while away: {places:?}");
    assert!(bot.next_post("kim").text().contains("Dune"), "the delegate has it meanwhile");
    assert!(bot.next_post("dana").text().contains("No account is in your name"), "an empty book says so");
    bot.skip();
    bot.finish().await;
}

/// As accounts mostly change hands: the CRM names somebody else.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_the_crm_gives_to_others_takes_its_open_matters_along() {
    let (bot, danas, _) = with_open_matters().await;
    bot.clock.advance(chrono::TimeDelta::hours(2));
    bot.click("dana", &danas, "Qualify", "Bolt").await;
    bot.submit("dana", &NEED).await;
    let offer = bot.next_post("tom");
    bot.skip();
    let seats = async |csm: &str, manager: &str| {
        let rows = [("b1", "Bolt"), ("d1", "Dune")].map(|(id, name)| format!("{id},{name},{csm},{manager}\n"));
        let file = format!("account_id,name,csm_email,account_manager_email\n{}", rows.concat());
        bot.import_to(&bot.org, RowKind::Accounts, &file).await;
        bot.deliver().await;
    };
    seats("sam@x.eu", "tom@x.eu").await;
    assert_eq!(held(&bot).await, "b1 offered tom@x.eu · d1 detected sam@x.eu · d1 renewal tom@x.eu");
    insta::assert_snapshot!(bot.next_post("sam").text(), @r"
    You take over 2 accounts from Dana
    *Bolt* · health 100, healthy · ARR €50k
    Window: more seats, about €14k, with Tom.
    *Dune* · health 100, healthy · ARR €40k
    Window: more seats, about €11k, with you, with the renewal.
    Renewal: opt-out date Sat 20 Feb 2027, in 89 days.
    ");
    assert!(bot.next_post("dana").text().contains("2 accounts went from you to Sam"));
    // The same rows again are no news.
    seats("sam@x.eu", "tom@x.eu").await;
    assert_eq!(bot.unseen_lines(), []);

    // Where nobody sits any more, the routing says who has it: without a CSM, the account manager is asked at once.
    seats("\\N", "tom@x.eu").await;
    assert_eq!(held(&bot).await, "b1 offered tom@x.eu · d1 offered tom@x.eu · d1 renewal tom@x.eu");
    seats("dana@x.eu", "tom@x.eu").await;
    bot.skip();

    // A lead has asked Kim for an answer about Dune, by name: neither seat takes it from her.
    let mut tx = bot.app.store.tenant(bot.org.id).await.unwrap();
    let dune = handoff::of_accounts(&mut tx, &["d1".into()], bot.app.now()).await.unwrap().remove(0);
    let kim = bot.app.snapshot(&mut tx).await.unwrap().person_by_email("kim@x.eu").unwrap().id;
    handoff::save(&mut tx, &dune.reassign_as_offer(kim, bot.app.now()).unwrap().0).await.unwrap();
    tx.commit().await.unwrap();

    // What Tom has claimed goes with his seat; who hears of it by night hears in the morning.
    bot.click("tom", &offer, "Claim", "Bolt").await;
    bot.skip();
    bot.clock.set("2026-11-23T22:00:00Z".parse().unwrap());
    seats("dana@x.eu", "una@x.eu").await;
    assert_eq!(held(&bot).await, "b1 accepted una@x.eu · d1 offered kim@x.eu · d1 renewal tom@x.eu");
    assert_eq!(bot.unseen_lines(), [], "nobody is woken at night");
    bot.at("2026-11-24T01:00:00Z").await;
    bot.at("2026-11-24T08:30:00Z").await;
    let heard = bot.unseen_lines();
    assert!(
        heard.iter().any(|(place, said)| place == "Dtom" && said.contains("2 accounts went from you")),
        "{heard:?}"
    );
    bot.skip();
    bot.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_with_a_book_full_of_matters_is_replaced_in_all_of_them() {
    let (bot, danas, _) = with_open_matters().await;
    bot.clock.advance(chrono::TimeDelta::minutes(10));
    bot.click("dana", &danas, "Qualify", "Bolt").await;
    bot.submit("dana", &NEED).await;
    bot.skip();
    bot.import_to(&bot.org, RowKind::People, "email,name,roles\ntom@x.eu,Tom Okafor,\\N\n").await;
    bot.deliver().await;
    bot.skip();
    // What he held has his lead for it at once, and goes on with the book.
    assert_eq!(held(&bot).await, "b1 offered lea@x.eu · d1 detected dana@x.eu · d1 renewal lea@x.eu");
    let done = transfer::transfer(&bot.app, bot.org.id, "tom@x.eu", "kim@x.eu", None, Actor::System).await.unwrap();
    assert_eq!((done.accounts, done.as_account_manager, done.handoffs, done.renewals), (3, 3, 1, 1));
    bot.deliver().await;
    let brief = bot.next_post("kim").text();
    assert!(brief.contains("You take over 3 accounts from Tom"), "{brief}");
    assert!(brief.contains("Window: more seats, about €14k, with you."), "{brief}");
    assert!(bot.unseen_lines().iter().all(|(place, _)| place != "Dtom"), "{:?}", bot.unseen_lines());
    bot.skip();
    assert_eq!(held(&bot).await, "b1 offered kim@x.eu · d1 detected dana@x.eu · d1 renewal kim@x.eu");
    bot.finish().await;
}

/// From CSM to AM after onboarding: one person holds both halves, and there is nobody to hand a window to.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_manager_who_takes_over_from_the_csm_claims_what_comes_along() {
    let (bot, _, _) = with_open_matters().await;
    let done = transfer::transfer(&bot.app, bot.org.id, "dana@x.eu", "tom@x.eu", None, Actor::System).await.unwrap();
    assert_eq!((done.as_csm, done.handoffs), (3, 2));
    bot.deliver().await;
    bot.skip();
    bot.at("2026-11-24T01:00:00Z").await;
    bot.at("2026-11-24T08:00:00Z").await;
    let toms = bot.next_post("tom");
    let labels = toms.labels();
    assert!(labels.contains(&"Claim".to_owned()) && !labels.contains(&"Offer to AM".to_owned()), "{labels:?}");
    bot.click("tom", &toms, "Claim", "Bolt").await;
    bot.click("tom", &toms, "Qualify", "Dune").await;
    bot.submit("tom", &NEED).await;
    assert!(bot.now(&toms).text().contains("Next: claim it."), "{}", bot.now(&toms).text());
    bot.click("tom", &toms, "Claim", "Dune").await;
    let held = held(&bot).await;
    assert!(held.starts_with("b1 accepted tom@x.eu · d1 accepted tom@x.eu"), "{held}");
    bot.skip();
    bot.finish().await;
}

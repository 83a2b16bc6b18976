//! What people ask for by a command, beside what the home page and the command line show of the same.

use tandem::app::{act, home, query};
use tandem::domain::action::{Action, Subject, Verb};
use tandem::domain::command::Command;
use tandem::domain::message::text::to_text;
use tandem::domain::message::{Input, Message, Reply};

use super::world::World;
use super::{answers, dialog, private};

async fn asked(world: &World, who: &str, command: Command) -> Message {
    match query::command(&world.app, &world.asker(who), &command).await.unwrap() {
        Reply::Private(said) => said,
        other => panic!("not answered privately: {other:?}"),
    }
}

async fn said(world: &World, who: &str, command: Command) -> String {
    to_text(&asked(world, who, command).await, 200)
}

fn account(name: &str) -> Command {
    Command::Account { name: name.to_owned() }
}

fn raise(name: &str) -> Command {
    Command::Raise { name: name.to_owned() }
}

/// The accounts under this heading, in the order of their lines.
fn under(heading: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let begins = lines
        .iter()
        .position(|line| line.starts_with(&format!("{heading} (")))
        .unwrap_or_else(|| panic!("{heading}: {text}"));
    let rest = &lines[begins + 2..];
    let ends = rest.iter().position(|line| line.starts_with("===")).unwrap_or(rest.len());
    let name = |line: &&str| {
        let (name, _) = line.trim_start_matches("- ").split_once(" · ")?;
        ["Acme", "Bolt"].contains(&name).then(|| name.to_owned())
    };
    rest[..ends].iter().filter_map(name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_the_home_page_show_the_same_in_the_same_order() {
    let world = World::new().await;
    world.beside().await;
    // Of Bolt less is lost, but it has served notice; and its renewal is overdue.
    world.sql("UPDATE tandem.account SET renewal_date = '2026-10-01' WHERE account_id = 'bolt'").await;
    world.diagnosed("acme", 34, "sev1_open").await;
    world.diagnosed("bolt", 34, "notice_served").await;
    let (acme, bolt) = (world.risk("acme").await, world.risk("bolt").await);
    world.renewal("acme").await;
    world.renewal("bolt").await;
    let both = async |heading: &str, command: Command| {
        let page = home::whole(&world.app, &world.asker("dana")).await.unwrap().unwrap();
        let (listed, page) = (under(heading, &said(&world, "dana", command).await), to_text(&page, 200));
        assert_eq!(listed, under(heading, &page), "{heading}");
        listed
    };
    assert_eq!(both("At risk", Command::Risks).await, ["Bolt", "Acme"]);
    assert_eq!(both("Renewals", Command::Renewals).await, ["Bolt", "Acme"]);

    let acknowledge = Action::new(Verb::Acknowledge, Subject::Risk(bolt.id));
    act::press(&world.app, &world.asker("dana"), &acknowledge, None).await.unwrap();
    assert_eq!(both("At risk", Command::Risks).await, ["Acme", "Bolt"]);

    for (risk, until) in [(acme.id, "2026-11-20"), (bolt.id, "2026-11-10")] {
        dialog(&world, "dana", Verb::Snooze, Subject::Risk(risk), &[("until", until)]).await;
    }
    assert_eq!(both("Snoozed", Command::Snoozed).await, ["Bolt", "Acme"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_night_an_empty_list_is_no_all_clear() {
    let world = World::new().await;
    for command in [Command::Risks, Command::Windows, Command::Renewals] {
        assert_eq!(
            said(&world, "dana", command.clone()).await.trim(),
            "Nothing has been read yet. Your accounts are read on Wed 4 Nov at 02:00 (UTC); what needs you stands here \
             then, and in your first morning message on Wed 4 Nov at 08:00 (UTC)."
                .replace("             ", ""),
            "{command:?}"
        );
    }
    assert!(said(&world, "dana", account("acme")).await.starts_with("Acme · not diagnosed yet · ARR $184k\n"));
    world.diagnosed("acme", 34, "sev1_open").await;
    assert_eq!(said(&world, "dana", Command::Risks).await.trim(), "No account of yours is at risk.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_found_at_the_first_mistyped_try_and_from_memory_alike() {
    let world = World::new().await;
    world.beside().await;
    for _ in 0..2 {
        assert!(said(&world, "dana", account("blot")).await.starts_with("Bolt · "));
    }
    let org = world.organisation.id;
    let found = query::account_by_name(&world.app, org, None, "blot").await.unwrap().unwrap();
    assert!(found.summary.starts_with("Bolt · "), "{}", found.summary);
    assert!(said(&world, "dana", account("onyl")).await.starts_with("No account \"onyl\""), "that is the other's");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_finds_what_its_reader_finds_in_chat() {
    let world = World::new().await;
    world.beside().await;
    let org = world.organisation.id;
    let on_the_command_line = async |who: &str, name: &str| {
        let found = query::account_by_name(&world.app, org, Some(world.id(who)), name).await.unwrap();
        found.map(|found| found.summary)
    };
    // Likeliest first, whatever their ids are.
    world.renamed("z9", "Cedar Air").await;
    world.renamed("c1", "Cedar Zinc").await;
    let listed = asked(&world, "ada", account("cedar")).await;
    assert!(to_text(&listed, 100).contains("[Cedar Air] [Cedar Zinc]"), "{}", to_text(&listed, 100));
    let refused = query::account_by_name(&world.app, org, Some(world.id("ada")), "cedar").await.unwrap_err();
    assert!(refused.to_string().contains("Cedar Air (z9), Cedar Zinc (c1)"), "{refused}");

    let window = world.offered("acme").await;
    world.sql("UPDATE tandem.organisation_setting SET everyone_sees_accounts = false, stamp = stamp + 1").await;
    assert_eq!(on_the_command_line("pat", "acme").await, None);
    let pat = world.id("pat").to_string();
    dialog(&world, "lee", Verb::Reassign, Subject::Handoff(window.id), &[("person", &pat)]).await;
    let in_chat = asked(&world, "pat", account("acme")).await.summary;
    assert_eq!(on_the_command_line("pat", "acme").await, Some(in_chat));
    assert_eq!(on_the_command_line("zoe", "acme").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_to_raise_something_is_asked_what_or_on_which_account() {
    let world = World::new().await;
    world.renamed("c1", "Cedar Air").await;
    world.renamed("c2", "Cedar Zinc").await;
    let several = asked(&world, "ada", raise("cedar")).await;
    let verbs: Vec<Verb> = several.buttons().map(|button| button.action.verb).collect();
    assert_eq!(verbs, [Verb::Raise; 2]);
    assert!(said(&world, "dana", raise("acme")).await.starts_with("What is it about Acme?\n[New opportunity]"));
    let only = "You can see this account. Only Dana, Kim and their leads can act on it.";
    assert_eq!(private(Reply::Private(asked(&world, "vic", raise("acme")).await)), only);
    assert!(said(&world, "dana", raise("nobody")).await.starts_with("No account"));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_an_account_that_has_left_only_what_is_worth_knowing_is_raised() {
    let world = World::new().await;
    world.beside().await;
    let acme = || Subject::Account("acme".into());
    let risk = world.risk("acme").await;
    let mut tx = world.app.store.tenant(world.organisation.id).await.unwrap();
    let (ended, _) = risk.account_left(world.app.now()).unwrap();
    tandem::store::risk::save(&mut tx, &ended).await.unwrap();
    tx.commit().await.unwrap();
    world.sql("UPDATE tandem.account SET status = 'churned' WHERE account_id = 'acme'").await;
    world.sql("UPDATE tandem.organisation_setting SET stamp = stamp + 1").await;

    let shown = said(&world, "dana", account("acme")).await;
    assert!(shown.starts_with("Acme · no longer a customer · ARR $184k\n"), "{shown}");
    assert!(shown.contains("Ended on Tue 3 Nov: the account has left."), "{shown}");
    assert!(said(&world, "dana", raise("acme")).await.ends_with("[Note] [Product feedback]\n"));

    let chooser = Action::new(Verb::Raise, acme());
    let Reply::Dialog(asks) = act::press(&world.app, &world.asker("dana"), &chooser, None).await.unwrap() else {
        panic!("no dialog")
    };
    let Input::Select { options, .. } = &asks.fields[0].input else { panic!("{asks:?}") };
    assert_eq!(options.iter().map(|(verb, _)| verb.as_str()).collect::<Vec<_>>(), ["note", "raise_feedback"]);

    let left = "Acme is no longer a customer. You can still write a note or save product feedback.";
    let dana = world.asker("dana");
    for verb in [Verb::RaiseOpportunity, Verb::RaiseRisk, Verb::RaisePulse, Verb::RaiseChampion] {
        let action = Action::new(verb, acme());
        assert_eq!(private(act::press(&world.app, &dana, &action, None).await.unwrap()), left, "{verb:?}");
        // A dialog that was open when it left, and a chooser's.
        let what = answers(&[("what", "budget cut")]);
        assert_eq!(private(act::submit(&world.app, &dana, &action, &what, None).await.unwrap()), left, "{verb:?}");
        let chosen = answers(&[("what", verb.as_str())]);
        assert_eq!(private(act::submit(&world.app, &dana, &chooser, &chosen, None).await.unwrap()), left, "{verb:?}");
    }
    let reopen = Action::new(Verb::Reopen, Subject::Risk(ended.id));
    assert_eq!(private(act::press(&world.app, &dana, &reopen, None).await.unwrap()), left);
    let noted = dialog(&world, "dana", Verb::Note, acme(), &[("text", "They may come back")]).await;
    assert_eq!(private(noted), "Acme: note saved.");
    let heard = dialog(&world, "dana", Verb::RaiseFeedback, acme(), &[("text", "No SSO")]).await;
    assert!(private(heard).starts_with("Acme: feedback saved."));
    assert_eq!(world.event_names().await, ["note.added"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_nobody_named_is_an_estimate() {
    let world = World::new().await;
    let acme = || Subject::Account("acme".into());
    dialog(&world, "dana", Verb::RaiseOpportunity, acme(), &[("what", "A second team asked")]).await;
    dialog(&world, "dana", Verb::RaiseOpportunity, acme(), &[("what", "A third team"), ("amount", "7600")]).await;
    for command in [Command::Windows, Command::Handoffs, account("acme")] {
        let said = said(&world, "dana", command.clone()).await;
        assert!(said.contains("asked for, about $37k"), "{command:?}: {said}");
        assert!(said.contains("asked for, $7.6k"), "{command:?}: {said}");
    }
}

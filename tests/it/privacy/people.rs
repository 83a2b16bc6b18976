//! A contact, and a colleague, are forgotten wherever they were named.

use sqlx::AssertSqlSafe;
use tandem::app::{erase, transfer};
use tandem::domain::row::RowKind;
use tandem::store::audit::{self, Actor, Look};
use tandem::store::directory::Organisation;

use super::{holding, rows};
use crate::support::bot::TestBot;
use crate::support::program::Program;

/// Every text that people can write, with somebody in it.
async fn write_everywhere(bot: &TestBot, org: &Organisation, who: &str) {
    let mut tx = bot.db().tenant(org.id).await;
    for sql in [
        "UPDATE tandem.note SET body = 'Met WHO; all well'",
        "UPDATE tandem.risk r SET raised_why = 'WHO is upset', raised_by = p.person_id, next_step = 'Call WHO', state = 'acknowledged',
                moved_by = p.person_id, next_step_due = '2026-12-01', clock_since = NULL, remind_at = NULL, due_at = NULL
           FROM tandem.person p WHERE p.email = 'kim@x.eu'",
        "UPDATE tandem.handoff SET note = 'asked by WHO', override_reason = 'WHO insists', overridden_by = accountable,
                overridden_at = now(), withheld_by = NULL, withheld_since = NULL, need = 'WHO needs more', contact = 'WHO',
                timing = 'when WHO is back'",
        "INSERT INTO tandem.handoff SELECT (jsonb_populate_record(h, jsonb_build_object(
                'handoff_id', gen_random_uuid(), 'state', 'lost', 'moved_by', accountable, 'reason', 'WHO said no', 'pool', NULL,
                'accountable', NULL, 'clock_since', NULL, 'remind_at', NULL, 'due_at', NULL))).* FROM tandem.handoff h LIMIT 1",
        "UPDATE tandem.renewal SET record = record || jsonb_build_object('brief', 'WHO signs', 'brief_by', owner_id,
                'brief_at', '2026-11-20T10:00:00Z')",
        "INSERT INTO tandem.renewal SELECT (jsonb_populate_record(r, jsonb_build_object(
                'renewal_id', gen_random_uuid(), 'state', 'lost', 'owner_id', NULL, 'next_at', NULL, 'deadline', '2020-01-01',
                'record', record || '{\"lost_reason\": \"WHO left\"}'))).* FROM tandem.renewal r LIMIT 1",
        "UPDATE tandem.account SET goals = 'What WHO wants'",
        "UPDATE tandem.contact SET title = 'Assistant of WHO' WHERE email = 'eva@acme.example'",
        "INSERT INTO tandem.signal VALUES (ORG, 'acme', 'crm', 'interaction', '2026-11-20', 'mail by WHO', 1, NULL)",
        "INSERT INTO tandem.signal VALUES (ORG, 'acme', 'crm', 'interaction', '2026-11-20', 'mail by [erased]', 1, NULL)",
        "UPDATE tandem.introduction SET wanted = '{\"command\": \"account WHO\"}'",
    ] {
        let sql = sql.replace("WHO", who).replace("ORG", &format!("'{}'", org.id));
        let done = sqlx::query(AssertSqlSafe(sql.clone())).execute(&mut *tx).await;
        assert!(done.unwrap_or_else(|error| panic!("{sql}: {error}")).rows_affected() > 0, "{sql}");
    }
    tx.commit().await.unwrap();
}

async fn verified(bot: &TestBot) {
    for org in [&bot.org, &bot.other] {
        tandem::app::organisation::seal(&bot.app.store, org.id, Look::WHOLE).await.unwrap();
        let mut tx = bot.app.store.tenant(org.id).await.unwrap();
        let verdict = audit::verify(&mut tx).await.unwrap();
        assert_eq!((&verdict.broken, verdict.unsealed), (&None, 0), "{}", org.slug);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_forgotten_wherever_they_were_named() {
    let bot = TestBot::with_everything().await;
    let contacts = "account_id,email,name,title,phone,persona\n\
        acme,ines.vidal@acme.example,Ines Vidal,CFO,+49 30 1234567,champion\n\
        bolt,ines.vidal@acme.example,Ines Vidal,,,\n";
    bot.import(RowKind::Contacts, contacts).await;
    for org in [&bot.org, &bot.other] {
        write_everywhere(&bot, org, "Ines Vidal (ines.vidal@acme.example, +49 30 1234567)").await;
    }
    // Two mails of one day: what was measured stays, and stays two.
    let mails = "account_id,source,kind,observed_on,value,reference\n\
        acme,crm,interaction,2026-11-19,1,ines.vidal@acme.example\n\
        acme,crm,interaction,2026-11-19,1,INES.VIDAL%40acme.example\n";
    bot.import(RowKind::Signals, mails).await;
    let traces = ["vidal", "ines", "1234567"];
    let before = rows(bot.pool(), bot.other.id).await;
    assert!(!holding(bot.pool(), bot.org.id, "vidal").await.is_empty());
    let card = bot.slash("dana", "/account acme").await;
    assert!(card.contains("Ines Vidal"), "{card}");

    let program = Program::bare(&std::env::temp_dir()).with("DATABASE_URL", bot.url());
    let run = async |email: &str| program.run(&["erase", "--org", "north", "--contact", email]).await;
    let near = run("ines.vidall@acme.example").await.failure();
    assert_eq!(
        near,
        "no contact in north has the e-mail \"ines.vidall@acme.example\"; did you mean ines.vidal@acme.example?"
    );
    let far = run("somebody@else.example").await.failure();
    assert_eq!(far, "no contact in north has the e-mail \"somebody@else.example\"");
    let colleague = run("dana@x.eu").await.failure();
    assert_eq!(colleague, "no contact in north has the e-mail \"dana@x.eu\"; a colleague has it: use --person");
    let both = ["erase", "--org", "north", "--contact", "a@b.c", "--person", "a@b.c"];
    assert_eq!(program.run(&both).await.code, Some(2));

    let said = run("Ines.Vidal@ACME.example").await.well();
    assert!(said.starts_with("Erased the contact at 2 accounts, and their name or address in "), "{said}");
    assert!(said.contains("the next import brings them back"), "{said}");
    assert!(!said.to_lowercase().contains("vidal"), "{said}");
    for trace in traces {
        assert_eq!(holding(bot.pool(), bot.org.id, trace).await, Vec::<String>::new(), "{trace} is still there");
        assert!(!holding(bot.pool(), bot.other.id, trace).await.is_empty(), "{trace} of the other organisation");
    }
    assert_eq!(rows(bot.pool(), bot.other.id).await, before, "the other organisation");
    let mails = "SELECT count(*) FROM tandem.signal WHERE observed_on = '2026-11-19' AND reference LIKE '[erased]%'";
    assert_eq!(bot.number(&bot.org, mails).await, 2);
    let note = bot.text(&bot.org, "SELECT body FROM tandem.note LIMIT 1").await;
    assert_eq!(note, "Met [erased] ([erased], [erased]); all well");
    let card = bot.slash("dana", "/account acme").await;
    assert!(card.contains("eva@acme.example") && !card.contains("Ines"), "{card}");
    let events = bot.events_of(&bot.org).await;
    let event = events.iter().find(|event| event.event == "data.erased").expect("an event");
    assert_eq!((event.actor.as_str(), &event.data["what"]), ("system", &"contact".into()));
    verified(&bot).await;
    assert!(run("ines.vidal@acme.example").await.failure().starts_with("no contact in north"), "the second time");
    bot.set_aside().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colleague_is_forgotten_and_what_they_did_stays() {
    let bot = TestBot::with_everything().await;
    for org in [&bot.org, &bot.other] {
        write_everywhere(&bot, org, "dana csm, that is DANA@x.eu,").await;
        let known = "UPDATE tandem.introduction SET chat_email = 'Dana@x.eu', chat_name = 'Dana Csm'";
        let mut tx = bot.db().tenant(org.id).await;
        sqlx::query(AssertSqlSafe(known.to_owned())).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }
    let quota = "email,period,amount\ndana@x.eu,2026-Q4,1000\n";
    bot.import(RowKind::Quotas, quota).await;
    let before = rows(bot.pool(), bot.other.id).await;
    let card = bot.slash("lea", "/account acme").await;
    assert!(card.contains("Dana"), "{card}");
    let held = "SELECT count(*) FROM tandem.handoff h JOIN tandem.person p USING (org_id)
                 WHERE p.person_id = h.accountable AND NOT p.active";
    let wrong = erase::colleague(&bot.app, bot.org.id, "dan@x.eu").await.unwrap_err().to_string();
    assert_eq!(wrong, "nobody in north has the e-mail \"dan@x.eu\"; did you mean dana@x.eu?");
    let wrong = erase::colleague(&bot.app, bot.org.id, "eva@acme.example").await.unwrap_err().to_string();
    assert_eq!(wrong, "nobody in north has the e-mail \"eva@acme.example\"; a contact has it: use --contact");

    let erased = erase::colleague(&bot.app, bot.org.id, " DANA@x.eu").await.unwrap();
    assert!(erased.accounts >= 2 && erased.handoffs > 0 && erased.texts > 0, "{erased:?}");
    let shown = "SELECT count(*) FROM tandem.message_account s
                  WHERE NOT EXISTS (SELECT FROM tandem.message m WHERE m.org_id = s.org_id AND m.message_id = s.message_id)";
    assert_eq!(bot.number(&bot.org, shown).await, 0, "what messages to them showed");
    assert_eq!(bot.number(&bot.org, held).await, 0, "what was open lies with those who are here");
    let orphans =
        "SELECT count(*) FROM tandem.message_account WHERE message_id NOT IN (SELECT message_id FROM tandem.message)";
    assert_eq!(bot.number(&bot.org, orphans).await, 0, "what their messages showed");
    for trace in ["dana@x.eu", "dana csm", "udana"] {
        assert_eq!(holding(bot.pool(), bot.org.id, trace).await, Vec::<String>::new(), "{trace} is still there");
    }
    assert_eq!(rows(bot.pool(), bot.other.id).await, before, "the other organisation");
    assert!(!holding(bot.pool(), bot.other.id, "dana@x.eu").await.is_empty());
    let card = bot.slash("lea", "/account acme").await;
    assert!(card.contains("someone erased") && !card.contains("Dana"), "{card}");
    assert!(!bot.slash("dana", "/account acme").await.contains("Acme"), "nobody is known by their chat user any more");
    verified(&bot).await;
    let events = bot.events_of(&bot.org).await;
    assert_eq!(events.iter().filter(|event| event.event == "data.erased").count(), 1);

    // Their book can still be given on, under the word that stands for them.
    let lea = "email,name,roles\nsam@x.eu,Sam Novak,csm\n";
    bot.import_to(&bot.org, RowKind::People, lea).await;
    let given = transfer::transfer(&bot.app, bot.org.id, &erased.now_called, "sam@x.eu", None, Actor::System).await;
    assert_eq!(given.unwrap().accounts as u64, erased.accounts);
    let again = erase::colleague(&bot.app, bot.org.id, &erased.now_called).await.unwrap_err().to_string();
    assert!(again.starts_with("nobody in north has the e-mail"), "{again}");

    // Imported again they are somebody new, with nothing of what was.
    bot.import_to(&bot.org, RowKind::People, "email,name,roles\ndana@x.eu,Dana Csm,csm\n").await;
    assert_eq!(
        bot.number(&bot.org, "SELECT count(*) FROM tandem.person WHERE email = 'dana@x.eu' AND active").await,
        1
    );
    assert_eq!(bot.number(&bot.org, "SELECT count(*) FROM tandem.quota q JOIN tandem.person p USING (org_id, person_id) WHERE p.email = 'dana@x.eu'").await, 0);
    bot.set_aside().await;
}

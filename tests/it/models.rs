//! One book of accounts under the three organisation models, and changing the model under open work.

use tandem::app::model::{self, Wish};
use tandem::domain::account::Segment;
use tandem::domain::routing::{Model, RenewalOwner};
use tandem::domain::row::RowKind;
use tandem::store::audit::Actor;

use crate::support::bot::TestBot;

const PEOPLE: &str = "email,name,roles,timezone,manager_email,pool,delegate_email,out_of_office_until\n\
    lea@x.eu,Lea Lead,lead,Europe/Berlin,,,,\n\
    ada@x.eu,Ada Quinn,admin,Europe/Berlin,,,,\n\
    dana@x.eu,Dana Reyes,csm,Europe/Berlin,lea@x.eu,,,\n\
    noa@x.eu,Noa Rao,csm,Europe/Berlin,lea@x.eu,,dana@x.eu,2026-12-04\n\
    gus@x.eu,Gus Gone,csm,Europe/Berlin,lea@x.eu,,,\n\
    kim@x.eu,Kim Okafor,account_manager,Europe/Berlin,lea@x.eu,,,\n\
    pat@x.eu,Pat Moss,account_manager,Europe/Berlin,lea@x.eu,emea,,\n\
    pia@x.eu,Pia Lund,account_manager,Europe/Berlin,lea@x.eu,emea,,\n";

/// Everything that a column can be: whole, half, empty, of somebody away, of somebody gone.
const ACCOUNTS: &str = "account_id,name,segment,arr,seats,renewal_date,term_months,notice_period_days,csm_email,account_manager_email,pool\n\
    away,Away,enterprise,100000,100,2027-02-28,12,30,noa@x.eu,kim@x.eu,\n\
    gone,Gone,enterprise,100000,100,2027-02-28,12,30,gus@x.eu,kim@x.eu,\n\
    none,None,enterprise,100000,100,2027-02-28,12,30,,,\n\
    pair,Pair,enterprise,100000,100,2027-02-28,12,30,dana@x.eu,kim@x.eu,\n\
    pool,Pool,smb,100000,100,2027-02-28,12,30,dana@x.eu,,emea\n\
    sales,Sales,smb,100000,100,2027-02-28,12,30,,kim@x.eu,\n\
    value,Value,smb,100000,100,2027-02-28,12,30,dana@x.eu,,\n";

async fn book(model: Model) -> TestBot {
    let bot = TestBot::new(model, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, PEOPLE).await;
    bot.import(RowKind::Accounts, ACCOUNTS).await;
    let mut usage = "account_id,source,kind,observed_on,value\n".to_owned();
    for account in ["away", "gone", "none", "pair", "pool", "sales", "value"] {
        for day in ["2026-10-18", "2026-10-25", "2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22"] {
            usage += &format!("{account},usage,active_users,{day},95\n");
        }
    }
    bot.import(RowKind::Signals, &usage).await;
    for org in [&bot.org, &bot.other] {
        let mut tx = bot.db().tenant(org.id).await;
        for sql in [
            "UPDATE tandem.person SET active = false WHERE email = 'gus@x.eu'",
            "UPDATE tandem.organisation_setting SET stamp = stamp + 1",
        ] {
            sqlx::query(sql).execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    bot.at("2026-11-23T01:00:00Z").await;
    bot.skip();
    bot
}

/// Who has each account's window and renewal, as it is stored.
async fn routing(bot: &TestBot) -> String {
    let sql = "SELECT h.account_id || ': window ' || h.state || ', ' || coalesce('the ' || h.pool || ' pool', split_part(p.email, '@', 1))
                      || CASE WHEN h.solo THEN ' for both roles' ELSE '' END
                      || '; renewal ' || split_part(o.email, '@', 1)
                 FROM tandem.handoff h JOIN tandem.person p ON p.org_id = h.org_id AND p.person_id = h.accountable
                 JOIN tandem.renewal r ON r.org_id = h.org_id AND r.account_id = h.account_id AND r.owner_id IS NOT NULL
                 JOIN tandem.person o ON o.org_id = r.org_id AND o.person_id = r.owner_id
                WHERE h.org_id = $1 ORDER BY h.account_id";
    let mut tx = bot.db().tenant(bot.org.id).await;
    let lines: Vec<String> = sqlx::query_scalar(sql).bind(bot.org.id.0).fetch_all(&mut *tx).await.unwrap();
    lines.join("\n")
}

const PAIR: &str = "away: window detected, dana; renewal kim
gone: window detected, lea; renewal kim
none: window offered, ada; renewal ada
pair: window detected, dana; renewal kim
pool: window detected, dana; renewal dana
sales: window offered, kim; renewal kim
value: window detected, dana; renewal dana";

const COMBINED: &str = "away: window detected, dana for both roles; renewal dana
gone: window detected, kim for both roles; renewal kim
none: window offered, ada; renewal ada
pair: window detected, dana for both roles; renewal dana
pool: window detected, dana for both roles; renewal dana
sales: window detected, kim for both roles; renewal kim
value: window detected, dana for both roles; renewal dana";

#[tokio::test(flavor = "multi_thread")]
async fn one_book_under_three_models() {
    for (model, wanted) in [(Model::Pair, PAIR), (Model::Combined, COMBINED), (Model::Asymmetric, PAIR)] {
        let bot = book(model).await;
        assert_eq!(routing(&bot).await, wanted, "{model:?}");
        bot.set_aside().await;
    }
}

/// The pool's windows reach all of its members, whatever the model's name.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_model_takes_the_open_work_along_and_tells_everyone_once() {
    let bot = book(Model::Pair).await;
    let change = async |wish: Wish| model::set(&bot.app.store, bot.org.id, &wish, Actor::System, bot.app.now()).await;
    let to = |model: Model| Wish { model: Some(model), ..Wish::default() };
    let changed = change(to(Model::Combined)).await.unwrap().unwrap();
    assert_eq!(routing(&bot).await, COMBINED, "as if it had always been so");
    assert_eq!((changed.handoffs, changed.renewals), (1, 2), "from Lea to Kim; from Kim to Dana, twice");
    assert!(change(to(Model::Combined)).await.unwrap().is_none(), "the same again is no change");
    bot.deliver().await;
    let mut told: Vec<String> = bot.unseen_lines().into_iter().map(|(channel, _)| channel).collect();
    told.sort();
    assert_eq!(told, ["Ddana", "Dkim", "Dlea", "Dnoa", "Dpat", "Dpia"], "everyone with a book, once; not who has left");
    let kims = bot.next_post("kim").summary;
    assert!(
        kims.contains("one person holds both roles.")
            && kims.contains("Yours now: 1 handoff. With others now: 2 renewals."),
        "{kims}"
    );
    assert_eq!(bot.times("model.changed").await, 1);
    bot.skip();

    // Back, with an override: small customers stay with one person, and their CSM owns the large ones' renewals.
    let wish = Wish {
        segments: [(Segment::Smb, Some(Model::Combined))].into(),
        segment_renewals: [(Segment::Enterprise, Some(RenewalOwner::Csm))].into(),
        ..to(Model::Asymmetric)
    };
    change(wish).await.unwrap().unwrap();
    assert_eq!(
        routing(&bot).await,
        "away: window detected, dana; renewal dana
gone: window detected, lea; renewal lea
none: window offered, ada; renewal ada
pair: window detected, dana; renewal dana
pool: window detected, dana for both roles; renewal dana
sales: window detected, kim for both roles; renewal kim
value: window detected, dana for both roles; renewal dana"
    );
    // The night finds nothing left to move.
    let moved = bot.times("handoff.reassigned").await + bot.times("book.transferred").await;
    bot.at("2026-11-24T01:00:00Z").await;
    assert_eq!(bot.times("handoff.reassigned").await + bot.times("book.transferred").await, moved);
    bot.deliver().await;
    bot.skip();
    bot.finish().await;
}

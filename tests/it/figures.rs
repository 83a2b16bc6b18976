//! Key figures and failure measures end to end: from files, clicks and nights
//! to what people are answered, with a second organisation beside.

pub(crate) mod independent;
mod rules;

use tandem::app::figures::{self, Report};
use tandem::domain::figures::failure::Measure;
use tandem::domain::figures::period::Period;
use tandem::domain::figures::{FigureId, Whose};
use tandem::domain::person::PersonId;
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;

use crate::support::bot::TestBot;

const PEOPLE: &str = "email,name,roles,timezone,manager_email,slack_user_id\n\
    ada@x.eu,Ada Quinn,admin,Europe/Berlin,,Uada\n\
    lea@x.eu,Lea Lead,lead,Europe/Berlin,,Ulea\n\
    dana@x.eu,Dana Reyes,csm,Europe/Berlin,lea@x.eu,Udana\n\
    kim@x.eu,Kim Okafor,account_manager,Europe/Berlin,lea@x.eu,Ukim\n\
    noa@x.eu,Noa Rao,csm,Europe/Berlin,,Unoa\n";

const ACCOUNTS: &str = "account_id,name,arr,seats,start_date,renewal_date,term_months,notice_period_days,csm_email,account_manager_email,cost_to_serve,status\n\
    acme,Acme,120000,100,2024-01-01,2027-02-28,12,30,dana@x.eu,kim@x.eu,30000,active\n\
    bolt,Bolt,50000,100,2024-01-01,2027-09-30,12,30,dana@x.eu,kim@x.eu,10000,active\n\
    calm,Calm,20000,100,2024-01-01,2027-09-30,12,30,noa@x.eu,kim@x.eu,,active\n\
    gone,Gone,30000,10,2024-01-01,,,,dana@x.eu,kim@x.eu,,churned\n";

const OUTCOMES: &str = "account_id,kind,decided_on,arr_before,arr_after\n\
    acme,expanded,2026-10-10,100000,120000\n\
    gone,churned,2026-11-02,30000,0\n";

/// The Sunday before a first night.
async fn sunday() -> TestBot {
    let bot = TestBot::new(Model::Pair, "2026-11-22T12:00:00Z").await;
    bot.import(RowKind::People, PEOPLE).await;
    bot.import(RowKind::Accounts, ACCOUNTS).await;
    bot.import(RowKind::Quotas, "email,period,amount\nkim@x.eu,2026-Q4,50000\n").await;
    let mut signals = "account_id,source,kind,observed_on,value,reference\n".to_owned();
    for day in ["2026-10-25", "2026-11-01", "2026-11-08", "2026-11-15", "2026-11-22"] {
        signals += &format!("bolt,usage,active_users,{day},95,\nacme,usage,active_users,{day},60,\n");
    }
    signals += "acme,sentiment,nps,2026-11-01,10,eva\nacme,sentiment,nps,2026-11-02,3,tom\n\
        acme,crm,notice_served,2026-11-20,true,\nacme,crm,opportunity_amount,2026-11-20,60000,opp-1\n";
    bot.import(RowKind::Signals, &signals).await;
    bot.import_to(&bot.org, RowKind::Outcomes, OUTCOMES).await;
    bot
}

impl TestBot {
    async fn report(&self, whose: Whose, period: &str) -> Report {
        let mut tx = self.app.store.tenant(self.org.id).await.unwrap();
        let snapshot = self.app.snapshot(&mut tx).await.unwrap();
        let period: Period = period.parse().unwrap();
        let span = period.until(snapshot.today(None, self.app.now())).unwrap();
        figures::report(&mut tx, &snapshot, whose, period, span, self.app.now()).await.unwrap()
    }

    async fn person(&self, who: &str) -> PersonId {
        let mut tx = self.app.store.tenant(self.org.id).await.unwrap();
        let snapshot = self.app.snapshot(&mut tx).await.unwrap();
        snapshot.person_by_email(&format!("{who}@x.eu")).unwrap().id
    }
}

fn said(report: &Report, id: FigureId) -> String {
    let figure = report.figures.iter().find(|figure| figure.id == id).unwrap();
    figure.value.as_ref().map_or_else(|why| format!("not known: {why}"), ToString::to_string)
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_of_whoever_asks() {
    let bot = sunday().await;
    bot.at("2026-11-23T01:00:00Z").await;
    let all = bot.report(Whose::Organisation, "2026-Q4").await;
    // Four customers on 1 October, one has left: ARR 100 + 50 + 20 + 30, now 120 + 50 + 20 + 0.
    assert_eq!(said(&all, FigureId::CustomerRetention), "75%");
    assert_eq!(said(&all, FigureId::GrossRetention), "85%", "170 of 200");
    assert_eq!(said(&all, FigureId::NetRetention), "95%", "190 of 200");
    assert_eq!(said(&all, FigureId::Upsell), "€20k");
    assert_eq!(said(&all, FigureId::GrossMargin), "76.5%", "170 less 40 of 170");
    assert_eq!(said(&all, FigureId::PipelineCoverage), "2×", "60 open, 50 − 20 missing");
    assert_eq!(said(&all, FigureId::Nps), "0");
    assert_eq!(said(&all, FigureId::Adoption), "77.5%", "155 of 200 seats; Calm is not measured");
    let noas = bot.report(Whose::Person(bot.person("noa").await), "2026-Q4").await;
    assert_eq!((said(&noas, FigureId::CustomerRetention), noas.failures.len()), ("100%".to_owned(), 0));
    assert!(said(&noas, FigureId::PipelineCoverage).contains("no quota is imported for 2026-Q4"));
    // The quarter before: nobody had left and nothing had grown, though today's ARR says otherwise.
    let before = bot.report(Whose::Organisation, "2026-Q3").await;
    assert_eq!(said(&before, FigureId::CustomerRetention), "100%");
    assert_eq!(said(&before, FigureId::NetRetention), "100%");
    assert!(said(&before, FigureId::PortfolioHealth).starts_with("not known"));

    // The organisation beside has the same accounts and imports no outcomes.
    let mut tx = bot.app.store.tenant(bot.other.id).await.unwrap();
    let snapshot = bot.app.snapshot(&mut tx).await.unwrap();
    let (period, now) = ("2026-Q4".parse::<Period>().unwrap(), bot.app.now());
    let span = period.until(snapshot.today(None, now)).unwrap();
    let beside = figures::report(&mut tx, &snapshot, Whose::Organisation, period, span, now).await.unwrap();
    drop(tx);
    assert!(said(&beside, FigureId::CustomerRetention).contains("no outcome is imported"));

    let danas = bot.slash("dana", "/tandem kpi").await;
    for words in ["Key figures of Dana, Q4 2026", "Until Mon 23 Nov", "Customer retention rate", "66.7%", "Both sides"]
    {
        assert!(danas.contains(words), "{words} is not in\n{danas}");
    }
    assert!(!danas.contains("Pipeline coverage"), "not a CSM's: {danas}");
    assert!(danas.contains("Customers of the period's start that did not leave in it"), "what it means: {danas}");
    let kims = bot.slash("kim", "/tandem kpi 2026").await;
    assert!(kims.contains("Key figures of Kim, 2026") && kims.contains("quota") && !kims.contains("NPS"), "{kims}");
    let leas = bot.slash("lea", "/tandem kpi").await;
    assert!(leas.contains("Key figures of your team, Q4 2026") && leas.contains("How the model holds"), "{leas}");
    let adas = bot.slash("ada", "/tandem kpi 2026-11").await;
    assert!(adas.contains("Key figures of north, November 2026"), "{adas}");
    assert!(bot.slash("dana", "/tandem kpi last year").await.contains("expected a quarter such as 2026-Q4"));
    assert!(bot.slash("dana", "/tandem kpi 2027-Q1").await.contains("2027-Q1 begins on 2027-01-01"));
    bot.skip();
    // What the admin hears on a Monday comes in her morning.
    bot.at("2026-11-23T07:00:00Z").await;
    bot.skip();
    // The pictures.
    bot.read_privates().await;
    bot.finish().await;
}

/// On the first working day of the lead's week the morning has the failure measure, also when it is drawn again later.
#[tokio::test(flavor = "multi_thread")]
async fn the_leads_week_opens_with_how_the_model_holds() {
    let bot = sunday().await;
    bot.at("2026-11-23T01:00:00Z").await;
    bot.at("2026-11-23T07:00:00Z").await;
    let monday = bot.next_post("lea");
    let text = monday.text();
    assert!(text.contains("This week") && text.contains("No handoff was offered in the last 30 days."), "{text}");
    let danas = bot.next_post("dana");
    bot.clock.advance(chrono::TimeDelta::minutes(5));
    bot.click("dana", &danas, "Qualify", "Bolt").await;
    let qualification = [("need", "Twenty more seats"), ("contact", "Eva Sol"), ("timing", "Before Christmas")];
    bot.submit("dana", &qualification).await;
    let kims = {
        let first = bot.next_post("kim");
        if first.labels().contains(&"Claim".to_owned()) { first } else { bot.next_post("kim") }
    };
    bot.clock.advance(chrono::TimeDelta::hours(3));
    bot.click("kim", &kims, "Claim", "Bolt").await;
    let report = bot.report(Whose::Organisation, "2026-Q4").await;
    let [Measure::Pair(pair)] = report.failures.as_slice() else { panic!("{:?}", report.failures) };
    assert_eq!((pair.offered, pair.in_time, pair.late, pair.waiting), (1, 1, 0, 0));
    assert_eq!(pair.hours_to_accept, Some(3.0), "from when Kim was shown it");
    assert_eq!(said(&report, FigureId::CsqlAcceptance), "100%");
    assert_eq!(said(&report, FigureId::SlaAttainment), "100%");

    bot.skip();
    bot.at("2026-11-24T01:00:00Z").await;
    bot.at("2026-11-24T07:00:00Z").await;
    let tuesday = bot.next_post("lea").text();
    assert!(!tuesday.contains("This week"), "{tuesday}");
    let again = bot.now(&monday).text();
    assert!(again.contains("This week"), "{again}");
    bot.skip();
    bot.finish().await;
}

//! The demo's page as a browser uses it, without its script.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::header::{HOST, LOCATION, ORIGIN};
use tandem::app::App;
use tandem::app::import;
use tandem::app::organisation::{self, NewOrganisation};
use tandem::clock::MockClock;
use tandem::domain::routing::Model;
use tandem::domain::row::RowKind;
use tandem::http::demo::{Demo, router};
use tandem::http::{Drain, serve};
use tandem::store::audit::Actor;
use tandem::store::directory::{Platform, Workspace};

use crate::support::cluster::{self, TestDb};
use crate::support::service::{now, tls};

const PEOPLE: &str = r#"[{"email":"dana+cs@vendor.example","name":"Dana Okafor","roles":"csm","timezone":"Asia/Tokyo"},
                         {"email":"lee@vendor.example","name":"Lee Park","roles":"account_manager"}]"#;

struct Page {
    address: SocketAddr,
    browser: reqwest::Client,
    mornings: Arc<AtomicU32>,
    _db: TestDb,
}

impl Page {
    async fn open() -> Self {
        tls();
        let db = cluster::database().await;
        let app = App::new(db.store().await, Arc::new(MockClock::new(now())));
        let new = NewOrganisation {
            slug: "sample".into(),
            name: "Sample & Co".into(),
            model: Model::Pair,
            timezone: chrono_tz::UTC,
            currency: "USD".parse().unwrap(),
        };
        let organisation = organisation::create(&app.store, new, now()).await.unwrap();
        let workspace = Workspace { platform: Platform::Preview, id: "sample".into() };
        organisation::link(&app.store, organisation.id, &workspace, now()).await.unwrap();
        let accounts = r#"[{"account_id":"a-1","name":"Acme Corp","csm_email":"dana+cs@vendor.example"}]"#;
        for (kind, rows) in [(RowKind::People, PEOPLE), (RowKind::Accounts, accounts)] {
            let report =
                import::pushed(&app.store, &organisation, kind, rows.into(), Actor::System, now()).await.unwrap();
            assert_eq!(report.rejected, 0, "{report:?}");
        }
        let mornings = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&mornings);
        let demo = Demo::new(
            app,
            organisation.id,
            workspace,
            Arc::new(move || {
                count.fetch_add(1, Ordering::Relaxed);
                Box::pin(async { Ok(()) })
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router(demo), Drain::new(), std::future::pending()));
        let browser = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        Self { address, browser, mornings, _db: db }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.browser.get(self.url(path)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn csrf(&self) -> String {
        let (_, html) = self.get("/").await;
        html.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap().to_owned()
    }

    fn form(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.browser.post(self.url(path)).header("content-type", "application/x-www-form-urlencoded").body(body)
    }

    /// Sends a form as Dana and follows it back to the page.
    async fn send(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let csrf = self.csrf().await;
        let fields = [&[("csrf", csrf.as_str()), ("person", "dana+cs@vendor.example")], fields].concat();
        let origin = format!("http://{}", self.address);
        let answer = self.form(path, &fields).header(ORIGIN, origin).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 303, "{path}");
        let back = answer.headers()[LOCATION].to_str().unwrap().to_owned();
        let tab = if fields.contains(&("tab", "home")) { "&tab=home" } else { "" };
        let at = if path == "/demo/next-morning" { "#newest" } else { "" };
        assert_eq!(back, format!("/?person=dana%2Bcs%40vendor.example{tab}{at}"));
        let (status, html) = self.get(&back).await;
        assert_eq!(status, 200, "{html}");
        html
    }
}

#[tokio::test]
async fn the_page_shows_people_and_keeps_to_its_policy() {
    let page = Page::open().await;
    let answer = page.browser.get(page.url("/?person=dana%2Bcs@vendor.example")).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("script-src 'self'"), "{policy}");
    assert_eq!(answer.headers()["referrer-policy"], "same-origin");
    let html = answer.text().await.unwrap();
    for words in [
        "Sample &amp; Co",
        "Dana Okafor",
        "Customer Success Manager",
        "Asia/Tokyo",
        "Lee Park",
        "Account Manager",
        "imported data",
        "/account Acme Corp",
    ] {
        assert!(html.contains(words), "{words}");
    }
    // 2026-09-21 14:13 UTC is late in the evening in Tokyo.
    assert!(html.contains("Monday 21 September 2026") && html.contains("23:13"));
    for (asset, kind) in [("/demo.css", "text/css"), ("/demo.js", "text/javascript"), ("/demo.svg", "image/svg+xml")] {
        let answer = page.browser.get(page.url(asset)).send().await.unwrap();
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with(kind), "{asset}");
    }
    assert_eq!(page.get("/nowhere").await.0, 404);
}

#[tokio::test]
async fn commands_are_answered_privately_until_they_are_dismissed() {
    let page = Page::open().await;
    let html = page.send("/demo/command", &[("text", "/account acme")]).await;
    assert!(html.contains("Only visible to you") && html.contains("id=\"m-answer-1\""));
    let (_, again) = page.get("/?person=dana%2Bcs%40vendor.example").await;
    assert!(again.contains("id=\"m-answer-1\""), "it stays");
    let (_, other) = page.get("/?person=lee@vendor.example").await;
    assert!(!other.contains("answer-1"), "nobody else sees it");
    let html = page.send("/demo/dismiss", &[("message", "answer-1")]).await;
    assert!(!html.contains("id=\"m-answer-1\""));
    let html = page.send("/demo/act", &[("message", ""), ("action", "dance|risk:1")]).await;
    assert!(html.contains("no longer in use"));
}

#[tokio::test]
async fn the_next_morning_comes_when_it_is_asked_for() {
    let page = Page::open().await;
    page.send("/demo/command", &[("text", "/tandem help")]).await;
    let html = page.send("/demo/next-morning", &[]).await;
    assert_eq!(page.mornings.load(Ordering::Relaxed), 1);
    assert!(html.contains("It is Monday 21 September now.") && !html.contains("answer-1"));
}

#[tokio::test]
async fn forms_of_other_pages_do_nothing() {
    let page = Page::open().await;
    let csrf = page.csrf().await;
    let person = ("person", "lee@vendor.example");
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    let form = |csrf: &str| page.form("/demo/next-morning", &[("csrf", csrf), person]);
    assert_eq!(status(form("wrong")).await, 403);
    assert_eq!(status(page.form("/demo/next-morning", &[person])).await, 403);
    assert_eq!(status(form(&csrf).header(ORIGIN, "http://evil.example")).await, 403);
    assert_eq!(status(form(&csrf).header(ORIGIN, "null")).await, 403);
    assert_eq!(status(form(&csrf).header(HOST, "rebound.example")).await, 403);
    assert_eq!(status(page.form("/demo/next-morning", &[("csrf", &csrf), ("person", "eve@evil.example")])).await, 404);
    assert_eq!(status(page.browser.get(page.url("/")).header(HOST, "rebound.example")).await, 403);
    assert_eq!(page.mornings.load(Ordering::Relaxed), 0);
    assert_eq!(status(form(&csrf)).await, 303);
}

#[tokio::test]
async fn the_home_tab_says_what_will_come_and_opens_the_settings() {
    let page = Page::open().await;
    let (status, html) = page.get("/?person=dana%2Bcs@vendor.example&tab=home").await;
    assert_eq!(status, 200);
    assert!(html.contains("Dana&#39;s book: 1 account") || html.contains("Dana's book: 1 account"), "{html}");
    assert!(html.contains("Nothing has been read yet."), "{html}");
    assert!(html.contains("name=\"tab\" value=\"home\""), "its forms come back to it");

    let html = page.send("/demo/act", &[("message", "home"), ("action", "settings|home:1"), ("tab", "home")]).await;
    assert!(html.contains("type=\"time\"") && html.contains("value=\"mon\" checked"), "{html}");
    let fields = [
        ("action", "settings|home:1"),
        ("message", "home"),
        ("tab", "home"),
        ("f.digest_time", "07:45"),
        ("f.workdays", "mon"),
        ("f.workdays", "wed"),
        ("f.budget", "3"),
        ("f.empty_mornings", "silent"),
    ];
    let html = page.send("/demo/submit", &fields).await;
    assert!(html.contains("at 07:45 (Asia/Tokyo)"), "{html}");
}

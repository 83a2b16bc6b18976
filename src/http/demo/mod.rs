//! The demo's page: everybody's conversation with Tandem in one browser, on
//! this machine. It works by POST, redirect and GET; what is said to one person
//! alone (private answers, an open dialog) is kept here until it was shown.
//!
//! Only for loopback: whoever opens the page may act as anyone. Other sites open
//! in the same browser can send forms to loopback too, so each form carries a
//! token, and the Host and Origin headers have to be the page's own.

mod activity;
mod asides;
mod view;

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, FromRequest, Query, Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderMap, ORIGIN, REFERRER_POLICY};
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use futures_util::future::BoxFuture;
use serde::Deserialize;
use subtle::ConstantTimeEq;
use url::form_urlencoded;

use super::{dressed, sentence, single};
use crate::app::{App, Asker, Who, act, query};
use crate::domain::action::Action;
use crate::domain::command;
use crate::domain::message::{Answers, Reply, answer};
use crate::domain::person::{OrgId, Person, PersonId};
use crate::preview;
use crate::preview::page::page;
use crate::store::directory::{self, Workspace};
use crate::store::person;
use asides::{Aside, Asides};

/// Forms are short texts; the longest field takes 3,000 characters.
const FORM_MAX: usize = 64 << 10;

/// Moves the demo's clock to the next morning and does what a night and a morning do.
pub type NextMorning = Arc<dyn Fn() -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// What the page needs. Cheap to clone.
#[derive(Clone)]
pub struct Demo {
    app: App,
    org: OrgId,
    /// The sample organisation's installation on the preview.
    workspace: Workspace,
    next_morning: NextMorning,
    /// One night after the other.
    night: Arc<tokio::sync::Mutex<()>>,
    csrf: Arc<str>,
    asides: Arc<Mutex<Asides>>,
}

impl Demo {
    pub fn new(app: App, org: OrgId, workspace: Workspace, next_morning: NextMorning) -> Self {
        let csrf = hex::encode(rand::random::<[u8; 32]>());
        Self { app, org, workspace, next_morning, night: Arc::default(), csrf: csrf.into(), asides: Arc::default() }
    }

    fn asker(&self, person: PersonId) -> Asker {
        Asker { org: self.org, workspace: self.workspace.clone(), who: Who::Person(person), channel: None }
    }

    fn with<T>(&self, person: PersonId, change: impl FnOnce(&mut Aside) -> T) -> T {
        let mut asides = self.asides.lock().unwrap_or_else(PoisonError::into_inner);
        change(asides.of(person))
    }

    /// Everyone who is here, by e-mail.
    async fn people(&self) -> anyhow::Result<Vec<Person>> {
        let mut tx = self.app.store.tenant(self.org).await?;
        let organisation = directory::own_organisation(&mut tx).await?;
        let everyone = person::all(&mut tx, organisation.timezone).await?;
        Ok(everyone.into_iter().map(|stored| stored.person).filter(|person| person.active).collect())
    }
}

/// The demo's routes.
pub fn router(demo: Demo) -> Router {
    let asset = |kind: &'static str, text: &'static str| get(move || async move { ([(CONTENT_TYPE, kind)], text) });
    let routes = Router::new()
        .route("/", get(show))
        .route("/demo.css", asset("text/css; charset=utf-8", preview::STYLES))
        .route("/demo.js", asset("text/javascript; charset=utf-8", preview::SCRIPT))
        .route("/demo.svg", asset("image/svg+xml", preview::ICON))
        .route("/demo/act", post(pressed))
        .route("/demo/submit", post(submitted))
        .route("/demo/command", post(typed))
        .route("/demo/dismiss", post(dismissed))
        .route("/demo/next-morning", post(next_morning))
        .with_state(demo)
        .layer(DefaultBodyLimit::max(FORM_MAX))
        .layer(from_fn(on_this_machine));
    dressed(routes)
}

/// Turns away names that only lead to loopback (DNS rebinding), and forms of other pages.
async fn on_this_machine(request: Request, next: Next) -> Response {
    if !is_own(request.headers()) {
        return sentence(StatusCode::FORBIDDEN, "The demo answers its own page on this machine only.");
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // Under no-referrer browsers send "Origin: null" with forms.
    headers.insert(REFERRER_POLICY, axum::http::HeaderValue::from_static("same-origin"));
    headers.insert(CONTENT_SECURITY_POLICY, axum::http::HeaderValue::from_static(preview::CONTENT_SECURITY_POLICY));
    response
}

fn is_own(headers: &HeaderMap) -> bool {
    let Some(host) = single(headers, &HOST) else { return false };
    let uri = format!("http://{host}/").parse::<Uri>();
    let loopback = uri.is_ok_and(|uri| matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]")));
    let origin = !headers.contains_key(ORIGIN)
        || single(headers, &ORIGIN).and_then(|origin| origin.strip_prefix("http://")) == Some(host);
    loopback && origin
}

#[derive(Deserialize)]
struct Shown {
    person: Option<String>,
    tab: Option<String>,
}

async fn show(State(demo): State<Demo>, Query(shown): Query<Shown>) -> Response {
    match view::page_of(&demo, shown.person.as_deref(), shown.tab.as_deref() == Some("home")).await {
        Ok(view) => page(&view).into_response(),
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> Response {
    tracing::error!(error = %format!("{error:#}"), "the demo's page failed");
    sentence(StatusCode::INTERNAL_SERVER_ERROR, "The demo could not do that. Its log says why; please reload the page.")
}

/// A form of our own page, sent as one of the people here.
struct Posted {
    fields: Vec<(String, String)>,
    person: Person,
}

impl Posted {
    fn field(&self, name: &str) -> &str {
        value(&self.fields, name)
    }

    fn action(&self) -> Option<Action> {
        self.field("action").parse().ok()
    }

    /// What was typed into the dialog's fields; blank is absent, as in chat.
    fn answers(&self) -> Answers {
        let typed = self.fields.iter().filter_map(|(name, value)| Some((name.strip_prefix("f.")?, value)));
        let mut answers = Answers::new();
        for (id, value) in typed.filter(|(_, value)| !value.trim().is_empty()) {
            // Each checked box is a field of its own.
            answers
                .entry(id.to_owned())
                .and_modify(|before: &mut String| *before = format!("{before};{value}"))
                .or_insert_with(|| value.clone());
        }
        answers
    }

    /// Back to the page, as the same person.
    fn back(&self) -> Response {
        Redirect::to(&self.place()).into_response()
    }

    /// The same, where the newest morning begins.
    fn back_to_newest(&self) -> Response {
        Redirect::to(&format!("{}#newest", self.place())).into_response()
    }

    fn place(&self) -> String {
        let person: String = form_urlencoded::byte_serialize(self.person.email.as_bytes()).collect();
        let tab = if self.field("tab") == "home" { "&tab=home" } else { "" };
        format!("/?person={person}{tab}")
    }
}

fn value<'f>(fields: &'f [(String, String)], name: &str) -> &'f str {
    fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

impl FromRequest<Demo> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, demo: &Demo) -> Result<Self, Response> {
        let Form(fields) =
            Form::<Vec<(String, String)>>::from_request(request, demo).await.map_err(IntoResponse::into_response)?;
        let right: bool = value(&fields, "csrf").as_bytes().ct_eq(demo.csrf.as_bytes()).into();
        if !right {
            return Err(sentence(
                StatusCode::FORBIDDEN,
                "This form is from an earlier start of the demo. Reload the page.",
            ));
        }
        let people = demo.people().await.map_err(|error| failed(&error))?;
        let email = value(&fields, "person");
        let found = people.into_iter().find(|person| person.email == email);
        let person = found.ok_or_else(|| sentence(StatusCode::NOT_FOUND, "Nobody here has this address."))?;
        Ok(Self { fields, person })
    }
}

async fn pressed(State(demo): State<Demo>, posted: Posted) -> Response {
    let message = posted.field("message");
    let reply = match posted.action() {
        Some(action) => act::press(&demo.app, &demo.asker(posted.person.id), &action, None).await,
        None => Ok(Reply::Private(answer::unknown_action())),
    };
    let now = demo.app.now();
    demo.with(posted.person.id, |aside| match reply {
        Ok(Reply::Dialog(dialog)) => aside.open(dialog, message),
        Ok(Reply::Private(said)) => aside.say(said, now),
        Ok(Reply::Silent) => aside.changed(message),
        Ok(Reply::FieldErrors(errors)) => aside.say(of_errors(&errors), now),
        Err(error) => aside.say(sorry(&error), now),
    });
    posted.back()
}

async fn submitted(State(demo): State<Demo>, posted: Posted) -> Response {
    let (message, answers, now) = (posted.field("message"), posted.answers(), demo.app.now());
    let Some(action) = posted.action() else {
        demo.with(posted.person.id, |aside| aside.say(answer::unknown_action(), now));
        return posted.back();
    };
    let reply = act::submit(&demo.app, &demo.asker(posted.person.id), &action, &answers, None).await;
    demo.with(posted.person.id, |aside| match reply {
        Ok(Reply::Dialog(dialog)) => aside.open(dialog, message),
        Ok(Reply::Private(said)) => aside.say(said, now),
        Ok(Reply::Silent) => aside.changed(message),
        Ok(Reply::FieldErrors(errors)) => {
            if !aside.open_again(&action, message, answers, errors.clone()) {
                aside.say(of_errors(&errors), now);
            }
        }
        Err(error) => {
            let said = sorry(&error);
            // Above the fields, with what was typed.
            if !aside.open_again(&action, message, answers, vec![(String::new(), said.summary.clone())]) {
                aside.say(said, now);
            }
        }
    });
    posted.back()
}

fn of_errors(errors: &[(String, String)]) -> crate::domain::message::Message {
    let sentences: Vec<&str> = errors.iter().map(|(_, sentence)| sentence.as_str()).collect();
    crate::domain::message::Message::sentence(sentences.join("\n"))
}

fn sorry(error: &anyhow::Error) -> crate::domain::message::Message {
    tracing::error!(error = %format!("{error:#}"), "a press in the demo failed");
    answer::failed("see the demo's log")
}

async fn typed(State(demo): State<Demo>, posted: Posted) -> Response {
    let typed = command::parse("", posted.field("text"));
    let reply = query::command(&demo.app, &demo.asker(posted.person.id), &typed).await;
    let now = demo.app.now();
    demo.with(posted.person.id, |aside| match reply {
        Ok(Reply::Private(said)) => aside.answer(typed, &said.summary, now),
        Ok(Reply::Dialog(dialog)) => aside.open(dialog, ""),
        Ok(Reply::Silent) => {}
        Ok(Reply::FieldErrors(errors)) => aside.say(of_errors(&errors), now),
        Err(error) => aside.say(sorry(&error), now),
    });
    posted.back()
}

async fn dismissed(State(demo): State<Demo>, posted: Posted) -> Response {
    demo.with(posted.person.id, |aside| aside.dismiss(posted.field("message")));
    posted.back()
}

async fn next_morning(State(demo): State<Demo>, posted: Posted) -> Response {
    let (night, next) = (Arc::clone(&demo.night), Arc::clone(&demo.next_morning));
    // Goes on to its end also when the browser does not wait.
    let running = tokio::spawn(async move {
        let _one_at_a_time = night.lock().await;
        next().await
    });
    match running.await {
        Ok(Ok(())) => {
            let date = demo.app.now().with_timezone(&posted.person.timezone).format("%A %-d %B").to_string();
            demo.with(posted.person.id, |aside| aside.morning(&date));
            posted.back_to_newest()
        }
        Ok(Err(error)) => failed(&error),
        Err(panic) => failed(&anyhow::Error::new(panic)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(pairs: &[(axum::http::HeaderName, &str)]) -> bool {
        is_own(&pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect())
    }

    #[test]
    fn only_the_page_itself_on_this_machine_is_answered() {
        for host in ["127.0.0.1:8080", "localhost", "[::1]:8080"] {
            assert!(own(&[(HOST, host)]), "{host}");
            assert!(own(&[(HOST, host), (ORIGIN, &format!("http://{host}"))]), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:8080", "localhost@evil.example", ""] {
            assert!(!own(&[(HOST, host)]), "{host}");
        }
        for origin in ["http://evil.example", "https://localhost:8080", "http://localhost:3000", "null"] {
            assert!(!own(&[(HOST, "localhost:8080"), (ORIGIN, origin)]), "{origin}");
        }
        assert!(!own(&[]));
    }
}

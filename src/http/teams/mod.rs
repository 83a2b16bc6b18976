//! Teams' one address. An activity is proven and turned into one own value
//! ([`Verified`]) before anything here sees it. What Teams waits for (presses,
//! dialogs) is answered in the response within its 5 seconds; everything else
//! is answered at once, and what there is to say is posted.

mod added;
mod answer;
mod dialog;
mod places;
mod press;
mod said;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::ask::{Answer, Ask, AskedAbout, Pending, What};
use super::body::{self, Limits};
use super::{Http, sentence, single};
use crate::app::query;
use crate::domain::message::answer as answers;
use crate::picture;
use crate::store::directory::{Platform, Workspace};
use crate::teams::address::{ServiceUrl, ServiceUrls};
use crate::teams::auth::{Gate, Unproven};
use crate::teams::client::Client;
use crate::teams::inbound::{self, Activity, Refusal, Scope, What as Told};
use crate::teams::render;

/// From the first byte; Teams gives up on a press after 5 s and the answer has to travel.
const ANSWER_WITHIN: Duration = Duration::from_millis(4_000);
/// Activities are a few kilobytes; they come in the first packets.
const BODY: Limits = Limits { bytes: 1 << 20, within: Duration::from_secs(2) };

/// Pictures travel inside of the cards.
const DRAW: render::Draw = |chart| picture::data_address(chart, picture::Size::Small).ok();

/// What Teams' route needs. Cheap to clone.
#[derive(Clone)]
pub struct TeamsDoor {
    gate: Gate,
    client: Client,
    services: ServiceUrls,
    asked_about: AskedAbout,
    places: places::Remembered,
}

impl TeamsDoor {
    pub fn new(gate: Gate, client: Client, services: ServiceUrls) -> Self {
        Self { gate, client, services, asked_about: AskedAbout::default(), places: places::Remembered::default() }
    }
}

/// An activity, proven and parsed, and when it began. `None` where its type is none of ours.
pub(super) struct Verified {
    activity: Option<(Activity, ServiceUrl)>,
    since: Instant,
}

impl FromRequest<Http> for Verified {
    type Rejection = Response;

    async fn from_request(request: Request, http: &Http) -> Result<Self, Response> {
        let since = Instant::now();
        let nowhere = || sentence(StatusCode::NOT_FOUND, "There is nothing here.");
        let teams = http.teams.as_ref().ok_or_else(nowhere)?;
        let (head, body) = request.into_parts();
        let authorization = single(&head.headers, &AUTHORIZATION);
        let refused = |refusal: Refusal| {
            tracing::info!(%refusal, "an activity was refused");
            sentence(refusal.status(), &format!("{refusal}."))
        };
        if authorization.is_none() {
            return Err(refused(Unproven::Missing.into()));
        }
        let held =
            body::read(body, &head.headers, BODY, &http.webhook_memory).await.map_err(IntoResponse::into_response)?;
        let envelope = inbound::envelope(&held.bytes).map_err(refused)?;
        let service =
            teams.gate.admit(authorization, &envelope, http.app.now()).await.map_err(|no| refused(no.into()))?;
        let activity = inbound::activity(&held.bytes).map_err(refused)?;
        Ok(Self { activity: activity.map(|activity| (activity, service)), since })
    }
}

/// One activity with all that answering it takes. Cheap to clone.
#[derive(Clone)]
struct Desk {
    http: Http,
    teams: TeamsDoor,
    activity: Arc<Activity>,
    service: ServiceUrl,
    since: Instant,
}

pub(super) async fn receive(State(http): State<Http>, verified: Verified) -> Response {
    let (Some(teams), Some((activity, service))) = (http.teams.clone(), verified.activity) else { return nothing() };
    let desk = Desk { http, teams, activity: Arc::new(activity), service, since: verified.since };
    let told = desk.activity.what.clone();
    if matches!(told, Told::Ignored) {
        return nothing();
    }
    let org = match query::organisation_of(&desk.http.app, &desk.workspace()).await {
        Ok(Some(org)) => org,
        Ok(None) => return desk.stranger(&told),
        Err(error) => return desk.failed(&told, &error),
    };
    desk.note(org);
    match told {
        Told::Ignored | Told::Upgraded => nothing(),
        Told::UnknownInvoke => StatusCode::NOT_IMPLEMENTED.into_response(),
        Told::Said(text) => desk.behind(move |desk| async move { desk.said(org, text).await }),
        Told::Added => desk.behind(move |desk| async move { desk.added(org).await }),
        Told::Removed => desk.behind(move |desk| async move { desk.removed(org).await }),
        Told::Press { action, carried, answered } => desk.pressed(action, carried, answered).await,
        Told::Refresh(carried) => desk.refreshed(&carried).await,
        Told::Fetch { action, carried } => desk.fetched(action, carried).await,
        Told::Submit { action, carried, answers } => desk.submitted(action, carried, answers).await,
    }
}

/// Begins what is asked; it goes on whether or not Teams still waits.
fn ask_of(desk: &Desk, ask: &Ask) -> Pending {
    let asker = desk.clone();
    ask.begin(&desk.http.app, &desk.http.drain, async move { asker.is_outsider().await })
}

/// 200 with an empty body: taken, nothing to say.
fn nothing() -> Response {
    StatusCode::OK.into_response()
}

fn body_of(value: Value) -> Response {
    Json(value).into_response()
}

impl Desk {
    fn workspace(&self) -> Workspace {
        Workspace { platform: Platform::Teams, id: self.activity.tenant.clone() }
    }

    /// Whether a guest, somebody of another company or an anonymous participant of a meeting asks: they are told nothing
    /// about customers even where somebody imported them as a colleague. Where Teams does not say, the organisation's own
    /// list of people decides alone.
    async fn is_outsider(&self) -> bool {
        let Activity { tenant, who, place, .. } = &*self.activity;
        let asked = self.teams.client.is_outsider(&self.service, tenant, place.root(), &who.account_id).await;
        asked.unwrap_or_else(|error| {
            tracing::warn!(%error, "Teams did not say whether a guest asks");
            false
        })
    }

    fn ask(&self, channel: Option<&str>, what: What) -> Ask {
        let user_id = self.activity.who.user_id.clone();
        Ask { workspace: self.workspace(), user_id, channel: channel.map(str::to_owned), what }
    }

    /// The channel or group chat that it came from; `None` in the personal chat.
    fn channel(&self) -> Option<&str> {
        (self.activity.place.scope != Scope::Personal).then(|| self.activity.place.root())
    }

    /// By what a repeated delivery of this activity is known again.
    fn receipt(&self) -> String {
        format!("teams:{}:{}", self.activity.place.root(), self.activity.id)
    }

    /// Work after the answer; the stop waits for it.
    fn behind<F: Future<Output = ()> + Send + 'static>(self, work: impl FnOnce(Self) -> F) -> Response {
        let drain = self.http.drain.clone();
        drop(drain.spawn(work(self)));
        nothing()
    }

    /// A tenant of nobody's: one polite refusal, and nothing is kept.
    fn stranger(self, told: &Told) -> Response {
        let refusal = answers::unknown_workspace("teams", &self.activity.tenant);
        match told {
            Told::Press { answered: true, .. } | Told::Refresh(_) => body_of(render::told(&refusal)),
            Told::Fetch { .. } | Told::Submit { .. } => body_of(render::said(&refusal)),
            Told::Said(_) | Told::Added | Told::Press { .. } if self.teams.places.is_first_refusal(&self.activity) => {
                self.behind(move |desk| async move {
                    let place = desk.activity.place.conversation.clone();
                    desk.post(&place, &render::message(&refusal, DRAW)).await;
                })
            }
            Told::UnknownInvoke => StatusCode::NOT_IMPLEMENTED.into_response(),
            _ => nothing(),
        }
    }

    /// The database did not say whose tenant it is.
    fn failed(&self, told: &Told, error: &anyhow::Error) -> Response {
        let answer = Answer::of_error(error);
        let said = match &answer.reply {
            crate::domain::message::Reply::Private(message) => message.clone(),
            _ => answers::busy(),
        };
        match told {
            Told::Press { answered: true, .. } | Told::Refresh(_) => body_of(render::told(&said)),
            Told::Fetch { .. } | Told::Submit { .. } => body_of(render::said(&said)),
            _ => super::busy(),
        }
    }

    /// Closes a dialog.
    fn closed() -> Response {
        body_of(json!({}))
    }
}

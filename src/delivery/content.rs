//! What delivery asks of the app: how a message reads now, and what follows
//! from its arriving or from its being given up.

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use uuid::Uuid;

use crate::app::{App, content};
use crate::domain::message::Message;
use crate::domain::person::{OrgId, PersonId};
use crate::store::Tenant;

/// How a message reads now: app, organisation, message, content, reader.
pub type Render =
    for<'a> fn(&'a App, OrgId, Uuid, &'a Value, Option<PersonId>) -> BoxFuture<'a, anyhow::Result<Option<Message>>>;
/// What follows when it arrived: app, transaction, message, content, reader, when.
pub type Delivered = for<'a> fn(
    &'a App,
    &'a mut Tenant,
    Uuid,
    &'a Value,
    Option<PersonId>,
    DateTime<Utc>,
) -> BoxFuture<'a, anyhow::Result<()>>;
/// What follows when it was given up: as [`Delivered`], with the problem's code before the time.
pub type GivenUp = for<'a> fn(
    &'a App,
    &'a mut Tenant,
    Uuid,
    &'a Value,
    Option<PersonId>,
    &'a str,
    DateTime<Utc>,
) -> BoxFuture<'a, anyhow::Result<()>>;

/// Plain functions rather than a trait: there is one app, and what tests put here needs no state of its own.
#[derive(Clone, Copy)]
pub struct Contents {
    pub render: Render,
    pub delivered: Delivered,
    pub given_up: GivenUp,
}

impl Contents {
    /// `app::content`.
    pub fn of_the_app() -> Self {
        Self {
            render: |app, org, id, content, reader| content::render(app, org, id, content, reader).boxed(),
            delivered: |app, tx, message, content, reader, at| {
                content::delivered(app, tx, message, content, reader, at).boxed()
            },
            given_up: |app, tx, message, content, reader, problem, at| {
                content::given_up(app, tx, message, content, reader, problem, at).boxed()
            },
        }
    }
}

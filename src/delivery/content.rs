//! What delivery asks of the app: how a message reads now, and what follows
//! from its arriving or from its being given up.

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::app::content::{self, Arrived, Asked};
use crate::domain::message::Message;
use crate::domain::person::PersonId;
use crate::store::Tenant;

/// How messages read now, in that order: app, transaction, which ones.
pub type Render = for<'a> fn(&'a App, Tenant, &'a [Asked]) -> BoxFuture<'a, anyhow::Result<Vec<Option<Message>>>>;
/// What follows when they arrived: app, transaction, which ones, when.
pub type Delivered =
    for<'a> fn(&'a App, &'a mut Tenant, &'a [Arrived], DateTime<Utc>) -> BoxFuture<'a, anyhow::Result<()>>;
/// What follows when one was given up: app, transaction, message, content, reader, the problem's code, when.
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
            render: |app, tx, asked| content::render_all(app, tx, asked).boxed(),
            delivered: |app, tx, arrived, at| content::delivered(app, tx, arrived, at).boxed(),
            given_up: |app, tx, message, content, reader, problem, at| {
                content::given_up(app, tx, message, content, reader, problem, at).boxed()
            },
        }
    }
}

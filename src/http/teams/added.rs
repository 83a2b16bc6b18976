//! The app comes and goes. Two events say that it was added; it greets once.

use std::collections::BTreeSet;

use serde_json::json;

use super::{DRAW, Desk};
use crate::app::{absence, people, query};
use crate::domain::message::{Message, answer};
use crate::domain::person::{OrgId, PersonId};
use crate::store::audit::{self, Actor, Entry};
use crate::store::{conversation, message, person};
use crate::teams::inbound::Scope;
use crate::teams::render;

impl Desk {
    pub(super) async fn added(self, org: OrgId) {
        let greeting = match self.greeting(org).await {
            Ok(Some(greeting)) => greeting,
            Ok(None) => return,
            Err(error) => {
                return tracing::error!(%org, error = format!("{error:#}"), "an installation was not noted");
            }
        };
        let place = match self.activity.place.scope {
            Scope::Personal => self.chat_of(org).await,
            Scope::Team | Scope::GroupChat => Some(self.activity.place.conversation.clone()),
        };
        if let Some(place) = place {
            self.post(&place, &render::message(&greeting, DRAW)).await;
        }
    }

    /// `None` the second time.
    async fn greeting(&self, org: OrgId) -> anyhow::Result<Option<Message>> {
        let app = &self.http.app;
        let mut tx = app.store.tenant(org).await?;
        if !message::receive(&mut tx, &self.welcome(), app.now()).await? {
            return Ok(None);
        }
        audit::record(&mut tx, Actor::System, app.now(), &[self.entry("installation.added")]).await?;
        tx.commit().await?;
        if self.activity.place.scope != Scope::Personal {
            return Ok(Some(answer::welcome_team()));
        }
        if self.is_outsider().await {
            return Ok(Some(answer::guest()));
        }
        let Some(id) = self.colleague(org).await? else { return Ok(Some(answer::unknown_person(None))) };
        let mut tx = app.store.tenant(org).await?;
        let snapshot = app.snapshot(&mut tx).await?;
        let (workspace, user_id) = (self.workspace(), &self.activity.who.user_id);
        // Whoever was out of reach is not any more.
        person::save_chat_user(&mut tx, &workspace, id, user_id, None).await?;
        tx.commit().await?;
        Ok(Some(answer::welcome(snapshot.person(id).map(|person| person.first_name()))))
    }

    /// Who it is: known already, or found by an address that the roster vouches for.
    async fn colleague(&self, org: OrgId) -> anyhow::Result<Option<PersonId>> {
        let app = &self.http.app;
        if let Some(id) = query::colleague(app, &self.asker(org)).await? {
            return Ok(Some(id));
        }
        for email in self.vouched().await.unwrap_or_default().addresses {
            let found = people::link(app, org, &self.workspace(), &self.activity.who.user_id, &email).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Nothing is sent there any more until the app comes back.
    pub(super) async fn removed(self, org: OrgId) {
        let noted = async {
            let app = &self.http.app;
            let known = query::colleague(app, &self.asker(org)).await?;
            let (workspace, place) = (self.workspace(), &self.activity.place);
            let mut tx = app.store.tenant(org).await?;
            if !message::receive(&mut tx, &self.receipt(), app.now()).await? {
                return Ok(());
            }
            message::take_back(&mut tx, &[&self.welcome()]).await?;
            conversation::forget(&mut tx, &workspace, place.root()).await?;
            if let (Some(id), Scope::Personal) = (known, place.scope) {
                person::mark_unreachable(&mut tx, &workspace, id, app.now()).await?;
            }
            audit::record(&mut tx, Actor::System, app.now(), &[self.entry("installation.removed")]).await?;
            tx.commit().await?;
            match (known, place.scope) {
                (Some(id), Scope::Personal) => absence::turn(&app.store, org, &BTreeSet::from([id]), app.now()).await,
                _ => Ok(()),
            }
        };
        if let Err(error) = noted.await {
            tracing::error!(%org, error = format!("{error:#}"), "a removal was not noted");
        }
    }

    fn welcome(&self) -> String {
        format!("teams:welcome:{}", self.activity.place.root())
    }

    fn entry(&self, event: &'static str) -> Entry {
        let subject = format!("teams:{}", self.activity.tenant);
        Entry::new(event, subject, json!({"scope": self.activity.place.scope.as_str()}))
    }
}

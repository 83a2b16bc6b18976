//! Where people and channels are reached: noted from every activity, at most once
//! a minute for each conversation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Desk;
use crate::app::{Asker, Who, query};
use crate::domain::person::OrgId;
use crate::store::conversation::{self, Conversation};
use crate::store::person;
use crate::teams::inbound::{Activity, Scope, What as Told};

/// How long an unchanged conversation is not written down again.
const AGAIN: Duration = Duration::from_secs(60);
/// How long a tenant of nobody's is not told so again, in one conversation.
const REFUSED_AGAIN: Duration = Duration::from_secs(3600);
/// Conversations remembered; beyond it all are forgotten, and written down once more.
const MOST: usize = 50_000;

type Lately<K> = Arc<Mutex<HashMap<K, Instant>>>;

/// What this process wrote down (conversation, user, address, whether it is a shared channel) or said (tenant, conversation) lately.
#[derive(Clone, Default)]
pub(super) struct Remembered {
    noted: Lately<(String, String, String, bool)>,
    refused: Lately<(String, String)>,
}

impl Remembered {
    fn is_news(&self, activity: &Activity, service_url: &str) -> bool {
        let place = &activity.place;
        let key = (place.root().to_owned(), activity.who.user_id.clone(), service_url.to_owned(), place.shared);
        first_in(&self.noted, key, AGAIN)
    }

    pub(super) fn is_first_refusal(&self, activity: &Activity) -> bool {
        first_in(&self.refused, (activity.tenant.clone(), activity.place.root().to_owned()), REFUSED_AGAIN)
    }
}

fn first_in<K: Eq + std::hash::Hash>(seen: &Mutex<HashMap<K, Instant>>, key: K, within: Duration) -> bool {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.get(&key).is_some_and(|at| at.elapsed() < within) {
        return false;
    }
    if seen.len() >= MOST {
        seen.clear();
    }
    seen.insert(key, Instant::now());
    true
}

impl Desk {
    /// Keeps where this conversation is reached and whose it is, beside the answer. What is heard of somebody in their
    /// own chat also ends that they count as unreachable.
    pub(super) fn note(&self, org: OrgId) {
        let going = matches!(self.activity.what, Told::Removed);
        if going || !self.teams.places.is_news(&self.activity, self.service.as_str()) {
            return;
        }
        let desk = self.clone();
        drop(self.http.drain.spawn(async move {
            if let Err(error) = desk.noted(org).await {
                tracing::warn!(%org, error = format!("{error:#}"), "where a conversation is reached was not kept");
            }
        }));
    }

    async fn noted(&self, org: OrgId) -> anyhow::Result<()> {
        let (app, place, workspace) = (&self.http.app, &self.activity.place, self.workspace());
        let mut known = query::colleague(app, &self.asker(org)).await?;
        if self.is_outsider().await {
            // Nothing is sent to them, whatever they write.
            known = None;
        }
        let mut tx = app.store.tenant(org).await?;
        let (scope, service_url) = (place.scope.as_str(), self.service.as_str());
        let seen = Conversation { id: place.root(), scope, service_url, shared: place.shared };
        conversation::note(&mut tx, &workspace, &seen, app.now()).await?;
        if let (Some(person), Scope::Personal) = (known, place.scope) {
            let user_id = &self.activity.who.user_id;
            // Which chat is theirs is asked of Microsoft when something is said in it.
            person::release_chat_user(&mut tx, &workspace, person, user_id).await?;
            person::save_chat_user(&mut tx, &workspace, person, user_id, None).await?;
        }
        tx.commit().await
    }

    pub(super) fn asker(&self, org: OrgId) -> Asker {
        let who = Who::ChatUser(self.activity.who.user_id.clone());
        Asker { org, workspace: self.workspace(), who, channel: self.channel().map(str::to_owned) }
    }
}

//! Who in a workspace is no colleague: guests, listed for the whole workspace and remembered for some minutes, since a
//! channel has hundreds of members and each would be a call.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde::Deserialize;

use super::{Client, Error, Paging, User};

/// A guest who was invited a moment ago is known after so long.
const KEPT: Duration = Duration::from_secs(600);
/// Slack asks for at most 1,000 a page, and allows about 20 pages a minute.
const PAGE: &str = "1000";
const PAGES_MAX: usize = 50;
/// Workspaces remembered; beyond it all are forgotten.
const REMEMBERED_MOST: usize = 10_000;

/// Guests by workspace.
#[derive(Debug, Clone, Default)]
pub(super) struct Guests(Arc<Mutex<HashMap<String, Known>>>);

#[derive(Debug, Clone)]
struct Known {
    guests: Arc<HashSet<String>>,
    at: Instant,
}

impl Guests {
    fn get(&self, team: &str) -> Option<Arc<HashSet<String>>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(team).filter(|known| known.at.elapsed() < KEPT).map(|known| known.guests.clone())
    }

    fn put(&self, team: &str, guests: Arc<HashSet<String>>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MOST {
            known.clear();
        }
        known.insert(team.to_owned(), Known { guests, at: Instant::now() });
    }

    fn forget(&self, team: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(team);
    }
}

#[derive(Deserialize)]
struct Page {
    members: Vec<User>,
    #[serde(default)]
    response_metadata: Paging,
}

impl Client {
    /// The ids of a workspace's guests, where Slack has named them in the last ten minutes.
    pub fn guests_lately(&self, team: &str) -> Option<Arc<HashSet<String>>> {
        self.guests.get(team)
    }

    /// The same, asked of Slack where they are not known.
    pub async fn guests(&self, token: &SecretString, team: &str) -> Result<Arc<HashSet<String>>, Error> {
        if let Some(known) = self.guests_lately(team) {
            return Ok(known);
        }
        let members = self.team_members(token, team).await?;
        let guests = members.into_iter().filter(User::is_outsider).map(|user| user.id);
        Ok(Arc::new(guests.collect()))
    }

    /// Everybody in a workspace, deactivated ones too, up to some 50,000; who of them are guests is remembered.
    pub async fn team_members(&self, token: &SecretString, team: &str) -> Result<Vec<User>, Error> {
        let mut members: Vec<User> = Vec::new();
        let mut cursor = String::new();
        for _ in 0..PAGES_MAX {
            let page: Page = self.form(token, "users.list", &[("limit", PAGE), ("cursor", &cursor)]).await?;
            members.extend(page.members);
            cursor = page.response_metadata.next_cursor;
            if cursor.is_empty() {
                break;
            }
        }
        let guests = members.iter().filter(|user| user.is_outsider()).map(|user| user.id.clone());
        self.guests.put(team, Arc::new(guests.collect()));
        Ok(members)
    }

    /// Somebody's profile is another: whether they are an outsider is known from now on.
    pub fn profile_changed(&self, team: &str, user: &User) {
        self.met.remember(user.id.clone(), user.is_outsider());
        self.forget_guests(team);
    }

    /// Somebody joined: who is a guest is asked anew.
    pub fn forget_guests(&self, team: &str) {
        self.guests.forget(team);
    }
}

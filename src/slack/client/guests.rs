//! Who in a workspace is no colleague: guests, listed for the whole workspace and remembered for some minutes, since a
//! channel has hundreds of members and each would be a call.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde::Deserialize;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::{Client, Error, Paging, User};

/// A guest who was invited a moment ago is known after so long.
const KEPT: Duration = Duration::from_secs(600);
/// Slack asks for at most 1,000 a page, and allows about 20 pages a minute.
const PAGE: &str = "1000";
const PAGES_MAX: usize = 50;
/// After so long Slack is asked about one user alone: a large workspace takes minutes to list.
const LISTED_WITHIN: Duration = Duration::from_millis(300);
/// How soon a workspace is listed again that Slack did not list.
const AGAIN: Duration = Duration::from_secs(60);
/// Workspaces remembered; beyond it all are forgotten.
const REMEMBERED_MOST: usize = 10_000;

/// Guests by workspace.
#[derive(Debug, Clone, Default)]
pub(super) struct Guests(Arc<Mutex<HashMap<String, Workspace>>>);

#[derive(Debug, Clone, Default)]
struct Workspace {
    known: Option<(Arc<HashSet<String>>, Instant)>,
    not_listed_at: Option<Instant>,
    /// Held by whoever lists it.
    listing: Arc<tokio::sync::Mutex<()>>,
}

impl Guests {
    fn of<T>(&self, team: &str, look: impl FnOnce(&mut Workspace) -> T) -> T {
        let mut workspaces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if workspaces.len() >= REMEMBERED_MOST && !workspaces.contains_key(team) {
            workspaces.clear();
        }
        look(workspaces.entry(team.to_owned()).or_default())
    }

    fn get(&self, team: &str) -> Option<Arc<HashSet<String>>> {
        self.of(team, |workspace| workspace.known.clone())
            .filter(|(_, at)| at.elapsed() < KEPT)
            .map(|(guests, _)| guests)
    }

    fn put(&self, team: &str, guests: HashSet<String>) {
        let known = Some((Arc::new(guests), Instant::now()));
        self.of(team, |workspace| (workspace.known, workspace.not_listed_at) = (known, None));
    }

    fn put_one(&self, team: &str, user: &str, is_guest: bool) {
        self.of(team, |workspace| {
            if let Some((guests, _)) = &mut workspace.known {
                let guests = Arc::make_mut(guests);
                if is_guest {
                    guests.insert(user.to_owned())
                } else {
                    guests.remove(user)
                };
            }
        });
    }

    fn forget(&self, team: &str) {
        self.of(team, |workspace| workspace.known = None);
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

    /// Whether a user is a guest, or of another company: by the workspace's list, which is renewed aside where it is old,
    /// and where there is none yet in time, as Slack says of them alone.
    pub async fn is_outsider(&self, token: &SecretString, team: &str, user: &str) -> Result<bool, Error> {
        if let Some(guests) = self.guests_lately(team) {
            return Ok(guests.contains(user));
        }
        let listing = self.list_aside(token, team);
        let listed = || Some(self.guests.of(team, |workspace| workspace.known.clone())?.0.contains(user));
        if let Some(known) = listed() {
            return Ok(known);
        }
        let listing = async {
            if let Some(listing) = listing {
                // What became of it is read from memory.
                let _ = listing.await;
            }
            listed()
        };
        match tokio::time::timeout(LISTED_WITHIN, listing).await.ok().flatten().or_else(listed) {
            Some(known) => Ok(known),
            None => self.met_outsider(token, user).await,
        }
    }

    /// Begins to list a workspace's people, unless that is under way or was refused a moment ago.
    fn list_aside(&self, token: &SecretString, team: &str) -> Option<JoinHandle<()>> {
        let (listing, refused_at) =
            self.guests.of(team, |workspace| (workspace.listing.clone(), workspace.not_listed_at));
        let mine = listing.try_lock_owned().ok()?;
        if refused_at.is_some_and(|at| at.elapsed() < AGAIN) {
            return None;
        }
        let (client, token, team) = (self.clone(), token.clone(), team.to_owned());
        Some(tokio::spawn(async move {
            let _mine = mine;
            if client.team_members(&token, &team).await.is_err() {
                client.guests.of(&team, |workspace| workspace.not_listed_at = Some(Instant::now()));
            }
        }))
    }

    /// As Slack says of them, looked up at most once an hour.
    pub async fn met_outsider(&self, token: &SecretString, user: &str) -> Result<bool, Error> {
        if let Some(known) = self.met.is_outsider(user) {
            return Ok(known);
        }
        let found = self.user(token, user).await?.is_outsider();
        self.met.remember(user.to_owned(), found);
        Ok(found)
    }

    /// Everybody in a workspace, deactivated ones too, up to some 50,000; who of them are guests is remembered.
    pub async fn team_members(&self, token: &SecretString, team: &str) -> Result<Vec<User>, Error> {
        let mut members: Vec<User> = Vec::new();
        let mut cursor = String::new();
        for _ in 0..PAGES_MAX {
            let page: Page = loop {
                match self.form(token, "users.list", &[("limit", PAGE), ("cursor", &cursor)]).await {
                    // The pages before are not to be asked for again.
                    Err(Error::RateLimited { retry_after }) if !cursor.is_empty() => sleep(retry_after).await,
                    page => break page?,
                }
            };
            members.extend(page.members);
            cursor = page.response_metadata.next_cursor;
            if cursor.is_empty() {
                break;
            }
        }
        let guests = members.iter().filter(|user| user.is_outsider()).map(|user| user.id.clone());
        self.guests.put(team, guests.collect());
        Ok(members)
    }

    /// Somebody's profile is another: whether they are an outsider is known from now on.
    pub fn profile_changed(&self, team: &str, user: &User) {
        self.met.remember(user.id.clone(), user.is_outsider());
        self.guests.put_one(team, &user.id, user.is_outsider());
    }

    /// Somebody joined: who is a guest is asked anew.
    pub fn forget_guests(&self, team: &str) {
        self.guests.forget(team);
    }
}

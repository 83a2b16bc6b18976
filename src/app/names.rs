//! Accounts by name in memory. Looking a name up in Postgres costs more than
//! reading the account (architecture.md, "Where the time goes"), so a process
//! keeps each organisation's names while its stamp holds: 100,000 take about
//! 10 MB. Memory only says which account is meant where that is plain; every
//! other case, and every name that it does not know, goes to the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::App;
use crate::domain::account::{AccountId, name_key};
use crate::domain::person::OrgId;
use crate::store::{account, settings};

/// Names kept by one process, of all organisations together; beyond it the longest unused go.
const MOST: usize = 1_000_000;
/// Names of an organisation are read at most so often, however often its stamp moves.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// The names that a process remembers. Cheap to clone: all clones share.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Arc<Mutex<HashMap<OrgId, Remembered>>>);

#[derive(Debug)]
struct Remembered {
    index: Arc<Index>,
    /// When it was last read, or begun to be.
    read_at: Instant,
    used_at: Instant,
}

/// One organisation's names under one stamp.
#[derive(Debug, Default)]
struct Index {
    /// `None` until the first reading has ended.
    stamp: Option<i64>,
    /// Ids and name keys, in the order of ids.
    accounts: Vec<(Box<str>, Box<str>)>,
    /// Places in `accounts`, in the order of keys.
    by_key: Vec<u32>,
}

impl Index {
    fn new(stamp: i64, accounts: Vec<(Box<str>, Box<str>)>) -> Self {
        // A place is as wide as Postgres's own counts of rows that fit into memory.
        let mut by_key: Vec<u32> = (0..u32::try_from(accounts.len()).unwrap_or(u32::MAX)).collect();
        by_key.sort_unstable_by_key(|place| accounts.get(*place as usize).map(|(_, key)| key));
        Self { stamp: Some(stamp), accounts, by_key }
    }

    fn at(&self, place: u32) -> (&str, &str) {
        self.accounts.get(place as usize).map_or(("", ""), |(id, key)| (id, key))
    }

    /// The one account that has exactly this name or id; `None` where there is none, or more than one.
    fn only(&self, typed: &str) -> Option<AccountId> {
        let key = name_key(typed);
        let first = self.by_key.partition_point(|place| self.at(*place).1 < key.as_str());
        let mut named = self.by_key[first..].iter().map(|place| self.at(*place)).take_while(|(_, found)| *found == key);
        let by_name = named.next().map(|(id, _)| id);
        if named.next().is_some() {
            return None;
        }
        let by_id = self.accounts.binary_search_by(|(id, _)| (**id).cmp(typed.trim())).is_ok().then(|| typed.trim());
        match (by_name, by_id) {
            (Some(one), Some(other)) if one != other => None,
            (one, other) => one.or(other).map(AccountId::from),
        }
    }
}

impl Names {
    fn inside(&self) -> MutexGuard<'_, HashMap<OrgId, Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The index of this stamp, if it is remembered.
    fn get(&self, org: OrgId, stamp: i64) -> Option<Arc<Index>> {
        let mut inside = self.inside();
        let remembered = inside.get_mut(&org).filter(|remembered| remembered.index.stamp == Some(stamp))?;
        remembered.used_at = Instant::now();
        Some(remembered.index.clone())
    }

    /// Whether the caller is to read the names now: nobody does, and nobody has lately.
    fn claim(&self, org: OrgId) -> bool {
        let (now, mut inside) = (Instant::now(), self.inside());
        let remembered = inside.entry(org).or_insert_with(|| Remembered {
            index: Arc::default(),
            read_at: now.checked_sub(READ_AGAIN_AFTER).unwrap_or(now),
            used_at: now,
        });
        let due = now.duration_since(remembered.read_at) >= READ_AGAIN_AFTER;
        if due {
            remembered.read_at = now;
        }
        due
    }

    fn put(&self, org: OrgId, index: Index) {
        let (now, mut inside) = (Instant::now(), self.inside());
        inside.insert(org, Remembered { index: Arc::new(index), read_at: now, used_at: now });
        let mut kept: usize = inside.values().map(|remembered| remembered.index.accounts.len()).sum();
        while kept > MOST && inside.len() > 1 {
            let oldest = inside.iter().min_by_key(|(_, remembered)| remembered.used_at).map(|(org, _)| *org);
            let gone = oldest.and_then(|org| inside.remove(&org));
            kept -= gone.map_or(0, |remembered| remembered.index.accounts.len());
        }
    }
}

impl App {
    /// The one account of exactly this name or id, as memory has it under this stamp. Where it has none of that
    /// stamp, it is read in the background for the next who asks.
    pub(super) fn account_named(&self, org: OrgId, stamp: i64, typed: &str) -> Option<AccountId> {
        if let Some(index) = self.names.get(org, stamp) {
            return index.only(typed);
        }
        if self.names.claim(org) {
            let app = self.clone();
            tokio::spawn(async move {
                match app.read_names(org).await {
                    Ok(index) => app.names.put(org, index),
                    Err(error) => tracing::warn!(error = %format!("{error:#}"), "the accounts' names were not read"),
                }
            });
        }
        None
    }

    async fn read_names(&self, org: OrgId) -> anyhow::Result<Index> {
        let mut tx = self.store.tenant(org).await?;
        // The stamp goes first: what changes meanwhile is read again under the next.
        let stamp = settings::stamp(&mut tx).await?;
        let mut accounts = Vec::new();
        account::each_name(&mut tx, |id, key| accounts.push((id.into_boxed_str(), key.into_boxed_str()))).await?;
        Ok(Index::new(stamp, accounts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(accounts: &[(&str, &str)]) -> Index {
        let mut rows: Vec<(Box<str>, Box<str>)> =
            accounts.iter().map(|(id, name)| ((*id).into(), name_key(name).into())).collect();
        rows.sort();
        Index::new(1, rows)
    }

    #[test]
    fn only_what_is_plain_is_answered_from_memory() {
        let index = index(&[
            ("a1", "Acme Inc"),
            ("a2", "Borealis"),
            ("a3", "Borealis GmbH"),
            ("acme", "Zenith"),
            ("z", "Cedar"),
            ("q", "???"),
        ]);
        let only = |typed: &str| index.only(typed).map(|id| id.0);
        assert_eq!(only("cedar ltd"), Some("z".to_owned()), "by name");
        assert_eq!(only(" a2 "), Some("a2".to_owned()), "by id");
        assert_eq!(only("z"), Some("z".to_owned()));
        assert_eq!(only("Borealis"), None, "two have this name");
        assert_eq!(only("acme"), None, "one has it as its name, another as its id");
        assert_eq!(only("ced"), None, "beginnings are the database's");
        assert_eq!(only("A2"), None, "ids are exact");
    }

    #[test]
    fn the_longest_unused_goes_first() {
        let names = Names::default();
        let [first, second, third] = [1, 2, 3].map(|n| OrgId(uuid::Uuid::from_u128(n)));
        let half = || (0..MOST / 2).map(|n| (n.to_string().into(), "".into())).collect();
        names.put(first, Index::new(1, half()));
        names.put(second, Index::new(1, half()));
        assert!(names.get(first, 1).is_some());
        names.put(third, Index::new(1, half()));
        assert!(names.get(second, 1).is_none());
        assert!(names.get(first, 1).is_some() && names.get(third, 1).is_some());
        assert!(names.get(first, 2).is_none(), "an older stamp's names do not count");
    }

    #[test]
    fn names_are_read_once_at_a_time() {
        let (names, org) = (Names::default(), OrgId(uuid::Uuid::nil()));
        assert!(names.claim(org));
        assert!(!names.claim(org));
        names.put(org, index(&[]));
        assert!(!names.claim(org));
    }
}

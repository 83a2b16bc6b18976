//! Accounts by name in memory. Looking a name up in Postgres costs more than
//! reading the account (architecture.md, "Where the time goes"), and a mistyped
//! one costs most, so a process keeps each organisation's names while its stamp
//! holds: 100,000 take about 12 MB. Memory finds what `store::account::find`
//! would; until it has the names of a stamp, that is asked. A name with a letter
//! or two wrong that is like none as a whole is found here alone.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::App;
use crate::domain::account::{AccountId, name_key};
use crate::domain::likeness::{self, ALIKE_FROM, CLOSE_FROM, Outline, Shared, Typed, TypedWord};
use crate::domain::person::OrgId;
use crate::store::{Tenant, account, settings};

/// Names kept by one process, of all organisations together; beyond it the longest unused go.
const MOST: usize = 1_000_000;
/// Names of an organisation are read at most so often, however often its stamp moves.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// Who types more words than these types no name.
const WORDS_MOST: usize = 8;

/// The names that a process remembers.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashMap<OrgId, Remembered>>);

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
    accounts: Named,
    /// Places in `accounts`, in the order of keys.
    by_key: Vec<u32>,
    /// Hashes of keys and of ids with the place in `accounts` of each, in the order of hashes: nearly everybody types a
    /// whole name, and searching among the names themselves would touch dozens of them.
    exact: Vec<(u32, u32)>,
    words: Words,
}

/// What the names are made of, in the order of `accounts`: companies share many words, so each is looked at once.
#[derive(Debug, Default)]
struct Words {
    different: Vec<Box<str>>,
    /// Of each of those.
    outlines: Vec<Outline>,
    /// Places in `different`, name after name.
    of_names: Vec<u32>,
    /// Where each name ends in `of_names`, and how many different trigrams it has.
    names: Vec<(u32, u16)>,
}

impl Words {
    fn new<'k>(keys: impl Iterator<Item = &'k str>) -> Self {
        let (mut words, mut places) = (Self::default(), BTreeMap::new());
        for key in keys {
            for word in key.split(' ') {
                let place = *places.entry(word).or_insert_with(|| {
                    words.different.push(word.into());
                    words.outlines.push(Outline::new(word));
                    words.different.len() - 1
                });
                words.of_names.push(u32::try_from(place).unwrap_or(u32::MAX));
            }
            let end = u32::try_from(words.of_names.len()).unwrap_or(u32::MAX);
            words.names.push((end, u16::try_from(likeness::size(key)).unwrap_or(u16::MAX)));
        }
        words
    }

    /// The words of each name, as places in `different`, and how many different trigrams it has.
    fn each_name(&self) -> impl Iterator<Item = (&[u32], u16)> {
        let begins = std::iter::once(0).chain(self.names.iter().map(|(end, _)| *end));
        begins
            .zip(&self.names)
            .map(|(begin, (end, size))| (self.of_names.get(begin as usize..*end as usize).unwrap_or_default(), *size))
    }

    /// The places of names that are not unlike what was typed: of the close ones where there are some.
    fn alike(&self, typed: &Typed) -> Vec<usize> {
        let shared: Vec<Shared> = self.different.iter().map(|word| typed.shared(word)).collect();
        let (mut from, mut alike) = (ALIKE_FROM, Vec::new());
        for (place, (words, size)) in self.each_name().enumerate() {
            let all = words.iter().filter_map(|word| shared.get(*word as usize)).fold(0, |all, one| all | one);
            let similarity = if all == 0 { 0.0 } else { typed.similarity(all, usize::from(size)) };
            if similarity >= from {
                if from < CLOSE_FROM && similarity >= CLOSE_FROM {
                    // The first close one: what was found before it is not meant.
                    (from, alike) = (CLOSE_FROM, Vec::new());
                }
                alike.push(place);
            }
        }
        alike
    }

    /// The places of names in which every typed word is meant: of the nearest alone, short names first, since of those
    /// the typed words are the greater part.
    fn nearest(&self, key: &str) -> Vec<usize> {
        let typed: Vec<TypedWord<'_>> = key.split_whitespace().take(WORDS_MOST + 1).map(TypedWord::new).collect();
        if typed.is_empty() || typed.len() > WORDS_MOST {
            return Vec::new();
        }
        let mut distances = Vec::new();
        for typed in typed {
            let words = self.different.iter().zip(&self.outlines);
            let of_typed: Vec<Option<u8>> = words.map(|(word, outline)| typed.distance(word, *outline)).collect();
            if of_typed.iter().all(Option::is_none) {
                return Vec::new();
            }
            distances.push(of_typed);
        }
        let (mut least, mut nearest) = (u8::MAX, Vec::new());
        for (place, (words, size)) in self.each_name().enumerate() {
            let of_typed = |distances: &Vec<Option<u8>>| {
                words.iter().filter_map(|word| distances.get(*word as usize).copied().flatten()).min()
            };
            let Some(distance) = distances.iter().map(of_typed).sum::<Option<u8>>() else { continue };
            if distance < least {
                (least, nearest) = (distance, Vec::new());
            }
            if distance == least {
                nearest.push((size, place));
            }
        }
        nearest.sort_unstable();
        nearest.into_iter().map(|(_, place)| place).collect()
    }
}

impl Index {
    fn new(stamp: i64, accounts: Named) -> Self {
        // A place is as wide as Postgres's own counts of rows that fit into memory.
        let mut by_key: Vec<u32> = (0..u32::try_from(accounts.len()).unwrap_or(u32::MAX)).collect();
        by_key.sort_by_key(|place| accounts.get(*place as usize).map(|(_, key)| key));
        let both = (0..).zip(&accounts).flat_map(|(place, (id, key))| [(hash(id), place), (hash(key), place)]);
        let mut exact: Vec<(u32, u32)> = both.collect();
        exact.sort_unstable();
        let words = Words::new(accounts.iter().map(|(_, key)| &**key));
        Self { stamp: Some(stamp), accounts, by_key, exact, words }
    }

    fn at(&self, place: u32) -> (&str, &str) {
        self.accounts.get(place as usize).map_or(("", ""), |(id, key)| (id, key))
    }

    /// Accounts that a person may mean: those of exactly that name or id, else those whose name begins so, else
    /// similar ones (the close ones where there are some), likeliest first, else guessed ones. At most `most`. `None` for a
    /// name that is too long to be compared here.
    fn find(&self, typed: &str, most: usize) -> Option<Vec<AccountId>> {
        let (key, typed_id) = (name_key(typed), typed.trim());
        let by_key = self.hashed_as(&key).filter(|(_, found)| *found == key);
        let by_id = self.hashed_as(typed_id).filter(|(id, _)| *id == typed_id);
        let mut exact: Vec<&str> = by_key.chain(by_id).map(|(id, _)| id).collect();
        exact.sort_unstable();
        exact.dedup();
        if !exact.is_empty() || key.is_empty() {
            return Some(exact.into_iter().take(most).map(AccountId::from).collect());
        }
        let first = self.by_key.partition_point(|place| self.at(*place).1 < key.as_str());
        let from_here = self.by_key[first..].iter().map(|place| self.at(*place));
        let begun: Vec<AccountId> =
            from_here.take_while(|(_, found)| found.starts_with(&key)).take(most).map(|(id, _)| id.into()).collect();
        if !begun.is_empty() {
            return Some(begun);
        }
        let similar = self.similar(&Typed::new(&key)?, most);
        Some(if similar.is_empty() { self.guessed(typed, most) } else { similar })
    }

    /// Where none is similar: accounts whose names have the typed words in them, as they are or with a slip; else those
    /// whose id it is in another case.
    fn guessed(&self, typed: &str, most: usize) -> Vec<AccountId> {
        let nearest = self.words.nearest(&name_key(typed)).into_iter().take(most);
        let mut guessed: Vec<&str> = nearest.filter_map(|place| Some(&*self.accounts.get(place)?.0)).collect();
        if guessed.is_empty() {
            let ids = self.accounts.iter().map(|(id, _)| &**id);
            guessed = ids.filter(|id| id.eq_ignore_ascii_case(typed.trim())).take(most).collect();
        }
        guessed.into_iter().map(AccountId::from).collect()
    }

    /// Ids and keys of which one has the hash of this text: what has the text, and rarely something else.
    fn hashed_as(&self, text: &str) -> impl Iterator<Item = (&str, &str)> {
        let wanted = hash(text);
        let first = self.exact.partition_point(|(hash, _)| *hash < wanted);
        self.exact[first..].iter().take_while(move |(hash, _)| *hash == wanted).map(|(_, place)| self.at(*place))
    }

    fn similar(&self, typed: &Typed, most: usize) -> Vec<AccountId> {
        let alike = self.words.alike(typed).into_iter().filter_map(|place| self.accounts.get(place));
        let mut alike: Vec<(f32, &str)> = alike.map(|(id, key)| (typed.likeness(key), &**id)).collect();
        alike.sort_unstable_by(|(likeness, id), (other, other_id)| other.total_cmp(likeness).then(id.cmp(other_id)));
        alike.into_iter().take(most).map(|(_, id)| id.into()).collect()
    }
}

/// Half of the usual hash is enough to tell names apart nearly always.
fn hash(text: &str) -> u32 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish() as u32
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

    /// The index that was read last, whatever its stamp.
    fn latest(&self, org: OrgId) -> Option<Arc<Index>> {
        let inside = self.inside();
        inside.get(&org).map(|remembered| remembered.index.clone()).filter(|index| index.stamp.is_some())
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

    fn put(&self, org: OrgId, index: Arc<Index>) {
        let (now, mut inside) = (Instant::now(), self.inside());
        inside.insert(org, Remembered { index, read_at: now, used_at: now });
        let mut kept: usize = inside.values().map(|remembered| remembered.index.accounts.len()).sum();
        while kept > MOST && inside.len() > 1 {
            let oldest = inside.iter().min_by_key(|(_, remembered)| remembered.used_at).map(|(org, _)| *org);
            let gone = oldest.and_then(|org| inside.remove(&org));
            kept -= gone.map_or(0, |remembered| remembered.index.accounts.len());
        }
    }
}

impl App {
    /// Accounts that a person may mean, as memory has them under this stamp. Where it has none of that stamp (`None`),
    /// they are read in the background for the next who asks.
    pub(super) fn accounts_named(&self, org: OrgId, stamp: i64, typed: &str, most: usize) -> Option<Vec<AccountId>> {
        if let Some(index) = self.memory.names.get(org, stamp) {
            return index.find(typed, most);
        }
        if self.memory.names.claim(org) {
            let app = self.clone();
            tokio::spawn(async move {
                match app.read_names(org).await {
                    Ok(index) => app.memory.names.put(org, Arc::new(index)),
                    Err(error) => tracing::warn!(error = %format!("{error:#}"), "the accounts' names were not read"),
                }
            });
        }
        None
    }

    /// Accounts that a person may mean: as memory has them under this stamp, else as the database finds them.
    pub(super) async fn find_accounts(
        &self,
        tx: &mut Tenant,
        stamp: i64,
        typed: &str,
        most: usize,
    ) -> anyhow::Result<Vec<AccountId>> {
        let org = tx.org();
        if let Some(found) = self.accounts_named(org, stamp, typed, most) {
            return Ok(found);
        }
        let found = account::find(tx, typed, i64::try_from(most)?).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        // To guess by, names of an earlier stamp do; where there are none, who asks waits for them: the first of all may
        // be mistyped too.
        let index = match self.memory.names.latest(org) {
            Some(index) => index,
            None => {
                let index = Arc::new(indexed(names(tx).await?).await?);
                self.memory.names.put(org, index.clone());
                index
            }
        };
        Ok(index.guessed(typed, most))
    }

    async fn read_names(&self, org: OrgId) -> anyhow::Result<Index> {
        let mut tx = self.store.tenant(org).await?;
        let read = names(&mut tx).await?;
        drop(tx);
        indexed(read).await
    }
}

/// The same for a command, which ends when it has answered: nothing is remembered for the next who asks.
pub(super) async fn find_once(tx: &mut Tenant, typed: &str, most: usize) -> anyhow::Result<Vec<AccountId>> {
    let found = account::find(tx, typed, i64::try_from(most)?).await?;
    if !found.is_empty() {
        return Ok(found);
    }
    Ok(indexed(names(tx).await?).await?.guessed(typed, most))
}

type Named = Vec<(Box<str>, Box<str>)>;

/// Ids and name keys, and the stamp under which they were read.
async fn names(tx: &mut Tenant) -> anyhow::Result<(i64, Named)> {
    // The stamp goes first: what changes meanwhile is read again under the next.
    let stamp = settings::stamp(tx).await?;
    let mut accounts = Vec::new();
    account::each_name(tx, |id, key| accounts.push((id.into_boxed_str(), key.into_boxed_str()))).await?;
    Ok((stamp, accounts))
}

/// Sorting them takes a tenth of a second, for which nobody else is to wait.
async fn indexed((stamp, accounts): (i64, Named)) -> anyhow::Result<Index> {
    Ok(tokio::task::spawn_blocking(move || Index::new(stamp, accounts)).await?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::app::sample;

    fn index(accounts: &[(&str, &str)]) -> Index {
        let mut rows: Named = accounts.iter().map(|(id, name)| ((*id).into(), name_key(name).into())).collect();
        rows.sort();
        Index::new(1, rows)
    }

    #[test]
    fn exact_goes_before_begun_and_begun_before_similar() {
        let index = index(&[
            ("a1", "Acme Inc"),
            ("a2", "Borealis"),
            ("a3", "Borealis GmbH"),
            ("acme", "Zenith"),
            ("z", "Cedar"),
            ("q", "???"),
        ]);
        let found = |typed: &str| {
            let found = index.find(typed, 6).unwrap().into_iter().map(|id| id.0);
            found.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found("cedar ltd"), "z", "by name");
        assert_eq!(found(" a2 "), "a2", "by id");
        assert_eq!(found("z"), "z");
        assert_eq!(found("Borealis"), "a2 a3", "two have this name");
        assert_eq!(found("acme"), "a1 acme", "one has it as its name, another as its id");
        assert_eq!(found("bor"), "a2 a3", "begun so");
        assert_eq!(found("sedar"), "z", "similar");
        assert_eq!(found("A2"), "a2", "an id in another case, since nothing else is meant");
        assert_eq!(found("???"), "q", "nothing to go by but that there is nothing");
        assert_eq!(index.find("borealis", 1).unwrap().len(), 1);
    }

    #[test]
    fn close_names_go_before_those_that_are_somewhat_alike() {
        let index = index(&[("1", "Willowbrook Software"), ("2", "Willowbrook Telecom"), ("3", "Harbour Software")]);
        let found = |typed: &str| index.find(typed, 6).unwrap().into_iter().map(|id| id.0).collect::<String>();
        assert_eq!(found("wilowbrok sofware"), "1", "one is close");
        assert_eq!(found("wilowbrok"), "12", "two are");
        assert_eq!(found("wilowbrok metals"), "12", "none is, and these are somewhat alike");
        assert_eq!(found("zenith metals"), "");
    }

    /// What people type for accounts of the demo's book. By trigrams none of them is like a whole name.
    #[test]
    fn a_wrong_letter_or_a_part_of_the_name_is_enough() {
        let book = sample::organisation(1, "2026-11-03".parse().unwrap()).accounts;
        let named = |id: &AccountId| book.iter().find(|account| account.account_id == *id).unwrap().name.as_str();
        let accounts: Vec<(&str, &str)> = book.iter().map(|account| (&*account.account_id.0, &*account.name)).collect();
        let index = index(&accounts);
        let halden = ["haldn", "haldem", "hlden", "halen", "haldenn", "holden", "haldne", "hallden"];
        let halden = halden.map(|typed| (typed, "Halden & Frost Logistics"));
        let others = [
            ("pelhm", "Pelham Grove Insurance"),
            ("pelam", "Pelham Grove Insurance"),
            ("drumlyn", "Drumlin Aerospace"),
            ("nimbs", "Nimbus Courier"),
            ("vero", "Vireo Health Systems"),
            ("zefyr", "Zephyr Mobility"),
            ("umba", "Umbra Lighting"),
            ("bay", "Lantern Bay Hotels"),
            ("oak", "Juniper & Oak Retail"),
            ("care", "Willowmere Care Homes"),
            ("frst logistics", "Halden & Frost Logistics"),
        ];
        for (typed, name) in halden.into_iter().chain(others) {
            let found = index.find(typed, 6).unwrap();
            assert_eq!(found.iter().map(named).collect::<Vec<_>>(), [name], "{typed}");
        }
    }

    #[test]
    fn the_nearest_are_meant_and_short_names_first() {
        let index = index(&[
            ("A-1", "Acme Logistics"),
            ("b", "Birch Health"),
            ("c1", "Northern Bay Shipping Group"),
            ("c2", "Southern Bay Hotels"),
            ("c3", "Western Bays Partners"),
        ]);
        let found = |typed: &str| {
            let found = index.find(typed, 6).unwrap().into_iter().map(|id| id.0);
            found.collect::<Vec<_>>().join(" ")
        };
        for (typed, expected) in [
            ("acmee", "A-1"),
            ("acmme", "A-1"),
            ("akme", "A-1"),
            ("a-1", "A-1"),
            ("brich", "b"),
            ("birhc", "b"),
            ("heatlh", "b"),
            ("bay", "c2 c1"),
            ("bays", "c3"),
            ("akme helth", ""),
            ("zenith", ""),
        ] {
            assert_eq!(found(typed), expected, "{typed}");
        }
        assert_eq!(found("a b c d e f g h i"), "", "that is no name");
    }

    /// A word, one of its letters left out, doubled, mistaken, or changed about with the next.
    fn slipped(word: &str, place: usize, how: u8, other: char) -> String {
        let mut letters: Vec<char> = word.chars().collect();
        let place = place % letters.len();
        match how {
            0 => drop(letters.remove(place)),
            1 => letters.insert(place, other),
            2 => letters[place] = other,
            _ if place > 0 => letters.swap(place, place - 1),
            _ => {}
        }
        letters.into_iter().collect()
    }

    proptest! {
        #[test]
        fn a_slip_in_a_word_is_no_hindrance(
            word in "[a-z]{4,9}",
            more in proptest::collection::vec("[a-z]{2,12}", 0..4),
            at in 0_usize..4,
            place in 0_usize..9,
            how in 0_u8..4,
            other in proptest::char::range('a', 'z'),
        ) {
            let mut words = more;
            words.insert(at.min(words.len()), word.clone());
            let index = index(&[("a", &words.join(" "))]);
            let typed = slipped(&word, place, how, other);
            prop_assert_eq!(index.find(&typed, 6).unwrap().len(), 1, "{} for {}", typed, words.join(" "));
        }
    }

    #[test]
    fn the_longest_unused_goes_first() {
        let names = Names::default();
        let [first, second, third] = [1, 2, 3].map(|n| OrgId(uuid::Uuid::from_u128(n)));
        let half = || (0..MOST / 2).map(|n| (n.to_string().into(), "".into())).collect();
        names.put(first, Arc::new(Index::new(1, half())));
        names.put(second, Arc::new(Index::new(1, half())));
        assert!(names.get(first, 1).is_some());
        names.put(third, Arc::new(Index::new(1, half())));
        assert!(names.get(second, 1).is_none());
        assert!(names.get(first, 1).is_some() && names.get(third, 1).is_some());
        assert!(names.get(first, 2).is_none(), "an older stamp's names do not count");
    }

    #[test]
    fn names_are_read_once_at_a_time() {
        let (names, org) = (Names::default(), OrgId(uuid::Uuid::nil()));
        assert!(names.claim(org));
        assert!(!names.claim(org));
        names.put(org, Arc::new(index(&[])));
        assert!(!names.claim(org));
    }
}

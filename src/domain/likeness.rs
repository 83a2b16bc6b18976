//! How alike a typed name and an account's are, for names that nobody has
//! exactly so: by the trigrams that they share, counted as Postgres' `pg_trgm`
//! counts them, so that names in memory and names in the database are found
//! alike. Both are `account::name_key`s.

use std::collections::BTreeMap;

/// Names less alike than this are not meant; this number and the next are the same as in `tandem.similar_accounts`.
pub const ALIKE_FROM: f32 = 0.25;

/// Where some name is at least so alike, those that are less so are not meant either.
pub const CLOSE_FROM: f32 = 0.34;

/// Three characters as one number. No character needs more than 21 bits.
type Trigram = u64;

/// Trigrams of one word, with two blanks before it and one behind, so that its beginning counts most.
fn trigrams(word: &str) -> impl Iterator<Item = Trigram> {
    let mut last = u64::from(b' ') << 21 | u64::from(b' ');
    word.chars().chain([' ']).map(move |character| {
        let trigram = last << 21 | u64::from(u32::from(character));
        last = trigram & ((1 << 42) - 1);
        trigram
    })
}

/// How many different trigrams a name has.
pub fn size(name: &str) -> usize {
    let mut all: Vec<Trigram> = name.split(' ').flat_map(trigrams).collect();
    all.sort_unstable();
    all.dedup();
    all.len()
}

/// What somebody typed.
#[derive(Debug)]
pub struct Typed {
    /// In order, each once.
    trigrams: Vec<Trigram>,
    /// A bit for each, to tell at once what most words are: nothing like it.
    filter: u64,
}

/// Which of the typed trigrams a word has, a bit each. A name's are its words' together.
pub type Shared = u128;

impl Typed {
    /// `None` for more than can be counted here, or for nothing.
    pub fn new(name: &str) -> Option<Self> {
        let mut trigrams: Vec<Trigram> = name.split_whitespace().flat_map(trigrams).collect();
        trigrams.sort_unstable();
        trigrams.dedup();
        let filter = trigrams.iter().fold(0, |filter, trigram| filter | bit(*trigram));
        (1..=Shared::BITS as usize).contains(&trigrams.len()).then_some(Self { trigrams, filter })
    }

    fn place(&self, trigram: Trigram) -> Option<usize> {
        if self.filter & bit(trigram) == 0 { None } else { self.trigrams.binary_search(&trigram).ok() }
    }

    pub fn shared(&self, word: &str) -> Shared {
        trigrams(word).filter_map(|trigram| self.place(trigram)).fold(0, |shared, place| shared | 1 << place)
    }

    /// By the whole name or by a part of it, whichever is more: what similar names are ordered by.
    pub fn likeness(&self, name: &str) -> f32 {
        let shared = name.split(' ').fold(0, |shared, word| shared | self.shared(word));
        self.similarity(shared, size(name)).max(self.similarity_to_part(name))
    }

    /// Shared trigrams in all trigrams of both, 0 to 1. `size` is the name's.
    pub fn similarity(&self, shared: Shared, size: usize) -> f32 {
        share(shared.count_ones() as usize, self.trigrams.len(), size)
    }

    /// The greatest similarity to a stretch of the name: who types one word of three means that one. `pg_trgm` searches
    /// by a short cut that does not always find the greatest; this is the same one.
    pub fn similarity_to_part(&self, name: &str) -> f32 {
        let all: Vec<Trigram> = name.split(' ').flat_map(trigrams).collect();
        let typed: Vec<bool> = all.iter().map(|trigram| self.place(*trigram).is_some()).collect();
        let mut last_place: BTreeMap<Trigram, usize> = BTreeMap::new();
        let (mut lower, mut different, mut found, mut greatest) = (None, 0, 0, 0.0_f32);
        for (upper, (trigram, is_typed)) in all.iter().zip(&typed).enumerate() {
            if lower.is_none() && !is_typed {
                continue;
            }
            if last_place.insert(*trigram, upper).is_none() {
                different += 1;
                found += usize::from(*is_typed);
            }
            if !is_typed {
                continue;
            }
            let first = *lower.get_or_insert(upper);
            let mut best = share(found, self.trigrams.len(), different);
            let (mut from, mut fewer, mut fewer_found) = (first, different, found);
            for (start, (trigram, is_typed)) in all.iter().zip(&typed).enumerate().take(upper + 1).skip(first) {
                let similarity = share(fewer_found, self.trigrams.len(), fewer);
                if similarity > best {
                    (best, from, different, found) = (similarity, start, fewer, fewer_found);
                }
                if last_place.get(trigram) == Some(&start) {
                    fewer -= 1;
                    fewer_found -= usize::from(*is_typed);
                }
            }
            greatest = greatest.max(best);
            lower = Some(from);
            for (start, trigram) in all.iter().enumerate().take(from).skip(first) {
                if last_place.get(trigram) == Some(&start) {
                    last_place.remove(trigram);
                }
            }
        }
        greatest
    }
}

fn bit(trigram: Trigram) -> u64 {
    1 << (trigram.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58)
}

fn share(shared: usize, of_one: usize, of_other: usize) -> f32 {
    shared as f32 / (of_one + of_other - shared) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn likeness(typed: &str, name: &str) -> (f32, f32) {
        let typed = Typed::new(typed).unwrap();
        let shared = name.split(' ').fold(0, |shared, word| shared | typed.shared(word));
        (typed.similarity(shared, size(name)), typed.similarity_to_part(name))
    }

    /// Figures of `SELECT similarity(a, b), word_similarity(a, b)`.
    #[test]
    fn counts_as_postgres_does() {
        for (typed, name, whole, part) in [
            ("word", "two words", 0.363_636_37, 0.8),
            ("acme", "acme", 1.0, 1.0),
            ("acme", "acme logistics", 0.333_333_34, 1.0),
            ("zzz", "acme", 0.0, 0.0),
        ] {
            assert_eq!(likeness(typed, name), (whole, part), "{typed}, {name}");
        }
    }

    #[test]
    fn what_cannot_be_counted_is_said() {
        assert!(Typed::new("").is_none());
        let long: String = (0..200).filter_map(|n| char::from_u32(0x4E00 + n)).collect();
        assert!(Typed::new(&long).is_none());
    }
}

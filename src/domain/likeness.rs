//! How alike a typed name and an account's are, for names that nobody has
//! exactly so: by the trigrams that they share, counted as Postgres' `pg_trgm`
//! counts them, so that names in memory and names in the database are found
//! alike. Where none is, word by word: a short word loses most of its trigrams
//! to one wrong letter. All are of `account::name_key`s.

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

/// A beginning of fewer letters begins too many words.
const BEGINNING_FROM: u8 = 3;
/// In words of fewer letters a slip makes another word of them.
const SLIP_FROM: u8 = 4;
/// From so many letters on there may be two slips, if not in the first letter: that one people seldom miss.
const TWO_SLIPS_FROM: u8 = 5;

/// What a word is made of, which tells of nearly all words at once that they are no slips of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outline {
    /// A bit for each of its letters; a few letters share one.
    letters: u32,
    length: u8,
}

impl Outline {
    pub fn new(word: &str) -> Self {
        let letters = word.chars().fold(0, |letters, letter| letters | 1 << (u32::from(letter) % u32::BITS));
        Self { letters, length: u8::try_from(word.chars().count()).unwrap_or(u8::MAX) }
    }

    /// At least so many slips lie between the two: each changes the length by one at most and the letters by two.
    fn slips(self, other: Self) -> u32 {
        let letters = (self.letters ^ other.letters).count_ones().div_ceil(2);
        letters.max(self.length.abs_diff(other.length).into())
    }
}

/// One word of what somebody typed.
#[derive(Debug, Clone, Copy)]
pub struct TypedWord<'t> {
    word: &'t str,
    outline: Outline,
}

impl<'t> TypedWord<'t> {
    pub fn new(word: &'t str) -> Self {
        Self { word, outline: Outline::new(word) }
    }

    /// How far off a name's word is: 0 where it is the typed one, 1 where it begins so, and one more for each letter that
    /// is left out, put in, mistaken or changed about with the next. `None` where it can't be meant.
    pub fn distance(&self, word: &str, outline: Outline) -> Option<u8> {
        if self.outline == outline && self.word == word {
            return Some(0);
        }
        let may_begin = self.outline.length >= BEGINNING_FROM && self.outline.letters & !outline.letters == 0;
        if may_begin && word.starts_with(self.word) {
            return Some(1);
        }
        let longer = self.outline.length.max(outline.length);
        if longer < SLIP_FROM || self.outline.slips(outline) > 2 {
            return None;
        }
        let two = longer >= TWO_SLIPS_FROM && self.word.chars().next() == word.chars().next();
        match strsim::osa_distance(self.word, word) {
            1 => Some(2),
            2 if two => Some(3),
            _ => None,
        }
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

    #[test]
    fn a_word_is_meant_by_itself_by_its_beginning_and_with_a_slip_or_two() {
        let distance = |typed: &str, word: &str| TypedWord::new(typed).distance(word, Outline::new(word));
        for (typed, word, expected) in [
            ("oak", "oak", Some(0)),
            ("fros", "frost", Some(1)),
            ("fr", "frost", None),
            ("haldn", "halden", Some(2)),
            ("hallden", "halden", Some(2)),
            ("haldem", "halden", Some(2)),
            ("haldne", "halden", Some(2)),
            ("zefyr", "zephyr", Some(3)),
            ("xefyr", "zephyr", None),
            ("oat", "oak", None),
            ("ame", "acme", Some(2)),
            ("acem", "acme", Some(2)),
            ("adne", "acme", None),
            ("soguq", "sofia", None),
            ("東京電刀", "東京電力", Some(2)),
        ] {
            assert_eq!(distance(typed, word), expected, "{typed}, {word}");
        }
    }
}

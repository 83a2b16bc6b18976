//! Names in memory and names in the database are found alike.

use tandem::domain::account::name_key;
use tandem::domain::likeness::Typed;

use crate::support::cluster::database;

/// Companies' names as they are, and as people type them: letters left out, doubled, swapped, words missing.
const NAMES: [&str; 14] = [
    "Amberbank Analytics Inc",
    "Willowbrook Software",
    "Quartzgrove Telecom Ltd",
    "Müller & Söhne GmbH",
    "The North Face North America",
    "Banana Bandana",
    "A B C",
    "x",
    "Halden Maritime AS",
    "Halden",
    "3M",
    "Société Générale",
    "aaaa aaa aa a",
    "Northern Northern Lights",
];

fn mistyped(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut typed = vec![name.to_owned()];
    for place in 0..letters.len() {
        let (before, after) = (&letters[..place], &letters[place + 1..]);
        let of = |middle: &[char]| [before, middle, after].concat().into_iter().collect::<String>();
        typed.extend([of(&[]), of(&[letters[place], letters[place]]), of(&['z'])]);
    }
    typed.extend(name.split(' ').map(str::to_owned));
    typed
}

#[tokio::test]
async fn likeness_is_counted_as_the_database_counts_it() {
    let db = database().await;
    let keys: Vec<String> = NAMES.iter().map(|name| name_key(name)).collect();
    let mut typed: Vec<String> = keys.iter().flat_map(|key| mistyped(key)).map(|name| name_key(&name)).collect();
    typed.sort();
    typed.dedup();
    typed.retain(|typed| !typed.is_empty());
    assert!(typed.len() > 400, "{}", typed.len());
    let rows: Vec<(String, String, f32)> = sqlx::query_as(
        "SELECT typed, name, greatest(public.similarity(name, typed), public.word_similarity(typed, name))
           FROM unnest($1::text[]) AS typed CROSS JOIN unnest($2::text[]) AS name",
    )
    .bind(&typed)
    .bind(&keys)
    .fetch_all(&db.pool)
    .await
    .unwrap();
    assert_eq!(rows.len(), typed.len() * keys.len());
    for (typed, name, expected) in rows {
        assert_eq!(Typed::new(&typed).unwrap().likeness(&name), expected, "\"{typed}\" for \"{name}\"");
    }
}

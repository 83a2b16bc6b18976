//! What somebody raised or warned of is read by whoever takes the account over.

use serde_json::json;
use tandem::domain::action::{Subject, Verb};

use super::world::World;
use super::{dialog, private};

#[tokio::test(flavor = "multi_thread")]
async fn a_brief_says_what_was_raised_and_what_was_warned_of() {
    let world = World::new().await;
    world.risk("acme").await;
    let said = dialog(&world, "kim", Verb::RaiseRisk, Subject::Account("acme".into()), &[("what", "budget cut")]).await;
    assert_eq!(private(said), "Acme: Dana was told and has to answer.");
    let transfer = json!({"transfer": {"from": world.id("dana"), "to": world.id("zoe"), "accounts": ["acme", "bolt"]}});
    let brief = format!("{:?}", world.drawn("zoe", &transfer).await);
    for words in [
        "Raised (Dana, ",
        "): seen.",
        "Warning, from Kim: budget cut. Offered to Dana by Kim",
        "Nothing open on 1 account.",
    ] {
        assert!(brief.contains(words), "{words} is not in {brief}");
    }
}

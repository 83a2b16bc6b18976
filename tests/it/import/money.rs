//! Amounts and the currency they are stored in.

use serde_json::json;

use super::desk::Desk;

/// What the first file's report says of its rows.
async fn said_of(desk: &Desk, name: &str, text: &str) -> String {
    let path = desk.file(name, text);
    let file = desk.import(&[path]).await.json()["files"][0].clone();
    let reasons: Vec<&str> =
        file["rejections"].as_array().unwrap().iter().map(|one| one["reason"].as_str().unwrap()).collect();
    format!("{} accepted, {} unchanged; {}", file["accepted"], file["unchanged"], reasons.join("; "))
}

#[tokio::test]
async fn a_changed_amount_leaves_the_other_in_its_currency() {
    let desk = Desk::new().await;
    let all = "account_id,name,arr,cost_to_serve,currency\na1,Acme,100000,,\na2,Birch,,,\na3,Cedar,1000,700,EUR\n";
    assert_eq!(said_of(&desk, "accounts.csv", all).await, "3 accepted, 0 unchanged; ");
    let stored = async |id: &str, money: &str| {
        let sql = format!(
            "SELECT count(*) FROM tandem.account WHERE account_id = '{id}' AND
             concat_ws(' ', currency, arr_minor, cost_to_serve_minor) = '{money}'"
        );
        assert_eq!(desk.count(&sql).await, 1, "{id} has not {money}");
    };

    let said = said_of(&desk, "accounts.csv", "account_id,name,cost_to_serve,currency\na1,Acme,600000,JPY\n").await;
    assert_eq!(said, "0 accepted, 0 unchanged; arr is stored in USD; give it in JPY too");
    stored("a1", "USD 10000000").await;
    let both = "account_id,name,arr,cost_to_serve,currency\na1,Acme,15000000,600000,JPY\n";
    assert_eq!(said_of(&desk, "accounts.csv", both).await, "1 accepted, 0 unchanged; ");
    stored("a1", "JPY 15000000 600000").await;

    // Without a currency an amount is in the stored one, whatever its decimals are.
    let rows = "account_id,name,arr\na1,Acme,16000000\na3,Cedar,2000.5\n";
    assert_eq!(said_of(&desk, "accounts.csv", rows).await, "2 accepted, 0 unchanged; ");
    stored("a1", "JPY 16000000 600000").await;
    stored("a3", "EUR 200050 70000").await;

    // A currency alone is kept for the amounts to come.
    assert_eq!(
        said_of(&desk, "accounts.csv", "account_id,name,currency\na2,Birch,GBP\n").await,
        "1 accepted, 0 unchanged; "
    );
    assert_eq!(said_of(&desk, "accounts.csv", "account_id,name,arr\na2,Birch,5\n").await, "1 accepted, 0 unchanged; ");
    stored("a2", "GBP 500").await;
    let alone = said_of(&desk, "accounts.csv", "account_id,name,currency\na2,Birch,EUR\n").await;
    assert_eq!(alone, "0 accepted, 0 unchanged; arr is stored in GBP; give it in EUR too");
}

#[tokio::test]
async fn an_outcomes_amounts_stay_in_one_currency() {
    let desk = Desk::new().await;
    said_of(&desk, "accounts.csv", "account_id,name\na1,Acme\n").await;
    let first = "account_id,kind,decided_on,arr_before,currency\na1,renewed,2026-01-31,1000,EUR\n";
    assert_eq!(said_of(&desk, "outcomes.csv", first).await, "1 accepted, 0 unchanged; ");
    let other = "account_id,kind,decided_on,arr_after,currency\na1,renewed,2026-01-31,900,USD\n";
    let said = said_of(&desk, "outcomes.csv", other).await;
    assert_eq!(said, "0 accepted, 0 unchanged; arr_before is stored in EUR; give it in USD too");
    let same = "account_id,kind,decided_on,arr_after\na1,renewed,2026-01-31,900\n";
    assert_eq!(said_of(&desk, "outcomes.csv", same).await, "1 accepted, 0 unchanged; ");
    let stored = "SELECT count(*) FROM tandem.outcome
                   WHERE currency = 'EUR' AND (arr_before_minor, arr_after_minor) = (100000, 90000)";
    assert_eq!(json!(desk.count(stored).await), 1);
}

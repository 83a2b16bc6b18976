//! What is set aside fails again until it is mended, and what cannot be mended in cells is not set aside.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::desk::Desk;

#[tokio::test]
async fn json_that_no_cell_can_hold_stays_rejected_until_it_is_mended() {
    let desk = Desk::staffed().await;
    let rows = [
        r#"{"account_id":"a","name":"Acme","arr":{"amount":5}}"#,
        r#"{"account_id":"b","name":"Bolt","seats":[10]}"#,
        r#"{"account_id":"c","name":"Cord","arr_usd":96000}"#,
        r#"{"account_id":"d","account_id":"dd","name":"Dune"}"#,
        r#"{"account_id":"e","name":"Elm","arr":7}"#,
    ];
    let path = desk.file("accounts.ndjson", rows.join("\n") + "\n");
    let said = desk.import(&[path]).await.json()["files"][0].clone();
    let values: Vec<_> = said["rejections"].as_array().unwrap().iter().map(|one| one["value"].clone()).collect();
    assert_eq!(values, [json!("{\"amount\":5}"), json!("[10]"), json!("96000"), json!("\"dd\"")]);
    assert_eq!(said["rejected_file"]["rows"], 2, "the other two would be taken without what no cell holds");

    let aside = desk.path("accounts.ndjson.rejected.csv");
    let first = desk.read("accounts.ndjson.rejected.csv");
    // Saved by an editor that leaves a blank line at the end, it is no other file.
    desk.file("accounts.ndjson.rejected.csv", format!("{first}\n"));
    let again = desk.import(std::slice::from_ref(&aside)).await.json()["files"][0].clone();
    assert_eq!((&again["accepted"], &again["rejected"]), (&json!(0), &json!(2)), "{again:#}");
    // The reasons repeat what they are about.
    let left = desk.read("accounts.ndjson.rejected.csv");
    let mended = left.replacen("[10]", "10", 1).replacen("\"{\"\"amount\"\":5}\"", "5", 1);
    desk.file("accounts.ndjson.rejected.csv", mended);
    desk.import(&[aside]).await.well();
    assert_eq!(desk.count("SELECT count(*) FROM tandem.account WHERE seats = 10 OR arr_minor = 500").await, 2);
    assert_eq!(desk.count("SELECT count(*) FROM tandem.account").await, 3);
}

#[tokio::test]
async fn nothing_of_a_damaged_archive_is_taken() {
    let desk = Desk::staffed().await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(b"account_id,name\na,Acme\n").unwrap();
    let mut packed = encoder.finish().unwrap();
    let at = packed.windows(4).position(|bytes| bytes == b"Acme").unwrap();
    packed[at] = b'E';
    let path = desk.file("accounts.csv.gz", packed);
    let said = desk.import(&[path]).await.json()["files"][0].clone();
    assert_eq!((&said["accepted"], &said["rejected"]), (&json!(0), &json!(1)));
    let reason = said["rejections"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("the archive is damaged (") && reason.ends_with("fetch it again"), "{reason}");
    assert_eq!(desk.count("SELECT count(*) FROM tandem.account").await, 0);
}

#[tokio::test]
async fn files_of_one_name_are_told_apart() {
    let desk = Desk::staffed().await;
    let east = desk.file("east/accounts.csv", "account_id,name,seats\na,Acme,many\n");
    let west = desk.file("west/accounts.csv", "account_id,name,seats\nb,Bolt,5\n");
    let people = desk.file("people.csv", "email,name,roles\nkim@x.eu,Kim,csm\n");
    let said = desk.import(&[east.clone(), west.clone(), people]).await.json();
    let names: Vec<_> = said["files"].as_array().unwrap().iter().map(|file| file["file"].clone()).collect();
    assert_eq!(names, [json!("people.csv"), json!(east), json!(west)]);
    assert_eq!(said["files"][1]["rejections"][0]["file"], json!(east));
}

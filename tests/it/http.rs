//! The service over real HTTP: who is let in, what is refused and how, and what the push API makes of rows.

use std::io::Write as _;
use std::time::Duration;

use chrono::TimeDelta;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tandem::app::organisation;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::PATIENCE;
use crate::support::service::{Service, answer, headers, now, report, sign, status};

const MIB: usize = 1 << 20;

const CHALLENGE: &str = r#"{"type":"url_verification","challenge":"3eZbrw1aB"}"#;

#[tokio::test]
async fn only_what_slack_signed_lately_is_let_in() {
    let service = Service::start().await;
    assert_eq!(answer(service.signed("/slack/events", CHALLENGE)).await, (StatusCode::OK, "3eZbrw1aB".to_owned()));

    let at = |seconds: i64| {
        let time = now().timestamp() + seconds;
        headers(&time.to_string(), &sign(time, CHALLENGE.as_bytes()))
    };
    let right = at(0);
    let [time, signature] =
        ["x-slack-request-timestamp", "x-slack-signature"].map(|name| right[name].to_str().unwrap().to_owned());
    let mut doubled = right.clone();
    doubled.append("x-slack-signature", HeaderValue::from_str(&signature).unwrap());
    let refused = [
        ("wrong", headers(&time, &signature.replace(|c: char| c.is_ascii_digit(), "0"))),
        ("old", at(-301)),
        ("future", at(301)),
        ("cut", headers(&time, &signature[..signature.len() - 2])),
        ("absent", HeaderMap::new()),
        (
            "without time",
            HeaderMap::from_iter([(HeaderName::from_static("x-slack-signature"), right["x-slack-signature"].clone())]),
        ),
        ("doubled", doubled),
        ("time is no number", headers("soon", &signature)),
        ("another time", headers(&(now().timestamp() + 1).to_string(), &signature)),
    ];
    for (what, headers) in refused {
        for path in ["/slack/events", "/slack/commands", "/slack/interactions"] {
            let request = service.http.post(service.url(path)).headers(headers.clone()).body(CHALLENGE);
            assert_eq!(status(request).await, 401, "{what} at {path}");
        }
    }
    for (seconds, expected) in [(-300, 200), (300, 200)] {
        let request = service.http.post(service.url("/slack/events")).headers(at(seconds)).body(CHALLENGE);
        assert_eq!(status(request).await, expected, "{seconds} s");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_the_callers_fault() {
    let service = Service::start().await;
    let deep = format!("{{\"type\":{}", "[".repeat(100_000));
    let payload = |text: &str| {
        url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", text).finish().into_bytes()
    };
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("/slack/events", "empty", Vec::new()),
        ("/slack/events", "no JSON", b"hello".to_vec()),
        ("/slack/events", "not UTF-8", b"{\"type\":\"\xff\xfe\"}".to_vec()),
        ("/slack/events", "deep", deep.clone().into_bytes()),
        ("/slack/events", "a key twice", br#"{"type":"a","type":"url_verification","challenge":"x"}"#.to_vec()),
        ("/slack/events", "a NUL", br#"{"type":"url_verification","challenge":"\u0000"}"#.to_vec()),
        ("/slack/interactions", "deep", payload(&deep)),
        ("/slack/interactions", "no payload", b"a=b".to_vec()),
        ("/slack/interactions", "a key twice", payload(r#"{"type":"a","type":"b"}"#)),
        ("/slack/commands", "a field twice", b"command=/account&command=/tandem&team_id=T1&user_id=U1".to_vec()),
        ("/slack/commands", "not UTF-8", b"command=/account&text=%ff%fe&team_id=T1&user_id=U1".to_vec()),
        ("/slack/commands", "nobody", b"command=/account&team_id=T1".to_vec()),
    ];
    for (path, what, body) in cases {
        assert_eq!(status(service.signed(path, body)).await, 400, "{what} at {path}");
    }
    // What Tandem does not know is no fault, or Slack would send it again.
    for (path, body) in [
        (
            "/slack/events",
            br#"{"type":"event_callback","event_id":"E1","team_id":"T1","event":{"type":"reaction_added"}}"#.to_vec(),
        ),
        ("/slack/interactions", payload(r#"{"type":"shortcut"}"#)),
        ("/slack/commands", b"ssl_check=1&token=x".to_vec()),
    ] {
        assert_eq!(answer(service.signed(path, body)).await, (StatusCode::OK, String::new()), "{path}");
    }
    assert_eq!(status(service.http.post(service.url("/slack/commands")).body("ssl_check=1&token=x")).await, 200);
    assert_eq!(service.get("/slack/events").await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(service.get("/slack/nothing").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_its_signature_is_looked_at() {
    let service = Service::start().await;
    assert_eq!(status(service.signed("/slack/events", vec![b'x'; 2 * MIB])).await, 413);
    assert_eq!(status(service.http.post(service.url("/slack/commands")).body(vec![b'x'; 2 * MIB])).await, 413);
    assert_eq!(status(service.signed("/slack/events", vec![b' '; MIB])).await, 400, "exactly the limit is read");

    // Chunked, without a length and without an end.
    let mut endless = TcpStream::connect(service.address).await.unwrap();
    endless.write_all(b"POST /slack/events HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let (mut from, mut to) = endless.into_split();
    let sending = tokio::spawn(async move {
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
        while to.write_all(&chunk).await.is_ok() {}
    });
    let mut head = [0; 12];
    tokio::time::timeout(PATIENCE, from.read_exact(&mut head)).await.expect("in time").expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 413");
    sending.abort();
}

#[tokio::test]
async fn slow_clients_keep_nobody_else_waiting() {
    let service = Service::start().await;
    let mut slow = Vec::new();
    for number in 0..200 {
        let mut stream = TcpStream::connect(service.address).await.unwrap();
        let begun: &[u8] = match number % 3 {
            0 => b"",
            1 => b"POST /slack/ev",
            _ => b"POST /slack/events HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\nx",
        };
        stream.write_all(begun).await.unwrap();
        slow.push(stream);
    }
    assert_eq!(status(service.signed("/slack/events", CHALLENGE)).await, 200);
    // The third kind is told within seconds that it is too slow.
    let mut answered = [0; 12];
    let third = &mut slow[2];
    tokio::time::timeout(PATIENCE, third.read_exact(&mut answered)).await.expect("in time").unwrap();
    assert_eq!(&answered, b"HTTP/1.1 408");
}

const ACCOUNTS: &str =
    r#"[{"account_id":"a-1","name":"Acme","arr":1250.5},{"account_id":"a-2","name":"Nord","currency":"USD"}]"#;

#[tokio::test]
async fn rows_are_pushed_as_files_are_imported() {
    let service = Service::start().await;
    let (org, key) = service.organisation("north").await;
    let (status, said) = report(service.push(&key, "accounts", ACCOUNTS)).await;
    assert_eq!(status, 200);
    assert_eq!(
        said,
        json!({"kind": "accounts", "accepted": 2, "unchanged": 0, "rejected": 0, "rejections": [], "notes": []})
    );
    let (_, said) = report(service.push(&key, "accounts", ACCOUNTS)).await;
    assert_eq!((&said["accepted"], &said["unchanged"]), (&json!(0), &json!(2)));
    assert_eq!(service.count(org, "data.imported").await, 2);

    let lines = "{\"account_id\":\"a-1\",\"source\":\"usage\",\"kind\":\"active_users\",\"observed_on\":\"2026-09-20\",\"value\":7}\n\
                 {\"account_id\":\"a-9\",\"source\":\"usage\",\"kind\":\"active_users\",\"observed_on\":\"2026-09-20\",\"value\":7}\n\
                 {\"account_id\":\"a-1\",\"source\":\"usage\",\"kind\":\"active_users\",\"observed_on\":\"soon\",\"value\":7}\n";
    let (status, said) = report(service.push(&key, "signals", lines)).await;
    assert_eq!(status, 200);
    assert_eq!((&said["accepted"], &said["rejected"]), (&json!(1), &json!(2)));
    let rejected = |at: usize| (said["rejections"][at]["line"].clone(), said["rejections"][at]["column"].clone());
    assert_eq!(rejected(0), (json!(2), json!("account_id")));
    assert_eq!(rejected(1), (json!(3), json!("observed_on")));

    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(ACCOUNTS.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let (status, said) = report(service.push(&key, "accounts", packed).header("content-encoding", "gzip")).await;
    assert_eq!((status, &said["unchanged"]), (200, &json!(2)));
}

#[tokio::test]
async fn a_push_without_sense_is_the_callers_fault() {
    let service = Service::start().await;
    let (org, key) = service.organisation("north").await;
    let deep = "[".repeat(100_000);
    let twice = r#"{"account_id":"a-1","account_id":"a-2","name":"Acme"}"#;
    let cases: [(&str, &[u8]); 9] = [
        ("empty", b""),
        ("blank", b" \n "),
        ("text", b"hello"),
        ("CSV", b"account_id,name\na-1,Acme\n"),
        ("not UTF-8", b"{\"account_id\":\"\xff\",\"name\":\"x\"}"),
        ("deep", deep.as_bytes()),
        ("a key twice", twice.as_bytes()),
        ("cut", br#"[{"account_id":"a-1""#),
        ("a number", b"17"),
    ];
    for (what, body) in cases {
        let (status, said) = report(service.push(&key, "accounts", body.to_vec())).await;
        assert_eq!(status, 400, "{what}: {said}");
        assert!(said["error"].is_string() || said["rejections"][0]["reason"].is_string(), "{what}: {said}");
    }
    // A row that can be read and is wrong is a result, not a fault of the request.
    let (status, said) =
        report(service.push(&key, "accounts", r#"[{"account_id":"a-1","name":"Acme","arr":"much"}]"#)).await;
    assert_eq!((status, &said["rejected"], &said["rejections"][0]["column"]), (200, &json!(1), &json!("arr")));

    for kind in ["quotas", "holidays", "risks", "..%2fpeople"] {
        assert_eq!(status_of(report(service.push(&key, kind, ACCOUNTS)).await), 404, "{kind}");
    }
    let (status, _) = report(service.push(&key, "accounts", ACCOUNTS).header("content-encoding", "br")).await;
    assert_eq!(status, 415);
    let imports = service.count(org, "data.imported").await;
    assert_eq!(status_of(report(service.push(&key, "accounts", vec![b' '; 11 * MIB])).await), 413);
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b' '; 11 * MIB]).unwrap();
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < MIB);
    assert_eq!(status_of(report(service.push(&key, "accounts", bomb.clone())).await), 413, "seen by its first bytes");
    let mut again = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    again.write_all(&bomb).unwrap();
    assert_eq!(status_of(report(service.push(&key, "accounts", again.finish().unwrap())).await), 400, "packed twice");
    assert_eq!(service.count(org, "data.imported").await, imports, "what was refused was not imported");
}

fn status_of((status, _): (u16, Value)) -> u16 {
    status
}

#[tokio::test]
async fn a_key_opens_its_own_organisation_only() {
    let service = Service::start().await;
    let (north, key) = service.organisation("north").await;
    let (south, other) = service.organisation("south").await;
    let post = || service.http.post(service.url("/api/v1/accounts")).body(ACCOUNTS);
    for (what, request) in [
        ("absent", post()),
        ("wrong", post().bearer_auth("tandem_AAAA")),
        ("empty", post().bearer_auth("")),
        ("not bearer", post().basic_auth("tandem", Some(&key))),
        ("twice", post().bearer_auth(&key).bearer_auth(&key)),
    ] {
        let response: Response = request.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["www-authenticate"]),
            (401, &HeaderValue::from_static("Bearer")),
            "{what}"
        );
    }
    assert_eq!(service.count(north, "data.imported").await, 0);

    assert_eq!(status_of(report(service.push(&key, "accounts", ACCOUNTS)).await), 200);
    assert_eq!(service.count(south, "data.imported").await, 0, "the other organisation has none of it");
    // An account of north is no account for south's signals.
    let signal = r#"[{"account_id":"a-1","source":"usage","kind":"sessions","observed_on":"2026-09-20","value":7}]"#;
    let (_, said) = report(service.push(&other, "signals", signal)).await;
    assert_eq!((&said["accepted"], &said["rejections"][0]["column"]), (&json!(0), &json!("account_id")));

    assert!(organisation::revoke_key(&service.store, north, "crm", now() + TimeDelta::minutes(1)).await.unwrap());
    assert_eq!(status_of(report(service.push(&key, "accounts", ACCOUNTS)).await), 401, "revoked");
    assert_eq!(status_of(report(service.push(&other, "accounts", ACCOUNTS)).await), 200);
}

#[tokio::test]
async fn programs_are_told_to_come_back_when_all_connections_are_taken() {
    let service = Service::start_with(Duration::from_secs(1)).await;
    let (org, key) = service.organisation("north").await;
    // The API's own pool has 2 connections in this test; webhooks and readiness have another.
    let api_only = service.store.clone();
    let webhooks = [(); 5].map(|()| api_only.tenant(org));
    let held = futures_util::future::join_all(webhooks).await;
    assert!(held.iter().all(Result::is_ok));
    assert_eq!(
        status_of(report(service.push(&key, "accounts", ACCOUNTS)).await),
        200,
        "a full pool of webhooks leaves the API alone"
    );
    let event = r#"{"type":"event_callback","event_id":"E1","team_id":"T1","event":{"type":"app_uninstalled"}}"#;
    let response = service.signed("/slack/events", event).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &HeaderValue::from_static("1")));
    assert_eq!(service.get("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    drop(held);
    assert_eq!(service.get("/readyz").await.0, StatusCode::OK, "it recovers");
}

#[tokio::test]
async fn a_push_does_not_wait_without_end_for_another_import() {
    let service = Service::start_with(Duration::from_millis(300)).await;
    let (org, key) = service.organisation("north").await;
    let mut other = service.store.tenant(org).await.unwrap();
    tandem::store::import::take_turns(&mut other).await.unwrap();
    let response = service.push(&key, "accounts", ACCOUNTS).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &HeaderValue::from_static("1")));
    assert!(response.json::<Value>().await.unwrap()["error"].as_str().unwrap().contains("busy"));
    drop(other);
    let (status, told) = report(service.push(&key, "accounts", ACCOUNTS)).await;
    assert_eq!((status, &told["accepted"]), (200, &json!(2)), "nothing of the first was stored: {told}");
}

#[tokio::test]
async fn health_and_figures_name_nobody() {
    let service = Service::start().await;
    let (_, key) = service.organisation("north").await;
    assert_eq!(service.get("/healthz").await, (StatusCode::OK, "Tandem runs.\n".to_owned()));
    assert_eq!(service.get("/readyz").await, (StatusCode::OK, "Tandem is ready.\n".to_owned()));
    status(service.push(&key, "secret-kind", ACCOUNTS)).await;
    service.get("/canary-path?person=dana@vendor.example").await;
    let (status, figures) = service.get("/metrics").await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        r#"tandem_http_requests_total{method="GET",route="/healthz",status="200"}"#,
        r#"tandem_http_requests_total{method="POST",route="/api/v1/{kind}",status="404"}"#,
        r#"tandem_http_requests_total{method="GET",route="unmatched",status="404"}"#,
        r#"tandem_http_request_seconds_bucket{route="/readyz",status="200",le="2.5"}"#,
    ] {
        assert!(figures.contains(line), "{line} is not in\n{figures}");
    }
    for canary in ["secret-kind", "canary-path", "dana", &key] {
        assert!(!figures.contains(canary), "{canary}");
    }
    let response = service.http.get(service.url("/healthz")).send().await.unwrap();
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert!(response.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    assert!(response.headers().get("server").is_none());
}

#[tokio::test]
async fn programs_read_json_also_where_there_is_nothing_for_them() {
    let service = Service::start().await;
    for (method, path, expected, allowed) in [
        ("GET", "/api/v1/people", 405, Some("POST")),
        ("DELETE", "/api/v1/openapi.json", 405, Some("GET,HEAD")),
        ("GET", "/api/v1", 404, None),
        ("POST", "/api/v1/", 404, None),
        ("PUT", "/api/v1/people/7", 404, None),
    ] {
        let request = service.http.request(method.parse().unwrap(), service.url(path));
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{method} {path}");
        let allow = response.headers().get("allow").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(allow.as_deref(), allowed, "{method} {path}");
        let said: Value = response.json().await.unwrap();
        assert!(said["error"].as_str().unwrap().ends_with('.'), "{method} {path}: {said}");
    }
    assert_eq!(service.get("/api/v12").await, (StatusCode::NOT_FOUND, "There is nothing here.\n".to_owned()));
}

#[tokio::test]
async fn the_api_describes_itself() {
    let service = Service::start().await;
    let (_, key) = service.organisation("north").await;
    let (_, text) = service.get("/api/v1/openapi.json").await;
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let paths: Vec<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    for (kind, schema) in [
        ("people", "person"),
        ("accounts", "account"),
        ("contacts", "contact"),
        ("signals", "signal"),
        ("outcomes", "outcome"),
    ] {
        assert!(paths.contains(&format!("/api/v1/{kind}").as_str()));
        // Every property of the document is a column: a row with all of them, each a list, is refused for its
        // values and never for an unknown column.
        let properties = document["components"]["schemas"][schema]["properties"].as_object().unwrap();
        for name in properties.keys() {
            let row = json!([{name: {"an": "object"}}]);
            let (_, said) = report(service.push(&key, kind, row.to_string())).await;
            let reason = said["rejections"][0]["reason"].as_str().unwrap();
            assert!(!reason.contains("is no column"), "{kind}: {reason}");
        }
        // And every column that is needed is said to be.
        let (_, said) = report(service.push(&key, kind, "[{}]")).await;
        let first = said["rejections"][0]["column"].as_str().unwrap();
        let required = document["components"]["schemas"][schema]["required"].as_array().unwrap();
        assert!(required.contains(&json!(first)), "{kind}: {first}");
    }
    // References lead somewhere.
    for reference in text.split("\"$ref\": \"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn the_same_batch_pushed_ten_times_at_once_is_taken_once() {
    let service = Service::start().await;
    let (_, key) = service.organisation("north").await;
    assert_eq!(status_of(report(service.push(&key, "accounts", ACCOUNTS)).await), 200);
    let rows: Vec<String> = (0..3_000)
        .map(|n| {
            let (day, month) = (n % 28 + 1, n / 28 % 12 + 1);
            format!(
                "{{\"account_id\":\"a-{}\",\"source\":\"usage\",\"kind\":\"sessions\",\"observed_on\":\"{}-{month:02}-{day:02}\",\"value\":{n}}}",
                n % 2 + 1,
                2010 + n / 336
            )
        })
        .collect();
    let batch = rows.join("\n");
    let pushes = (0..10).map(|_| report(service.push(&key, "signals", batch.clone())));
    let said = futures_util::future::join_all(pushes).await;
    let sum = |name: &str| said.iter().map(|(_, said)| said[name].as_u64().unwrap()).sum::<u64>();
    assert!(said.iter().all(|(status, _)| *status == 200), "{said:?}");
    assert_eq!((sum("accepted"), sum("unchanged"), sum("rejected")), (3_000, 27_000, 0));
}

/// Three of them fill the memory that pushes may take: the others wait outside and are answered all the same.
#[tokio::test(flavor = "multi_thread")]
async fn ten_of_the_largest_batches_at_once_are_all_answered() {
    let service = Service::start().await;
    let (_, key) = service.organisation("north").await;
    assert_eq!(status_of(report(service.push(&key, "accounts", ACCOUNTS)).await), 200);
    // As many bytes as may come, in few rows: it is the memory that is looked at.
    let (mut batch, rows, space) = (String::new(), 10_u64, " ".repeat((1 << 20) - 200));
    for row in 0..rows {
        batch += &format!(
            "{{{space}\"account_id\":\"a-1\",\"source\":\"usage\",\"kind\":\"sessions\",\"observed_on\":\"2026-01-01\",\
             \"value\":{row},\"reference\":\"{row}\"}}\n"
        );
    }
    assert!((10 << 20) - 2_000 < batch.len() && batch.len() <= 10 << 20, "{} bytes", batch.len());
    let pushes = (0..10).map(|_| report(service.push(&key, "signals", batch.clone())));
    let said = futures_util::future::join_all(pushes).await;
    assert!(said.iter().all(|(status, _)| *status == 200), "{said:?}");
    let sum = |name: &str| said.iter().map(|(_, said)| said[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("accepted"), sum("unchanged"), sum("rejected")), (rows, 9 * rows, 0));
}

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_when_to_come_back() {
    let service = Service::start().await;
    let (_, key) = service.organisation("north").await;
    let (_, other) = service.organisation("south").await;
    let pushes = (0..300).map(|_| service.push(&key, "accounts", "[]").send());
    let answers = futures_util::future::join_all(pushes).await;
    let refused: Vec<Response> =
        answers.into_iter().map(Result::unwrap).filter(|answer| answer.status().as_u16() == 429).collect();
    assert!(!refused.is_empty(), "three hundred at once are more than the burst");
    for answer in refused {
        assert_eq!(answer.headers()["retry-after"], "1");
        let said: Value = answer.json().await.unwrap();
        assert!(said["error"].as_str().unwrap().contains("too often"), "{said}");
    }
    assert_eq!(status_of(report(service.push(&other, "accounts", "[]")).await), 200, "another key has its own share");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(status_of(report(service.push(&key, "accounts", "[]")).await), 200);
}

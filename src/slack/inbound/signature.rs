//! Slack's request signature: `v0=` HMAC-SHA256 over `v0:{timestamp}:{raw body}`.
//!
//! Written on the `hmac` crate: the verifier of slack-morphism asks the machine
//! for the time (its variant that takes it is private), wants the body as
//! UTF-8 before it is proven to come from Slack, and knows one secret only,
//! so that a secret could not be rotated without a gap.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

const SIGNATURE: &str = "x-slack-signature";
const TIMESTAMP: &str = "x-slack-request-timestamp";

/// How far the timestamp may be from our clock, either way (Slack's rule against replays).
const WINDOW_SECONDS: u64 = 300;

/// Why a request was not taken for Slack's. Never says what would have been right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    #[error("the header {0} is missing")]
    Missing(&'static str),
    #[error("the header {0} stands there more than once")]
    Repeated(&'static str),
    #[error("the header {0} cannot be read")]
    Garbled(&'static str),
    #[error("the timestamp is more than 5 minutes from now")]
    Stale,
    #[error("the signature does not match")]
    Wrong,
    #[error("no signing secret is configured")]
    NoSecret,
}

/// Proves that Slack sent these bytes within the last five minutes. During a
/// rotation several secrets are valid; an empty one proves nothing and is passed over.
pub fn verify(headers: &HeaderMap, body: &[u8], now: DateTime<Utc>, secrets: &[SecretString]) -> Result<(), Unsigned> {
    let timestamp = single(headers, TIMESTAMP)?;
    let signature = single(headers, SIGNATURE)?;
    // `parse` alone would let a sign through.
    let seconds = Some(timestamp)
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse::<i64>().ok())
        .ok_or(Unsigned::Garbled(TIMESTAMP))?;
    if now.timestamp().abs_diff(seconds) > WINDOW_SECONDS {
        return Err(Unsigned::Stale);
    }
    let expected = signature
        .strip_prefix("v0=")
        .and_then(|digits| hex::decode(digits).ok())
        .filter(|bytes| bytes.len() == 32)
        .ok_or(Unsigned::Garbled(SIGNATURE))?;

    let mut usable = secrets.iter().map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty()).peekable();
    usable.peek().ok_or(Unsigned::NoSecret)?;
    for secret in usable {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { continue };
        mac.update(b"v0:");
        mac.update(timestamp.as_bytes());
        mac.update(b":");
        mac.update(body);
        // Constant time.
        if mac.verify_slice(&expected).is_ok() {
            return Ok(());
        }
    }
    Err(Unsigned::Wrong)
}

fn single<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h str, Unsigned> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(Unsigned::Missing(name))?;
    if values.next().is_some() {
        return Err(Unsigned::Repeated(name));
    }
    value.to_str().map_err(|_| Unsigned::Garbled(name))
}

#[cfg(test)]
pub(super) mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    pub(crate) const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    /// The worked example of Slack's page "Verifying requests from Slack".
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const GOOD: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    pub(crate) fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn check(timestamp: &str, signature: &str, now: i64) -> Result<(), Unsigned> {
        let headers = headers(&[(TIMESTAMP, timestamp), (SIGNATURE, signature)]);
        verify(&headers, BODY.as_bytes(), at(now), &[SECRET.into()])
    }

    #[test]
    fn slacks_own_example_passes() {
        assert_eq!(check("1531420618", GOOD, 1531420618), Ok(()));
        assert_eq!(check("1531420618", &GOOD.to_uppercase().replace("V0", "v0"), 1531420618), Ok(()));
    }

    #[test]
    fn the_window_is_five_minutes_both_ways() {
        for (now, expected) in [
            (1531420618 - 301, Err(Unsigned::Stale)),
            (1531420618 - 300, Ok(())),
            (1531420618 + 300, Ok(())),
            (1531420618 + 301, Err(Unsigned::Stale)),
        ] {
            assert_eq!(check("1531420618", GOOD, now), expected, "{now}");
        }
        assert_eq!(check("9223372036854775807", GOOD, 0), Err(Unsigned::Stale));
    }

    #[test]
    fn everything_else_is_refused() {
        let now = 1531420618;
        for timestamp in ["", "soon", "-1531420618", "+1531420618", "1531420618.5", "99999999999999999999"] {
            assert_eq!(check(timestamp, GOOD, now), Err(Unsigned::Garbled(TIMESTAMP)), "{timestamp:?}");
        }
        for signature in ["", "v0=", "v1=00", &GOOD[..GOOD.len() - 1], &GOOD[3..], "v0=zz", &format!("{GOOD}00")] {
            assert_eq!(check("1531420618", signature, now), Err(Unsigned::Garbled(SIGNATURE)), "{signature:?}");
        }
        assert_eq!(check("1531420618", &GOOD.replace('a', "b"), now), Err(Unsigned::Wrong));
        assert_eq!(check("1531420619", GOOD, now), Err(Unsigned::Wrong), "the timestamp is signed too");

        let good = headers(&[(TIMESTAMP, "1531420618"), (SIGNATURE, GOOD)]);
        assert_eq!(verify(&good, b"", at(now), &[SECRET.into()]), Err(Unsigned::Wrong));
        assert_eq!(verify(&good, BODY.as_bytes(), at(now), &[]), Err(Unsigned::NoSecret));
        assert_eq!(verify(&good, BODY.as_bytes(), at(now), &["".into()]), Err(Unsigned::NoSecret));
        assert_eq!(verify(&good, BODY.as_bytes(), at(now), &["old".into(), SECRET.into()]), Ok(()));
        assert_eq!(verify(&HeaderMap::new(), b"", at(now), &[]), Err(Unsigned::Missing(TIMESTAMP)));

        let mut twice = good.clone();
        twice.append(SIGNATURE, HeaderValue::from_static(GOOD));
        assert_eq!(verify(&twice, BODY.as_bytes(), at(now), &[SECRET.into()]), Err(Unsigned::Repeated(SIGNATURE)));
        let mut bytes = good;
        bytes.insert(SIGNATURE, HeaderValue::from_bytes(b"v0=\xff").unwrap());
        assert_eq!(verify(&bytes, BODY.as_bytes(), at(now), &[SECRET.into()]), Err(Unsigned::Garbled(SIGNATURE)));
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(timestamp in "[ -~]{0,40}", signature in "[ -~]{0,80}", body: Vec<u8>, now in 0i64..4_000_000_000) {
            let headers = headers(&[(TIMESTAMP, &timestamp), (SIGNATURE, &signature)]);
            prop_assert!(verify(&headers, &body, at(now), &[SECRET.into()]).is_err());
        }
    }
}

//! Bytes → values, with nothing guessed: what two readers could take for two
//! different things (a key twice, broken UTF-8) is an error, and so is a NUL,
//! which Postgres cannot store.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A body of Slack's that makes no sense. Names the place, never the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not what Slack sends: {0}")]
pub struct Malformed(String);

impl Malformed {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// JSON without repeated keys and without NUL. Nesting beyond 128 levels is refused by serde_json.
pub(super) fn json(bytes: &[u8]) -> Result<Value, Malformed> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let position = |error: serde_json::Error| {
        // serde_json's own message may quote the text; the place is enough.
        let what = match error.classify() {
            serde_json::error::Category::Data => "a repeated key or a NUL",
            serde_json::error::Category::Eof => "JSON that ends too early",
            _ => "no JSON",
        };
        Malformed::new(format!("{what} at line {}, column {}", error.line(), error.column()))
    };
    let value = Strict.deserialize(&mut deserializer).map_err(position)?;
    deserializer.end().map_err(position)?;
    Ok(value)
}

/// `application/x-www-form-urlencoded` as an object of strings. `url`'s own reader replaces broken
/// UTF-8 by U+FFFD, which would let a name through that nobody typed.
pub(super) fn form(bytes: &[u8]) -> Result<Map<String, Value>, Malformed> {
    let mut fields = Map::new();
    for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let (key, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[][..]),
        };
        let (key, value) = (percent_decoded(key)?, percent_decoded(value)?);
        if fields.insert(key, Value::String(value)).is_some() {
            return Err(Malformed::new("a form field stands there twice"));
        }
    }
    Ok(fields)
}

fn percent_decoded(text: &[u8]) -> Result<String, Malformed> {
    let digit = |at: usize| text.get(at).and_then(|byte| (*byte as char).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += 1;
        bytes.push(match (byte, digit(at), digit(at + 1)) {
            (b'%', Some(high), Some(low)) => {
                at += 2;
                // Two hexadecimal digits fit a byte.
                (high * 16 + low) as u8
            }
            (b'+', ..) => b' ',
            (other, ..) => *other,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| Malformed::new("a form field is not UTF-8"))?;
    if text.contains('\0') { Err(Malformed::new("a form field contains a NUL")) } else { Ok(text) }
}

/// Builds a [`Value`] as serde_json does, but refuses what `json` promises to refuse.
#[derive(Clone, Copy)]
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        if value.contains('\0') { Err(E::custom("NUL")) } else { Ok(Value::String(value.to_owned())) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Strict)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(Strict)?;
            if key.contains('\0') || map.insert(key, value).is_some() {
                return Err(de::Error::custom("a repeated key"));
            }
        }
        Ok(Value::Object(map))
    }
}

/// Reads the fields that we use; the rest of Slack's payload is passed over.
pub(super) fn fields<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, Malformed> {
    serde_json::from_value(value)
        .map_err(|_| Malformed::new("a field is missing or of another type than Slack documents"))
}

/// Booleans that come as `true` in JSON and as `"true"` in forms.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(value) => value,
        Value::String(text) => text == "true" || text == "1",
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json as j;

    use super::*;

    #[test]
    fn json_is_read_as_it_is() {
        let text = br#" {"a": [1, -2, 1.5, true, null, "\u00e9"], "b": {"a": {}}} "#;
        assert_eq!(json(text), Ok(j!({"a": [1, -2, 1.5, true, null, "é"], "b": {"a": {}}})));
    }

    #[test]
    fn what_two_readers_would_read_differently_is_refused() {
        let deep = "[".repeat(100_000);
        let closed = format!("{deep}{}", "]".repeat(100_000));
        for bad in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":{"b":1,"b":1}}"#,
            r#"{"a":"\u0000"}"#,
            r#"{"\u0000":1}"#,
            r#"{"a":"\ud800"}"#,
            "{} {}",
            "{",
            "",
            "NaN",
            &deep,
            &closed,
        ] {
            assert!(json(bad.as_bytes()).is_err(), "{}", &bad[..bad.len().min(40)]);
        }
        assert!(json(b"{\"a\":\"\xff\"}").is_err());
        insta::assert_snapshot!(json(br#"{"token":"secret","token":1}"#).unwrap_err(), @"the body is not what Slack sends: a repeated key or a NUL at line 1, column 28");
    }

    #[test]
    fn forms_are_decoded() {
        let fields = form(b"a=x+y%2Bz&b=&c&%C3%A9=%zz%4").unwrap();
        assert_eq!(Value::Object(fields), j!({"a": "x y+z", "b": "", "c": "", "é": "%zz%4"}));
        for bad in [&b"a=1&a=2"[..], b"a=%ff", b"a=\xff", b"a=%00", b"%00=a"] {
            assert!(form(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    proptest! {
        #[test]
        fn a_form_survives_its_encoding(key in "[^\0]{1,20}", value in "[^\0]{0,40}") {
            let text = url::form_urlencoded::Serializer::new(String::new()).append_pair(&key, &value).finish();
            prop_assert_eq!(form(text.as_bytes()).map(|fields| fields.get(&key).cloned()), Ok(Some(Value::String(value))));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = form(&bytes);
            let _ = json(&bytes);
        }
    }
}

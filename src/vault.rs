//! The vault: secrets at rest under AES-256-GCM. Pure but for random bytes.
//!
//! Two kinds of keys: the **master keys** of `TANDEM_SECRET_KEY`, of which the
//! first encrypts and all decrypt, and one **data key** for each organisation,
//! stored wrapped under a master key. What belongs to no organisation yet stands
//! under the master key itself.
//!
//! What is stored is `key id (8 bytes) ‖ random nonce (12 bytes) ‖ ciphertext and
//! tag`. The associated data names organisation, table, column and row, so that a
//! ciphertext that was moved to another place does not open there.

use std::fmt;
use std::sync::Arc;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Bytes of a key, as AES-256 wants them.
const KEY: usize = 32;
/// Bytes by which a stored value names its key.
const ID: usize = 8;
/// 96 bits, the one length that GCM takes as it is. Random: a key seals some thousand values in its life, far below
/// the 2³² up to which random nonces are safe.
const NONCE: usize = 12;

/// Where a sealed value stands. It opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// `None` before it belongs to an organisation.
    pub org: Option<Uuid>,
    pub table: &'static str,
    pub column: &'static str,
    pub row: &'a str,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} of {}", self.table, self.column, self.row)
    }
}

impl Place<'_> {
    /// Each part with its length before it, so that no two places have the same bytes.
    fn associated(&self) -> Vec<u8> {
        let org = self.org.map_or_else(Vec::new, |org| org.as_bytes().to_vec());
        let mut bytes = b"tandem 1".to_vec();
        for part in [org.as_slice(), self.table.as_bytes(), self.column.as_bytes(), self.row.as_bytes()] {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part);
        }
        bytes
    }
}

/// Why a stored value does not open. Names the place, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error(
        "{place} is encrypted under the key {key}, which is not among those of TANDEM_SECRET_KEY; add that key at the end of the list"
    )]
    UnknownKey { place: String, key: String },
    #[error("{place} does not open: it was changed, or moved there from another row")]
    Altered { place: String },
}

/// A value of `TANDEM_SECRET_KEY` that is no list of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    #[error("there is no key in it; expected 32 random bytes as base64, such as `openssl rand -base64 32` prints")]
    None,
    #[error("key {0} is not base64; expected 32 random bytes as base64, such as `openssl rand -base64 32` prints")]
    NotBase64(usize),
    #[error("key {0} has {1} bytes; expected 32, such as `openssl rand -base64 32` prints")]
    Length(usize, usize),
    #[error("key {0} stands there twice")]
    Twice(usize),
}

/// One key, with the id by which stored values name it.
#[derive(Clone)]
pub struct Key {
    id: [u8; ID],
    bytes: Zeroizing<[u8; KEY]>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.name())
    }
}

impl Key {
    fn new(bytes: [u8; KEY]) -> Self {
        let hash = Sha256::new().chain_update(b"tandem key").chain_update(bytes).finalize();
        let mut id = [0; ID];
        id.copy_from_slice(&hash[..ID]);
        Self { id, bytes: Zeroizing::new(bytes) }
    }

    /// A new random one.
    pub fn random() -> Self {
        Self::new(rand::random())
    }

    /// As it stands in `TANDEM_SECRET_KEY`.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64_STANDARD.encode(self.bytes.as_slice()))
    }

    /// The id, for people: 16 hexadecimal digits that say nothing of the key.
    pub fn name(&self) -> String {
        hex::encode(self.id)
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&(*self.bytes).into())
    }

    /// Encrypts a secret for one place.
    pub fn seal(&self, place: Place<'_>, secret: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload { msg: secret, aad: &place.associated() };
        // Fails for texts beyond 64 GiB alone.
        let sealed = self.cipher().encrypt(&nonce.into(), payload).expect("a secret is short");
        [self.id.as_slice(), &nonce, &sealed].concat()
    }

    /// What was sealed for this place under this key.
    pub fn open(&self, place: Place<'_>, stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
        self.try_open(place, stored).inspect_err(count)
    }

    /// The same as text.
    pub fn open_text(&self, place: Place<'_>, stored: &[u8]) -> Result<SecretString, Unreadable> {
        text(place, self.open(place, stored)?)
    }

    fn try_open(&self, place: Place<'_>, stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
        let altered = || Unreadable::Altered { place: place.to_string() };
        let (id, rest) = stored.split_at_checked(ID).ok_or_else(altered)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE).ok_or_else(altered)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| altered())?;
        if id != self.id {
            return Err(altered());
        }
        let payload = Payload { msg: sealed, aad: &place.associated() };
        self.cipher().decrypt(&nonce.into(), payload).map(Zeroizing::new).map_err(|_| altered())
    }
}

fn text(place: Place<'_>, bytes: Zeroizing<Vec<u8>>) -> Result<SecretString, Unreadable> {
    let text = std::str::from_utf8(&bytes).map_err(|_| Unreadable::Altered { place: place.to_string() })?;
    Ok(text.to_owned().into())
}

fn count(why: &Unreadable) {
    let reason = match why {
        Unreadable::UnknownKey { .. } => "unknown_key",
        Unreadable::Altered { .. } => "altered",
    };
    metrics::counter!("tandem_secret_unreadable_total", "reason" => reason).increment(1);
}

/// The master keys: never none. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MasterKeys(Arc<[Key]>);

impl MasterKeys {
    /// Reads a list separated by commas; blanks and line ends around a key do not count.
    pub fn parse(list: &str) -> Result<Self, BadKey> {
        let mut keys: Vec<Key> = Vec::new();
        for (number, part) in (1..).zip(list.split(',')) {
            let part = part.trim();
            if part.is_empty() && list.trim().is_empty() {
                return Err(BadKey::None);
            }
            let bytes = Zeroizing::new(BASE64_STANDARD.decode(part).map_err(|_| BadKey::NotBase64(number))?);
            let bytes = <[u8; KEY]>::try_from(bytes.as_slice()).map_err(|_| BadKey::Length(number, bytes.len()))?;
            let key = Key::new(bytes);
            if keys.iter().any(|known| known.id == key.id) {
                return Err(BadKey::Twice(number));
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(BadKey::None) } else { Ok(Self(keys.into())) }
    }

    /// The one that encrypts.
    pub fn first(&self) -> &Key {
        // `parse` is the one way to make this, and refuses an empty list.
        &self.0[0]
    }

    /// Whether a stored value is encrypted under the first key.
    pub fn is_under_first(&self, stored: &[u8]) -> bool {
        stored.starts_with(&self.first().id)
    }

    /// What was sealed for this place under one of the master keys.
    pub fn open(&self, place: Place<'_>, stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
        match self.0.iter().find(|key| stored.starts_with(&key.id)) {
            Some(key) => key.open(place, stored),
            None => {
                let key = hex::encode(&stored[..stored.len().min(ID)]);
                let unknown = Unreadable::UnknownKey { place: place.to_string(), key };
                count(&unknown);
                Err(unknown)
            }
        }
    }

    /// The same as text.
    pub fn open_text(&self, place: Place<'_>, stored: &[u8]) -> Result<SecretString, Unreadable> {
        text(place, self.open(place, stored)?)
    }

    /// Wraps a data key under the first master key.
    pub fn wrap(&self, place: Place<'_>, key: &Key) -> Vec<u8> {
        self.first().seal(place, key.bytes.as_slice())
    }

    /// A data key that was wrapped for this place.
    pub fn unwrap(&self, place: Place<'_>, stored: &[u8]) -> Result<Key, Unreadable> {
        let bytes = self.open(place, stored)?;
        let bytes =
            <[u8; KEY]>::try_from(bytes.as_slice()).map_err(|_| Unreadable::Altered { place: place.to_string() })?;
        Ok(Key::new(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    const PLACE: Place<'_> =
        Place { org: Some(Uuid::from_u128(7)), table: "slack_installation", column: "access_token", row: "T1" };

    fn keys(list: &[&Key]) -> MasterKeys {
        MasterKeys::parse(&list.iter().map(|key| key.to_base64().to_string()).collect::<Vec<_>>().join(", ")).unwrap()
    }

    #[test]
    fn wrong_keys_are_named_with_what_is_expected() {
        let refused = |list: &str| MasterKeys::parse(list).unwrap_err().to_string();
        let good = Key::random().to_base64().to_string();
        insta::assert_snapshot!(refused(""), @"there is no key in it; expected 32 random bytes as base64, such as `openssl rand -base64 32` prints");
        insta::assert_snapshot!(refused(&format!("{good},correct horse")), @"key 2 is not base64; expected 32 random bytes as base64, such as `openssl rand -base64 32` prints");
        insta::assert_snapshot!(refused("c2hvcnQ="), @"key 1 has 5 bytes; expected 32, such as `openssl rand -base64 32` prints");
        insta::assert_snapshot!(refused(&format!("{good},{good}")), @"key 2 stands there twice");
        insta::assert_snapshot!(refused(&format!("{good},")), @"key 2 has 0 bytes; expected 32, such as `openssl rand -base64 32` prints");
        assert!(MasterKeys::parse(&format!(" {good}\n")).is_ok(), "a file ends in a line end");
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_alone() {
        let key = Key::random();
        let sealed = key.seal(PLACE, b"xoxb-secret");
        assert_eq!(key.open_text(PLACE, &sealed).unwrap().expose_secret(), "xoxb-secret");
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_ne!(sealed, key.seal(PLACE, b"xoxb-secret"), "a nonce of its own");
        for elsewhere in [
            Place { org: None, ..PLACE },
            Place { org: Some(Uuid::from_u128(8)), ..PLACE },
            Place { table: "data_key", ..PLACE },
            Place { column: "refresh_token", ..PLACE },
            Place { row: "T2", ..PLACE },
            Place { table: "slack_installationaccess_token", column: "", ..PLACE },
        ] {
            assert!(matches!(key.open(elsewhere, &sealed), Err(Unreadable::Altered { .. })), "{elsewhere}");
        }
        insta::assert_snapshot!(key.open(Place { row: "T2", ..PLACE }, &sealed).unwrap_err(),
            @"slack_installation.access_token of T2 does not open: it was changed, or moved there from another row");
    }

    #[test]
    fn the_first_key_encrypts_and_all_decrypt() {
        let (old, new) = (Key::random(), Key::random());
        let sealed = keys(&[&old]).first().seal(PLACE, b"x");
        let both = keys(&[&new, &old]);
        assert_eq!(both.open(PLACE, &sealed).unwrap().as_slice(), b"x");
        assert!(!both.is_under_first(&sealed) && both.is_under_first(&both.first().seal(PLACE, b"x")));
        let lost = keys(&[&new]).open(PLACE, &sealed).unwrap_err().to_string();
        assert_eq!(
            lost,
            format!(
                "slack_installation.access_token of T1 is encrypted under the key {}, which is not among those of \
                 TANDEM_SECRET_KEY; add that key at the end of the list",
                old.name()
            )
        );
        assert!(!format!("{both:?}").contains(old.to_base64().as_str()));
    }

    #[test]
    fn a_data_key_is_wrapped_and_unwrapped() {
        let (master, data) = (keys(&[&Key::random()]), Key::random());
        let wrapped = master.wrap(PLACE, &data);
        let sealed = data.seal(PLACE, b"x");
        assert_eq!(master.unwrap(PLACE, &wrapped).unwrap().open(PLACE, &sealed).unwrap().as_slice(), b"x");
        assert!(master.unwrap(Place { org: None, ..PLACE }, &wrapped).is_err());
    }

    proptest! {
        /// One flipped bit, or a cut anywhere, and it does not open; and nothing panics.
        #[test]
        fn damage_is_an_error(secret in ".{0,40}", at in any::<prop::sample::Index>(), bit in 0u8..8, cut in any::<bool>()) {
            let key = Key::random();
            let mut sealed = key.seal(PLACE, secret.as_bytes());
            let place = at.index(sealed.len());
            if cut { sealed.truncate(place) } else { sealed[place] ^= 1 << bit }
            prop_assert!(key.open(PLACE, &sealed).is_err());
            let only = keys(&[&key]);
            prop_assert!(only.open(PLACE, &sealed).is_err());
        }
    }
}

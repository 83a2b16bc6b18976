//! Money as integer minor units with its ISO 4217 currency. Amounts of
//! different currencies are never added: [`Money::checked_add`] says `None`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A three-letter ISO 4217 code, upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no currency; expected three letters of ISO 4217 such as USD")]
pub struct UnknownCurrency(pub String);

impl Currency {
    pub const USD: Currency = Currency(*b"USD");
    pub const EUR: Currency = Currency(*b"EUR");
    pub const GBP: Currency = Currency(*b"GBP");

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// How many decimal digits the minor unit has (ISO 4217).
    pub fn exponent(self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF" | b"UGX"
            | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }

    /// The sign that readers know, or `None` where the code itself is clearer.
    fn symbol(self) -> Option<&'static str> {
        match &self.0 {
            b"USD" => Some("$"),
            b"EUR" => Some("€"),
            b"GBP" => Some("£"),
            b"JPY" => Some("¥"),
            b"INR" => Some("₹"),
            _ => None,
        }
    }
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_alphabetic) => Ok(Self(code.map(|b| b.to_ascii_uppercase()))),
            _ => Err(UnknownCurrency(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = UnknownCurrency;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in minor units (cents, for most currencies).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    pub minor: i64,
    pub currency: Currency,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("\"{0}\" is no amount; expected a number such as 120000 or 120000.50")]
    NotANumber(String),
    #[error("\"{text}\" has more decimals than {currency} knows ({exponent})")]
    TooPrecise { text: String, currency: Currency, exponent: u32 },
    #[error("\"{0}\" is too large for an amount")]
    TooLarge(String),
}

impl Money {
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Reads major units ("120000", "120000.50") without going through floats.
    /// Negative amounts parse; whether they make sense is the caller's rule.
    pub fn parse_major(text: &str, currency: Currency) -> Result<Self, AmountError> {
        let not_a_number = || AmountError::NotANumber(text.to_owned());
        let trimmed = text.trim();
        let (negative, digits) = match trimmed.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, trimmed),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(not_a_number());
        }
        let fraction = fraction.trim_end_matches('0');
        let exponent = currency.exponent();
        if fraction.len() > exponent as usize {
            return Err(AmountError::TooPrecise { text: text.to_owned(), currency, exponent });
        }
        let scaled = format!("{whole}{fraction:0<width$}", width = exponent as usize);
        let minor: i64 = scaled.parse().map_err(|_| AmountError::TooLarge(text.to_owned()))?;
        Ok(Self { minor: if negative { -minor } else { minor }, currency })
    }

    /// Major units as plain digits: "120000.50", "120000" where there are no cents.
    pub fn to_major(self) -> String {
        let scale = 10_i64.pow(self.currency.exponent());
        let sign = if self.minor < 0 { "-" } else { "" };
        let (whole, rest) =
            (self.minor.unsigned_abs() / scale.unsigned_abs(), self.minor.unsigned_abs() % scale.unsigned_abs());
        if rest == 0 {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{rest:0width$}", width = self.currency.exponent() as usize)
        }
    }

    /// `None` where the currencies differ or the sum does not fit.
    pub fn checked_add(self, other: Money) -> Option<Money> {
        (self.currency == other.currency)
            .then(|| self.minor.checked_add(other.minor))
            .flatten()
            .map(|minor| Money { minor, currency: self.currency })
    }

    /// `self × part`, rounded half away from zero to the minor unit.
    pub fn scale(self, part: f64) -> Money {
        // i64 amounts beyond 2^53 cents are outside any real ARR; `as` saturates.
        Money { minor: (self.minor as f64 * part).round() as i64, currency: self.currency }
    }
}

/// Short, as people say it in chat: "$184k", "€1.2M", "CHF 900".
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let major = self.minor as f64 / 10_f64.powi(self.currency.exponent() as i32);
        let sign = if self.minor < 0 { "−" } else { "" };
        let size = major.abs();
        let number = if size >= 999_500.0 {
            let millions = size / 1_000_000.0;
            if millions >= 99.95 { format!("{millions:.0}M") } else { trim_zero(format!("{millions:.1}"), "M") }
        } else if size >= 9_950.0 {
            format!("{:.0}k", size / 1_000.0)
        } else if size >= 1_000.0 {
            trim_zero(format!("{:.1}", size / 1_000.0), "k")
        } else {
            format!("{size:.0}")
        };
        match self.currency.symbol() {
            Some(symbol) => write!(f, "{sign}{symbol}{number}"),
            None => write!(f, "{sign}{} {number}", self.currency),
        }
    }
}

fn trim_zero(number: String, unit: &str) -> String {
    format!("{}{unit}", number.strip_suffix(".0").unwrap_or(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_major_units_exactly() {
        assert_eq!(Money::parse_major("120000.50", Currency::USD), Ok(Money::new(12_000_050, Currency::USD)));
        assert_eq!(Money::parse_major("0.1", Currency::EUR).map(Money::to_major), Ok("0.10".to_owned()));
        let yen: Currency = "jpy".parse().unwrap();
        assert_eq!(Money::parse_major("500", yen).unwrap().minor, 500);
        assert!(matches!(Money::parse_major("5.5", yen), Err(AmountError::TooPrecise { .. })));
        for bad in ["", "NaN", "1e5", "1,000", "--1", ".5", "inf"] {
            assert!(matches!(Money::parse_major(bad, yen), Err(AmountError::NotANumber(_))), "{bad}");
        }
        assert!(matches!(Money::parse_major("99999999999999999999", yen), Err(AmountError::TooLarge(_))));
    }

    #[test]
    fn speaks_short() {
        let say = |major: &str| Money::parse_major(major, Currency::USD).unwrap().to_string();
        insta::assert_snapshot!(
            ["0", "950", "1500", "9949", "12000", "184400", "999600", "1200000", "2000000", "123000000"].map(say).join(" "),
            @"$0 $950 $1.5k $9.9k $12k $184k $1M $1.2M $2M $123M"
        );
        assert_eq!(Money::new(90_000, "CHF".parse().unwrap()).to_string(), "CHF 900");
    }

    #[test]
    fn currencies_do_not_mix() {
        assert_eq!(Money::new(1, Currency::USD).checked_add(Money::new(1, Currency::EUR)), None);
        assert_eq!(Money::new(i64::MAX, Currency::USD).checked_add(Money::new(1, Currency::USD)), None);
    }
}

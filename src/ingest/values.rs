//! What stands in one cell → a value, or one sentence that says what was expected.
//! Cells arrive trimmed and within the length of their column.

use std::str::FromStr;

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::{TZ_VARIANTS, Tz};
use url::Url;

use super::cells::is_invisible;
use super::columns::meant;
use crate::domain::holidays;
use crate::domain::message::text::steers;
use crate::domain::money::{AmountError, Currency, Money};
use crate::domain::person::{Role, Workdays};

/// Years outside are slips of the keyboard, never dates of a contract.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2199;

/// Text on one line.
pub(super) fn line(text: &str) -> Result<String, String> {
    match text.chars().find(|c| c.is_control()) {
        None => Ok(text.to_owned()),
        Some(control) => Err(format!("holds {}; expected text on one line", control_name(control))),
    }
}

/// What tells one thing from another: text on one line, of which all can be seen.
pub(super) fn id(text: &str) -> Result<String, String> {
    let text = line(text)?;
    match text.chars().find(|c| is_invisible(*c) || steers(*c)) {
        None => Ok(text),
        Some(c) => {
            Err(format!("holds the invisible character U+{:04X}; delete it, or type the cell anew", u32::from(c)))
        }
    }
}

/// Text that may run over several lines.
pub(super) fn paragraph(text: &str) -> Result<String, String> {
    match text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        None => Ok(text.to_owned()),
        Some(control) => Err(format!("holds {}; expected text", control_name(control))),
    }
}

fn control_name(control: char) -> String {
    match control {
        '\0' => "a NUL byte".to_owned(),
        '\n' | '\r' => "a line break".to_owned(),
        '\t' => "a tab".to_owned(),
        other => format!("the control character U+{:04X}", u32::from(other)),
    }
}

/// Lower case: two spellings of an address are one person.
pub(super) fn email(text: &str) -> Result<String, String> {
    let wrong = || format!("\"{text}\" is no e-mail address; expected for example dana@example.com");
    let (local, domain) = text.split_once('@').ok_or_else(wrong)?;
    let fits = |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control());
    if !fits(local) || !fits(domain) || domain.contains('@') || text.contains(['<', '>', ',', ';', '"']) {
        return Err(wrong());
    }
    id(text).map(|text| text.to_lowercase())
}

/// ISO 8601. A time of day after the date is left out: exports of CRMs write `2026-11-03T09:30:00Z`.
///
/// # Errors
/// A sentence that says what was expected.
pub fn date(text: &str) -> Result<NaiveDate, String> {
    let (day, time) = match text.as_bytes() {
        [_, _, _, _, b'-', _, _, b'-', _, _, b'T' | b't' | b' ', ..] if text.is_char_boundary(10) => {
            (&text[..10], Some(&text[11..]))
        }
        _ => (text, None),
    };
    let wrong = || format!("\"{text}\" is no date; expected ISO 8601 such as 2026-11-03");
    let digits = |from: usize, to: usize| {
        day.as_bytes()
            .get(from..to)?
            .iter()
            .try_fold(0_u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
    };
    let [_, _, _, _, b'-', _, _, b'-', _, _] = day.as_bytes() else { return Err(wrong()) };
    let (Some(year), Some(month), Some(of_month)) = (digits(0, 4), digits(5, 7), digits(8, 10)) else {
        return Err(wrong());
    };
    if time.is_some_and(|time| !is_time(time)) {
        return Err(wrong());
    }
    // Four digits always fit.
    let year = year as i32;
    if !YEARS.contains(&year) {
        return Err(format!("\"{text}\" is in the year {year}; expected {} to {}", YEARS.start(), YEARS.end()));
    }
    NaiveDate::from_ymd_opt(year, month, of_month)
        .ok_or_else(|| format!("\"{text}\" is no day of the calendar; expected ISO 8601 such as 2026-11-03"))
}

/// `09:30`, `09:30:00`, `09:30:00.000`, each with `Z` or an offset behind.
fn is_time(text: &str) -> bool {
    let clock = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let clock = match clock.rfind(['+', '-']) {
        Some(at) if clock[at + 1..].bytes().all(|b| b.is_ascii_digit() || b == b':') => &clock[..at],
        Some(_) => return false,
        None => clock,
    };
    NaiveTime::parse_from_str(clock, "%H:%M:%S%.f").or_else(|_| NaiveTime::parse_from_str(clock, "%H:%M")).is_ok()
}

/// A date that has been: at most one day after `today`, since a source may sit further east.
pub(super) fn past_date(text: &str, today: NaiveDate) -> Result<NaiveDate, String> {
    let day = date(text)?;
    match today.succ_opt() {
        Some(tomorrow) if day > tomorrow => Err(format!("{day} is in the future; today is {today}")),
        _ => Ok(day),
    }
}

/// What the database takes as a signal's number: nothing that anybody measures comes near it.
const LARGEST: f64 = 1e300;

/// A number of 0 or more.
pub(super) fn number(text: &str) -> Result<f64, String> {
    let plausible = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    let number = text.parse::<f64>().ok().filter(|number| plausible && number.is_finite());
    match number {
        Some(number) if number < 0.0 => Err(format!("{text} is negative; expected 0 or more")),
        Some(number) if number > LARGEST => Err(format!("{text} is too large; expected at most {LARGEST:e}")),
        // Adding zero turns -0 into 0.
        Some(number) => Ok(number + 0.0),
        None => Err(format!("\"{text}\" is no number; {}", number_hint(text))),
    }
}

/// What is probably wrong with something that should be a number.
fn number_hint(text: &str) -> String {
    let digits_and_marks = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',' | b' ' | b'-' | b'\''));
    if digits_and_marks && text.matches(',').count() == 1 && !text.contains('.') {
        return "write decimals with a point and thousands without a mark, such as 1234.50".to_owned();
    }
    if digits_and_marks {
        return "write thousands without a mark, such as 1234.50".to_owned();
    }
    "expected digits such as 42 or 0.5".to_owned()
}

pub(super) fn whole(text: &str, range: std::ops::RangeInclusive<i64>) -> Result<i64, String> {
    // Spreadsheets and JSON write 12 as 12.0.
    let digits = match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && fraction.bytes().all(|b| b == b'0') => whole,
        _ => text,
    };
    let expected = || match *range.end() {
        i64::MAX => format!("expected a whole number of {} or more", range.start()),
        end => format!("expected a whole number from {} to {end}", range.start()),
    };
    let number: i64 = digits.parse().map_err(|_| format!("\"{text}\" is no whole number; {}", expected()))?;
    if !range.contains(&number) {
        let fault = if number < 0 { "is negative" } else { "is out of range" };
        return Err(format!("{number} {fault}; {}", expected()));
    }
    Ok(number)
}

/// As [`whole`], where the range lies within `i32`.
pub(super) fn whole_small(text: &str, range: std::ops::RangeInclusive<i32>) -> Result<i32, String> {
    let number = whole(text, i64::from(*range.start())..=i64::from(*range.end()))?;
    i32::try_from(number).map_err(|_| format!("{number} is out of range"))
}

/// Major units, 0 or more.
pub(super) fn money(text: &str, currency: Currency) -> Result<Money, String> {
    match Money::parse_major(text, currency) {
        Ok(money) if money.minor < 0 => Err(format!("{text} is negative; expected 0 or more")),
        Ok(money) => Ok(money),
        Err(AmountError::NotANumber(_)) => Err(format!("\"{text}\" is no amount; {}", number_hint(text))),
        Err(other) => Err(other.to_string()),
    }
}

pub(super) fn currency(text: &str) -> Result<Currency, String> {
    text.parse::<Currency>().map_err(|error| error.to_string())
}

/// `true` or `false`; spreadsheets write them in capitals.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    if text.eq_ignore_ascii_case("true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("false") {
        Ok(false)
    } else {
        Err(format!("\"{text}\" is neither true nor false"))
    }
}

/// One of a few words. The word's own error says what is expected; a near one is named.
pub(super) fn word<T: FromStr<Err = String>>(
    text: &str,
    known: impl IntoIterator<Item = &'static str>,
) -> Result<T, String> {
    text.parse().map_err(|expected: String| match meant(text, known.into_iter()) {
        Some(near) => format!("{expected}; did you mean {near}?"),
        None => expected,
    })
}

/// At least one, each once, in the order of [`Role`].
pub(super) fn roles(text: &str) -> Result<Vec<Role>, String> {
    let mut roles = Vec::new();
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let role = word(part, Role::ALL.map(Role::as_str))?;
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    roles.sort();
    if roles.is_empty() { Err(format!("\"{text}\" names no role; expected at least one")) } else { Ok(roles) }
}

/// An IANA time zone.
///
/// # Errors
/// A sentence that names the nearest one.
pub fn timezone(text: &str) -> Result<Tz, String> {
    text.parse::<Tz>().map_err(|_| {
        // People write the city alone: "Berlin".
        let by_city = |tz: &&Tz| tz.name().rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(text));
        let near = TZ_VARIANTS
            .iter()
            .find(by_city)
            .map(|tz| tz.name())
            .or_else(|| meant(text, TZ_VARIANTS.iter().map(|tz| tz.name())));
        match near {
            Some(near) => format!("\"{text}\" is no IANA time zone; did you mean {near}?"),
            None => format!("\"{text}\" is no IANA time zone; expected for example Europe/Berlin"),
        }
    })
}

/// `HH:MM`.
pub(super) fn time_of_day(text: &str) -> Result<NaiveTime, String> {
    let right_shape = matches!(text.as_bytes(), [h, i, b':', m, n] if [h, i, m, n].iter().all(|b| b.is_ascii_digit()));
    right_shape
        .then(|| NaiveTime::parse_from_str(text, "%H:%M").ok())
        .flatten()
        .ok_or_else(|| format!("\"{text}\" is no time of day; expected HH:MM such as 08:00"))
}

pub(super) fn workdays(text: &str) -> Result<Workdays, String> {
    text.parse()
}

/// An id of another system: printable, without blanks.
pub(super) fn token(text: &str) -> Result<String, String> {
    if text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err(format!("\"{text}\" is no id; expected letters, digits and marks without blanks"))
    }
}

/// An object id of Entra: in lower case, since it is written in either and names one user.
pub(super) fn entra_id(text: &str) -> Result<String, String> {
    match text.contains('@') {
        true => Err(format!("\"{text}\" is an address; expected the user's object id in Entra")),
        false => token(text).map(|id| id.to_lowercase()),
    }
}

/// Internet domains with `;`, `,` or blanks between; lower case, each once.
pub(super) fn domains(text: &str) -> Result<Vec<String>, String> {
    let mut domains: Vec<String> = Vec::new();
    for part in text.split(|c: char| c == ';' || c == ',' || c.is_whitespace()).filter(|part| !part.is_empty()) {
        let domain = part.to_lowercase();
        let labels = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
        if !domain.contains('.') || !domain.split('.').all(labels) {
            return Err(format!("\"{part}\" is no domain; expected for example acme.example"));
        }
        if !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    if domains.is_empty() { Err(format!("\"{text}\" names no domain")) } else { Ok(domains) }
}

/// A web address. Other schemes are refused: it becomes a link that people press.
pub(super) fn web_address(text: &str) -> Result<String, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && !text.chars().any(char::is_control) => {
            Ok(text.to_owned())
        }
        _ => Err(format!("\"{text}\" is no web address; expected one that begins with https://")),
    }
}

/// A quarter: `2026-Q4`.
pub(super) fn quarter(text: &str) -> Result<String, String> {
    let parts = text.split_once("-Q").or_else(|| text.split_once("-q"));
    let valid = parts.is_some_and(|(year, quarter)| {
        year.len() == 4
            && year.bytes().all(|b| b.is_ascii_digit())
            && year.parse().is_ok_and(|year| YEARS.contains(&year))
            && matches!(quarter, "1" | "2" | "3" | "4")
    });
    if valid { Ok(text.to_uppercase()) } else { Err(format!("\"{text}\" is no quarter; expected such as 2026-Q4")) }
}

/// ISO 3166 alpha-2, upper case. Holidays of a country that is none would be kept by nobody.
pub(super) fn country(text: &str) -> Result<String, String> {
    let code = text.to_ascii_uppercase();
    match code.as_str() {
        code if holidays::is_country(code) => Ok(code.to_owned()),
        "UK" => Err("UK is no country of ISO 3166; did you mean GB?".to_owned()),
        "EL" => Err("EL is no country of ISO 3166; did you mean GR?".to_owned()),
        _ => Err(format!("\"{text}\" is no country; expected two letters of ISO 3166 such as DE")),
    }
}

//! Days on which nobody works: the organisation's own, and those of a country.
//!
//! A country's holidays are kept by the people who live in one of its time
//! zones: that is what is known of where somebody lives. `zones.tab` is the tz
//! database's own table of which zone lies in which country (`zone.tab`, in the
//! public domain), without its coordinates. A zone that lies in no country (UTC),
//! or is named by an old alias, keeps the organisation's own days only.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use chrono_tz::Tz;

/// Lines of country (ISO 3166 alpha-2) and zone.
const ZONES: &str = include_str!("zones.tab");

/// An organisation's holidays, by where people live.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holidays {
    everybody: BTreeSet<NaiveDate>,
    /// Of a country, everybody's among them.
    countries: BTreeMap<String, BTreeSet<NaiveDate>>,
}

impl Holidays {
    /// From days and the countries they are kept in, empty for everybody's.
    pub fn new(days: impl IntoIterator<Item = (NaiveDate, String)>) -> Self {
        let mut holidays = Self::default();
        for (day, country) in days {
            if country.is_empty() {
                holidays.everybody.insert(day);
            } else {
                holidays.countries.entry(country.to_ascii_uppercase()).or_default().insert(day);
            }
        }
        for days in holidays.countries.values_mut() {
            days.extend(&holidays.everybody);
        }
        holidays
    }

    /// Kept by people of this zone.
    pub fn of(&self, zone: Tz) -> &BTreeSet<NaiveDate> {
        if self.countries.is_empty() {
            return &self.everybody;
        }
        country(zone).and_then(|country| self.countries.get(country)).unwrap_or(&self.everybody)
    }
}

/// The country that a zone lies in.
pub fn country(zone: Tz) -> Option<&'static str> {
    ZONES.lines().filter_map(|line| line.split_once(' ')).find(|(_, name)| *name == zone.name()).map(|(code, _)| code)
}

/// Whether people can live in a country of this code: one that has a time zone.
pub fn is_country(code: &str) -> bool {
    ZONES.lines().any(|line| line.split_once(' ').is_some_and(|(known, _)| known == code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_countrys_holidays_are_kept_by_those_who_live_there() {
        let days = [("2026-12-25", ""), ("2026-11-26", "us"), ("2026-10-03", "DE"), ("2026-10-31", "DE")];
        let holidays = Holidays::new(days.map(|(on, country)| (day(on), country.to_owned())));
        let of = |zone: &str| holidays.of(zone.parse().unwrap()).iter().map(NaiveDate::to_string).collect::<Vec<_>>();
        assert_eq!(of("Europe/Berlin"), ["2026-10-03", "2026-10-31", "2026-12-25"]);
        assert_eq!(of("America/Chicago"), ["2026-11-26", "2026-12-25"]);
        assert_eq!(of("Asia/Tokyo"), ["2026-12-25"]);
        assert_eq!(of("UTC"), ["2026-12-25"]);
    }

    #[test]
    fn every_line_of_the_table_is_a_zone_in_a_country() {
        for line in ZONES.lines() {
            let (code, name) = line.split_once(' ').unwrap();
            assert!(code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()), "{line}");
            assert!(name.parse::<Tz>().is_ok(), "{line}");
        }
        assert_eq!((country(Tz::Asia__Kolkata), country(Tz::UTC)), (Some("IN"), None));
    }
}

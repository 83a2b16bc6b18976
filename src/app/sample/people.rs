//! The vendor's people, their quotas and their holidays.

use chrono::{Datelike, NaiveDate, NaiveTime};
use chrono_tz::Tz;

use super::{before, working};
use crate::domain::money::{Currency, Money};
use crate::domain::person::{Role, Workdays};
use crate::domain::row::{HolidayRow, Patch, PersonRow, QuotaRow};

pub(super) const DANA: &str = "dana.reyes@lumenstack.example";
pub(super) const PRIYA: &str = "priya.raman@lumenstack.example";
pub(super) const LUKAS: &str = "lukas.brandt@lumenstack.example";
pub(super) const TOM: &str = "tom.okafor@lumenstack.example";
pub(super) const SOFIA: &str = "sofia.marino@lumenstack.example";
pub(super) const JONAS: &str = "jonas.weber@lumenstack.example";
const MORGAN: &str = "morgan.hale@lumenstack.example";
const INES: &str = "ines.duarte@lumenstack.example";
const VIKTOR: &str = "viktor.lind@lumenstack.example";
const AMARA: &str = "amara.haddad@lumenstack.example";

/// The account managers who share the small accounts.
pub(super) const POOL: &str = "smb-pool";

fn person(email: &str, name: &str, roles: &[Role], timezone: Tz) -> PersonRow {
    PersonRow {
        email: email.to_owned(),
        name: name.to_owned(),
        roles: roles.to_vec(),
        timezone: Patch::Set(timezone),
        digest_time: Patch::Keep,
        workdays: Patch::Keep,
        manager_email: Patch::Set(MORGAN.to_owned()),
        delegate_email: Patch::Keep,
        out_of_office_until: Patch::Keep,
        slack_user_id: Patch::Keep,
        teams_user_id: Patch::Keep,
        pool: Patch::Keep,
    }
}

/// Every role, five time zones, a pool of two, one person away with a delegate.
pub(super) fn people(today: NaiveDate) -> Vec<PersonRow> {
    let set = |email: &str| Patch::Set(email.to_owned());
    let morning = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).map_or(Patch::Keep, Patch::Set);
    let pool = || Patch::Set(POOL.to_owned());
    vec![
        PersonRow { delegate_email: set(PRIYA), ..person(DANA, "Dana Reyes", &[Role::Csm], Tz::America__New_York) },
        PersonRow {
            digest_time: morning(8, 30),
            delegate_email: set(DANA),
            ..person(PRIYA, "Priya Raman", &[Role::Csm], Tz::Asia__Kolkata)
        },
        PersonRow {
            delegate_email: set(DANA),
            out_of_office_until: Patch::Set(before(today, -4)),
            ..person(LUKAS, "Lukas Brandt", &[Role::Csm], Tz::Europe__Berlin)
        },
        PersonRow {
            delegate_email: set(SOFIA),
            ..person(TOM, "Tom Okafor", &[Role::AccountManager], Tz::Europe__London)
        },
        PersonRow {
            delegate_email: set(TOM),
            pool: pool(),
            ..person(SOFIA, "Sofia Marino", &[Role::AccountManager], Tz::America__New_York)
        },
        PersonRow {
            digest_time: morning(7, 30),
            ..person(JONAS, "Jonas Weber", &[Role::Csm, Role::AccountManager], Tz::Europe__Berlin)
        },
        PersonRow { manager_email: Patch::Keep, ..person(MORGAN, "Morgan Hale", &[Role::Lead], Tz::America__New_York) },
        person(INES, "Ines Duarte", &[Role::Admin], Tz::Europe__Lisbon),
        person(VIKTOR, "Viktor Lind", &[Role::Viewer], Tz::Europe__Stockholm),
        PersonRow {
            workdays: "sun-thu".parse::<Workdays>().map_or(Patch::Keep, Patch::Set),
            pool: pool(),
            ..person(AMARA, "Amara Haddad", &[Role::AccountManager], Tz::Asia__Dubai)
        },
    ]
}

/// This quarter's and the last one's, for everyone who sells.
pub(super) fn quotas(today: NaiveDate) -> Vec<QuotaRow> {
    let quarter = |day: NaiveDate| format!("{}-Q{}", day.year(), day.month0() / 3 + 1);
    // No quarter is longer than 92 days, and none shorter than 90.
    let first_day = NaiveDate::from_ymd_opt(today.year(), today.month0() / 3 * 3 + 1, 1).unwrap_or(today);
    let mut rows = Vec::new();
    for day in [before(first_day, 1), today] {
        for (email, thousands) in [(TOM, 420), (SOFIA, 360), (JONAS, 90), (AMARA, 120)] {
            let amount = Money::new(thousands * 1_000 * 100, Currency::USD);
            rows.push(QuotaRow { email: email.to_owned(), period: quarter(day), amount });
        }
    }
    rows
}

/// Fixed days of this year and the next, and a company day soon, so that a demo meets one.
pub(super) fn holidays(today: NaiveDate) -> Vec<HolidayRow> {
    let mut rows = Vec::new();
    for year in [today.year(), today.year() + 1] {
        for (month, day, name, country) in [
            (1, 1, "New Year's Day", None),
            (1, 26, "Republic Day", Some("IN")),
            (5, 1, "Labour Day", Some("DE")),
            (7, 4, "Independence Day", Some("US")),
            (8, 15, "Independence Day", Some("IN")),
            (10, 3, "German Unity Day", Some("DE")),
            (12, 25, "Christmas Day", None),
            (12, 26, "Boxing Day", Some("GB")),
        ] {
            rows.extend(NaiveDate::from_ymd_opt(year, month, day).map(|date| holiday(date, name, country)));
        }
    }
    let company_day = working(before(today, -12));
    if rows.iter().all(|row| row.date != company_day) {
        rows.push(holiday(company_day, "Company day", None));
    }
    rows
}

fn holiday(date: NaiveDate, name: &str, country: Option<&str>) -> HolidayRow {
    HolidayRow { date, name: Patch::Set(name.to_owned()), country: country.map(str::to_owned) }
}

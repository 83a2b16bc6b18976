//! One organisation as files to import: accounts with twelve signals each, of
//! which about two in five are at risk. The same on every run.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use chrono::{DateTime, Days, NaiveDate, Utc};

const FIRST: [&str; 50] = [
    "Amber", "Bright", "Cedar", "Delta", "Ember", "Falcon", "Granite", "Harbour", "Iron", "Jade", "Keystone", "Lumen",
    "Maple", "North", "Ocean", "Pine", "Quartz", "River", "Silver", "Timber", "Upland", "Vertex", "Willow", "Xenon",
    "Yellow", "Zephyr", "Arc", "Birch", "Coral", "Dune", "Echo", "Flint", "Glacier", "Hazel", "Indigo", "Juniper",
    "Kestrel", "Lark", "Meadow", "Nimbus", "Onyx", "Prairie", "Quill", "Raven", "Sable", "Tundra", "Umber", "Violet",
    "Wren", "Yarrow",
];
const SECOND: [&str; 50] = [
    "bank", "bridge", "brook", "cliff", "cove", "crest", "dale", "edge", "fall", "field", "ford", "forge", "gate",
    "glen", "grove", "haven", "hill", "hurst", "isle", "lake", "land", "lane", "leaf", "light", "line", "mark", "mill",
    "moor", "path", "peak", "point", "pool", "port", "ridge", "rock", "shore", "side", "spring", "stead", "stone",
    "stream", "summit", "tree", "vale", "view", "wall", "ward", "water", "way", "wood",
];
const THIRD: [&str; 40] = [
    "Analytics",
    "Aviation",
    "Biotech",
    "Capital",
    "Chemicals",
    "Clinics",
    "Cloud",
    "Consulting",
    "Design",
    "Devices",
    "Dynamics",
    "Education",
    "Energy",
    "Engineering",
    "Farms",
    "Finance",
    "Foods",
    "Freight",
    "Games",
    "Health",
    "Insurance",
    "Labs",
    "Legal",
    "Logistics",
    "Media",
    "Metals",
    "Mobility",
    "Networks",
    "Optics",
    "Partners",
    "Pharma",
    "Power",
    "Retail",
    "Robotics",
    "Security",
    "Software",
    "Steel",
    "Systems",
    "Telecom",
    "Travel",
];

fn name(number: usize) -> String {
    // Neighbours by number share no word, so that what is read together does not lie together.
    let (first, second, third) = (number % 50, number / 50 % 50, number / 2_500 % 40);
    // From the hundred thousandth on the names begin again.
    match number / 100_000 {
        0 => format!("{}{} {} Inc", FIRST[first], SECOND[second], THIRD[third]),
        round => format!("{}{} {} {round} Inc", FIRST[first], SECOND[second], THIRD[third]),
    }
}

/// Writes people, accounts, contacts and signals, and the names in an order without a pattern.
pub(crate) fn write(folder: &Path, count: usize, people_count: usize) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let today = DateTime::<Utc>::from(std::time::SystemTime::now()).date_naive();
    let file = |name: &str| anyhow::Ok(BufWriter::new(File::create(folder.join(name))?));
    let mut people = file("people.csv")?;
    writeln!(people, "email,name,roles,timezone,workdays,manager_email,slack_user_id")?;
    writeln!(people, "lead@bench.example,Lee Lead,lead;admin,UTC,mon-sun,,U000000")?;
    for person in 1..=people_count {
        let role = if person % 2 == 1 { "csm" } else { "account_manager" };
        writeln!(people, "p{person}@bench.example,Pat{person} Doe,{role},UTC,mon-sun,lead@bench.example,U{person:06}")?;
    }
    let mut accounts = file("accounts.csv")?;
    let mut contacts = file("contacts.csv")?;
    let mut signals = file("signals.csv")?;
    let mut names = file("names.txt")?;
    writeln!(
        accounts,
        "account_id,name,segment,arr,seats,plan,start_date,renewal_date,notice_period_days,auto_renew,csm_email,account_manager_email"
    )?;
    writeln!(contacts, "account_id,email,name,title,persona,last_interaction")?;
    writeln!(signals, "account_id,source,kind,observed_on,value,reference")?;
    for number in 0..count {
        let csm = 1 + 2 * (number % (people_count / 2));
        let renewal = today + Days::new(30 + (number as u64 * 7) % 330);
        writeln!(
            accounts,
            "A{number:06},{},mid_market,{},{},pro,{},{renewal},60,true,p{csm}@bench.example,p{}@bench.example",
            name(number),
            12_000 + number % 977 * 100,
            50 + number % 400,
            renewal - Days::new(730),
            csm + 1,
        )?;
        writeln!(
            contacts,
            "A{number:06},ann@c{number}.example,Ann Buyer,CFO,economic_buyer,{}",
            today - Days::new(number as u64 % 60)
        )?;
        account_signals(&mut signals, number, today)?;
        // 61,803 has no common divisor with the usual counts: every name once, far from its neighbours.
        writeln!(names, "{}", name(number * 61_803 % count).trim_end_matches(" Inc"))?;
    }
    Ok(())
}

/// Twelve rows: half a year of use, and the newest word from the other sources.
fn account_signals(out: &mut impl std::io::Write, number: usize, today: NaiveDate) -> anyhow::Result<()> {
    let at_risk = number % 5 < 2;
    let mut row = |source: &str, kind: &str, days_ago: u64, value: &dyn std::fmt::Display| {
        writeln!(out, "A{number:06},{source},{kind},{},{value},", today - Days::new(days_ago))
    };
    let level = 40 + number % 100;
    for month in 0..6_usize {
        let users = if at_risk && month < 2 { level / 4 } else { level + month };
        row("usage", "active_users", 2 + 28 * month as u64, &users)?;
    }
    row("support", "tickets_open", 3, &if at_risk { 12 } else { number % 3 })?;
    row("support", "csat", 4, &if at_risk { 35 } else { 88 })?;
    row("billing", "invoice_overdue_days", 1, &if at_risk { 40 } else { 0 })?;
    row("crm", "interaction", 5 + number as u64 % 20, &1)?;
    row("sentiment", "nps", 20, &if at_risk { 3 } else { 9 })?;
    row("sentiment", "csm_pulse", 6, &if at_risk { "red" } else { "green" })?;
    Ok(())
}

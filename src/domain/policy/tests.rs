use super::*;

fn refused(file: &str) -> String {
    Policy::to_use(file).unwrap_err().to_string()
}

#[test]
fn what_was_stored_before_a_limit_is_read_still() {
    for file in ["[windows]\ngrowth_share = 20", "[windows]\ngrowth_weeks = 20"] {
        assert!(Policy::from_toml(file).is_ok() && Policy::to_use(file).is_err(), "{file}");
    }
    // More is used than was bought.
    assert!(Policy::to_use("[windows]\nentitlement_pct = 110").is_ok());
}

#[test]
fn the_default_survives_its_own_file() {
    let policy = Policy::default();
    assert_eq!(Policy::from_toml(&policy.to_toml()), Ok(policy.clone()));
    assert_eq!(Policy::from_toml(""), Ok(policy));
}

#[test]
fn a_file_overrides_only_what_it_names() {
    let file = r#"
        shadow = ["seat_use"]
        [weights.usage]
        established = 40
        [usage]
        trend = [[0.9, 0], [0.5, 100]]
        [crm.cadence_days]
        smb = 45
        [rates]
        EUR = 1.08
        GBP = 1
        [measures.support_minutes]
        source = "support"
        healthy = 2
        critical = 12.0
        [measures.contract]
        source = "billing"
        levels = { monthly = 100, yearly = 40 }
        rules = "off"
    "#;
    let policy = Policy::from_toml(file).unwrap();
    assert_eq!((policy.weights.usage.established, policy.weights.usage.onboarding), (40.0, 5.0));
    assert!((policy.usage.trend.at(0.7) - 50.0).abs() < 1e-9);
    assert_eq!(policy.crm.cadence_days, PerSegment { enterprise: 14, mid_market: 30, smb: 45 });
    assert_eq!(policy.measures["support_minutes"].risk(7.0), Some(50.0));
    assert!(policy.built_in(Source::Support) && !policy.built_in(Source::Billing));
    let euros = Money::new(10_000, Currency::EUR);
    assert_eq!(policy.in_currency(euros, Currency::USD), Some(108.0));
    assert_eq!(policy.in_currency(euros, Currency::EUR), Some(100.0));
    assert_eq!(policy.in_currency(Money::new(1, "CHF".parse().unwrap()), Currency::USD), None);
    assert_eq!(Policy::from_toml(&policy.to_toml()), Ok(policy.clone()));
    assert_ne!(policy.version(), Policy::default().version());
    assert_eq!(policy.version(), Policy::from_toml(file).unwrap().version());
    assert_eq!(policy.version().len(), 12);
}

/// Walks every key of the printed default: each number can be overridden and printed again.
#[test]
fn every_number_can_be_overridden() {
    fn walk(table: &toml::Table, path: &[String], seen: &mut usize) {
        for (key, value) in table {
            let mut path = path.to_vec();
            path.push(key.clone());
            let other = match value {
                toml::Value::Table(inner) => {
                    walk(inner, &path, seen);
                    continue;
                }
                toml::Value::Integer(whole) => toml::Value::Integer(whole + 1),
                toml::Value::Float(float) => toml::Value::Float(float * 0.99),
                _ => continue,
            };
            let mut file = toml::Table::new();
            let (last, tables) = path.split_last().unwrap();
            let mut at = &mut file;
            for table in tables {
                at = at.entry(table.clone()).or_insert(toml::Table::new().into()).as_table_mut().unwrap();
            }
            at.insert(last.clone(), other);
            let policy = Policy::from_toml(&file.to_string()).unwrap();
            if value.as_float() != Some(0.0) {
                assert_ne!(policy, Policy::default(), "{path:?}");
            }
            assert_eq!(Policy::from_toml(&policy.to_toml()), Ok(policy), "{path:?}");
            *seen += 1;
        }
    }
    let mut seen = 0;
    walk(&toml::Table::try_from(Policy::default()).unwrap(), &[], &mut seen);
    assert!(seen > 100, "only {seen} numbers");
}

#[test]
fn slips_are_named() {
    let said = [
        "[weights.usge]\nestablished = 1",
        "[weights.usage]\nestablised = 1",
        "renewals = 3",
        "attention_budget = 3",
        "[weights.usage]\nestablished = -3",
        "[weights.usage]\nestablished = \"much\"",
        "[weights]\nusage = 3",
        "[score]\nhealthy_from = 70.5",
        "[score]\nhealthy_from = 40",
        "[work]\nattention_budget = 0",
        "[usage]\ntrend = [[0.5, 80], [0.9, 0], [0.7, 50]]",
        "[usage]\ntrend = [[0.5, 180]]",
        "[usage]\ntrend = []",
        "[usage]\ntrend = [0.5]",
        "[floors]\nsev1_open = 40",
        "[renewal]\nsteps = [30, 60, 90, 120, 180]",
        "[renewal]\nsteps = [30]",
        "[rates]\nEUR = \"much\"",
        "[rates]\nEUR = 0",
        "[rates]\nEuro = 1",
        "shadow = [\"seat_usage\"]",
        "[measures.m]\nsource = \"support\"\nhealthy = 1\ncritical = 1",
        "[measures.m]\nsource = \"support\"\nhealthy = 1",
        "[measures.m]\nsource = \"support\"",
        "[measures.m]\nsource = \"helpdesk\"\nhealthy = 1\ncritical = 2",
        "[measures.m]\nsource = \"support\"\nhealthy = 1\ncritical = 2\nweight = -1",
        "[measures.m]\nsource = \"support\"\nhelthy = 1",
        "[measures.m]\nsource = \"support\"\nlevels = { a = 1 }\naggregate = \"sum\"",
        "[measures.seat_use]\nsource = \"usage\"\nhealthy = 1\ncritical = 2",
        "[measures.mrr]\nsource = \"usage\"\nhealthy = 1\ncritical = 2",
        "[weights.usage]\nestablished = nan",
        "[windows]\nseats_ratio = 85",
        "[windows]\nusage_share = 20",
        "[windows]\ngrowth_share = 1.5",
        "[windows]\ncross_sell_share = 20",
        "[windows]\nrequested_share = 20",
        "[windows]\ngrowth_weeks = 14",
    ]
    .map(refused);
    insta::assert_snapshot!(said.join("\n"), @r#"
    "weights.usge" is no key of the policy; did you mean "weights.usage"?
    "weights.usage.establised" is no key of the policy; did you mean "weights.usage.established"?
    "renewals" is no key of the policy; did you mean "renewal"?
    "attention_budget" is no key of the policy; did you mean "work.attention_budget"?
    weights.usage.established is -3; expected a number from 0 to 100000
    weights.usage.established is "much"; expected a number
    weights.usage is 3; expected a table
    score.healthy_from is 70.5; expected a whole number
    score.watch_from is 50 and score.healthy_from 40; expected 0 < watch_from < healthy_from ≤ 100
    work.attention_budget is 0; expected at least 1
    usage.trend has its points out of order; expected values that only rise or only fall
    usage.trend gives a risk of 180; expected 0 to 100
    usage.trend has no points; expected at least one [value, risk]
    usage.trend is an array with 0.5; expected points such as [0.85, 20]
    floors.sev1_open is 40; expected more than 50 and at most 100
    renewal.steps is out of order; expected five falling numbers of days
    renewal.steps has 1 numbers; expected five
    rates.EUR is "much"; expected a number
    rates.EUR is 0; expected a number above 0
    "Euro" is no currency; expected three letters of ISO 4217 such as USD
    shadow names "seat_usage", which is no rule; did you mean "seat_use"?
    measures.m has healthy and critical both at 1; expected two different numbers
    measures.m has only one of healthy and critical; expected both
    measures.m says no risk; expected healthy and critical, or levels
    measures.m: unknown variant `helpdesk`, expected one of `usage`, `crm`, `support`, `billing`, `sentiment`, `onboarding`
    measures.m has a weight of -1; expected a number above 0
    "measures.m.helthy" is no key of the policy; did you mean "measures.m.healthy"?
    measures.m has levels, which can only be read with aggregate = "last"
    measures.seat_use has the name of a built-in rule; expected another
    measures.mrr has source = "usage"; mrr belongs to billing
    weights.usage.established is NaN; expected a number from 0 to 100000
    windows.seats_ratio is 85; expected a share from 0 to 1
    windows.usage_share is 20; expected a share from 0 to 1
    windows.growth_share is 1.5; expected a share from 0 to 1
    windows.cross_sell_share is 20; expected a share from 0 to 1
    windows.requested_share is 20; expected a share from 0 to 1
    windows.growth_weeks is 14; expected at most 13
    "#);
    assert!(refused("a = ").starts_with("the policy is no valid TOML: "));
}

#[test]
fn a_trial_leaves_the_rest_of_the_file_alone() {
    let text = "# What we found out in spring.\nshadow = [\"nps_low\"]\n\n[work]\nhold_days = 4 # was 5\n";
    let tried = Policy::with_trial(text, "usage_trend", true).unwrap().unwrap();
    insta::assert_snapshot!(tried, @r#"
    # What we found out in spring.
    shadow = ["nps_low", "usage_trend"]

    [work]
    hold_days = 4 # was 5
    "#);
    assert_eq!(Policy::with_trial(&tried, "usage_trend", true), Ok(None), "it is on trial already");
    let back = Policy::with_trial(&tried, "usage_trend", false).unwrap().unwrap();
    assert_eq!(Policy::from_toml(&back), Policy::from_toml(text));
    let first = Policy::with_trial("", "usage_trend", true).unwrap().unwrap();
    assert_eq!(Policy::from_toml(&first).unwrap().shadow, ["usage_trend"]);
}

#[test]
fn other_numbers_leave_the_rest_of_the_file_alone() {
    let text = "# What we found out in spring.\n[work]\nhold_days = 4 # was 5\n\n[weights.usage]\nestablished = 40 # from sales\n\n\
        [measures.\"a.b\"]\nsource = \"support\"\nhealthy = 1\ncritical = 2\n";
    let numbers = [
        ("weights.usage.established", 31.5),
        ("weights.crm.established", 33.0),
        ("weights.crm.onboarding", 21.0),
        ("measures.a.b.weight", 2.82843),
    ];
    let other = Policy::with_numbers(text, &numbers).unwrap();
    insta::assert_snapshot!(other, @r#"
        # What we found out in spring.
        [work]
        hold_days = 4 # was 5

        [weights.usage]
        established = 31.5 # from sales

        [weights.crm]
        established = 33.0
        onboarding = 21.0

        [measures."a.b"]
        source = "support"
        healthy = 1
        critical = 2
        weight = 2.82843
        "#);
    let policy = Policy::from_toml(&other).unwrap();
    assert_eq!((policy.weights.usage.established, policy.weights.crm.onboarding), (31.5, 21.0));
    assert_eq!(policy.measures["a.b"].weight, 2.82843);
    insta::assert_snapshot!(Policy::with_numbers("", &numbers[..1]).unwrap(), @"
    [weights.usage]
    established = 31.5
    ");
    let inline = Policy::with_numbers("weights = { usage = { onboarding = 6 } }\n", &numbers[..2]).unwrap();
    insta::assert_snapshot!(inline, @"weights = { usage = { onboarding = 6 , established = 31.5 } , crm = { established = 33.0 } }");
    assert_eq!(
        Policy::with_numbers(&text.replace("hold_days", "hold_day"), &numbers).unwrap_err(),
        Policy::from_toml(&text.replace("hold_days", "hold_day")).unwrap_err()
    );
    assert!(Policy::with_numbers("", &[("weights.usage.established", -1.0)]).is_err());
}

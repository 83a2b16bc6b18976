use chrono::NaiveTime;
use chrono_tz::Tz;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::person::{Role, Workdays};

const TODAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();

fn id(n: u128) -> PersonId {
    PersonId(Uuid::from_u128(n))
}

fn person(n: u128, name: &str, roles: &[Role]) -> Person {
    Person {
        id: id(n),
        email: format!("{n}@example.com"),
        name: name.to_owned(),
        roles: roles.to_vec(),
        timezone: Tz::UTC,
        digest_time: NaiveTime::MIN,
        workdays: Workdays::MON_FRI,
        manager: None,
        delegate: None,
        out_of_office_until: None,
        pool: None,
        active: true,
        unreachable_since: None,
    }
}

const DANA: u128 = 1;
const OMAR: u128 = 2;
const LEA: u128 = 3;
const ADA: u128 = 4;
const PIA: u128 = 5;
const VIC: u128 = 6;

/// Dana (CSM) and Omar (AM) report to Lea; Pia is in the pool "emea"; Ada administers; Vic looks on.
fn team(change: impl Fn(&mut BTreeMap<u128, Person>)) -> People {
    let mut people = BTreeMap::from([
        (DANA, person(DANA, "Dana Reyes", &[Role::Csm])),
        (OMAR, person(OMAR, "Omar Haddad", &[Role::AccountManager])),
        (LEA, person(LEA, "Lea Novak", &[Role::Lead])),
        (ADA, person(ADA, "Ada Okafor", &[Role::Admin])),
        (PIA, person(PIA, "Pia Berg", &[Role::AccountManager])),
        (VIC, person(VIC, "Vic Stone", &[Role::Viewer])),
    ]);
    for reports in [DANA, OMAR, PIA] {
        people.get_mut(&reports).unwrap().manager = Some(id(LEA));
    }
    people.get_mut(&PIA).unwrap().pool = Some("emea".to_owned());
    change(&mut people);
    people.into_values().collect()
}

fn account(csm: Option<u128>, manager: Option<u128>, pool: Option<&str>) -> Account {
    Account {
        csm: csm.map(id),
        account_manager: manager.map(id),
        pool: pool.map(str::to_owned),
        ..Account::new("acme", "Acme")
    }
}

fn read(people: &People, account: &Account, model: Model) -> String {
    let routed = route(account, model, RenewalOwner::AccountManager, people, TODAY).unwrap();
    let name = |id| people.get(id).unwrap().first_name().to_owned();
    let seat = |seat: &Seat| match seat {
        Seat::Person(id) => name(*id),
        Seat::Pool { name: pool, accountable } => format!("pool {pool} ({})", name(*accountable)),
    };
    let windows = match &routed.windows {
        Start::Detector(id) => format!("detector {}", name(*id)),
        Start::Offered(to) => format!("offered to {}", seat(to)),
        Start::Solo(id) => format!("solo {}", name(*id)),
    };
    format!(
        "risks {}, manager {}, renewal {}, windows {windows}{}",
        name(routed.risks),
        seat(&routed.account_manager),
        name(routed.renewal_owner),
        routed.why.iter().map(|why| format!("; {why}")).collect::<String>()
    )
}

#[test]
fn every_account_is_routed_and_says_why() {
    let all = team(|_| ());
    let away = |who: u128, delegate: Option<u128>| {
        team(move |people| {
            let person = people.get_mut(&who).unwrap();
            person.out_of_office_until = NaiveDate::from_ymd_opt(2026, 12, 3);
            person.delegate = delegate.map(id);
        })
    };
    let gone = team(|people| people.get_mut(&OMAR).unwrap().active = false);
    let left = team(|people| people.get_mut(&DANA).unwrap().active = false);
    let alone: People = [person(DANA, "Dana Reyes", &[Role::Csm])].into_iter().collect();
    let lines = [
        ("pair", read(&all, &account(Some(DANA), Some(OMAR), None), Model::Pair)),
        ("combined", read(&all, &account(Some(DANA), None, None), Model::Combined)),
        ("combined, AM alone", read(&all, &account(None, Some(OMAR), None), Model::Combined)),
        ("pool", read(&all, &account(Some(DANA), None, Some("emea")), Model::Asymmetric)),
        ("pool under pair", read(&all, &account(Some(DANA), None, Some("emea")), Model::Pair)),
        ("empty pool", read(&all, &account(Some(DANA), None, Some("apac")), Model::Asymmetric)),
        ("no CSM", read(&all, &account(None, Some(OMAR), None), Model::Pair)),
        ("nobody named", read(&all, &account(None, None, None), Model::Pair)),
        ("pool alone", read(&all, &account(None, None, Some("emea")), Model::Asymmetric)),
        ("away, delegate", read(&away(OMAR, Some(PIA)), &account(Some(DANA), Some(OMAR), None), Model::Pair)),
        ("away, no delegate", read(&away(DANA, None), &account(Some(DANA), Some(OMAR), None), Model::Pair)),
        ("away, the AM stands in", read(&away(DANA, Some(OMAR)), &account(Some(DANA), Some(OMAR), None), Model::Pair)),
        (
            "away, the AM stands in, with a pool",
            read(&away(DANA, Some(OMAR)), &account(Some(DANA), Some(OMAR), Some("emea")), Model::Pair),
        ),
        ("away, the CSM stands in", read(&away(OMAR, Some(DANA)), &account(Some(DANA), Some(OMAR), None), Model::Pair)),
        ("gone", read(&gone, &account(Some(DANA), Some(OMAR), None), Model::Pair)),
        ("gone, with a pool", read(&gone, &account(Some(DANA), Some(OMAR), Some("emea")), Model::Pair)),
        ("gone, combined", read(&left, &account(Some(DANA), Some(OMAR), None), Model::Combined)),
        ("unknown person", read(&all, &account(Some(DANA), Some(99), None), Model::Pair)),
        ("one person in all", read(&alone, &account(Some(DANA), None, None), Model::Pair)),
    ];
    let text: Vec<String> = lines.iter().map(|(what, line)| format!("{what}: {line}")).collect();
    insta::assert_snapshot!(text.join("\n"), @"
    pair: risks Dana, manager Omar, renewal Omar, windows detector Dana
    combined: risks Dana, manager Dana, renewal Dana, windows solo Dana
    combined, AM alone: risks Omar, manager Omar, renewal Omar, windows solo Omar
    pool: risks Dana, manager pool emea (Lea), renewal Dana, windows detector Dana
    pool under pair: risks Dana, manager pool emea (Lea), renewal Dana, windows detector Dana
    empty pool: risks Dana, manager Lea, renewal Dana, windows detector Dana; the pool apac has no members; the account has no account manager: Lea Novak decides on its windows
    no CSM: risks Omar, manager Omar, renewal Omar, windows offered to Omar; the account has no CSM: Omar Haddad looks after its risks
    nobody named: risks Ada, manager Ada, renewal Ada, windows offered to Ada; the account has no account manager: Ada Okafor decides on its windows; the account has no CSM: Ada Okafor looks after its risks
    pool alone: risks Lea, manager pool emea (Lea), renewal Lea, windows offered to pool emea (Lea); the account has no CSM: Lea Novak looks after its risks
    away, delegate: risks Dana, manager Pia, renewal Pia, windows detector Dana; Omar Haddad, the account manager, is away until 3 Dec 2026: Pia Berg stands in
    away, no delegate: risks Lea, manager Omar, renewal Omar, windows detector Lea; Dana Reyes, the CSM, is away until 3 Dec 2026: Lea Novak stands in
    away, the AM stands in: risks Omar, manager Omar, renewal Omar, windows solo Omar; Dana Reyes, the CSM, is away until 3 Dec 2026: Omar Haddad stands in
    away, the AM stands in, with a pool: risks Omar, manager Omar, renewal Omar, windows solo Omar; Dana Reyes, the CSM, is away until 3 Dec 2026: Omar Haddad stands in
    away, the CSM stands in: risks Dana, manager Lea, renewal Dana, windows detector Dana; Omar Haddad, the account manager, is away until 3 Dec 2026: Dana Reyes stands in; no account manager but the CSM is here: Lea Novak decides on its windows
    gone: risks Dana, manager Lea, renewal Lea, windows detector Dana; Omar Haddad, the account manager, is no longer here: Lea Novak stands in
    gone, with a pool: risks Dana, manager pool emea (Lea), renewal Dana, windows detector Dana; Omar Haddad, the account manager, is no longer here: the pool emea stands in
    gone, combined: risks Omar, manager Omar, renewal Omar, windows solo Omar; Dana Reyes is no longer here: Omar Haddad holds both roles
    unknown person: risks Dana, manager Ada, renewal Ada, windows detector Dana; somebody who was never imported, the account manager, is no longer here: Ada Okafor stands in
    one person in all: risks Dana, manager Dana, renewal Dana, windows solo Dana; the account has no account manager: Dana Reyes decides on its windows
    ");
}

#[test]
fn without_anyone_it_says_so() {
    let people: People = [person(VIC, "Vic Stone", &[Role::Viewer])].into_iter().collect();
    assert_eq!(route(&account(None, None, None), Model::Pair, RenewalOwner::Csm, &people, TODAY), Err(Nobody));
}

#[test]
fn a_segment_may_differ() {
    let mut model = PerSegment::everywhere(Model::Pair);
    model.overrides.insert(Segment::Smb, Model::Combined);
    assert_eq!(model.of(Some(Segment::Smb)), Model::Combined);
    assert_eq!(model.of(None), Model::Pair);
    assert_eq!("asymmetric".parse(), Ok(Model::Asymmetric));
    assert!("trio".parse::<Model>().unwrap_err().contains("trio"));
}

#[test]
fn who_is_out_of_reach_is_stood_in_for_and_it_says_why() {
    let people = team(|people| people.get_mut(&DANA).unwrap().unreachable_since = Some(chrono::DateTime::UNIX_EPOCH));
    let said = read(&people, &account(Some(DANA), Some(OMAR), None), Model::Pair);
    assert!(said.contains("risks Lea") && said.contains("detector Lea"), "{said}");
    assert!(said.contains("Dana Reyes, the CSM, cannot be reached in chat: Lea Novak stands in"), "{said}");
    // The delegate goes before the lead, and an admin who can be reached before a lead who can't.
    let people = team(|people| {
        people.insert(7, person(7, "Del Egate", &[Role::Csm]));
        let dana = people.get_mut(&DANA).unwrap();
        (dana.unreachable_since, dana.delegate) = (Some(chrono::DateTime::UNIX_EPOCH), Some(id(7)));
    });
    assert!(read(&people, &account(Some(DANA), None, None), Model::Pair).contains("risks Del"));
    let people = team(|people| {
        for lost in [DANA, LEA] {
            people.get_mut(&lost).unwrap().unreachable_since = Some(chrono::DateTime::UNIX_EPOCH);
        }
    });
    assert!(read(&people, &account(Some(DANA), None, None), Model::Pair).contains("risks Ada"));
}

#[test]
fn rights_follow_the_seats() {
    let people = team(|people| {
        people.insert(7, Person { manager: None, ..person(7, "Del Egate", &[Role::Csm]) });
        people.get_mut(&DANA).unwrap().delegate = Some(id(7));
        people.insert(8, person(8, "Top Lead", &[Role::Lead]));
        people.get_mut(&LEA).unwrap().manager = Some(id(8));
        people.insert(9, person(9, "No Role", &[]));
        people.insert(10, Person { active: false, ..person(10, "Gone", &[Role::Csm]) });
        people.insert(11, person(11, "Other Csm", &[Role::Csm]));
    });
    let account = account(Some(DANA), None, Some("emea"));
    let read = |n: u128, open| access(people.get(id(n)).unwrap(), &account, &people, open);
    for actor in [DANA, 7, LEA, 8] {
        assert_eq!(read(actor, false), Access::Act, "{actor}");
    }
    assert_eq!(read(PIA, false), Access::ActOnWindows);
    for onlooker in [OMAR, ADA, VIC, 11] {
        assert_eq!(read(onlooker, true), Access::See, "{onlooker}");
        assert_eq!(read(onlooker, false), Access::Nothing, "{onlooker}");
    }
    for outsider in [9, 10] {
        assert_eq!(read(outsider, true), Access::Nothing, "{outsider}");
    }
}

fn any_people() -> impl Strategy<Value = People> {
    let one = (
        proptest::collection::vec(proptest::sample::select(&Role::ALL[..]), 0..3),
        proptest::option::of(0_u128..8),
        proptest::option::of(0_u128..8),
        any::<bool>(),
        proptest::bool::weighted(0.8),
        proptest::option::of(proptest::sample::select(&["emea", "apac"][..])),
        proptest::bool::weighted(0.2),
    );
    proptest::collection::vec(one, 1..8).prop_map(|all| {
        all.into_iter()
            .enumerate()
            .map(|(n, (roles, manager, delegate, away, active, pool, unreachable))| Person {
                manager: manager.map(id),
                delegate: delegate.map(id),
                out_of_office_until: away.then_some(TODAY),
                active,
                pool: pool.map(str::to_owned),
                unreachable_since: unreachable.then_some(chrono::DateTime::UNIX_EPOCH),
                ..person(n as u128, &format!("P{n}"), &roles)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn everyone_made_accountable_is_here_and_may_act(
        people in any_people(),
        csm in proptest::option::of(0_u128..8),
        manager in proptest::option::of(0_u128..8),
        pool in proptest::option::of(proptest::sample::select(&["emea", "none"][..])),
        model in proptest::sample::select(&Model::ALL[..]),
        owner in proptest::sample::select(&[RenewalOwner::Csm, RenewalOwner::AccountManager][..]),
    ) {
        let account = account(csm, manager, pool);
        match route(&account, model, owner, &people, TODAY) {
            Err(Nobody) => prop_assert!(people.iter().all(|person| !may_hold(person))),
            Ok(routed) => {
                let start = match &routed.windows {
                    Start::Detector(id) | Start::Solo(id) => *id,
                    Start::Offered(seat) => seat.accountable(),
                };
                let reached = |person: &Person| may_hold(person) && person.unreachable_since.is_none();
                let somebody = people.iter().filter(|person| reached(person)).count();
                for who in [routed.risks, routed.renewal_owner, routed.account_manager.accountable(), start] {
                    prop_assert!(may_hold(people.get(who).unwrap()));
                    // Where two can be reached, nothing lies with somebody who can't be; one alone may be who is late.
                    prop_assert!(reached(people.get(who).unwrap()) || somebody < 2, "out of reach");
                }
                if let (Start::Detector(csm), Seat::Person(to)) = (&routed.windows, &routed.account_manager) {
                    prop_assert_ne!(csm, to, "a handoff to oneself");
                }
            }
        }
    }
}

/// What of an account lies with somebody goes before what their roles say.
#[test]
fn whoever_answers_for_an_accounts_risks_reads_it_as_its_csm_does() {
    let all = team(|_| ());
    let away = |delegate: u128| {
        team(move |people| {
            let dana = people.get_mut(&DANA).unwrap();
            dana.out_of_office_until = NaiveDate::from_ymd_opt(2026, 12, 3);
            dana.delegate = Some(id(delegate));
        })
    };
    let (pair, sold) = (account(Some(DANA), Some(OMAR), None), account(Some(OMAR), Some(OMAR), None));
    let angle = |people: &People, account: &Account, model: Model, who: u128, in_hand: bool| {
        let routed = route(account, model, RenewalOwner::AccountManager, people, TODAY).unwrap();
        routed.angle(people.get(id(who)).unwrap(), in_hand)
    };
    let of = |people: &People, account: &Account, who: u128| angle(people, account, Model::Pair, who, false);
    // By their roles, where each has their half.
    assert_eq!([DANA, OMAR, LEA].map(|who| of(&all, &pair, who)), [Angle::Csm, Angle::AccountManager, Angle::Both]);
    // The account's AM stands in for its CSM; an AM of other accounts does.
    assert_eq!(of(&away(OMAR), &pair, OMAR), Angle::Both);
    assert_eq!([PIA, OMAR].map(|who| of(&away(PIA), &pair, who)), [Angle::Csm, Angle::AccountManager]);
    // An AM sits as the CSM: beside themselves, beside another, beside nobody, beside a pool.
    assert_eq!(of(&all, &sold, OMAR), Angle::Both);
    let beside = |manager, pool| account(Some(OMAR), manager, pool);
    assert_eq!([OMAR, PIA].map(|who| of(&all, &beside(Some(PIA), None), who)), [Angle::Csm, Angle::AccountManager]);
    assert_eq!(of(&all, &beside(None, None), OMAR), Angle::Csm);
    assert_eq!([OMAR, PIA].map(|who| of(&all, &beside(None, Some("emea")), who)), [Angle::Csm, Angle::AccountManager]);
    // There is no CSM, or one person is meant to have both halves.
    assert_eq!(of(&all, &account(None, Some(OMAR), None), OMAR), Angle::Both);
    let alone = account(Some(DANA), None, None);
    assert_eq!(angle(&all, &alone, Model::Combined, DANA, false), Angle::Both);
    assert_eq!(of(&all, &alone, DANA), Angle::Csm);
    // Who has acknowledged it is asked about it, also once the CSM is back.
    assert_eq!(angle(&all, &pair, Model::Pair, OMAR, true), Angle::Both);
    assert_eq!(angle(&all, &pair, Model::Pair, PIA, true), Angle::Csm);
}

#[test]
fn an_account_managers_side_settles_risks_only_where_there_is_no_csm() {
    let settles = |angle: Angle| [true, false].map(|has_csm| angle.settles_risks(has_csm));
    assert_eq!(settles(Angle::AccountManager), [false, true]);
    assert_eq!([Angle::Csm, Angle::Both].map(settles), [[true, true]; 2]);
}

//! Purpose: whatever a message or a dialog may say, for the properties of the renderers: texts of every length,
//! characters that mean something to a chat platform, none at all.

use chrono::{NaiveDate, NaiveTime};
use proptest::prelude::*;
use uuid::Uuid;

use super::chart::{Chart, Kind};
use super::{Block, Button, Buttons, Emphasis, Input, Message, Span, Style, Text};
use crate::domain::account::AccountId;
use crate::domain::action::{Action, Subject, Verb};
use crate::domain::money::Currency;

pub(crate) fn words() -> impl Strategy<Value = String> + Clone {
    let sample = prop_oneof![
        4 => "[ -~]{0,30}",
        2 => "\\PC{0,40}",
        1 => Just("👩‍👩‍👧🇺🇦".to_owned()),
        1 => Just("שלום עולם \u{202e}مرحبا".to_owned()),
        1 => Just("\0\u{1}\r\n\t".to_owned()),
        1 => Just("<!channel>&*_~`\"\\".to_owned()),
        1 => Just("**a** [b](https://x.example) _c_ `d`\n- e".to_owned()),
        1 => Just(String::new()),
    ];
    let times = prop_oneof![60 => Just(1usize), 12 => Just(60), 1 => Just(1000)];
    (sample, times).prop_map(|(text, times)| text.repeat(times))
}

pub(crate) fn text() -> impl Strategy<Value = Text> {
    let style = prop_oneof![
        Just(Style::Plain),
        Just(Style::Strong),
        Just(Style::Emphasis),
        Just(Style::Code),
        words().prop_map(Style::Link),
        Just(Style::Link("https://crm.example/?a=<b>|c&d".into())),
    ];
    let span = (words(), style).prop_map(|(text, style)| Span { text, style });
    prop::collection::vec(span, 0..4).prop_map(Text)
}

pub(crate) fn button() -> impl Strategy<Value = Button> {
    let subject = prop_oneof![
        3 => any::<u128>().prop_map(|id| Subject::Risk(Uuid::from_u128(id))),
        1 => words().prop_map(|id| Subject::Account(AccountId(format!("x{id}")))),
    ];
    let emphasis = prop_oneof![Just(Emphasis::Normal), Just(Emphasis::Primary), Just(Emphasis::Danger)];
    (words(), prop::sample::select(&Verb::ALL[..]), subject, emphasis, words()).prop_map(
        |(label, verb, subject, emphasis, spoken)| Button {
            label,
            action: Action::new(verb, subject),
            emphasis,
            spoken,
        },
    )
}

/// `alt`: what the words of a chart may be.
pub(crate) fn message(alt: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = Message> {
    let chart = (words(), alt).prop_map(|(title, alt)| Chart { title, alt, kind: Kind::Bars(Vec::new()) });
    let block = prop_oneof![
        1 => words().prop_map(Block::Heading),
        3 => text().prop_map(Block::Text),
        1 => prop::collection::vec(text(), 0..6).prop_map(Block::Bullets),
        1 => prop::collection::vec((words(), text()), 0..14).prop_map(Block::Facts),
        1 => text().prop_map(Block::Context),
        1 => chart.prop_map(Block::Chart),
        1 => Just(Block::Divider),
        2 => (prop::collection::vec(button(), 0..4), prop::collection::vec(button(), 0..9))
            .prop_map(|(shown, more)| Block::Buttons(Buttons { shown, more })),
    ];
    (words(), prop::collection::vec(block, 0..25)).prop_map(|(summary, blocks)| Message { summary, blocks })
}

/// `option`: what the value of an option may be.
pub(crate) fn input(option: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = Input> {
    let date = prop::option::of((1900i32..2200, 1u32..366).prop_map(|(y, d)| NaiveDate::from_yo_opt(y, d).unwrap()));
    prop_oneof![
        (words(), any::<u16>()).prop_map(|(value, max)| Input::Line { value, max }),
        (words(), any::<u16>()).prop_map(|(value, max)| Input::Paragraph { value, max }),
        (date.clone(), date).prop_map(|(value, min)| Input::Date { value, min }),
        words().prop_map(|value| Input::Amount { value, currency: Currency::USD }),
        (0..24_u32, 0..60_u32)
            .prop_map(|(hour, minute)| Input::Time { value: NaiveTime::from_hms_opt(hour, minute, 0).unwrap() }),
        prop::collection::vec((option.clone(), words()), 0..14).prop_map(|options| Input::Choices {
            values: options.iter().take(2).map(|option| option.0.clone()).collect(),
            options,
        }),
        prop::collection::vec((option, words()), 0..120)
            .prop_map(|options| Input::Select { value: options.first().map(|option| option.0.clone()), options }),
    ]
}

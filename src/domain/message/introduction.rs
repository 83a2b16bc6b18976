//! Purpose: who somebody unknown is. What they are told themselves, what those
//! are asked who can say whether it is so, and what came of it.

use chrono::NaiveDate;
use uuid::Uuid;

use super::phrase::{self, cut};
use super::{Block, Button, Buttons, Message, Text};
use crate::domain::action::{Action, Subject, Verb};

/// What an introduction has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Waits for an answer.
    Asked,
    /// First name, or "you".
    Confirmed {
        by: String,
        on: NaiveDate,
    },
    Refused {
        by: String,
        on: NaiveDate,
    },
    /// Nobody answered in time, or they asked for something else since.
    Over,
}

/// What is asked of those who can say whether it is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub id: Uuid,
    /// Whom they say they are.
    pub name: String,
    pub email: String,
    /// "Slack" or "Teams".
    pub platform: &'static str,
    /// As the platform names them.
    pub chat_name: Option<String>,
    pub chat_email: Option<String>,
    /// That person is known there by another account, whose place this one takes.
    pub replaces: bool,
    /// The reader is whom they say they are.
    pub is_reader: bool,
    pub state: State,
}

/// The platform is being asked who it is; the answer follows.
pub fn finding_out() -> Message {
    Message::sentence("One moment: Tandem is finding out who you are.")
}

/// A colleague asks whom nobody is known by; what they asked for is kept under `id`. `email` as the platform has it.
pub fn introduce_yourself(email: Option<&str>, id: Uuid) -> Message {
    let listed = match email {
        Some(email) => format!("nobody is listed under {}", cut(email, 120)),
        None => "your chat account shows no e-mail address".to_owned(),
    };
    let text = format!(
        "Tandem does not know you yet: {listed}. If your admin has another address for you, introduce yourself; what you \
         asked for is done once that is confirmed. If you are not listed at all, ask your admin to add you."
    );
    let button = Button::new(Action::new(Verb::Introduce, Subject::Introduction(id)), "to Tandem").primary();
    let buttons = Buttons { shown: vec![button], more: Vec::new() };
    Message { summary: text.clone(), blocks: vec![Block::Text(text.into()), Block::Buttons(buttons)] }
}

/// To whoever introduced themselves; `whom` are the first names of those who are asked.
pub fn asked(whom: &[String]) -> Message {
    Message::sentence(format!(
        "Asked whether it is you: {}. Once it is confirmed, what you asked for is done and Tandem writes to you.",
        phrase::and(whom)
    ))
}

/// The sentence at the field, by what stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    NobodyListed,
    /// The import names another chat account for that person.
    AnotherImported,
    /// Nobody could say whether it is so.
    NobodyToAsk,
    /// Asked too often today.
    TooOften,
}

pub fn refused(why: Refused) -> &'static str {
    match why {
        Refused::NobodyListed => {
            "Nobody is listed under this address. Check how it is written, or ask your admin to add you."
        }
        Refused::AnotherImported => {
            "Your admin has named another chat account for this address. Ask them to change that."
        }
        Refused::NobodyToAsk => {
            "There is nobody yet whom Tandem could ask whether it is you. Ask your admin to enter your chat account."
        }
        Refused::TooOften => "You asked several times today. Please wait for the answer, or ask your admin.",
    }
}

/// Somebody who is known by now.
pub fn known_already(name: &str) -> Message {
    Message::sentence(format!("Tandem knows you, as {}.", cut(name, 100)))
}

/// Whose introduction it was, pressed by somebody else, or long ago.
pub fn over() -> Message {
    Message::sentence("This introduction is over. Ask Tandem for something, such as /tandem help, to begin a new one.")
}

/// To those who can say whether it is so.
pub fn question(view: &View, today: NaiveDate) -> Message {
    let name = cut(&view.name, 100);
    let who = match (&view.chat_name, &view.chat_email) {
        (Some(name), Some(email)) => format!("{} ({})", cut(name, 100), cut(email, 120)),
        (Some(one), None) | (None, Some(one)) => cut(one, 120),
        (None, None) => "Somebody".to_owned(),
    };
    let claims = if view.is_reader { "is you".to_owned() } else { format!("is {name} ({})", cut(&view.email, 120)) };
    let claim = format!(
        "{who} writes from an account in {} that Tandem does not know, and says that it {claims}.",
        view.platform
    );
    let mut blocks = vec![Block::Text(Text::strong(format!("Is this {name}?")).then(format!("\n{claim}")))];
    if let Some(settled) = settled(&name, &view.state, today) {
        blocks.push(Block::Text(settled.clone().into()));
        return Message { summary: settled, blocks };
    }
    if view.replaces {
        let so_far = format!("So far {name} is another account there; this one would take its place.");
        blocks.push(Block::Text(so_far.into()));
    }
    let about = |verb| Button::new(Action::new(verb, Subject::Introduction(view.id)), &name);
    let buttons = vec![about(Verb::ConfirmIntroduction).primary(), about(Verb::RefuseIntroduction)];
    blocks.push(Block::Buttons(Buttons { shown: buttons, more: Vec::new() }));
    let caution = "Confirm only what you know, or have asked them in person: whoever is confirmed sees and does what that \
                   colleague may. Your answer is kept in the audit trail.";
    blocks.push(Block::Context(caution.into()));
    Message { summary: format!("Is this {name}? {claim}"), blocks }
}

/// How it stands, to whoever answers, or answers late. `name` is the colleague's in full.
pub fn present(name: &str, state: &State, today: NaiveDate) -> Message {
    let name = cut(name, 100);
    Message::sentence(
        settled(&name, state, today).unwrap_or_else(|| format!("Whether it is {name} waits for an answer.")),
    )
}

fn settled(name: &str, state: &State, today: NaiveDate) -> Option<String> {
    Some(match state {
        State::Asked => return None,
        State::Confirmed { by, on } => format!("It is {name}: confirmed by {by} on {}.", phrase::date(*on, today)),
        State::Refused { by, on } => format!("It is not {name}: refused by {by} on {}.", phrase::date(*on, today)),
        State::Over => "This is over: nobody answered in time, or it was asked anew.".to_owned(),
    })
}

/// To whoever is known now, with what they had asked for.
pub fn confirmed(name: &str, by: &str, wanted: Option<Message>) -> Message {
    let sentence = format!("Tandem knows you now, as {}: {by} confirmed it.", cut(name, 100));
    let mut message = Message::sentence(sentence);
    match wanted {
        Some(wanted) => {
            message.blocks.push(Block::Divider);
            message.blocks.extend(wanted.blocks);
        }
        None => message
            .blocks
            .push(Block::Context(Text::plain("Ask for ").then_code("/tandem help").then(", or open your home page."))),
    }
    message
}

/// To whoever said to be the colleague with this address, and is not: `by` is the first name of who says so.
pub fn not_you(email: &str, by: &str) -> Message {
    Message::sentence(format!(
        "You introduced yourself as {}, and {by} says that this is not you. So nothing was done for you, and Tandem tells \
         you nothing about accounts. If that is a mistake, talk to {by}, or ask your admin to enter your chat account.",
        cut(email, 120)
    ))
}

#[cfg(test)]
mod tests {
    use super::super::card::sample;
    use super::super::text::to_text;
    use super::*;

    fn view(state: State) -> View {
        View {
            id: Uuid::nil(),
            name: "Dana Reyes".into(),
            email: "dana@x.eu".into(),
            platform: "Slack",
            chat_name: Some("dee".into()),
            chat_email: Some("dana.old@x.eu".into()),
            replaces: false,
            is_reader: false,
            state,
        }
    }

    #[test]
    fn whoever_is_asked_is_told_what_it_means() {
        let today = sample::today();
        let asked = View { replaces: true, ..view(State::Asked) };
        insta::assert_snapshot!(to_text(&question(&asked, today), 100), @"
        Is this Dana Reyes?
        dee (dana.old@x.eu) writes from an account in Slack that Tandem does not know, and says that it is
        Dana Reyes (dana@x.eu).

        So far Dana Reyes is another account there; this one would take its place.
        [Confirm] [Refuse]
          Confirm only what you know, or have asked them in person: whoever is confirmed sees and does what
          that colleague may. Your answer is kept in the audit trail.
        ");
        let settled = view(State::Refused { by: "Ada".into(), on: today });
        let said = question(&settled, today);
        assert_eq!(said.summary, "It is not Dana Reyes: refused by Ada on Tue 3 Nov.");
        assert_eq!(said.buttons().count(), 0, "nothing is left to press");
        let nobody = View { chat_name: None, chat_email: None, is_reader: true, ..view(State::Over) };
        assert!(question(&nobody, today).blocks.iter().any(|block| matches!(block, Block::Text(text)
            if text.to_plain().contains("Somebody writes from an account in Slack that Tandem does not know, and says that it is you."))));
    }

    #[test]
    fn whoever_asks_is_told_what_happens_next() {
        let first = introduce_yourself(Some("dee@old.eu"), Uuid::nil());
        assert!(first.summary.contains("nobody is listed under dee@old.eu"));
        let verbs: Vec<Verb> = first.buttons().map(|button| button.action.verb).collect();
        assert_eq!(verbs, [Verb::Introduce]);
        assert_eq!(
            asked(&["Lea".into(), "Ada".into()]).summary,
            "Asked whether it is you: Lea and Ada. Once it is confirmed, what you asked for is done and Tandem writes to you."
        );
        assert_eq!(
            not_you("dana@x.eu", "Lea").summary,
            "You introduced yourself as dana@x.eu, and Lea says that this is not you. So nothing was done for you, and \
             Tandem tells you nothing about accounts. If that is a mistake, talk to Lea, or ask your admin to enter your \
             chat account."
        );
        let wanted = Message::sentence("Acme is well.");
        insta::assert_snapshot!(to_text(&confirmed("Dana Reyes", "Lea", Some(wanted)), 100), @"
        Tandem knows you now, as Dana Reyes: Lea confirmed it.

        ----------------------------------------

        Acme is well.
        ");
        for why in [Refused::NobodyListed, Refused::AnotherImported, Refused::NobodyToAsk, Refused::TooOften] {
            assert!(refused(why).ends_with('.') && refused(why).len() <= 150, "{why:?}");
        }
    }
}

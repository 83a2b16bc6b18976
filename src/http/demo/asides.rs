//! What was said to one person alone and stands in no message: answers until
//! they are dismissed; a dialog, the focus and an announcement until they were shown.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::action::Action;
use crate::domain::command::Command;
use crate::domain::message::{Answers, Dialog, Message};
use crate::domain::person::PersonId;
use crate::preview::dialog::DialogView;

/// Older answers scroll away.
const ANSWERS_MOST: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Asides(BTreeMap<PersonId, Aside>);

impl Asides {
    pub(super) fn of(&mut self, person: PersonId) -> &mut Aside {
        self.0.entry(person).or_default()
    }
}

#[derive(Debug, Default)]
pub(super) struct Aside {
    answers: Vec<Private>,
    numbered: u32,
    /// The dialog that was opened last, to be drawn again around errors.
    last: Option<Dialog>,
    shown_once: Once,
}

/// Taken when the page is drawn.
#[derive(Debug, Default)]
pub(super) struct Once {
    pub(super) dialog: Option<DialogView>,
    pub(super) focus: Option<String>,
    pub(super) announcement: String,
}

/// A private answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Private {
    pub(super) id: String,
    pub(super) at: DateTime<Utc>,
    pub(super) said: Said,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    Message(Message),
    /// Asked again each time it is shown, so that it shows the present state as messages do.
    AnswerTo(Command),
}

impl Aside {
    pub(super) fn say(&mut self, said: Message, at: DateTime<Utc>) {
        let announcement = said.summary.clone();
        self.push(Said::Message(said), &announcement, at);
    }

    pub(super) fn answer(&mut self, typed: Command, summary: &str, at: DateTime<Utc>) {
        self.push(Said::AnswerTo(typed), summary, at);
    }

    fn push(&mut self, said: Said, announcement: &str, at: DateTime<Utc>) {
        self.numbered += 1;
        let id = format!("answer-{}", self.numbered);
        self.shown_once = Once { dialog: None, focus: Some(id.clone()), announcement: announcement.to_owned() };
        self.answers.push(Private { id, at, said });
        let over = self.answers.len().saturating_sub(ANSWERS_MOST);
        self.answers.drain(..over);
    }

    /// A message was changed: it is drawn anew anyway.
    pub(super) fn changed(&mut self, message: &str) {
        let focus = Some(message.to_owned()).filter(|id| !id.is_empty());
        self.shown_once = Once { dialog: None, focus, announcement: "Done.".to_owned() };
    }

    pub(super) fn open(&mut self, dialog: Dialog, message: &str) {
        let announcement = dialog.title.clone();
        self.last = Some(dialog.clone());
        let view = DialogView {
            dialog,
            answers: None,
            errors: Vec::new(),
            message: message.to_owned(),
            origin: message.to_owned(),
        };
        self.shown_once = Once { dialog: Some(view), focus: None, announcement };
    }

    /// Shows the dialog once more with what was typed. False where it is not known any more.
    pub(super) fn open_again(
        &mut self,
        action: &Action,
        message: &str,
        answers: Answers,
        errors: Vec<(String, String)>,
    ) -> bool {
        let Some(dialog) = self.last.clone().filter(|last| last.action == *action) else { return false };
        // Three empty fields are one thing to hear.
        let mut sentences: Vec<&str> = errors.iter().map(|(_, sentence)| sentence.as_str()).collect();
        sentences.dedup();
        let announcement = sentences.join(" ");
        let view = DialogView {
            dialog,
            answers: Some(answers),
            errors,
            message: message.to_owned(),
            origin: message.to_owned(),
        };
        self.shown_once = Once { dialog: Some(view), focus: None, announcement };
        true
    }

    pub(super) fn dismiss(&mut self, id: &str) {
        self.answers.retain(|answer| answer.id != id);
    }

    /// A new day: what was asked yesterday is gone, as private answers go in chat.
    pub(super) fn morning(&mut self, date: &str) {
        self.answers.clear();
        self.shown_once = Once { announcement: format!("It is {date} now."), ..Once::default() };
    }

    pub(super) fn shown(&mut self) -> (Vec<Private>, Once) {
        (self.answers.clone(), std::mem::take(&mut self.shown_once))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::action::{Subject, Verb};

    fn note(risk: u128) -> Dialog {
        Dialog {
            title: "Note".into(),
            submit: "Save".into(),
            intro: None,
            fields: Vec::new(),
            action: Action::new(Verb::Note, Subject::Risk(Uuid::from_u128(risk))),
        }
    }

    #[test]
    fn an_answer_stays_and_a_dialog_is_shown_once() {
        let mut aside = Aside::default();
        aside.say(Message::sentence("Saved."), DateTime::UNIX_EPOCH);
        let (answers, once) = aside.shown();
        assert_eq!((answers.len(), once.focus.as_deref(), once.announcement.as_str()), (1, Some("answer-1"), "Saved."));
        aside.open(note(1), "m1");
        assert!(aside.shown().1.dialog.is_some());
        let (answers, once) = aside.shown();
        assert!(once.dialog.is_none() && once.announcement.is_empty() && answers.len() == 1);
        aside.dismiss("answer-1");
        assert!(aside.shown().0.is_empty());
    }

    #[test]
    fn what_was_typed_comes_back_in_its_own_dialog_only() {
        let mut aside = Aside::default();
        aside.open(note(1), "m1");
        aside.shown();
        let typed = Answers::from([("text".to_owned(), "long words".to_owned())]);
        let errors = ["text", "note"].map(|field| (field.to_owned(), "Too long.".to_owned())).to_vec();
        assert!(!aside.open_again(&note(2).action, "m1", typed.clone(), errors.clone()));
        assert!(aside.open_again(&note(1).action, "m1", typed.clone(), errors.clone()));
        let (_, once) = aside.shown();
        let view = once.dialog.unwrap();
        assert_eq!((view.answers, view.errors, view.message.as_str()), (Some(typed), errors, "m1"));
        assert_eq!(once.announcement, "Too long.");
    }

    #[test]
    fn the_oldest_answers_go_first() {
        let mut aside = Aside::default();
        for _ in 0..ANSWERS_MOST + 3 {
            aside.say(Message::sentence("Saved."), DateTime::UNIX_EPOCH);
        }
        let (answers, _) = aside.shown();
        assert_eq!((answers.len(), answers[0].id.as_str()), (ANSWERS_MOST, "answer-4"));
    }
}

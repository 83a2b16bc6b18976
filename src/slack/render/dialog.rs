//! Dialogs → modal views, and what is answered when one is submitted.
//!
//! A field's id is its block's name and its element's, so that the answer and
//! an error find the field again without a table.

use serde_json::{Map, Value, json};

use super::{VIEW_BLOCKS, blocks, drawn, mrkdwn, named};
use crate::domain::message::{Dialog, Field, Input, Message, Reply, phrase};
use crate::slack::inbound::{Carried, Origin};

/// Title, submit, close.
const VIEW_LABEL: usize = 24;
const METADATA: usize = 3000;
/// An input's label, its hint.
const INPUT_TEXT: usize = 2000;
/// The longest text that a plain_text_input takes.
const INPUT_MAX: u16 = 3000;
/// Options of checkboxes.
const CHOICES: usize = 10;
const CLOSE: &str = "Cancel";

/// The view to open or to fill in. `origin` is the message it was opened from: it comes back with the submission.
pub fn dialog(dialog: &Dialog, origin: Option<&Origin>) -> Value {
    let Some(metadata) = metadata(dialog, origin) else {
        return notice(&dialog.title, &Message::sentence("This account's id is too long for a Slack dialog."));
    };
    let intro = dialog.intro.iter().flat_map(|text| mrkdwn::pieces(text, blocks::TEXT));
    let mut view_blocks: Vec<Value> = intro.map(|piece| json!(blocks::section(piece))).collect();
    view_blocks.extend(dialog.fields.iter().map(field));
    view_blocks.truncate(VIEW_BLOCKS);
    json!({
        "type": "modal",
        "callback_id": dialog.action.verb.as_str(),
        "private_metadata": metadata,
        "title": blocks::plain(&dialog.title, VIEW_LABEL),
        "submit": blocks::plain(&dialog.submit, VIEW_LABEL),
        "close": blocks::plain(CLOSE, VIEW_LABEL),
        "blocks": view_blocks,
    })
}

/// Opened at once, since a `trigger_id` lives 3 seconds; filled by `views.update` when the dialog is known.
pub fn skeleton(title: &str) -> Value {
    view(title, vec![blocks::section("Loading…".to_owned())])
}

/// A view that only says something: the answer to a submission, which has no `response_url`.
pub fn notice(title: &str, message: &Message) -> Value {
    let pages = super::pages::split(drawn(&message.blocks));
    let all: Vec<_> = pages.into_iter().flatten().take(VIEW_BLOCKS).collect();
    let shown = if all.is_empty() { vec![blocks::section(super::message(message).remove(0).text)] } else { all };
    view(title, named(shown))
}

/// What stands at the fields of the submitted dialog: (field id, sentence).
pub fn field_errors(errors: &[(String, String)]) -> Value {
    let mut by_block = Map::new();
    for (field, error) in errors {
        by_block.entry(field.clone()).or_insert_with(|| mrkdwn::line(error, INPUT_TEXT).into());
    }
    json!({"response_action": "errors", "errors": by_block})
}

/// The body that answers a submission. `None` is an empty 200: the dialog closes.
pub fn submission(title: &str, reply: &Reply, origin: Option<&Origin>) -> Option<Value> {
    match reply {
        Reply::Silent => None,
        // Slack refuses an empty list of errors and would leave the dialog open without a word.
        Reply::FieldErrors(errors) if errors.is_empty() => None,
        Reply::FieldErrors(errors) => Some(field_errors(errors)),
        Reply::Private(message) => Some(json!({"response_action": "update", "view": notice(title, message)})),
        Reply::Dialog(next) => Some(json!({"response_action": "update", "view": dialog(next, origin)})),
    }
}

fn view(title: &str, blocks: Vec<blocks::Block>) -> Value {
    json!({
        "type": "modal",
        "title": blocks::plain(title, VIEW_LABEL),
        "close": blocks::plain("Close", VIEW_LABEL),
        "blocks": blocks,
    })
}

/// `None` if even the action alone does not fit. Where a message came from is dropped first: without it
/// the copy is redrawn a moment later than it could be.
fn metadata(dialog: &Dialog, origin: Option<&Origin>) -> Option<String> {
    let carried = |origin: Option<&Origin>| {
        let carried = Carried { action: dialog.action.to_string(), origin: origin.cloned() };
        serde_json::to_string(&carried).ok().filter(|text| mrkdwn::len(text) <= METADATA)
    };
    carried(origin).or_else(|| carried(None))
}

fn field(field: &Field) -> Value {
    let (element, hint) = match &field.input {
        Input::Line { value, max } => (typed(value, *max, false), None),
        Input::Paragraph { value, max } => (typed(value, *max, true), None),
        Input::Amount { value, currency } => {
            let said = field.hint.as_ref().is_some_and(|hint| hint.contains(currency.as_str()));
            (typed(value, INPUT_MAX, false), (!said).then(|| format!("In {}.", currency.as_str())))
        }
        Input::Date { value, min } => {
            let mut element = json!({"type": "datepicker"});
            if let Some(date) = value {
                element["initial_date"] = date.to_string().into();
            }
            // Slack's picker knows no first day.
            (element, min.map(|day| format!("Not before {}.", day.format("%-d %b %Y"))))
        }
        Input::Time { value } => {
            (json!({"type": "timepicker", "initial_time": value.format("%H:%M").to_string()}), None)
        }
        Input::Choices { values, options } => match choices(values, options) {
            Some(element) => (element, None),
            None => return nothing_to_choose(field),
        },
        Input::Select { value, options } => match select(value.as_deref(), options) {
            Some(element) => (element, None),
            None => return nothing_to_choose(field),
        },
    };
    let mut element = element;
    element["action_id"] = field.id.into();
    let label = if mrkdwn::line(&field.label, INPUT_TEXT).is_empty() { field.id } else { &field.label };
    let mut block = json!({
        "type": "input",
        "block_id": field.id,
        "label": blocks::plain(label, INPUT_TEXT),
        "optional": !field.required,
        "element": element,
    });
    let hints: Vec<String> = field.hint.iter().cloned().chain(hint).filter(|hint| !hint.trim().is_empty()).collect();
    match hints.as_slice() {
        [] => {}
        [one] => block["hint"] = json!(blocks::plain(one, INPUT_TEXT)),
        several => {
            let sentences: Vec<String> = several.iter().map(|hint| phrase::sentence(hint)).collect();
            block["hint"] = json!(blocks::plain(&sentences.join(" "), INPUT_TEXT));
        }
    }
    block
}

/// `max` outside of what Slack takes is brought inside; the value is cut to it, or Slack refuses the view.
fn typed(value: &str, max: u16, multiline: bool) -> Value {
    let max = max.clamp(1, INPUT_MAX);
    let mut element = json!({"type": "plain_text_input", "multiline": multiline, "max_length": max});
    let value = mrkdwn::cut(&mrkdwn::visible(value), usize::from(max));
    if !value.is_empty() {
        element["initial_value"] = value.into();
    }
    element
}

/// `None` without options, which Slack refuses. Options whose value it cannot carry are left out.
fn select(value: Option<&str>, options: &[(String, String)]) -> Option<Value> {
    let carried = |value: &str| {
        !value.is_empty() && mrkdwn::len(value) <= blocks::OPTION_VALUE && !value.contains(char::is_control)
    };
    let options: Vec<&(String, String)> =
        options.iter().filter(|(value, _)| carried(value)).take(blocks::SELECT_OPTIONS).collect();
    let chosen = options.iter().find(|(option, _)| Some(option.as_str()) == value);
    let draw = |(value, label): &(String, String)| json!(blocks::option(label, value.clone()));
    let mut element =
        json!({"type": "static_select", "options": options.iter().map(|option| draw(option)).collect::<Vec<_>>()});
    if let Some(chosen) = chosen {
        element["initial_option"] = draw(chosen);
    }
    (!options.is_empty()).then_some(element)
}

/// As [`select`], any number of at most ten.
fn choices(values: &[String], options: &[(String, String)]) -> Option<Value> {
    let draw = |(value, label): &(String, String)| json!(blocks::option(label, value.clone()));
    let carried: Vec<&(String, String)> = options
        .iter()
        .filter(|(value, _)| !value.is_empty() && mrkdwn::len(value) <= blocks::OPTION_VALUE)
        .filter(|(value, _)| !value.contains(char::is_control))
        .take(CHOICES)
        .collect();
    let mut element =
        json!({"type": "checkboxes", "options": carried.iter().map(|option| draw(option)).collect::<Vec<_>>()});
    let chosen: Vec<Value> =
        carried.iter().filter(|(value, _)| values.contains(value)).map(|option| draw(option)).collect();
    if !chosen.is_empty() {
        element["initial_options"] = chosen.into();
    }
    (!carried.is_empty()).then_some(element)
}

fn nothing_to_choose(field: &Field) -> Value {
    let label = mrkdwn::cut(&mrkdwn::escaped(&mrkdwn::line(&field.label, 150)), 1000);
    json!(blocks::section(format!("{label}: there is nothing to choose from.")))
}

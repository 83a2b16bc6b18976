//! Dialogs → task modules, and what is answered when one is submitted. An error
//! redraws the dialog with what was typed, the sentence above its field.

use serde_json::{Value, json};

use super::elements::{self, Size};
use super::{CARD, Draw, whole, words};
use crate::domain::message::form::FILL_IN;
use crate::domain::message::{Answers, Dialog, Field, Input, Message, Text, phrase};
use crate::teams::inbound::{Carried, FIELD};

const TITLE: usize = 60;
/// Nobody reads more than so many characters beside a field.
const BESIDE: usize = 500;
/// More than so many characters are never asked for: a dialog of 100 KB is refused.
const TYPED: u16 = 4_000;

/// The answer that opens a dialog. `carried` comes back with what is typed.
pub fn dialog(dialog: &Dialog, carried: &Carried) -> Value {
    open(dialog, carried, &Answers::new(), &[], true)
}

/// The same dialog again, with what was typed and why it was not taken.
pub fn refused(dialog: &Dialog, carried: &Carried, typed: &Answers, errors: &[(String, String)]) -> Value {
    open(dialog, carried, typed, errors, false)
}

/// A dialog that only says something.
pub fn notice(title: &str, message: &Message, draw: Draw) -> Value {
    if super::is_sentence(message) {
        return said(message);
    }
    let mut parts = super::message(message, draw);
    let card = parts.swap_remove(0).card;
    opened(title, "large", card)
}

/// One sentence in place of a dialog.
pub fn said(message: &Message) -> Value {
    json!({"task": {"type": "message", "value": words::line(&words::as_typed(&message.summary), 1000)}})
}

fn open(dialog: &Dialog, carried: &Carried, typed: &Answers, errors: &[(String, String)], first: bool) -> Value {
    let mut body: Vec<Value> =
        dialog.intro.iter().flat_map(|text| elements::lines(&short(text), Size::Normal)).collect();
    let at_no_field = errors.iter().filter(|(id, _)| !dialog.fields.iter().any(|field| field.id == id));
    body.extend(at_no_field.flat_map(|(_, sentence)| problem(sentence)));
    for field in &dialog.fields {
        body.extend(errors.iter().filter(|(id, _)| id == field.id).flat_map(|(_, sentence)| problem(sentence)));
        // What was cleared stays cleared when it is drawn again.
        let typed = if first { None } else { Some(typed.get(field.id).map_or("", String::as_str)) };
        body.extend(input(field, typed));
    }
    let carried = Carried { action: Some(dialog.action.to_string()), ..carried.clone() };
    let mut card = whole(body);
    let data = serde_json::to_value(&carried).unwrap_or_default();
    card["actions"] =
        json!([{"type": "Action.Submit", "title": words::line(&dialog.submit, 30), "style": "positive", "data": data}]);
    opened(&dialog.title, if dialog.fields.len() > 2 { "large" } else { "medium" }, card)
}

fn opened(title: &str, height: &str, card: Value) -> Value {
    let title = words::line(title, TITLE);
    let card = json!({"contentType": CARD, "content": card});
    json!({"task": {"type": "continue", "value": {"title": title, "height": height, "width": "medium", "card": card}}})
}

fn short(text: &Text) -> Text {
    let plain = text.to_plain();
    if plain.chars().count() <= BESIDE { text.clone() } else { Text::plain(phrase::cut(&plain, BESIDE)) }
}

/// Said in words before the field, since a colour alone says nothing to some.
fn problem(sentence: &str) -> Vec<Value> {
    let text = Text::strong("Not saved: ").then(words::line(sentence, BESIDE));
    let mut lines = elements::lines(&text, Size::Normal);
    for run in lines.iter_mut().flat_map(|line| line["inlines"].as_array_mut().into_iter().flatten()) {
        run["color"] = "Attention".into();
    }
    lines
}

fn input(field: &Field, typed: Option<&str>) -> Vec<Value> {
    let keep = |usual: &str| words::visible(typed.unwrap_or(usual)).chars().take(TYPED.into()).collect::<String>();
    let mut element = match &field.input {
        Input::Line { value, max } => text(&keep(value), *max, false),
        Input::Paragraph { value, max } => text(&keep(value), *max, true),
        Input::Amount { value, .. } => text(&keep(value), 30, false),
        Input::Date { value, min } => {
            let mut element = json!({"type": "Input.Date"});
            let value = keep(&value.map(|day| day.to_string()).unwrap_or_default());
            if !value.is_empty() {
                element["value"] = value.into();
            }
            if let Some(day) = min {
                element["min"] = day.to_string().into();
            }
            element
        }
        Input::Time { value } => json!({"type": "Input.Time", "value": keep(&value.format("%H:%M").to_string())}),
        Input::Choices { values, options } => match choices(options) {
            Some(mut element) => {
                element["isMultiSelect"] = true.into();
                element["style"] = "expanded".into();
                // Teams writes several with commas between.
                element["value"] = keep(&values.join(",")).replace(';', ",").into();
                element
            }
            None => return nothing_to_choose(field),
        },
        Input::Select { value, options } => match choices(options) {
            Some(mut element) => {
                let chosen = keep(value.as_deref().unwrap_or_default());
                if options.iter().any(|(value, _)| *value == chosen) {
                    element["value"] = chosen.into();
                }
                element
            }
            None => return nothing_to_choose(field),
        },
    };
    element["id"] = format!("{FIELD}{}", field.id).into();
    element["label"] = words::line(&field.label, 200).into();
    if field.required {
        element["isRequired"] = true.into();
        // The service says the same.
        element["errorMessage"] = FILL_IN.into();
    }
    let mut drawn = vec![element];
    let mut hints: Vec<String> = field.hint.iter().filter(|hint| !hint.trim().is_empty()).cloned().collect();
    if let Input::Amount { currency, .. } = &field.input
        && !hints.iter().any(|hint| hint.contains(currency.as_str()))
    {
        hints.push(format!("In {}.", currency.as_str()));
    }
    for mut line in elements::lines(&Text::plain(words::line(&hints.join(" "), BESIDE)), Size::Small) {
        line["spacing"] = "None".into();
        drawn.push(line);
    }
    drawn
}

/// `None` without options.
fn choices(options: &[(String, String)]) -> Option<Value> {
    let choices: Vec<Value> =
        options.iter().map(|(value, label)| json!({"title": words::line(label, 150), "value": value})).collect();
    let element = json!({"type": "Input.ChoiceSet", "style": "compact", "choices": choices, "placeholder": "Choose"});
    (!options.is_empty()).then_some(element)
}

fn nothing_to_choose(field: &Field) -> Vec<Value> {
    let text = Text::plain(format!("{}: there is nothing to choose from.", words::line(&field.label, 150)));
    elements::lines(&text, Size::Normal)
}

fn text(value: &str, max: u16, multiline: bool) -> Value {
    let max = max.clamp(1, TYPED);
    let mut element = json!({"type": "Input.Text", "maxLength": max, "isMultiline": multiline});
    let value: String = words::visible(value).chars().take(usize::from(max)).collect();
    if !value.is_empty() {
        element["value"] = value.into();
    }
    element
}

//! Buttons: at most two in a row, and long ones alone, since more is cut at
//! 320 px; the rest opens under *More*.
//!
//! What acts at one tap is an `Action.Execute`, answered in its response, with an
//! `Action.Submit` behind it for clients that do not know it; both carry the same
//! action. What asks first is an `Action.Submit` that fetches a dialog.

use serde_json::{Value, json};

use super::words;
use crate::domain::message::{Button, Buttons, Emphasis};
use crate::teams::inbound::Carried;

/// Teams shows no more than two whole titles beside each other on a phone.
const ROW: usize = 2;
/// Characters of two titles that stand whole beside each other at 320 px.
const ROW_TITLES: usize = 30;
const TITLE: usize = 30;
/// Teams allows far more; an id of a customer's that is longer is no id, and a dozen buttons have to fit into a card.
pub(super) const ACTION: usize = 400;

pub(super) fn elements(buttons: &Buttons, targets: &mut usize) -> Vec<Value> {
    let carried = |button: &&Button| button.action.to_string().len() <= ACTION;
    let mut shown: Vec<Value> = buttons.shown.iter().filter(carried).map(button).collect();
    let rest: Vec<Value> = buttons.more.iter().filter(carried).map(button).collect();
    // A menu of one or two is no shorter than what is in it.
    if shown.is_empty() || rest.len() <= ROW {
        shown.extend(rest);
        return rows(&shown);
    }
    *targets += 1;
    let target = format!("more{targets}");
    let more = json!({"type": "Action.ToggleVisibility", "title": "More", "tooltip": "Show or hide further actions", "targetElements": [target]});
    shown.push(more);
    let mut elements = rows(&shown);
    elements
        .push(json!({"type": "Container", "id": target, "isVisible": false, "spacing": "Small", "items": rows(&rest)}));
    elements
}

fn rows(buttons: &[Value]) -> Vec<Value> {
    let row = |(number, actions): (usize, &[Value])| {
        let mut set = json!({"type": "ActionSet", "actions": actions});
        if number > 0 {
            set["spacing"] = "Small".into();
        }
        set
    };
    let title = |button: &Value| button["title"].as_str().unwrap_or_default().chars().count();
    let mut filled: Vec<&[Value]> = Vec::new();
    let mut rest = buttons;
    while !rest.is_empty() {
        let pair = rest.len() >= ROW && rest[..ROW].iter().map(title).sum::<usize>() <= ROW_TITLES;
        let (row, after) = rest.split_at(if pair { ROW } else { 1 });
        filled.push(row);
        rest = after;
    }
    filled.into_iter().enumerate().map(row).collect()
}

fn button(button: &Button) -> Value {
    let action = button.action.to_string();
    let title = match words::line(&button.label, TITLE) {
        // A button without a title is no button.
        empty if empty.is_empty() => button.action.verb.label().to_owned(),
        title => title,
    };
    let tooltip = words::line(&button.spoken, 75);
    let mut drawn = if button.action.verb.opens_dialog() {
        json!({"type": "Action.Submit", "title": title, "data": {"msteams": {"type": "task/fetch"}, "a": action}})
    } else {
        json!({
            "type": "Action.Execute", "title": title, "verb": button.action.verb.as_str(), "data": {"a": action},
            "fallback": {"type": "Action.Submit", "title": title, "data": {"a": action}},
        })
    };
    if !tooltip.is_empty() {
        drawn["tooltip"] = tooltip.into();
    }
    match button.emphasis {
        Emphasis::Normal => {}
        Emphasis::Primary => drawn["style"] = "positive".into(),
        Emphasis::Danger => drawn["style"] = "destructive".into(),
    }
    drawn
}

/// Adds to every action of ours what its card answers.
pub(super) fn carry(element: &mut Value, carried: &Carried) {
    match element {
        Value::Object(fields) => {
            if let Some(data) = fields.get_mut("data").filter(|data| data.get("a").is_some())
                && let (Some(data), Ok(Value::Object(more))) = (data.as_object_mut(), serde_json::to_value(carried))
            {
                data.extend(more.into_iter().filter(|(key, _)| key != "a"));
            }
            fields.values_mut().for_each(|value| carry(value, carried));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| carry(item, carried)),
        _ => {}
    }
}

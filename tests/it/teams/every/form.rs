//! A dialog as each chat has it, field by field.

use serde_json::Value;

use super::words::{counted, teams_lines, text_of};

/// As a person meets it.
#[derive(Debug, PartialEq)]
pub(super) struct Field {
    id: String,
    label: String,
    hint: Vec<String>,
    pub(super) required: bool,
    long: bool,
    options: Vec<String>,
    /// The words of what is chosen, or what is filled in.
    value: String,
    /// Of a date: the first that may be chosen.
    first: String,
}

pub(super) fn is_input(element: &Value) -> bool {
    element["type"].as_str().is_some_and(|kind| kind.starts_with("Input."))
}

pub(super) fn slack_options(view: &Value, id: &str) -> Vec<(String, String)> {
    let block = view["blocks"].as_array().into_iter().flatten().find(|block| block["block_id"] == id);
    let options = block.and_then(|block| block["element"]["options"].as_array());
    options.into_iter().flatten().map(|option| (text_of(&option["text"]["text"]), text_of(&option["value"]))).collect()
}

pub(super) fn teams_options(card: &Value, id: &str) -> Vec<(String, String)> {
    let id = format!("f.{id}");
    let input = card["body"].as_array().into_iter().flatten().find(|element| element["id"] == id.as_str());
    let choices = input.and_then(|input| input["choices"].as_array());
    choices.into_iter().flatten().map(|choice| (text_of(&choice["title"]), text_of(&choice["value"]))).collect()
}

pub(super) fn slack_fields(view: &Value) -> Vec<Field> {
    let inputs = view["blocks"].as_array().into_iter().flatten().filter(|block| block["type"] == "input");
    let field = |block: &Value| {
        let element = &block["element"];
        let id = text_of(&block["block_id"]);
        let hint = text_of(&block["hint"]["text"]);
        // Slack's picker knows no first day, so the hint says it.
        let (hint, first) = match hint.find("Not before ") {
            Some(at) => (hint[..at].trim().to_owned(), hint[at + 11..].trim_end_matches('.').to_owned()),
            None => (hint, String::new()),
        };
        let first = chrono::NaiveDate::parse_from_str(&first, "%d %b %Y").map(|day| day.to_string());
        let chosen = element["initial_options"].as_array().cloned().unwrap_or_default();
        let chosen = chosen.iter().chain(element.get("initial_option")).map(|option| text_of(&option["text"]["text"]));
        let typed = ["initial_value", "initial_date", "initial_time"].map(|key| text_of(&element[key]));
        Field {
            label: text_of(&block["label"]["text"]),
            hint: counted(&[hint]),
            required: block["optional"] != true,
            long: element["multiline"] == true,
            options: slack_options(view, &id).into_iter().map(|(title, _)| title).collect(),
            value: chosen.chain(typed).filter(|value| !value.is_empty()).collect::<Vec<_>>().join(", "),
            first: first.unwrap_or_default(),
            id,
        }
    };
    inputs.map(field).collect()
}

pub(super) fn teams_fields(card: &Value) -> Vec<Field> {
    let body: Vec<&Value> = card["body"].as_array().into_iter().flatten().collect();
    let field = |(at, element): (usize, &&Value)| {
        let id = text_of(&element["id"]).trim_start_matches("f.").to_owned();
        let options = teams_options(card, &id);
        let hint: Vec<String> = body[at + 1..]
            .iter()
            .take_while(|one| !is_input(one) && one["spacing"] == "None")
            .flat_map(|one| teams_lines(one))
            .collect();
        let value = text_of(&element["value"]);
        let value = match options.is_empty() {
            true => value,
            false => {
                let chosen: Vec<&str> = value.split(',').collect();
                let titles = options.iter().filter(|(_, value)| chosen.contains(&value.as_str()));
                titles.map(|(title, _)| title.clone()).collect::<Vec<_>>().join(", ")
            }
        };
        Field {
            label: text_of(&element["label"]),
            hint: counted(&hint),
            required: element["isRequired"] == true,
            long: element["isMultiline"] == true,
            options: options.into_iter().map(|(title, _)| title).collect(),
            value,
            first: text_of(&element["min"]),
            id,
        }
    };
    body.iter().enumerate().filter(|(_, element)| is_input(element)).map(field).collect()
}

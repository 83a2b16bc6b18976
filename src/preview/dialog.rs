//! A [`Dialog`] as an HTML form: labels tied to inputs, hints and errors read
//! out with the input that they are about, typed text kept after a failure.

use std::borrow::Cow;

use maud::{Markup, html};

use super::message::{Press, text};
use crate::domain::message::{Answers, Dialog, Field, Input};

/// A dialog as it stands on the page, perhaps after a submission that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct DialogView {
    pub dialog: Dialog,
    /// What was typed before a failure; `None` when the dialog has just been opened. With `Some`,
    /// the dialog's own values are not used: a field that was emptied stays empty.
    pub answers: Option<Answers>,
    /// (field id, sentence), as in `Reply::FieldErrors`. One that names no field of the dialog stands above them all.
    pub errors: Vec<(String, String)>,
    /// The message copy whose button opened it; empty if it came from a command.
    pub message: String,
    /// Comes back unchanged with the answers.
    pub origin: String,
}

/// Fields come back as `f.<id>`. Checks are the domain's, so the browser's own are off
/// (`novalidate`): its bubbles hide our sentences and vanish before they are read.
///
/// `close` is where *Cancel* leads without a script.
pub fn dialog(view: &DialogView, press: Press<'_>, close: &str) -> Markup {
    let DialogView { dialog, answers, errors, message: _, origin } = view;
    let strays: Vec<&str> = errors
        .iter()
        .filter(|(id, _)| dialog.fields.iter().all(|field| field.id != id))
        .map(|(_, sentence)| sentence.as_str())
        .collect();
    let first = first_to_fill(dialog, errors);
    html! {
        // `open` shows it without a script; the script makes it modal.
        dialog open aria-labelledby="dialog-title" {
            form method="post" action="/demo/submit" novalidate autocomplete="off" {
                (press.fields())
                input type="hidden" name="action" value=(dialog.action);
                input type="hidden" name="origin" value=(origin);
                h2 id="dialog-title" { (dialog.title) }
                @if let Some(intro) = &dialog.intro { p class="intro" { (text(intro)) } }
                @if !strays.is_empty() {
                    div class="error" role="alert" { @for sentence in strays { p { (sentence) } } }
                }
                @for field in &dialog.fields {
                    (entry(field, answers.as_ref(), error_of(field, errors), first == Some(field.id)))
                }
                div class="ending" {
                    a class="button" href=(close) data-close { "Cancel" }
                    button class="button primary" autofocus[dialog.fields.is_empty()] { (dialog.submit) }
                }
            }
        }
    }
}

fn error_of<'a>(field: &Field, errors: &'a [(String, String)]) -> Option<&'a str> {
    errors.iter().find(|(id, _)| id == field.id).map(|(_, sentence)| sentence.as_str())
}

/// Where typing starts: at the first field in error, else at the first.
fn first_to_fill(dialog: &Dialog, errors: &[(String, String)]) -> Option<&'static str> {
    let wrong = dialog.fields.iter().find(|field| error_of(field, errors).is_some());
    wrong.or(dialog.fields.first()).map(|field| field.id)
}

/// Label, input, error and hint of one field.
fn entry(field: &Field, answers: Option<&Answers>, error: Option<&str>, focus: bool) -> Markup {
    let id = format!("f-{}", field.id);
    let hint_id = format!("{id}-hint");
    let error_id = format!("{id}-error");
    let unit_id = format!("{id}-unit");
    let described: Vec<&str> = [
        error.map(|_| error_id.as_str()),
        field.hint.as_ref().map(|_| hint_id.as_str()),
        matches!(field.input, Input::Amount { .. }).then_some(unit_id.as_str()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let described = (!described.is_empty()).then(|| described.join(" "));
    html! {
        div class="field" {
            label for=(id) {
                (field.label)
                @if !field.required { " " span class="optional" { "(optional)" } }
            }
            (control(field, &Control { id, answers, described, invalid: error.map(|_| "true"), focus }))
            @if let Some(sentence) = error { p class="error" id=(error_id) { (sentence) } }
            @if let Some(hint) = &field.hint { p class="hint" id=(hint_id) { (hint) } }
        }
    }
}

/// What every kind of input has.
struct Control<'a> {
    id: String,
    answers: Option<&'a Answers>,
    /// Ids of the error, the hint and the unit.
    described: Option<String>,
    invalid: Option<&'static str>,
    focus: bool,
}

impl Control<'_> {
    /// What stands in the input: the answer that was typed, else the dialog's own value.
    fn value<'v>(&'v self, field: &Field, own: impl Into<Cow<'v, str>>) -> Cow<'v, str> {
        match self.answers {
            Some(answers) => Cow::Borrowed(answers.get(field.id).map_or("", String::as_str)),
            None => own.into(),
        }
    }
}

fn control(field: &Field, control: &Control<'_>) -> Markup {
    let Control { id, described, invalid, focus, .. } = control;
    let name = format!("f.{}", field.id);
    let required = field.required;
    html! {
        @match &field.input {
            Input::Line { value, max } => input type="text" id=(id) name=(name) maxlength=(max)
                value=(control.value(field, value)) required[required] autofocus[*focus]
                aria-describedby=[described] aria-invalid=[invalid];,
            // HTML drops a line break right after the tag, so one is put there for it to drop.
            Input::Paragraph { value, max } => textarea id=(id) name=(name) maxlength=(max) rows="4"
                required[required] autofocus[*focus] aria-describedby=[described] aria-invalid=[invalid] {
                "\n" (control.value(field, value))
            },
            Input::Date { value, min } => input type="date" id=(id) name=(name) min=[min]
                value=(control.value(field, value.map(|day| day.to_string()).unwrap_or_default()))
                required[required] autofocus[*focus] aria-describedby=[described] aria-invalid=[invalid];,
            // Not `type=number`: browsers send nothing at all for text that is no number,
            // so a typing error would come back as an empty field.
            Input::Amount { value, currency } => span class="amount" {
                input type="text" inputmode="decimal" id=(id) name=(name) value=(control.value(field, value))
                    required[required] autofocus[*focus] aria-describedby=[described] aria-invalid=[invalid];
                span class="unit" id={ (id) "-unit" } { (currency) }
            },
            Input::Time { value } => input type="time" id=(id) name=(name)
                value=(control.value(field, value.format("%H:%M").to_string()))
                required[required] autofocus[*focus] aria-describedby=[described] aria-invalid=[invalid];,
            Input::Choices { values, options } => {
                @let chosen = control.value(field, values.join(";"));
                fieldset id=(id) class="choices" aria-describedby=[described] aria-invalid=[invalid] {
                    legend class="heard" { (field.label) }
                    @for (number, (value, label)) in options.iter().enumerate() {
                        label {
                            input type="checkbox" name=(name) value=(value) autofocus[*focus && number == 0]
                                checked[chosen.split(';').any(|one| one == value)];
                            " " (label)
                        }
                    }
                }
            },
            Input::Select { value, options } => {
                @let chosen = control.value(field, value.as_deref().unwrap_or_default());
                @let known = options.iter().any(|(value, _)| *value == chosen);
                select id=(id) name=(name) required[required] autofocus[*focus]
                    aria-describedby=[described] aria-invalid=[invalid] {
                    // Without it the browser would choose the first one on the person's behalf.
                    @if !required || !known { option value="" selected[!known] { "Choose…" } }
                    @for (value, label) in options {
                        option value=(value) selected[*value == chosen] { (label) }
                    }
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::action::{Action, Subject, Verb};
    use crate::domain::money::Currency;

    const PRESS: Press<'_> =
        Press { person: "dana@example.com", message: "m1", csrf: "token", home: false, draw: |_| None };

    fn field(input: Input) -> Field {
        Field { id: "it", label: "It".into(), hint: None, required: true, input }
    }

    fn drawn(field: &Field, answers: Option<&Answers>, error: Option<&str>) -> String {
        entry(field, answers, error, false).into_string().replace("><", ">\n<")
    }

    fn view(fields: Vec<Field>, errors: &[(&str, &str)]) -> String {
        let dialog = Dialog {
            title: "Snooze".into(),
            submit: "Snooze".into(),
            intro: None,
            fields,
            action: Action::new(Verb::Snooze, Subject::Risk(Uuid::nil())),
        };
        let errors = errors.iter().map(|(id, sentence)| ((*id).to_owned(), (*sentence).to_owned())).collect();
        let view = DialogView { dialog, answers: None, errors, message: "m1".into(), origin: "here".into() };
        super::dialog(&view, PRESS, "/").into_string().replace("><", ">\n<")
    }

    #[test]
    fn every_input_is_drawn() {
        let line = field(Input::Line { value: "a \"b\"".into(), max: 80 });
        insta::assert_snapshot!(drawn(&line, None, None), @r##"
        <div class="field">
        <label for="f-it">It</label>
        <input type="text" id="f-it" name="f.it" maxlength="80" value="a &quot;b&quot;" required>
        </div>
        "##);
        let paragraph = Field {
            required: false,
            hint: Some("Short.".into()),
            ..field(Input::Paragraph { value: "\nb".into(), max: 500 })
        };
        insta::assert_snapshot!(drawn(&paragraph, None, None), @r##"
        <div class="field">
        <label for="f-it">It <span class="optional">(optional)</span>
        </label>
        <textarea id="f-it" name="f.it" maxlength="500" rows="4" aria-describedby="f-it-hint">
        
        b</textarea>
        <p class="hint" id="f-it-hint">Short.</p>
        </div>
        "##);
        let date = field(Input::Date { value: "2025-10-21".parse().ok(), min: "2025-10-15".parse().ok() });
        insta::assert_snapshot!(drawn(&date, None, None), @r##"
        <div class="field">
        <label for="f-it">It</label>
        <input type="date" id="f-it" name="f.it" min="2025-10-15" value="2025-10-21" required>
        </div>
        "##);
        let amount = field(Input::Amount { value: "12".into(), currency: Currency::EUR });
        insta::assert_snapshot!(drawn(&amount, None, None), @r##"
        <div class="field">
        <label for="f-it">It</label>
        <span class="amount">
        <input type="text" inputmode="decimal" id="f-it" name="f.it" value="12" required aria-describedby="f-it-unit">
        <span class="unit" id="f-it-unit">EUR</span>
        </span>
        </div>
        "##);
        let options = vec![("a".into(), "First".into()), ("b".into(), "Second".into())];
        let select = field(Input::Select { value: Some("b".into()), options });
        insta::assert_snapshot!(drawn(&select, None, None), @r##"
        <div class="field">
        <label for="f-it">It</label>
        <select id="f-it" name="f.it" required>
        <option value="a">First</option>
        <option value="b" selected>Second</option>
        </select>
        </div>
        "##);
    }

    #[test]
    fn nothing_is_chosen_on_a_persons_behalf() {
        let options = vec![("a".into(), "First".into())];
        let select = field(Input::Select { value: None, options });
        assert!(drawn(&select, None, None).contains("<option value=\"\" selected>"));
    }

    #[test]
    fn after_a_failure_the_typed_text_stands_beside_the_error() {
        let amount = Field {
            hint: Some("Per year.".into()),
            ..field(Input::Amount { value: "12".into(), currency: Currency::EUR })
        };
        let typed = Answers::from([("it".to_owned(), "12k".to_owned())]);
        insta::assert_snapshot!(drawn(&amount, Some(&typed), Some("\"12k\" is no amount")), @r##"
        <div class="field">
        <label for="f-it">It</label>
        <span class="amount">
        <input type="text" inputmode="decimal" id="f-it" name="f.it" value="12k" required aria-describedby="f-it-error f-it-hint f-it-unit" aria-invalid="true">
        <span class="unit" id="f-it-unit">EUR</span>
        </span>
        <p class="error" id="f-it-error">&quot;12k&quot; is no amount</p>
        <p class="hint" id="f-it-hint">Per year.</p>
        </div>
        "##);
        let emptied = drawn(&amount, Some(&Answers::new()), None);
        assert!(emptied.contains("value=\"\""), "an emptied field stays empty: {emptied}");
    }

    #[test]
    fn the_form_carries_all_that_comes_back() {
        insta::assert_snapshot!(view(vec![], &[("gone", "This was settled meanwhile.")]), @r##"
        <dialog open aria-labelledby="dialog-title">
        <form method="post" action="/demo/submit" novalidate autocomplete="off">
        <input type="hidden" name="csrf" value="token">
        <input type="hidden" name="person" value="dana@example.com">
        <input type="hidden" name="message" value="m1">
        <input type="hidden" name="action" value="snooze|risk:00000000-0000-0000-0000-000000000000">
        <input type="hidden" name="origin" value="here">
        <h2 id="dialog-title">Snooze</h2>
        <div class="error" role="alert">
        <p>This was settled meanwhile.</p>
        </div>
        <div class="ending">
        <a class="button" href="/" data-close>Cancel</a>
        <button class="button primary" autofocus>Snooze</button>
        </div>
        </form>
        </dialog>
        "##);
    }

    #[test]
    fn typing_starts_at_the_first_error() {
        let two = || {
            vec![
                Field { id: "one", ..field(Input::Line { value: String::new(), max: 9 }) },
                Field { id: "two", ..field(Input::Line { value: String::new(), max: 9 }) },
            ]
        };
        let focused = |html: String| {
            assert_eq!(html.matches("autofocus").count(), 1);
            html.lines().find(|line| line.contains("autofocus")).map(|line| line.contains("id=\"f-two\""))
        };
        assert_eq!(focused(view(two(), &[])), Some(false));
        assert_eq!(focused(view(two(), &[("two", "No.")])), Some(true));
    }
}

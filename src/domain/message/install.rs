//! Purpose: what a browser shows whoever lets Tandem into a Slack workspace: that it went well and what is left to do,
//! or why nothing happened.

use super::{Block, Message, Text};

/// Where an install begins, from the service's own address.
pub const START: &str = "/slack/install";

fn page(title: impl Into<String>, blocks: Vec<Text>) -> Message {
    Message { summary: title.into(), blocks: blocks.into_iter().map(Block::Text).collect() }
}

fn again(base_url: &str) -> Text {
    Text::new().then_link("Start again", format!("{}{START}", base_url.trim_end_matches('/')))
}

/// Installed; the workspace is an organisation's already.
pub fn done(workspace: &str) -> Message {
    page(
        format!("Tandem is installed in {workspace}"),
        vec![Text::plain("All is ready. In Slack, type ").then_code("/tandem help").then(". You can close this page.")],
    )
}

/// Installed, and one step is left.
pub fn done_unlinked(workspace: &str, id: &str) -> Message {
    page(
        format!("Tandem is installed in {workspace}"),
        vec![
            Text::plain(
                "One step is left: whoever runs Tandem says which organisation this workspace belongs to, with",
            ),
            Text::new().then_code(format!("tandem link slack {id} --org SLUG")),
            Text::plain("Then everybody in Slack can type ")
                .then_code("/tandem help")
                .then(". You can close this page."),
        ],
    )
}

/// Whoever was asked said no.
pub fn cancelled(base_url: &str) -> Message {
    page("Nothing was installed", vec![Text::plain("Slack says that you cancelled."), again(base_url)])
}

/// The way back from Slack was not begun in this browser, lately, or was gone before.
pub fn stale(base_url: &str) -> Message {
    page(
        "This install link does not work any more",
        vec![
            Text::plain(
                "An install link works once, for ten minutes, in the browser in which it was begun. Nothing was installed.",
            ),
            again(base_url),
        ],
    )
}

/// For a whole Enterprise Grid organisation.
pub fn organisation_wide(base_url: &str) -> Message {
    page(
        "Tandem can't be installed for a whole organisation",
        vec![
            Text::plain(
                "It was asked for all workspaces of your Slack organisation at once, and serves single ones. Nothing was installed. Choose one workspace in Slack's dialog, at the top right.",
            ),
            again(base_url),
        ],
    )
}

/// Slack refused, with a code.
pub fn refused(code: &str, base_url: &str) -> Message {
    page(
        "Slack did not complete the installation",
        vec![Text::plain("Slack says: ").then_code(code).then(". Nothing was installed."), again(base_url)],
    )
}

/// Something of ours failed; `reference` is what the log has.
pub fn failed(reference: &str, base_url: &str) -> Message {
    page(
        "That did not work",
        vec![
            Text::plain(format!("Tandem could not keep the installation. The log has it as {reference}.")),
            again(base_url),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::text;

    #[test]
    fn each_page_says_what_happened_and_what_to_do() {
        let base = "https://tandem.example.com/";
        let pages = [
            done("Acme CS"),
            done_unlinked("Acme CS", "T012AB"),
            cancelled(base),
            stale(base),
            organisation_wide(base),
            refused("invalid_code", base),
            failed("7f3a91", base),
        ];
        let texts: Vec<String> =
            pages.iter().map(|page| format!("{}\n{}", page.summary, text::to_text(page, 100))).collect();
        insta::assert_snapshot!(texts.join("\n"), @r"
        Tandem is installed in Acme CS
        All is ready. In Slack, type /tandem help. You can close this page.

        Tandem is installed in Acme CS
        One step is left: whoever runs Tandem says which organisation this workspace belongs to, with

        tandem link slack T012AB --org SLUG

        Then everybody in Slack can type /tandem help. You can close this page.

        Nothing was installed
        Slack says that you cancelled.

        Start again (https://tandem.example.com/slack/install)

        This install link does not work any more
        An install link works once, for ten minutes, in the browser in which it was begun. Nothing was
        installed.

        Start again (https://tandem.example.com/slack/install)

        Tandem can't be installed for a whole organisation
        It was asked for all workspaces of your Slack organisation at once, and serves single ones. Nothing
        was installed. Choose one workspace in Slack's dialog, at the top right.

        Start again (https://tandem.example.com/slack/install)

        Slack did not complete the installation
        Slack says: invalid_code. Nothing was installed.

        Start again (https://tandem.example.com/slack/install)

        That did not work
        Tandem could not keep the installation. The log has it as 7f3a91.

        Start again (https://tandem.example.com/slack/install)
        ");
    }
}

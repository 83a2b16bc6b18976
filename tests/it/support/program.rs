//! The real binary, as an operator runs it: arguments, environment, exit code, output.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};

use super::fake_slack::FakeSlack;
use super::service::SECRET;

/// No command of a test takes longer; one that hangs fails its test instead of the whole suite.
const PATIENCE: Duration = Duration::from_secs(150);

const BINARY: &str = env!("CARGO_BIN_EXE_tandem");

/// How the binary is called: on which database, beside which Slack.
#[derive(Clone)]
pub(crate) struct Program {
    environment: Vec<(String, String)>,
}

/// What a finished call said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The output of a call that went well.
    pub(crate) fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// The one sentence of a call that failed.
    pub(crate) fn failure(self) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        let sentences: Vec<&str> = self.err.lines().filter(|line| line.starts_with("tandem: ")).collect();
        assert_eq!(sentences.len(), 1, "one sentence on standard error: {self:?}");
        sentences[0].trim_start_matches("tandem: ").to_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Program {
    /// With nothing set but where data would be kept, should a call go astray.
    pub(crate) fn bare(data_dir: &Path) -> Self {
        let dir = data_dir.join("data").display().to_string();
        Self { environment: vec![("TANDEM_DATA_DIR".to_owned(), dir)] }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends to this Slack.
    pub(crate) fn slack(self, slack: &FakeSlack) -> Self {
        let api = slack.url().to_owned();
        self.with("SLACK_BOT_TOKEN", "xoxb-test")
            .with("SLACK_SIGNING_SECRET", SECRET)
            .with("TANDEM_API_URL_SLACK", &api)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.prepared(Command::new(BINARY), arguments)
    }

    /// Where it may have no more than so many files and connections open at once.
    pub(crate) fn command_with_open_files(&self, most: u32, arguments: &[&str]) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &most.to_string(), BINARY]);
        self.prepared(shell, arguments)
    }

    fn prepared(&self, mut command: Command, arguments: &[&str]) -> Command {
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().expect("the binary runs")
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Said {
        said(self.spawn(arguments)).await
    }
}

/// Waits for a call to end.
pub(crate) async fn said(child: Child) -> Said {
    let Output { status, stdout, stderr } =
        tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("the call ends").expect("its output");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Said { code: status.code(), out: text(stdout), err: text(stderr) }
}

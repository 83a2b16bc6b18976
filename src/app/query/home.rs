//! Purpose: the reader's book, matters and team on one page: Slack's App Home, a card in Teams.

use super::{Ask, what};
use crate::app::read::AccountRead;
use crate::app::team;
use crate::domain::diagnosis::{Band, Change};
use crate::domain::message::Message;
use crate::domain::message::home::{self, BookView, HomeView};
use crate::domain::message::list::HandoffLine;
use crate::domain::message::view::Part;
use crate::domain::person::Role;
use crate::domain::risk;

impl Ask<'_> {
    pub(super) async fn home(&mut self) -> anyhow::Result<Message> {
        let book = self.book().await?;
        let risks = self.risk_views(risk::Risk::is_open).await?;
        let team = match self.person.is(Role::Lead) {
            true => team::view(self.tx, self.reader, self.person).await?,
            false => None,
        };
        let view = HomeView {
            name: self.person.first_name().to_owned(),
            angle: self.reader.angle(),
            book: counted(&book),
            risks,
            windows: self.window_views(&book),
            renewals: self.renewal_views(&book),
            handoffs: self.handoff_lines(&book).into_iter().map(|(_, line)| line).collect(),
            team,
            diagnosed_on: self.reader.snapshot.organisation.diagnosed_on,
        };
        Ok(home::home(&view, self.reader.today()))
    }

    /// The open handoffs that the reader has a part in.
    pub(super) fn handoff_lines(&self, book: &[AccountRead]) -> Vec<(Part, HandoffLine)> {
        let mut lines = Vec::new();
        for read in book {
            for handoff in read.handoffs.iter().filter(|handoff| handoff.is_open()) {
                let part = self.reader.part(read, handoff);
                if matches!(part, Part::Holder | Part::Offered | Part::Offerer) {
                    let state = self.reader.handoff_state(handoff);
                    lines.push((part, HandoffLine { account: read.account.name.clone(), what: what(handoff), state }));
                }
            }
        }
        lines
    }
}

fn counted(book: &[AccountRead]) -> BookView {
    let mut view = BookView::default();
    for read in book {
        let diagnosis = read.diagnosis.as_ref();
        match diagnosis.map(|diagnosis| diagnosis.band) {
            Some(Band::Healthy) => view.healthy += 1,
            Some(Band::Watch) => view.watch += 1,
            Some(Band::AtRisk) => view.at_risk += 1,
            Some(Band::Unknown) | None => view.unknown += 1,
        }
        match diagnosis.map(|diagnosis| diagnosis.change) {
            Some(Change::Worse) => view.worse += 1,
            Some(Change::Better) => view.better += 1,
            Some(Change::New | Change::Same) | None => {}
        }
    }
    view
}

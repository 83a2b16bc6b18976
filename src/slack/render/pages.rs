//! Which blocks go into which message.

use std::cell::OnceCell;

use super::blocks::{Block, at_most, weight};

/// Slack's limit.
pub(super) const BLOCKS_MAX: usize = 50;
/// Measured as JSON. Slack was seen to refuse from about 13,200 (slackapi/bolt-js issues 2509 and 2867).
pub(super) const WEIGHT_MAX: usize = 12_000;
/// The most that one block of buttons weighs, so that it fits beside any one text (3000 characters, which
/// weigh at most twice that when each has to be escaped in JSON).
pub(super) const BUTTONS_MAX: usize = 5_000;
/// A block's name, added after splitting: `"block_id":"b49",` and the comma between blocks.
const NAME: usize = 24;

/// A block and how it holds on to its neighbours.
pub(super) struct Piece {
    block: Block,
    /// Once it was weighed.
    weight: OnceCell<usize>,
    role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Opens a card and stays with what it is about.
    Heading,
    Body,
    /// Stays with what it is about, and closes the card.
    Buttons,
    Divider,
}

impl Piece {
    pub(super) fn heading(block: Block) -> Self {
        Self::new(block, Role::Heading)
    }

    pub(super) fn body(block: Block) -> Self {
        Self::new(block, Role::Body)
    }

    pub(super) fn buttons(block: Block) -> Self {
        Self::new(block, Role::Buttons)
    }

    pub(super) fn divider(block: Block) -> Self {
        Self::new(block, Role::Divider)
    }

    pub(super) fn into_block(self) -> Block {
        self.block
    }

    fn new(block: Block, role: Role) -> Self {
        Self { weight: OnceCell::new(), block, role }
    }

    fn weight(&self) -> usize {
        *self.weight.get_or_init(|| weight(&self.block) + NAME)
    }

    /// Not less than the weight, without writing it out.
    fn at_most(&self) -> usize {
        at_most(&self.block) + NAME
    }
}

/// Splits between cards; a card that is too long for one message between its texts; never between a text
/// and the first buttons after it, nor after a heading. One page at least, even if it is empty.
pub(super) fn split(pieces: Vec<Piece>) -> Vec<Vec<Block>> {
    // Most messages are far from the limits, and need neither scales nor scissors.
    if pieces.len() <= BLOCKS_MAX && pieces.iter().map(Piece::at_most).sum::<usize>() <= WEIGHT_MAX {
        return vec![finished(pieces)];
    }
    let mut pages = vec![Page::default()];
    for card in cards(pieces) {
        if fits(&pages, &card) {
            add(&mut pages, card);
        } else if card.len() <= BLOCKS_MAX && weight_of(&card) <= WEIGHT_MAX {
            pages.push(Page::default());
            add(&mut pages, card);
        } else {
            for part in parts(card) {
                if !fits(&pages, &part) {
                    pages.push(Page::default());
                }
                add(&mut pages, part);
            }
        }
    }
    let mut finished: Vec<_> =
        pages.into_iter().map(|page| finished(page.pieces)).filter(|blocks| !blocks.is_empty()).collect();
    if finished.is_empty() {
        finished.push(Vec::new());
    }
    finished
}

#[derive(Default)]
struct Page {
    pieces: Vec<Piece>,
    weight: usize,
}

/// A line at the edge of a message divides nothing.
fn finished(mut pieces: Vec<Piece>) -> Vec<Block> {
    while pieces.last().is_some_and(|piece| piece.role == Role::Divider) {
        pieces.pop();
    }
    pieces.into_iter().skip_while(|piece| piece.role == Role::Divider).map(|piece| piece.block).collect()
}

fn weight_of(pieces: &[Piece]) -> usize {
    pieces.iter().map(Piece::weight).sum()
}

fn fits(pages: &[Page], more: &[Piece]) -> bool {
    pages
        .last()
        .is_some_and(|page| page.pieces.len() + more.len() <= BLOCKS_MAX && page.weight + weight_of(more) <= WEIGHT_MAX)
}

fn add(pages: &mut [Page], more: Vec<Piece>) {
    if let Some(page) = pages.last_mut() {
        page.weight += weight_of(&more);
        page.pieces.extend(more);
    }
}

/// A card begins at a heading and after a divider, and ends with its buttons.
fn cards(pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    let mut cards: Vec<Vec<Piece>> = Vec::new();
    for piece in pieces {
        let begins = match (cards.last().and_then(|card| card.last()).map(|before| before.role), piece.role) {
            (None, _) | (_, Role::Divider) | (Some(Role::Divider), _) => true,
            (Some(Role::Heading), _) | (_, Role::Buttons) => false,
            (Some(Role::Buttons), _) | (_, Role::Heading) => true,
            (Some(Role::Body), Role::Body) => false,
        };
        match cards.last_mut() {
            Some(card) if !begins => card.push(piece),
            _ => cards.push(vec![piece]),
        }
    }
    cards
}

/// The parts of a card that is too long: each text with the first buttons after it, a heading with its first text.
fn parts(card: Vec<Piece>) -> Vec<Vec<Piece>> {
    let mut parts: Vec<Vec<Piece>> = Vec::new();
    for piece in card {
        let joins = match (parts.last().and_then(|part| part.last()).map(|before| before.role), piece.role) {
            (Some(Role::Heading), Role::Body | Role::Buttons) | (Some(Role::Body), Role::Buttons) => true,
            // Further headings in a row are cut off from each other: nothing is under the first ones.
            _ => false,
        };
        match parts.last_mut() {
            Some(part) if joins => part.push(piece),
            _ => parts.push(vec![piece]),
        }
    }
    parts
}

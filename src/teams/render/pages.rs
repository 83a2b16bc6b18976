//! Which elements go into which card.

use serde_json::Value;

use super::elements::{Piece, Role};

/// Of a body as JSON in UTF-8, with what its buttons carry. What stands around it (the activity, `refresh`) fits beside
/// it under the 28 KB that are known to arrive everywhere.
pub(super) const BODY_MAX: usize = 24_000;

/// The same where each page gets a foot, and every button says which page it stands on.
pub(super) const PAGE_MAX: usize = 18_000;

/// Splits between cards; a card that is too long for one message between its pieces; never between a text and the
/// buttons after it, nor after a heading. One page at least, even if it is empty. `most` is the weight of a page, `carried`
/// what every action gets added, in bytes.
pub(super) fn split(pieces: Vec<Piece>, most: usize, carried: usize) -> Vec<Vec<Value>> {
    let mut pages: Vec<Page> = vec![Page::default()];
    for unit in units(pieces) {
        let whole = unit.iter().map(|piece| weight(piece, carried)).sum::<usize>() <= most;
        let parts = if whole { vec![unit] } else { parts(unit, most, carried) };
        for part in parts {
            let weight: usize = part.iter().map(|piece| weight(piece, carried)).sum();
            let fits = pages.last().is_some_and(|page| page.weight + weight <= most || page.body.is_empty());
            if !fits {
                pages.push(Page::default());
            }
            if let Some(page) = pages.last_mut() {
                page.add(part, weight);
            }
        }
    }
    let mut bodies: Vec<Vec<Value>> = pages.into_iter().map(|page| page.body).filter(|body| !body.is_empty()).collect();
    if bodies.is_empty() {
        bodies.push(Vec::new());
    }
    bodies
}

#[derive(Default)]
struct Page {
    body: Vec<Value>,
    weight: usize,
    /// A line is drawn above the next element, unless it is the first.
    divided: bool,
}

impl Page {
    fn add(&mut self, pieces: Vec<Piece>, weight: usize) {
        self.weight += weight;
        for piece in pieces {
            if piece.role == Role::Divider {
                self.divided = true;
                continue;
            }
            let is_first = self.body.is_empty();
            let mut elements = piece.elements.into_iter();
            if let Some(mut element) = elements.next() {
                if (std::mem::take(&mut self.divided) || piece.role == Role::Heading) && !is_first {
                    element["separator"] = true.into();
                    element["spacing"] = "Large".into();
                }
                self.body.push(element);
            }
            self.body.extend(elements);
        }
    }
}

fn weight(piece: &Piece, carried: usize) -> usize {
    let one = |element: &Value| {
        let text = element.to_string();
        // Each element gets a comma, and perhaps a line above it.
        text.len() + 40 + carried * text.matches("\"data\":{").count()
    };
    piece.elements.iter().map(one).sum()
}

/// A unit begins at a heading and after a divider, and ends with its buttons.
fn units(pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    let mut units: Vec<Vec<Piece>> = Vec::new();
    for piece in pieces {
        let before = units.last().and_then(|unit| unit.last()).map(|piece| piece.role);
        let joins = match (before, piece.role) {
            (None, _)
            | (Some(Role::Buttons), Role::Body | Role::Heading | Role::Divider)
            | (Some(Role::Body), Role::Heading | Role::Divider) => false,
            (Some(_), _) => true,
        };
        match units.last_mut() {
            Some(unit) if joins => unit.push(piece),
            _ => units.push(vec![piece]),
        }
    }
    units
}

/// The parts of a unit that is too long: a heading with its first text, the buttons with the text before them, as far as
/// they fit into one card.
fn parts(unit: Vec<Piece>, most: usize, carried: usize) -> Vec<Vec<Piece>> {
    let mut parts: Vec<Vec<Piece>> = Vec::new();
    for piece in unit {
        let before = parts.last().and_then(|part| part.last()).map(|piece| piece.role);
        let joins = matches!(
            (before, piece.role),
            (Some(Role::Heading | Role::Divider), _) | (Some(Role::Body), Role::Buttons)
        );
        let fits = |part: &[Piece]| {
            part.iter().map(|piece| weight(piece, carried)).sum::<usize>() + weight(&piece, carried) <= most
        };
        match parts.last_mut() {
            Some(part) if joins && fits(part) => part.push(piece),
            _ => parts.push(vec![piece]),
        }
    }
    parts
}

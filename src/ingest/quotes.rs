//! Quotes that RFC 4180 does not know. The csv crate takes what stands behind a closing quote as more of the cell, so that
//! a stray one changes a value, or swallows the rows up to the next quote, without a word.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Where text stands behind a closing quote, shared with whoever reads the rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Strays(Rc<RefCell<VecDeque<u64>>>);

impl Strays {
    /// Whether one stands before this byte of the text and behind the byte that was asked about last.
    pub(super) fn any_before(&self, end: u64) -> bool {
        let mut places = self.0.borrow_mut();
        let passed = places.partition_point(|place| *place < end);
        places.drain(..passed).next().is_some()
    }
}

/// Where the text is between two looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In no quotes; a quote within such a cell is a character like any other.
    Plain,
    Quoted,
    /// Behind a quote in quotes: it closes them, unless another follows.
    Closed,
    /// Behind blanks behind a closing quote, which lose nothing.
    Blank,
}

/// Looks at text with bare line feeds as it goes by.
#[derive(Debug)]
pub(super) struct Watch {
    separator: u8,
    place: Place,
    /// The byte before, which says whether a quote opens a cell.
    before: u8,
    seen: u64,
    strays: Strays,
}

impl Watch {
    pub(super) fn new(separator: u8) -> Self {
        Self { separator, place: Place::Plain, before: b'\n', seen: 0, strays: Strays::default() }
    }

    pub(super) fn strays(&self) -> Strays {
        self.strays.clone()
    }

    pub(super) fn look(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            if matches!(self.place, Place::Plain | Place::Quoted) {
                let Some(found) = bytes[at..].iter().position(|byte| *byte == b'"') else { break };
                let quote = at + found;
                let before = if quote == 0 { self.before } else { bytes[quote - 1] };
                self.place = match self.place {
                    Place::Quoted => Place::Closed,
                    _ if before == b'\n' || before == self.separator => Place::Quoted,
                    _ => Place::Plain,
                };
                at = quote + 1;
                continue;
            }
            self.place = match bytes[at] {
                b'"' if self.place == Place::Closed => Place::Quoted,
                byte if byte == b'\n' || byte == self.separator => Place::Plain,
                b' ' | b'\t' => Place::Blank,
                _ => {
                    self.strays.0.borrow_mut().push_back(self.seen + at as u64);
                    Place::Plain
                }
            };
            at += 1;
        }
        self.before = bytes.last().copied().unwrap_or(self.before);
        self.seen += bytes.len() as u64;
    }
}

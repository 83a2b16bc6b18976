//! Where a row stands in its file.

use std::fmt;

/// Where a row begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: u64,
    /// In a JSON list, of which a line may hold any number: which element it is, from 1.
    pub element: Option<u64>,
}

impl Place {
    pub(super) fn line(line: u64) -> Self {
        Self { line, element: None }
    }

    /// What a person counts to find it.
    pub(super) fn number(self) -> u64 {
        self.element.unwrap_or(self.line)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.element.is_some() { "element" } else { "line" };
        write!(f, "{what} {}", self.number())
    }
}

//! Expansion windows: when one opens, what it is worth.

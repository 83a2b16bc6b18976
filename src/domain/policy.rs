//! The diagnosis policy: every number of diagnosis.md as one typed value.

//! The at-risk episode of an account, as a state machine by value.

//! The passing of a window or a risk between people, as a state machine by value.

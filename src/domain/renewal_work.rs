//! The work towards a renewal, as a state machine by value.

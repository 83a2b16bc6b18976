//! Local mornings, working days, business hours.

//! Renewals: deadlines, steps, and the work towards them.

//! Organisation model → who gets what, who is accountable.

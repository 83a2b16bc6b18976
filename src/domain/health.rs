//! Signals to family risks, floors and causes.

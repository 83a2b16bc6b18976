//! Signals to family risks, floors and causes.
pub struct R {
    pub name: &'static str,
}
pub const RULES: &[R] = &[];

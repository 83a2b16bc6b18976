//! Forgetting: an organisation whole, a contact, a colleague, and their names in what people wrote.

pub mod organisation;
pub mod person;
pub mod texts;
pub(super) mod trail;

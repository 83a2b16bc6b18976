//! What stands where a message stood that may no longer, or need no longer, be read there.

use super::{Block, Message, Text};

/// Takes the place of a message in a channel that people from outside can read.
pub fn from_outsiders() -> Message {
    Message::sentence("Withdrawn: this channel is shared with people outside the company.")
}

/// Takes the place of a message to somebody who is a guest now.
pub fn from_guest() -> Message {
    Message::sentence("Withdrawn: you are a guest here, and this is for colleagues only.")
}

/// Takes the place of a part that a message, now shorter, has no words for.
pub fn surplus() -> Message {
    let text = "This part is no longer needed.";
    Message { summary: text.to_owned(), blocks: vec![Block::Context(Text::plain(text))] }
}

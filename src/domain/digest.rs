//! What is due in a person's morning, in what order, within the attention budget.

//! What a process keeps in memory of an organisation while its stamp holds.

/// One organisation's people, settings, policy and names.
#[derive(Debug, Clone, Default)]
pub struct Snapshots;

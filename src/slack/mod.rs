//! Slack: what comes in, what goes out. The only module that names slack_morphism.

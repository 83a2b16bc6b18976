//! Files and API rows → validated domain values.

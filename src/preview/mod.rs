//! Messages as HTML: the third renderer, behind the demo's page.

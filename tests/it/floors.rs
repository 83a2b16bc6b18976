//! The floors of the house: imports go down only.
//!
//! Every file of `src` is parsed, and every path in it (imports, re-exports,
//! paths in expressions, types, patterns, macros' names and arguments, and
//! visibilities) is resolved to the top-level module that it leads to. No
//! compiler says this: within a crate every module may name every other.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// Floor 4 down to 0 with what each may name; the same table stands in `src/lib.rs`. `main`, `cli` and `config` may
/// name everything. A module that is not in the table is refused, so that it gets a floor when it is made.
const MAY_NAME: [(&[&str], &[&str]); 5] = [
    (
        &["http", "scheduler", "delivery"],
        &["tokens", "app", "store", "slack", "teams", "picture", "preview", "domain", "clock"],
    ),
    (&["tokens"], &["app", "store", "slack", "domain", "clock", "vault"]),
    (&["app"], &["store", "ingest", "warehouse", "domain", "clock", "vault"]),
    (&["store", "ingest", "warehouse", "slack", "teams", "picture", "preview", "postgres"], &["domain", "clock"]),
    (&["domain", "clock", "vault"], &[]),
];
const TOP: [&str; 3] = ["main", "cli", "config"];

/// What only some modules may name, from outside the crate.
const ONLY: [(&str, &[&str]); 2] =
    [("slack_morphism", &["slack"]), ("sqlx", &["store", "warehouse", "postgres", "cli", "main"])];

/// What the domain may not name: it does no I/O, asks for no time, and gives the same bytes for the same inputs.
const NOT_IN_DOMAIN: [&[&str]; 12] = [
    &["tokio"],
    &["sqlx"],
    &["reqwest"],
    &["axum"],
    &["rand"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "time", "SystemTime"],
    &["std", "time", "Instant"],
];

/// Names that say nothing about what is in a module.
const EMPTY_NAMES: [&str; 4] = ["utils", "helpers", "manager", "service"];

/// The crate's name, which leads to its root from the binary.
const CRATE: &str = "tandem";

/// One file under examination.
struct Examiner<'a> {
    file: &'a str,
    /// The module that the code stands in, from the crate's root; grows inside `mod … { }`.
    module: Vec<String>,
    top_level: &'a BTreeSet<String>,
    faults: Vec<String>,
}

/// Checks one file's text; `module` is its path from the crate's root, empty for `lib.rs`.
fn examine(file: &str, module: &[&str], text: &str, top_level: &BTreeSet<String>) -> Vec<String> {
    let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let module = module.iter().map(|&part| part.to_owned()).collect::<Vec<_>>();
    let mut examiner = Examiner { file, module, top_level, faults: Vec::new() };
    for part in examiner.module.clone() {
        examiner.module_name(&part, Span::call_site());
    }
    examiner.visit_file(&parsed);
    examiner.faults
}

impl Examiner<'_> {
    fn home(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }

    fn fault(&mut self, span: Span, what: &str) {
        let fault = format!("{}:{}: {what}", self.file, span.start().line);
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Judges a path; `rooted` says that it begins with `::`, so that its first part is a crate.
    fn path(&mut self, parts: &[String], rooted: bool, span: Span) {
        let Some(first) = parts.first() else { return };
        let at_root = match first.as_str() {
            "crate" if !rooted => Some(parts[1..].to_vec()),
            "self" | "super" if !rooted => self.relative(parts),
            name if name == CRATE => Some(parts[1..].to_vec()),
            // In the root itself a bare name may be a module of ours.
            name if !rooted && self.module.is_empty() && self.top_level.contains(name) => Some(parts.to_vec()),
            _ => None,
        };
        match at_root {
            Some(path) => self.ours(&path, span),
            None => self.foreign(parts, span),
        }
    }

    /// A `self::` or `super::` path from the crate's root; more `super` than there are modules is the compiler's to refuse.
    fn relative(&self, parts: &[String]) -> Option<Vec<String>> {
        let mut module = self.module.clone();
        let mut rest = parts;
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "self" => {}
                "super" => {
                    module.pop()?;
                }
                _ => break,
            }
            rest = others;
        }
        module.extend_from_slice(rest);
        Some(module)
    }

    fn ours(&mut self, path: &[String], span: Span) {
        let from = self.home().to_owned();
        // `lib.rs` only declares modules; `pub(crate)` names the root and leads nowhere.
        let Some(to) = path.first() else { return };
        if from == "lib" || *to == from || TOP.contains(&from.as_str()) {
            return;
        }
        if to == "*" {
            self.fault(span, &format!("{from} imports everything of the crate's root, on whatever floor"));
        } else if self.top_level.contains(to) {
            let allowed =
                MAY_NAME.iter().find(|floor| floor.0.contains(&from.as_str())).map_or(&[][..], |floor| floor.1);
            if !allowed.contains(&to.as_str()) {
                self.fault(span, &format!("{from} names {to}, which is not below it"));
            }
        }
    }

    fn foreign(&mut self, parts: &[String], span: Span) {
        let home = self.home().to_owned();
        for (name, homes) in ONLY {
            if parts[0] == name && !homes.contains(&home.as_str()) {
                self.fault(span, &format!("{home} names {name}, which only {} may", homes.join(", ")));
            }
        }
        if home == "domain" {
            for banned in NOT_IN_DOMAIN {
                if parts.len() >= banned.len() && parts.iter().zip(banned).all(|(part, name)| part == name) {
                    self.fault(span, &format!("domain names {}, but it is pure", banned.join("::")));
                }
            }
        }
    }

    fn use_tree(&mut self, tree: &syn::UseTree, before: &mut Vec<String>, rooted: bool) {
        let leaf = match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.use_tree(&path.tree, before, rooted);
                before.pop();
                return;
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(tree, before, rooted);
                }
                return;
            }
            syn::UseTree::Name(name) => name.ident.to_string(),
            syn::UseTree::Rename(rename) => rename.ident.to_string(),
            syn::UseTree::Glob(_) => "*".to_owned(),
        };
        // `{self}` means what stands before it.
        let path: Vec<String> =
            before.iter().cloned().chain((leaf != "self" || before.is_empty()).then_some(leaf)).collect();
        if path.last().is_some_and(|last| ["crate", "super", CRATE].contains(&last.as_str())) {
            self.fault(
                tree.span(),
                &format!("{} gives a module another name, under which it cannot be followed", self.home()),
            );
        }
        self.path(&path, rooted, tree.span());
    }

    /// The arguments of a macro are not parsed into paths; every run of `name::name` in them is taken for one.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut parts: Vec<String> = Vec::new();
        let mut start = Span::call_site();
        let mut joined = false;
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if !joined {
                        self.flush(&mut parts, start);
                        start = name.span();
                    }
                    parts.push(name.to_string());
                    (joined, colons) = (false, 0);
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    joined = colons == 2 && !parts.is_empty();
                }
                other => {
                    self.flush(&mut parts, start);
                    (joined, colons) = (false, 0);
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.flush(&mut parts, start);
    }

    fn flush(&mut self, parts: &mut Vec<String>, start: Span) {
        if parts.len() > 1 {
            self.path(parts, false, start);
        }
        parts.clear();
    }

    fn module_name(&mut self, name: &str, span: Span) {
        if EMPTY_NAMES.contains(&name) {
            self.fault(span, &format!("no module is called {name}: say what it holds"));
        }
    }
}

impl<'ast> Visit<'ast> for Examiner<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.use_tree(&item.tree, &mut Vec::new(), item.leading_colon.is_some());
        self.visit_visibility(&item.vis);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.path(&parts, path.leading_colon.is_some(), path.span());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.visit_path(&item.path);
        self.tokens(item.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
        visit::visit_attribute(self, attribute);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module_name(&item.ident.to_string(), item.ident.span());
        if item.attrs.iter().any(|attribute| attribute.path().is_ident("path")) {
            self.fault(item.ident.span(), "a module lies where its name says, not at a #[path]");
        }
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        self.path(&[item.ident.to_string()], true, item.span());
    }
}

/// The modules of a file from its path in `src`.
fn module_of(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
        parts.pop();
    }
    parts
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn imports_go_down_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    files.sort();
    let within: Vec<PathBuf> =
        files.iter().map(|file| file.strip_prefix(&src).expect("a file of src").to_owned()).collect();
    let top_level: BTreeSet<String> = within.iter().filter_map(|file| module_of(file).into_iter().next()).collect();
    assert!(top_level.contains("domain") && top_level.contains("postgres"), "src was not found: {top_level:?}");

    let mut faults = Vec::new();
    for module in &top_level {
        let placed = MAY_NAME.iter().any(|floor| floor.0.contains(&module.as_str())) || TOP.contains(&module.as_str());
        if !placed {
            faults.push(format!(
                "src/{module}: this module stands on no floor; give it one in src/lib.rs and in this test"
            ));
        }
    }
    for (file, within) in files.iter().zip(&within) {
        let module = module_of(within);
        let module: Vec<&str> = module.iter().map(String::as_str).collect();
        let text = std::fs::read_to_string(file).expect("a readable file");
        faults.extend(examine(&format!("src/{}", within.display()), &module, &text, &top_level));
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// What the check says about a snippet that stands in `module`.
fn check(module: &str, text: &str) -> Vec<String> {
    let all = MAY_NAME.iter().flat_map(|floor| floor.0).chain(&TOP).map(|&name| name.to_owned()).collect();
    let module: Vec<&str> = module.split("::").filter(|part| !part.is_empty()).collect();
    examine("it.rs", &module, text, &all)
}

#[test]
fn an_arrow_up_or_sideways_is_found_however_it_is_written() {
    let up = "it.rs:1: store names app, which is not below it";
    for text in [
        "use crate::app::query;",
        "use crate::{domain::account, app};",
        "use crate::app as application;",
        "pub use crate::app::*;",
        "use super::super::app::query;",
        "use self::super::super::app;",
        "fn f() { crate::app::query() }",
        "fn f(x: crate::app::Query) {}",
        "fn f() -> Vec<Option<crate::app::Query>> { Vec::new() }",
        "impl crate::app::Ask for X {}",
        "fn f() { println!(\"{}\", crate::app::NAME); }",
        "fn f() { assert!(matches!(x, [Some(crate::app::Query { .. })])); }",
        "crate::app::ask!();",
        "#[derive(crate::app::Ask)] struct X;",
        "pub(in crate::app) struct X;",
        "fn f() { match x { crate::app::A => 1, _ => 2 }; }",
        "mod inner { use super::super::super::app; }",
        "#[cfg(test)] mod tests { use tandem::app::query; }",
        "use ::tandem::app;",
    ] {
        assert_eq!(check("store::account", text), [up], "{text}");
    }
    assert_eq!(check("slack", "\n\nuse crate::store::account;"), ["it.rs:3: slack names store, which is not below it"]);
    assert_eq!(check("http", "use crate::delivery::wake;"), ["it.rs:1: http names delivery, which is not below it"]);
    assert_eq!(check("domain::risk", "use crate::clock::Clock;").len(), 1);
    for text in ["use crate as root;", "use crate::{self as root};", "use super::super as root;", "use tandem as root;"]
    {
        let hidden = "it.rs:1: store gives a module another name, under which it cannot be followed";
        assert_eq!(check("store::account", text), [hidden], "{text}");
    }
    assert_eq!(
        check("store", "use crate::*;"),
        ["it.rs:1: store imports everything of the crate's root, on whatever floor"]
    );
}

#[test]
fn arrows_down_and_within_a_module_are_fine() {
    for (module, text) in [
        (
            "store::account",
            "use crate::domain::account; use super::person; use crate::store::row; pub(crate) fn f() {}",
        ),
        ("app", "use crate::{clock::Clock, domain, ingest, store}; pub(in crate::app) fn f() {}"),
        ("http::api", "fn f() { crate::app::query(); crate::slack::inbound(); app::unrelated() }"),
        ("cli", "use tandem::{http, postgres, store}; use sqlx::PgPool;"),
        ("store", "mod http { pub fn f() {} } use self::http::f; const SQL: &str = \"crate::app\"; // crate::app"),
        ("", "pub mod domain; pub use domain::account; use app::query;"),
    ] {
        assert_eq!(check(module, text), Vec::<String>::new(), "{module}: {text}");
    }
}

#[test]
fn what_belongs_to_one_module_is_named_by_no_other() {
    assert_eq!(
        check("delivery", "use slack_morphism::prelude::*;"),
        ["it.rs:1: delivery names slack_morphism, which only slack may"]
    );
    assert_eq!(
        check("app", "fn f() { ::sqlx::query(\"SELECT 1\"); }"),
        ["it.rs:1: app names sqlx, which only store, warehouse, postgres, cli, main may"]
    );
    assert_eq!(check("slack", "use slack_morphism::SlackClient;"), Vec::<String>::new());
}

#[test]
fn the_domain_stays_pure_and_names_say_something() {
    assert_eq!(
        check("domain::x", "use std::{fmt, time::{Duration, SystemTime}};"),
        ["it.rs:1: domain names std::time::SystemTime, but it is pure"]
    );
    for text in [
        "use std::fs;",
        "use std::fs::File;",
        "fn f() { std::net::lookup() }",
        "use tokio::sync::Mutex;",
        "fn f() -> u8 { rand::random() }",
        "fn f() { println!(\"{:?}\", std::env::args()); }",
    ] {
        assert_eq!(check("domain::x", text).len(), 1, "{text}");
    }
    assert_eq!(check("domain::x", "use std::time::Duration; use std::collections::BTreeMap;"), Vec::<String>::new());
    assert_eq!(check("app::utils", ""), ["it.rs:1: no module is called utils: say what it holds"]);
    assert_eq!(check("app", "mod helpers { }"), ["it.rs:1: no module is called helpers: say what it holds"]);
}

/// A file that `main.rs` does not name is compiled by nobody: its tests would never run, and nothing would say so.
#[test]
fn no_test_file_is_left_out() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(stem) = name.strip_suffix(".rs").filter(|stem| *stem != "main") {
            assert!(main.lines().any(|line| line == format!("mod {stem};")), "{name} is not named in main.rs");
        }
    }
}

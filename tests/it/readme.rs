//! The README's first files, imported as it says, give what it shows.

use std::path::Path;

use crate::support::cluster::database;
use crate::support::program::Program;

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The answer that stands under a command, up to the next command or the end of its block.
fn shown(readme: &str, command: &str) -> String {
    let (_, after) = readme.split_once(&format!("$ {command}\n")).unwrap_or_else(|| panic!("no \"{command}\""));
    let lines = after.lines().take_while(|line| !line.starts_with("$ ") && !line.starts_with("```"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn the_files_of_the_readme_give_what_it_shows() {
    let (readme, dir, db) = (readme(), tempfile::tempdir().unwrap(), database().await);
    let program = Program::bare(dir.path()).with("DATABASE_URL", db.url());
    let files = ["people", "accounts", "contacts", "signals", "outcomes", "quotas", "holidays"];
    let blocks: Vec<&str> =
        readme.split("```csv\n").skip(1).map(|block| block.split("```").next().unwrap_or_default()).collect();
    assert_eq!(blocks.len(), files.len());
    let paths: Vec<String> =
        files.iter().map(|file| dir.path().join(format!("{file}.csv")).display().to_string()).collect();
    for (path, block) in paths.iter().zip(blocks) {
        std::fs::write(path, block).unwrap();
    }
    // The date on which the README's rows were new. A night of the past is history, which the program says.
    let night = "2026-11-26";

    let made =
        "tandem org create acme-software --name \"Acme Software\" --model pair --timezone Europe/Berlin --currency USD";
    let create = ["org", "create", "acme-software", "--name", "Acme Software", "--model", "pair"];
    let create = [&create[..], &["--timezone", "Europe/Berlin", "--currency", "USD"]].concat();
    assert_eq!(program.run(&create).await.well(), shown(&readme, made));

    let import = format!("tandem import --org acme-software {}", files.map(|file| format!("{file}.csv")).join(" "));
    let mut arguments = vec!["import", "--org", "acme-software"];
    arguments.extend(paths.iter().map(String::as_str));
    assert_eq!(program.run(&arguments).await.well(), shown(&readme, &import));

    let diagnosed = program.run(&["diagnose", "--org", "acme-software", "--date", night]).await.well();
    let diagnosed = diagnosed.replace(" (history only)", "");
    assert_eq!(diagnosed, shown(&readme, "tandem diagnose --org acme-software"));
}

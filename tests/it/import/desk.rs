//! An organisation, a folder of files, and the program that imports them.

use sqlx::{AssertSqlSafe, Postgres, Transaction};
use tempfile::TempDir;

use crate::support::cluster::{TestDb, database};
use crate::support::program::{Program, Said};

pub(super) struct Desk {
    dir: TempDir,
    pub(super) program: Program,
    pub(super) db: TestDb,
}

impl Desk {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = database().await;
        let program = Program::bare(dir.path()).with("DATABASE_URL", db.url());
        let north = ["org", "create", "north", "--name", "North", "--model", "pair", "--timezone", "Europe/Berlin"];
        program.run(&north).await.well();
        let south = ["org", "create", "south", "--name", "South", "--model", "pair", "--timezone", "Europe/Berlin"];
        program.run(&south).await.well();
        Self { dir, program, db }
    }

    /// With Dana, a CSM.
    pub(super) async fn staffed() -> Self {
        let desk = Self::new().await;
        let people = desk.file("people.csv", "email,name,roles\ndana@x.eu,Dana,csm\n");
        desk.import(&[people]).await.well();
        desk
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file; its path.
    pub(super) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(std::path::Path::new(&path).parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// What lies in the folder, by name.
    pub(super) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(super) fn exists(&self, name: &str) -> bool {
        std::path::Path::new(&self.path(name)).exists()
    }

    pub(super) async fn import(&self, paths: &[String]) -> Said {
        let mut arguments = vec!["import", "--org", "north", "--format", "json"];
        arguments.extend(paths.iter().map(String::as_str));
        self.program.run(&arguments).await
    }

    /// One number, asked as the organisation's role.
    pub(super) async fn count(&self, sql: &str) -> i64 {
        let mut tx = self.tenant().await;
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut *tx).await.unwrap()
    }

    /// A transaction of `north`.
    pub(super) async fn tenant(&self) -> Transaction<'static, Postgres> {
        let mut tx = self.db.pool.begin_with("BEGIN; SET LOCAL ROLE tandem_directory").await.unwrap();
        let org: uuid::Uuid = sqlx::query_scalar("SELECT org_id FROM directory.organisation WHERE slug = 'north'")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        drop(tx);
        let begin = format!("BEGIN; SET LOCAL ROLE tandem_app; SET LOCAL tandem.org_id = '{org}'");
        self.db.pool.begin_with(AssertSqlSafe(begin)).await.unwrap()
    }
}

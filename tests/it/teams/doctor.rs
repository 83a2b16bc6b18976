//! What an administrator hears of Teams before anybody misses a morning.

use tandem::domain::row::RowKind;
use tempfile::TempDir;

use super::sunday;
use crate::support::PATIENCE;
use crate::support::fake_teams::{APP_ID, HOME, SECRET, Trouble};
use crate::support::program::Program;
use crate::support::teams::TENANT;

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_what_is_wrong_with_teams_and_who_is_not_reached() {
    let bot = sunday().await;
    bot.import(RowKind::People, "email,name,roles\nnia@x.eu,Nia New,csm\n").await;
    let dir = TempDir::new().unwrap();
    let bare = Program::bare(dir.path()).with("DATABASE_URL", bot.url());
    let url = bot.teams.url();
    let set = |secret: &str, login: &str| {
        let program = bare.clone().with("TEAMS_APP_ID", APP_ID).with("TEAMS_APP_SECRET", secret);
        let program = program.with("TEAMS_TENANT_ID", HOME).with("TANDEM_BASE_URL", "https://tandem.example.com");
        let program = program.with("TEAMS_LOGIN_URL", login).with("TEAMS_OPENID_URL", &format!("{url}openid"));
        program.with("TEAMS_SERVICE_URLS", url)
    };
    let doctor = ["doctor", "--org", "north"];

    let well = set(SECRET, url).run(&doctor).await.out;
    for words in [
        "ok     teams: Microsoft's login accepts TEAMS_APP_ID and TEAMS_APP_SECRET",
        "keys of Microsoft's to check requests with",
        "warn   north: nothing came from aaaaaaaa-0000-4000-8000-000000000001 yet: the Azure Bot's messaging endpoint has to \
         be https://tandem.example.com/teams/messages, and the app installed",
        "no teams_user_id is imported and they have not written to Tandem yet, so no morning reaches them: nia@x.eu",
    ] {
        assert!(well.contains(words), "{words}\n{well}");
    }
    bot.types("dana", "help").await;
    let noted = format!("SELECT count(*) FROM tandem.conversation WHERE workspace_id = '{TENANT}'");
    let begun = std::time::Instant::now();
    while bot.number(&bot.org, &noted).await == 0 {
        assert!(begun.elapsed() < PATIENCE, "the conversation was not kept");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let heard = set(SECRET, url).run(&doctor).await.out;
    assert!(!heard.contains("nothing came from"), "{heard}");

    let wrong = set("another-secret", url).run(&doctor).await;
    assert_eq!(wrong.code, Some(1));
    let words =
        "FAULT  teams: no token: Microsoft does not accept Tandem's credentials: invalid_client; check TEAMS_APP_ID";
    assert!(wrong.out.contains(words), "{wrong:?}");
    let closed = set(SECRET, "http://127.0.0.1:1/").run(&doctor).await.out;
    assert!(closed.contains("check that this machine reaches Microsoft's login"), "{closed}");
    bot.teams.always("openid", Trouble::Refused(503, "Busy"));
    let keyless = set(SECRET, url).run(&doctor).await.out;
    assert!(
        keyless.contains("FAULT  teams: Microsoft's keys can't be fetched, so every request is refused"),
        "{keyless}"
    );
    let half = bare.clone().with("TEAMS_APP_ID", APP_ID).run(&doctor).await.out;
    assert!(half.contains("Teams needs all three"), "{half}");
    let none = bare.run(&doctor).await.out;
    assert!(none.contains("is linked, but TEAMS_APP_ID is not set"), "{none}");
    bot.set_aside().await;
}

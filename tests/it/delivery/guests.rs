//! Colleagues who become guests.

use super::*;

/// Dana and Kim, who have each been told that Acme may leave.
async fn dana_and_kim(scene: &Scene, org: &Org) -> (Address, Address) {
    let (dana, kim) = (scene.person(org, "dana").await, scene.person(org, "kim").await);
    scene.say(org, &dana, "Acme may leave").await;
    scene.say(org, &kim, "Acme may leave").await;
    assert_eq!(scene.drain(org, 0).await.sent, 2);
    (dana, kim)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_becomes_a_guest_gets_no_more_and_what_stands_there_is_taken_back() {
    let scene = Scene::new(noon()).await;
    let org = scene.organisation("T1").await;
    let (dana, kim) = dana_and_kim(&scene, &org).await;

    scene.slack.user("Udana", json!({"is_restricted": true}));
    scene.say(&org, &dana, "Acme left").await;
    scene.say(&org, &kim, "Acme left").await;
    scene.redraw(&org).await;
    assert_eq!(scene.drain(&org, 0).await, Drained { sent: 1, given_up: 1 });
    let mut texts = scene.slack.texts();
    texts.sort();
    let withdrawn = "Withdrawn: you are a guest here, and this is for colleagues only.";
    assert_eq!(texts, ["Acme left", "Acme may leave", withdrawn]);
    assert_eq!(scene.slack.calls("users.list").len(), 1, "once for all of them");
    let problems = scene.rows(&org).await.into_iter().filter_map(|(_, problem)| problem);
    assert_eq!(problems.collect::<Vec<_>>(), ["not_a_colleague", "not_a_colleague"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_workspace_is_not_listed_each_is_asked_about() {
    let scene = Scene::new(noon()).await;
    let org = scene.organisation("T1").await;
    let (dana, kim) = dana_and_kim(&scene, &org).await;

    scene.slack.always("users.list", Trouble::RateLimited(60));
    scene.slack.user("Udana", json!({"is_restricted": true}));
    for text in ["Acme left", "Acme is back"] {
        scene.say(&org, &dana, text).await;
        scene.say(&org, &kim, text).await;
    }
    let before = scene.slack.calls("users.info").len();
    assert_eq!(scene.drain(&org, 0).await, Drained { sent: 2, given_up: 2 });
    assert_eq!(scene.slack.calls("users.list").len(), 1, "not again at once");
    assert!(scene.slack.calls("users.info").len() - before <= 4, "kept for an hour");
}

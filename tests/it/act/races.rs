//! Two who claim at once: one wins, the other is told who.

use tandem::app::act;
use tandem::domain::action::{Action, Subject, Verb};
use tandem::domain::message::Reply;

use super::private;
use super::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_claims_from_two_replicas_have_one_winner() {
    let world = World::new().await;
    let window = world.for_pool("bolt").await;
    let replicas = [world.replica().await, world.replica().await];
    let action = Action::new(Verb::Claim, Subject::Handoff(window.id));
    let mut presses = Vec::new();
    for number in 0..20_usize {
        let (app, who) = (replicas[number % 2].clone(), if number % 4 < 2 { "pat" } else { "pia" });
        let (asker, action) = (world.asker(who), action.clone());
        let receipt = format!("claim-{number}");
        presses.push(tokio::spawn(async move { (who, act::press(&app, &asker, &action, Some(&receipt)).await) }));
    }
    let mut winners = Vec::new();
    let mut told = Vec::new();
    for press in presses {
        match press.await.unwrap() {
            (who, Ok(Reply::Silent)) => winners.push(who),
            (who, Ok(reply)) => told.push((who, private(reply))),
            (who, Err(error)) => panic!("{who}: {error:#}"),
        }
    }
    let [winner] = winners[..] else { panic!("{} winners", winners.len()) };
    let name = if winner == "pat" { "Pat" } else { "Pia" };
    assert_eq!(told.len(), 19);
    for (who, said) in told {
        let by = if who == winner { "you" } else { name };
        assert_eq!(said, format!("Bolt: claimed by {by} just now."));
    }
    let accepted = world.read_handoff(window.id).await;
    assert_eq!((accepted.state_name(), accepted.accountable()), ("accepted", Some(world.id(winner))));
    assert_eq!(world.event_names().await, ["handoff.accepted"]);
    // The CSM of the account hears it once.
    assert_eq!(world.notices("dana").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_who_raise_the_same_risk_make_one() {
    let world = World::new().await;
    let action = Action::new(Verb::RaiseRisk, Subject::Account("acme".into()));
    let said = super::answers(&[("what", "budget cut")]);
    let replicas = [world.replica().await, world.replica().await];
    let (dana, lee) = (world.asker("dana"), world.asker("lee"));
    let (first, second) = tokio::join!(
        act::submit(&replicas[0], &dana, &action, &said, None),
        act::submit(&replicas[1], &lee, &action, &said, None)
    );
    let mut said = [private(first.unwrap()), private(second.unwrap())];
    said.sort();
    assert_eq!(said, ["Acme: note saved.", "Acme: risk saved."]);
    assert_eq!(world.count("SELECT count(*) FROM tandem.risk").await, 1);
}

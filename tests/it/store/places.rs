//! From where somebody has signed in: the last eight places, by when they came from there last.

use persona_gateway::clock::Clock;
use persona_gateway::domain::email::Email;
use persona_gateway::domain::ids::AdminId;

use crate::harness::tenants::Bench;

#[tokio::test]
async fn the_place_that_nobody_has_come_from_for_longest_is_forgotten() {
    let bench = Bench::new().await;
    let (person, email) = (
        AdminId(Clock::system().new_id()),
        Email::parse("ann@example.com").unwrap(),
    );
    let mut tx = bench.store.platform().await.unwrap();
    tx.insert_operator(person, &email, "Ann", "$argon2id$x")
        .await
        .unwrap();
    // At home again and again, and from nine other places once each.
    let home = 0;
    for away in 1..=9_u8 {
        for place in [home, away] {
            tx.remember_place(person, &[place]).await.unwrap();
        }
    }
    let places = tx
        .person_by_email(&email)
        .await
        .unwrap()
        .unwrap()
        .sign_in_places;
    let places: Vec<u8> = places.into_iter().flatten().collect();
    assert_eq!(places, [9, home, 8, 7, 6, 5, 4, 3]);
    tx.remember_place(person, &[9]).await.unwrap();
    let again = tx
        .person_by_email(&email)
        .await
        .unwrap()
        .unwrap()
        .sign_in_places;
    assert_eq!(again.concat(), places, "the newest stays where it is");
    // Nobody told the trail of it.
    drop(tx);
}

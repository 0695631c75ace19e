//! The queries over releases say what `domain/timeline.rs` says.

use chrono::{DateTime, TimeDelta, Utc};
use persona_gateway::clock::Clock;
use persona_gateway::domain::ids::{ReleaseId, TenantId};
use persona_gateway::domain::timeline::{Release, Timeline, Way};
use uuid::Uuid;

use super::filling::ALPHA;
use crate::harness::postgres::TestDatabase;
use crate::harness::tenants::store;

const DOCUMENTS: usize = 40;
const VERSIONS: u64 = 5;

/// The same numbers in each run.
struct Dice(u64);

impl Dice {
    /// From 0 up to `sides`, which it never is.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn second(&mut self) -> i64 {
        i64::try_from(self.roll(30)).unwrap()
    }
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

/// Releases of a document in any order, some called off by name, some as earlier releases of the gateway did it.
fn history(dice: &mut Dice, seq: &mut i64) -> Vec<Release> {
    let mut rows: Vec<Release> = Vec::new();
    for _ in 0..dice.roll(25) {
        *seq += 1;
        let any = usize::try_from(dice.roll(25)).unwrap() % rows.len().max(1);
        let earlier = rows.get(any).cloned();
        let (way, cancels, second) = match (dice.roll(10), earlier) {
            (0 | 1, Some(other)) if other.way != Way::Cancel => {
                let second = (other.live_from - start()).num_seconds();
                (Way::Cancel, Some(other.id), second)
            }
            (2, Some(other)) => (Way::Cancel, None, (other.live_from - start()).num_seconds()),
            (3, _) => (Way::Rollback, None, dice.second()),
            _ => (Way::Release, None, dice.second()),
        };
        rows.push(Release {
            id: ReleaseId(Uuid::from_u64_pair(9, u64::try_from(*seq).unwrap())),
            seq: *seq,
            live_from: start() + TimeDelta::seconds(second),
            version: 1 + i32::try_from(dice.roll(VERSIONS)).unwrap(),
            way,
            cancels,
            percent: (way == Way::Release && dice.roll(3) == 0)
                .then(|| u8::try_from(1 + dice.roll(99)).unwrap()),
        });
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_queries_find_live_is_what_the_pure_function_finds() {
    let database = TestDatabase::create().await;
    let mut dice = Dice(7);
    let mut seq = 1_000;
    let mut statements = vec![format!(
        "insert into tenant (id, slug, name) values ('{ALPHA}', 'alpha', 'Alpha')"
    )];
    let mut histories = Vec::new();
    for document in 0..DOCUMENTS {
        let id = Uuid::from_u64_pair(3, document as u64);
        statements.push(format!(
            "insert into document (tenant_id, id, kind, key) values ('{ALPHA}', '{id}', 'snippet', 's{document}');
             insert into document_version (tenant_id, document_id, id, content)
             select '{ALPHA}', '{id}', md5('{document} ' || n)::uuid, '{{}}' from generate_series(1, {VERSIONS}) n order by n"
        ));
        let rows = history(&mut dice, &mut seq);
        for row in &rows {
            let cancels = row
                .cancels
                .map_or("null".to_owned(), |id| format!("'{}'", id.0));
            let percent = row.percent.map_or("null".to_owned(), |n| n.to_string());
            statements.push(format!(
                "insert into release (tenant_id, id, document_id, version_id, live_from, seq, way, cancels, percent) overriding system value
                 values ('{ALPHA}', '{}', '{id}', md5('{document} {}')::uuid, '{}', {}, '{}', {cancels}, {percent})",
                row.id.0,
                row.version,
                row.live_from.to_rfc3339(),
                row.seq,
                row.way.as_str(),
            ));
        }
        histories.push(rows);
    }
    database.sql(&statements.join(";\n")).await;

    let rows = histories.iter().flatten();
    assert!(rows.clone().count() > 200, "enough to find something");
    assert!(rows.filter(|row| row.way == Way::Cancel).count() > 50);
    let tenant = TenantId(ALPHA.parse().unwrap());
    let mut tx = store(&database.login_url).tenant(tenant).await.unwrap();
    for second in -1..31 {
        let moment = start() + TimeDelta::seconds(second);
        let live = tx.released_versions(moment, 1).await.unwrap();
        let rollouts = tx.rollouts(moment).await.unwrap();
        for (document, rows) in histories.iter().enumerate() {
            let expected = Timeline::new(rows).live(moment).map(|row| row.version);
            let key = format!("s{document}");
            let found = live.iter().find(|row| row.key == key).map(|row| row.number);
            assert_eq!(found, expected, "{key} at {second}: {rows:?}");
            let expected = Timeline::new(rows).rollout(moment);
            let expected = expected.map(|row| (row.version, row.percent.unwrap()));
            let found = rollouts.iter().find(|(row, _)| row.key == key);
            // Beside nothing that is live, the last release to a share is no rollout; pictures see that by themselves.
            let found = found.filter(|_| live.iter().any(|row| row.key == key));
            let found = found.map(|(row, percent)| (row.number, *percent));
            assert_eq!(found, expected, "{key} at {second}: {rows:?}");
        }
        let coming: Vec<DateTime<Utc>> = {
            let lines = histories.iter().map(Timeline::new);
            let mut coming: Vec<_> = lines
                .flat_map(|line| {
                    let after = line.after(moment).iter();
                    after.map(|row| row.live_from).collect::<Vec<_>>()
                })
                .collect();
            coming.sort_unstable();
            coming.dedup();
            coming
        };
        assert_eq!(tx.coming_moments(moment).await.unwrap(), coming);
        assert_eq!(
            tx.next_release(moment).await.unwrap(),
            coming.first().copied()
        );
        let scheduled = tx.scheduled(moment, moment).await.unwrap();
        assert_eq!(usize::try_from(scheduled.moments).unwrap(), coming.len());
    }
    assert!(tx.moment().await.unwrap() > Clock::system().now() - TimeDelta::minutes(1));
}

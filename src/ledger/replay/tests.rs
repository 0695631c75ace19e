use std::io::Write;

use super::super::spool::tests::{Folder, MIB, record, ring};
use super::*;

/// The sessions of each group, and how reading ended.
fn groups(folder: &Folder, part: Part) -> (Vec<Vec<u128>>, End) {
    let mut left = Left::take(&folder.only(), ring()).unwrap().unwrap();
    let mut groups = Vec::new();
    loop {
        let (rows, end) = some_of(&mut left, part);
        let requested = rows.requested.iter().map(|row| row.session);
        let ended = rows.outcomes.iter().map(|row| row.session);
        groups.push(requested.chain(ended).map(|id| id.0.as_u128()).collect());
        if !matches!(end, End::More) {
            return (groups, end);
        }
    }
}

#[test]
fn records_of_one_row_are_put_together_in_their_order_and_each_row_comes_once() {
    let folder = Folder::new();
    let mut spool = folder.spool(16 * MIB);
    for number in 1..=1_200 {
        spool.append(&record(number, "ann")).unwrap();
    }
    drop(spool);
    for part in [Part::Outcomes, Part::Requested] {
        let (groups, end) = groups(&folder, part);
        assert!(matches!(end, End::Reached));
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        assert_eq!(sizes, [512, 512, 176]);
        assert_eq!(groups.concat(), (1..=1_200).collect::<Vec<u128>>());
    }
}

#[test]
fn what_stands_before_a_record_that_can_not_be_read_is_not_lost_with_it() {
    let folder = Folder::new();
    let mut spool = folder.spool(MIB);
    for number in 1..=3 {
        spool.append(&record(number, "ann")).unwrap();
    }
    drop(spool);
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(folder.only())
        .unwrap();
    file.write_all(&[4, 0, 0, 0, 1, 2, 3, 4]).unwrap();
    let (groups, end) = groups(&folder, Part::Requested);
    assert_eq!(groups, [[1, 2, 3]]);
    assert!(matches!(end, End::Failed(SpoolError::Sealed(_))));
}

#[test]
fn a_replay_knows_of_live_rows_that_were_written_meanwhile_or_still_are() {
    let live = Live::default();
    let before = live.batches();
    assert!(!live.any_since(before));
    live.0
        .begun
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    assert!(live.any_since(before), "it was begun");
    assert!(live.any_since(live.batches()), "it is under way");
    live.0
        .ended
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    assert!(live.any_since(before));
    assert!(!live.any_since(live.batches()));
}

#[test]
fn a_long_statement_makes_the_next_of_its_kind_smaller_and_a_quick_one_larger_again() {
    let mut sizes = Sizes::default();
    let [quick, usual, long] = [1, 500, 2_000].map(Duration::from_millis);
    for (took, then) in [(long, 256), (long, 128), (usual, 128), (quick, 256)] {
        sizes.adapt(Part::Requested, took);
        assert_eq!(*sizes.of(Part::Requested), then);
        assert_eq!(*sizes.of(Part::Outcomes), 512);
    }
    for _ in 0..9 {
        sizes.adapt(Part::Requested, long);
    }
    assert_eq!(*sizes.of(Part::Requested), 16);
}

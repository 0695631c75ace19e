use proptest::prelude::*;

use super::*;

const TENANT: &str = "aaaaaaaa-0000-7000-8000-000000000000";

fn record(seq: i64) -> String {
    format!(
        r#"["{TENANT}", {seq}, "id-{seq}", "2026-11-24T10:00:00.000000", "cli:ada", "a", "t", null, null, null, {{}}]"#
    )
}

fn row(record: String, before: &[u8]) -> ChainRow {
    ChainRow {
        hash: hash(before, &record).to_vec(),
        prev_hash: before.to_vec(),
        record,
    }
}

/// A trail as the trigger writes it.
fn trail(rows: i64) -> Vec<ChainRow> {
    let mut trail: Vec<ChainRow> = Vec::new();
    for seq in 1..=rows {
        let before = trail.last().map(|row| row.hash.clone()).unwrap_or_default();
        trail.push(row(record(seq), &before));
    }
    trail
}

fn unsigned(trail: &[ChainRow], seq: i64) -> CheckpointRow {
    CheckpointRow {
        seq,
        hash: trail[usize::try_from(seq).unwrap() - 1].hash.clone(),
        at: DateTime::UNIX_EPOCH,
        key_id: "0".repeat(16),
        signature: vec![0; 64],
    }
}

/// Verifies a trail with checkpoints, each behind its row.
fn verify(trail: Vec<ChainRow>, checkpoints: &[CheckpointRow]) -> Result<Verified, Flaw> {
    let mut verifier = Verifier::new(None, Vec::new());
    let mut given = 0;
    for (index, row) in trail.into_iter().enumerate() {
        verifier.row(row);
        let seq = i64::try_from(index).unwrap() + 1;
        for checkpoint in checkpoints
            .iter()
            .filter(|checkpoint| checkpoint.seq == seq)
        {
            verifier.checkpoint(checkpoint.clone());
        }
        given = seq;
    }
    for checkpoint in checkpoints
        .iter()
        .filter(|checkpoint| checkpoint.seq > given)
    {
        verifier.checkpoint(checkpoint.clone());
    }
    verifier.finish()
}

fn flaw(trail: Vec<ChainRow>) -> (i64, FlawKind) {
    let flaw = verify(trail, &[]).unwrap_err();
    (flaw.seq, flaw.kind)
}

/// Writes another number into a row, as an UPDATE of `seq` would.
fn renumber(row: &mut ChainRow, from: i64, to: i64) {
    row.record = row
        .record
        .replacen(&format!(", {from}, "), &format!(", {to}, "), 1);
}

/// Makes the hashes of all rows from one on again, as a forger with all rights would.
fn rehash(trail: &mut [ChainRow], from: usize) {
    for at in from..trail.len() {
        let before = match at {
            0 => Vec::new(),
            at => trail[at - 1].hash.clone(),
        };
        trail[at].hash = hash(&before, &trail[at].record).to_vec();
        trail[at].prev_hash = before;
    }
}

#[test]
fn an_untouched_trail_is_good_also_an_empty_one() {
    assert_eq!(verify(Vec::new(), &[]).unwrap(), Verified::default());
    let trail = trail(5);
    let checkpoints = [unsigned(&trail, 2), unsigned(&trail, 4)];
    let verified = verify(trail, &checkpoints).unwrap();
    let wanted = Verified {
        rows: 5,
        checkpoints: 2,
        signatures: 0,
        marked_up_to: 4,
    };
    assert_eq!(verified, wanted);
}

proptest! {
    #[test]
    fn one_changed_byte_of_a_row_names_that_row(rows in 1_i64..6, at in 0_usize..6, byte: prop::sample::Index, hash: bool) {
        let mut trail = trail(rows);
        let at = at % trail.len();
        if hash {
            let byte = byte.index(32);
            trail[at].hash[byte] ^= 1;
        } else {
            // Within the details, which name nothing.
            let end = trail[at].record.len() - 1 - byte.index(2);
            trail[at].record.replace_range(end - 1..end, "9");
        }
        let (seq, kind) = flaw(trail);
        prop_assert_eq!((seq, kind), (i64::try_from(at).unwrap() + 1, FlawKind::Changed));
    }

    #[test]
    fn whatever_stands_in_a_trail_nothing_panics(records in prop::collection::vec((any::<String>(), any::<Vec<u8>>()), 0..5)) {
        let rows = records.into_iter().map(|(record, hash)| ChainRow { record, prev_hash: hash.clone(), hash });
        let mut verifier = Verifier::new(None, Vec::new());
        rows.for_each(|row| verifier.row(row));
        _ = verifier.finish();
    }
}

#[test]
fn a_row_with_its_hash_made_anew_is_named_by_the_next() {
    let mut trail = trail(5);
    trail[2].record = trail[2].record.replace("cli:ada", "cli:eve");
    trail[2].hash = hash(&trail[2].prev_hash, &trail[2].record).to_vec();
    assert_eq!(flaw(trail), (3, FlawKind::Changed));
}

#[test]
fn a_missing_row_is_named_also_the_first_and_when_the_rest_moved_up() {
    for gone in [0, 2] {
        let mut trail = trail(5);
        trail.remove(gone);
        let seq = i64::try_from(gone).unwrap() + 1;
        assert_eq!(flaw(trail), (seq, FlawKind::Missing { up_to: seq }));
    }
    let mut several = trail(9);
    several.drain(3..6);
    assert_eq!(flaw(several), (4, FlawKind::Missing { up_to: 6 }));

    let mut moved = trail(6);
    moved.remove(2);
    for (row, seq) in moved[2..].iter_mut().zip(4..) {
        renumber(row, seq, seq - 1);
    }
    assert_eq!(flaw(moved), (3, FlawKind::Missing { up_to: 3 }));
}

#[test]
fn rows_out_of_order_are_named_in_a_file_and_in_a_table() {
    let mut lines = trail(5);
    lines.swap(1, 2);
    assert_eq!(flaw(lines), (3, FlawKind::OutOfOrder));

    let mut rows = trail(5);
    rows.swap(1, 2);
    renumber(&mut rows[1], 3, 2);
    renumber(&mut rows[2], 2, 3);
    assert_eq!(flaw(rows), (2, FlawKind::OutOfOrder));
}

#[test]
fn an_inserted_row_is_named_whatever_its_hash() {
    for forged_well in [false, true] {
        for moved_down in [false, true] {
            let mut trail = trail(5);
            let before = trail[1].hash.clone();
            let mut extra = row(record(3).replace("cli:ada", "cli:eve"), &before);
            if !forged_well {
                extra.hash = vec![7; 32];
            }
            trail.insert(2, extra);
            if moved_down {
                for (row, seq) in trail[3..].iter_mut().zip(3..) {
                    renumber(row, seq, seq + 1);
                }
            }
            let case = format!("forged well {forged_well}, the rest moved down {moved_down}");
            assert_eq!(flaw(trail), (3, FlawKind::Inserted), "{case}");
        }
    }
}

#[test]
fn a_trail_that_was_rewritten_to_its_end_does_not_match_its_checkpoints() {
    let good = trail(6);
    let checkpoints = [unsigned(&good, 2), unsigned(&good, 5)];
    let mut forged = good;
    forged[3].record = forged[3].record.replace("cli:ada", "cli:eve");
    rehash(&mut forged, 3);
    verify(forged.clone(), &[]).unwrap();
    let flaw = verify(forged, &checkpoints).unwrap_err();
    assert_eq!(flaw.seq, 5);
    assert_eq!(flaw.kind, FlawKind::CheckpointMismatch { good_up_to: 2 });
}

#[test]
fn rows_cut_off_at_the_end_are_missed_by_a_later_checkpoint() {
    let good = trail(6);
    let checkpoints = [unsigned(&good, 2), unsigned(&good, 5)];
    for left in [0, 1, 3, 4] {
        let flaw = verify(good[..left].to_vec(), &checkpoints).unwrap_err();
        assert_eq!(flaw.seq, i64::try_from(left).unwrap() + 1);
        assert_eq!(flaw.kind, FlawKind::Missing { up_to: 5 });
    }
    verify(good[..5].to_vec(), &checkpoints).unwrap();
}

#[test]
fn rows_of_another_tenant_do_not_count() {
    let mut trail = trail(3);
    trail[1].record = trail[1].record.replace("aaaaaaaa", "bbbbbbbb");
    assert_eq!(flaw(trail), (2, FlawKind::WrongTenant));
}

use chrono::DateTime;

use super::*;
use crate::config::MasterKeys;
use crate::domain::ids::{IssuerId, SessionId};
use crate::store::sessions::{OutcomeResult, Timings};

pub(in crate::ledger) const MIB: u64 = 1024 * 1024;

/// A folder that is gone afterwards.
pub(in crate::ledger) struct Folder(PathBuf);

impl Folder {
    pub(in crate::ledger) fn new() -> Self {
        let id = Clock::system().new_id();
        Self(std::env::temp_dir().join(format!("spool-{id}")))
    }

    pub(in crate::ledger) fn spool(&self, max_bytes: u64) -> Spool {
        Spool::open(&self.0, max_bytes, ring(), Clock::system()).unwrap()
    }

    pub(in crate::ledger) fn only(&self) -> PathBuf {
        let mut files = files(&self.0).unwrap();
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(in crate::ledger) fn ring() -> KeyRing {
    let keys =
        MasterKeys::parse("000102ec31682fde561917952ff78a7a8adeffd0febc372dd26871916c46c630");
    KeyRing::new(&keys.unwrap())
}

pub(in crate::ledger) fn record(number: u128, subject: &str) -> Record {
    let (tenant, session) = (
        TenantId(Uuid::from_u128(1)),
        SessionId(Uuid::from_u128(number)),
    );
    Record {
        requested: vec![Requested {
            tenant,
            session,
            request: None,
            at: DateTime::UNIX_EPOCH,
            issuer: IssuerId(Uuid::from_u128(2)),
            subject: subject.to_owned(),
            context: "support".to_owned(),
            persona: "guide".to_owned(),
            persona_version: 1,
            config_hash: vec![1, 2, 3],
            trace: "{}".to_owned(),
            inputs: None,
            test: None,
            counted: None,
        }],
        outcomes: vec![Outcome {
            tenant,
            session,
            at: DateTime::UNIX_EPOCH,
            result: OutcomeResult::Failed {
                code: "internal".into(),
            },
            timings: Timings::default(),
            given_back: None,
        }],
    }
}

/// The numbers of the sessions in a file.
fn sessions(path: &Path) -> Vec<u128> {
    let mut left = Left::take(path, ring()).unwrap().expect("nobody has it");
    let records = std::iter::from_fn(|| left.next().unwrap());
    records
        .map(|record| {
            assert_eq!(record.requested[0].session, record.outcomes[0].session);
            record.requested[0].session.0.as_u128()
        })
        .collect()
}

#[test]
fn what_was_appended_is_read_by_whoever_comes_after_and_by_nobody_meanwhile() {
    let folder = Folder::new();
    let mut spool = folder.spool(MIB);
    assert_eq!(
        files(&folder.0).unwrap(),
        [] as [PathBuf; 0],
        "trying leaves nothing"
    );
    for number in 1..=3 {
        spool.append(&record(number, "ann")).unwrap();
    }
    let file = folder.only();
    assert!(Left::take(&file, ring()).unwrap().is_none(), "it is locked");
    spool.close();
    assert_eq!(sessions(&file), [1, 2, 3]);
    spool.append(&record(4, "ann")).unwrap();
    drop(spool);
    let files = files(&folder.0).unwrap();
    assert_eq!(
        files
            .iter()
            .flat_map(|file| sessions(file))
            .collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    Left::take(&file, ring())
        .unwrap()
        .unwrap()
        .remove()
        .unwrap();
    assert_ne!(folder.only(), file);
}

#[test]
fn a_record_that_was_torn_at_any_byte_does_not_count_and_those_before_it_do() {
    let folder = Folder::new();
    let mut spool = folder.spool(MIB);
    spool.append(&record(1, "ann")).unwrap();
    let file = folder.only();
    let first = size(&file);
    spool.append(&record(2, "ann")).unwrap();
    drop(spool);
    let whole = std::fs::read(&file).unwrap();
    for length in usize::try_from(first).unwrap()..whole.len() {
        std::fs::write(&file, &whole[..length]).unwrap();
        assert_eq!(sessions(&file), [1], "{length} bytes");
    }
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(sessions(&file), [1, 2]);
}

#[test]
fn no_name_stands_in_a_file_and_a_record_counts_in_its_own_only() {
    let folder = Folder::new();
    let mut spool = folder.spool(MIB);
    spool.append(&record(1, "ann@example.com")).unwrap();
    spool.close();
    let file = folder.only();
    let bytes = std::fs::read(&file).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("ann"));
    let elsewhere = spool.path_of(Uuid::from_u128(7));
    std::fs::rename(&file, &elsewhere).unwrap();
    let mut left = Left::take(&elsewhere, ring()).unwrap().unwrap();
    assert!(matches!(
        left.next(),
        Err(SpoolError::Sealed(SealError::NotAuthentic))
    ));
}

#[test]
fn a_full_spool_refuses_and_what_it_has_is_whole() {
    let folder = Folder::new();
    let mut spool = folder.spool(5_000);
    let long = "x".repeat(1_500);
    spool.append(&record(1, &long)).unwrap();
    spool.append(&record(2, &long)).unwrap();
    assert!(matches!(
        spool.append(&record(3, &long)),
        Err(SpoolError::Full(5_000))
    ));
    spool.append(&record(4, "short")).unwrap();
    // The others' files count.
    let mut second = folder.spool(5_000);
    assert!(matches!(
        second.append(&record(5, &long)),
        Err(SpoolError::Full(_))
    ));
    drop((spool, second));
    let all: Vec<_> = files(&folder.0)
        .unwrap()
        .iter()
        .flat_map(|file| sessions(file))
        .collect();
    assert_eq!(all, [1, 2, 4]);
}

#[test]
fn a_new_file_that_another_instance_has_or_removes_before_it_is_locked_costs_no_row() {
    let folder = Folder::new();
    let spool = folder.spool(MIB);
    let (mut tried, mut held) = (0, None);
    let open = spool.create_beside(|path| {
        tried += 1;
        let left = Left::take(path, ring()).unwrap().unwrap();
        match tried {
            1 => held = Some(left),
            2 => left.remove().unwrap(),
            _ => drop(left),
        }
    });
    let mine = spool.path_of(open.unwrap().id);
    assert_eq!(tried, 3);
    assert!(mine.exists());
    assert_ne!(held.map(|left| left.path), Some(mine));
}

#[test]
fn a_disk_without_room_leaves_no_part_of_a_record() {
    // Every write to this device fails for want of space.
    let folder = Folder::new();
    let spool = folder.spool(MIB);
    let mut open = OpenFile {
        file: OpenOptions::new().write(true).open("/dev/full").unwrap(),
        id: Uuid::from_u128(1),
        length: 0,
        room: MIB,
    };
    let written = spool.write(&mut open, b"sealed");
    assert!(matches!(written, Err(SpoolError::Io(_))), "{written:?}");
    assert_eq!(open.length, 0);
}

#[test]
fn a_folder_that_can_not_be_written_is_reported_at_the_start() {
    let file = Folder::new();
    std::fs::write(&file.0, "no folder").unwrap();
    let opened = Spool::open(&file.0.join("spool"), MIB, ring(), Clock::system());
    let error = opened.unwrap_err().to_string();
    assert!(error.contains("can't be used"), "{error}");
    std::fs::remove_file(&file.0).unwrap();
}

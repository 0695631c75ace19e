//! Verifies a tenant's audit trail, row by row, with what is in an export alone: no database, no memory of earlier rows.
//!
//! Each row's hash is SHA-256 of the hash before it followed by the row's record, a JSON array that names the tenant and
//! counts the rows. So a changed, missing, moved or added row shows, and the first one is named. Who can write to the database
//! could make all hashes again from a row on: signed checkpoints show that, and rows cut off at the end.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::crypto::digest::sha256;
use crate::crypto::sign::{CheckpointMark, VerifyingKey};
use crate::domain::ids::TenantId;
use crate::store::audit_checkpoints::CheckpointRow;
use crate::store::audit_read::ChainRow;

/// How far from its place a moved row is recognised.
const NEIGHBOURHOOD: i64 = 1_000;

/// What is wrong with a trail, and with which row first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The first row that is not as it was written; 0 where no row can be named.
    pub seq: i64,
    pub kind: FlawKind,
}

/// What can be wrong with a row or a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlawKind {
    /// The row's content or its hash is another than when it was written.
    Changed,
    /// The row, and those up to this one, are gone.
    Missing { up_to: i64 },
    /// The row is at another place than the one it was written for.
    OutOfOrder,
    /// The row was not written by the gateway at this place.
    Inserted,
    /// The trail up to this row is another than when a checkpoint was signed; it was as it should be up to the row of the
    /// checkpoint before.
    CheckpointMismatch {
        /// The row of the last checkpoint that fits; 0 where there is none.
        good_up_to: i64,
    },
    /// The checkpoint at this row was not signed by the key that it names.
    BadSignature,
    /// The checkpoint at this row names a key that was not given.
    UnknownKey { key_id: String },
    /// It is no trail of the tenant that it should be of.
    WrongTenant,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seq = self.seq;
        match &self.kind {
            FlawKind::Changed => write!(f, "row {seq} was changed after it was written"),
            FlawKind::Missing { up_to } if *up_to == seq => write!(f, "row {seq} is missing"),
            FlawKind::Missing { up_to } => write!(f, "rows {seq} to {up_to} are missing"),
            FlawKind::OutOfOrder => write!(
                f,
                "row {seq} is out of order: it was written for another place"
            ),
            FlawKind::Inserted => write!(f, "row {seq} was inserted: the gateway did not write it"),
            FlawKind::CheckpointMismatch { good_up_to } => write!(
                f,
                "row {seq} does not match the checkpoint that was signed there: rows after {good_up_to} were rewritten"
            ),
            FlawKind::BadSignature => write!(
                f,
                "the checkpoint at row {seq} has a bad signature: it was changed or forged"
            ),
            FlawKind::UnknownKey { key_id } => write!(
                f,
                "the checkpoint at row {seq} is signed by the key {key_id}, which is none of the given ones"
            ),
            FlawKind::WrongTenant => write!(f, "row {seq} belongs to another tenant"),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    pub rows: i64,
    pub checkpoints: u64,
    /// Those whose signature was checked: all, or none where no key was given.
    pub signatures: u64,
    /// The row of the last checkpoint: nobody can have rewritten the rows up to it.
    pub marked_up_to: i64,
}

/// Reads a trail in its order. Rows and checkpoints are given as they come; [`Verifier::finish`] has the result.
#[derive(Debug)]
pub struct Verifier {
    tenant: Option<TenantId>,
    keys: Vec<VerifyingKey>,
    verified: Verified,
    /// The hashes of the last good row and of the one before it.
    last: Vec<u8>,
    before_last: Vec<u8>,
    /// Checkpoints of rows that have not come yet.
    ahead: Vec<CheckpointRow>,
    state: State,
}

#[derive(Debug)]
enum State {
    Good,
    /// The next row tells what is wrong with this one.
    Suspect(Read),
    /// Rows are gone, unless they come later.
    Gap {
        up_to: i64,
        late: bool,
    },
    Bad(Flaw),
}

/// A row that could be read.
#[derive(Debug)]
struct Read {
    seq: i64,
    row: ChainRow,
}

impl Read {
    fn new(row: ChainRow, tenant: &mut Option<TenantId>) -> Result<Self, FlawKind> {
        let record: Value =
            serde_json::from_str(&row.record).map_err(|_no_json| FlawKind::Changed)?;
        let of = record.get(0).and_then(Value::as_str);
        let of = of.and_then(|text| Uuid::parse_str(text).ok()).map(TenantId);
        let seq = record.get(1).and_then(Value::as_i64);
        let (Some(of), Some(seq)) = (of, seq) else {
            return Err(FlawKind::Changed);
        };
        if *tenant.get_or_insert(of) != of {
            return Err(FlawKind::WrongTenant);
        }
        Ok(Self { seq, row })
    }

    /// Whether the hash is that of the record behind the hash before.
    fn is_whole(&self) -> bool {
        self.row.hash == hash(&self.row.prev_hash, &self.row.record)
    }

    fn follows(&self, hash: &[u8]) -> bool {
        self.row.prev_hash == hash
    }

    /// The number that the row was written with, where the row has another now.
    fn written_as(&self) -> Option<i64> {
        let (head, rest) = self.row.record.split_once(", ")?;
        let rest = rest.strip_prefix(&self.seq.to_string())?;
        let near = (self.seq - NEIGHBOURHOOD).max(1)..=self.seq + NEIGHBOURHOOD;
        near.filter(|seq| *seq != self.seq)
            .find(|seq| self.row.hash == hash(&self.row.prev_hash, &format!("{head}, {seq}{rest}")))
    }
}

fn hash(before: &[u8], record: &str) -> [u8; 32] {
    sha256(&[before, record.as_bytes()].concat())
}

impl Verifier {
    /// For the trail of a tenant, or of whichever tenant the first row names. Without keys no signature is checked.
    pub fn new(tenant: Option<TenantId>, keys: Vec<VerifyingKey>) -> Self {
        Self {
            tenant,
            keys,
            verified: Verified::default(),
            last: Vec::new(),
            before_last: Vec::new(),
            ahead: Vec::new(),
            state: State::Good,
        }
    }

    /// Whether the flaw is known, so that nothing more has to be read.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Bad(_))
    }

    pub fn row(&mut self, row: ChainRow) {
        let expected = self.verified.rows + 1;
        let read = match Read::new(row, &mut self.tenant) {
            Ok(read) => read,
            Err(kind) => {
                self.unreadable(expected, kind);
                return;
            }
        };
        match std::mem::replace(&mut self.state, State::Good) {
            State::Good => self.judge(read, expected),
            State::Suspect(suspect) => {
                let flaw = self.name(&suspect, Some(&read));
                self.state = State::Bad(flaw);
            }
            State::Gap { up_to, late } => {
                let late = late || (expected..=up_to).contains(&read.seq);
                self.state = State::Gap { up_to, late };
            }
            State::Bad(flaw) => self.state = State::Bad(flaw),
        }
    }

    /// The next checkpoint, after the row that it marks.
    pub fn checkpoint(&mut self, checkpoint: CheckpointRow) {
        if !matches!(self.state, State::Good) {
            return;
        }
        if let Err(kind) = self.signature(&checkpoint) {
            self.fail(checkpoint.seq, kind);
            return;
        }
        self.verified.checkpoints += 1;
        if checkpoint.seq > self.verified.rows {
            self.ahead.push(checkpoint);
        } else {
            self.compare(&checkpoint);
        }
    }

    pub fn finish(mut self) -> Result<Verified, Flaw> {
        let rows = self.verified.rows;
        match std::mem::replace(&mut self.state, State::Good) {
            State::Bad(flaw) => return Err(flaw),
            State::Suspect(suspect) => return Err(self.name(&suspect, None)),
            State::Gap { up_to, late: false } => {
                return Err(Flaw {
                    seq: rows + 1,
                    kind: FlawKind::Missing { up_to },
                });
            }
            State::Gap { up_to, late: true } => {
                return Err(Flaw {
                    seq: up_to + 1,
                    kind: FlawKind::OutOfOrder,
                });
            }
            State::Good => {}
        }
        match self.ahead.iter().map(|checkpoint| checkpoint.seq).max() {
            Some(up_to) => Err(Flaw {
                seq: rows + 1,
                kind: FlawKind::Missing { up_to },
            }),
            None => Ok(self.verified),
        }
    }

    fn fail(&mut self, seq: i64, kind: FlawKind) {
        self.state = State::Bad(Flaw { seq, kind });
    }

    /// A row that can't be read is named by its place, unless an earlier one is under suspicion.
    fn unreadable(&mut self, expected: i64, kind: FlawKind) {
        match std::mem::replace(&mut self.state, State::Good) {
            State::Good => self.fail(expected, kind),
            State::Suspect(suspect) => {
                let flaw = self.name(&suspect, None);
                self.state = State::Bad(flaw);
            }
            as_before => self.state = as_before,
        }
    }

    fn judge(&mut self, read: Read, expected: i64) {
        if read.seq > expected {
            let up_to = read.seq - 1;
            self.state = State::Gap { up_to, late: false };
        } else if read.seq < expected {
            self.fail(read.seq, FlawKind::Inserted);
        } else if read.is_whole() && read.follows(&self.last) {
            self.verified.rows = read.seq;
            self.before_last = std::mem::replace(&mut self.last, read.row.hash);
            while let Some(at) = self
                .ahead
                .iter()
                .position(|checkpoint| checkpoint.seq == read.seq)
            {
                let checkpoint = self.ahead.swap_remove(at);
                self.compare(&checkpoint);
            }
        } else {
            self.state = State::Suspect(read);
        }
    }

    /// Says what is wrong with a row that does not fit, knowing the one after it.
    fn name(&self, suspect: &Read, next: Option<&Read>) -> Flaw {
        let seq = suspect.seq;
        let flaw = |seq, kind| Flaw { seq, kind };
        if suspect.is_whole() {
            // It is as it was written, so the row before it is not the one that it was written behind.
            return match seq {
                1 => flaw(1, FlawKind::Inserted),
                _ => flaw(seq - 1, FlawKind::Changed),
            };
        }
        if let Some(written) = suspect.written_as() {
            return if suspect.follows(&self.before_last) && seq > 1 {
                flaw(seq - 1, FlawKind::Inserted)
            } else if next.is_some_and(|next| {
                written > seq && next.written_as() == Some(next.seq + written - seq)
            }) {
                // Those behind it were moved up alike.
                flaw(seq, FlawKind::Missing { up_to: written - 1 })
            } else {
                flaw(seq, FlawKind::OutOfOrder)
            };
        }
        let replaced = next.is_some_and(|next| {
            // Its place is taken: the row behind it was written in its stead.
            next.follows(&self.last) && (next.is_whole() || next.written_as() == Some(seq))
        });
        let kind = if replaced {
            FlawKind::Inserted
        } else {
            FlawKind::Changed
        };
        flaw(seq, kind)
    }

    fn signature(&mut self, checkpoint: &CheckpointRow) -> Result<(), FlawKind> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let key = self
            .keys
            .iter()
            .find(|key| key.id() == checkpoint.key_id)
            .ok_or_else(|| FlawKind::UnknownKey {
                key_id: checkpoint.key_id.clone(),
            })?;
        let mark = mark(self.tenant.unwrap_or(TenantId(Uuid::nil())), checkpoint);
        if key.verifies(&mark, &checkpoint.signature) {
            self.verified.signatures += 1;
            Ok(())
        } else {
            Err(FlawKind::BadSignature)
        }
    }

    fn compare(&mut self, checkpoint: &CheckpointRow) {
        let good_up_to = self.verified.marked_up_to;
        if checkpoint.seq < self.verified.rows {
            // Its row went by without it.
            self.fail(checkpoint.seq, FlawKind::OutOfOrder);
        } else if checkpoint.hash == self.last {
            self.verified.marked_up_to = checkpoint.seq;
        } else {
            self.fail(checkpoint.seq, FlawKind::CheckpointMismatch { good_up_to });
        }
    }
}

/// What a checkpoint's signature is about.
pub fn mark(tenant: TenantId, checkpoint: &CheckpointRow) -> CheckpointMark {
    CheckpointMark {
        tenant,
        seq: checkpoint.seq,
        hash: checkpoint.hash.clone(),
        at: checkpoint.at,
    }
}

/// A time as a checkpoint keeps it: Postgres counts microseconds.
pub fn to_micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

#[cfg(test)]
mod tests;

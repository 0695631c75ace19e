//! The trail as NDJSON, any size: each row's record exactly as it was hashed, each checkpoint behind the row that it marks.
//!
//! The first line names the tenant, the last one counts, so that a file that broke off shows. [`FileVerifier`] reads it
//! again.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chain::{Flaw, Verified, Verifier};
use crate::crypto::sign::VerifyingKey;
use crate::domain::ids::TenantId;
use crate::store::audit_checkpoints::CheckpointRow;
use crate::store::audit_read::ChainRow;
use crate::store::{Database, StoreError};

/// What the first line says of the form of the others.
const FORMAT: &str = "persona-gateway audit 1";
/// Rows read in one transaction.
const PAGE: i64 = 500;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    #[serde(rename_all = "camelCase")]
    Head {
        /// `persona-gateway audit 1`.
        format: String,
        /// The tenant whose trail it is.
        tenant: TenantId,
        exported_at: DateTime<Utc>,
    },
    /// A row of the trail.
    #[serde(rename_all = "camelCase")]
    Row {
        /// `[tenant, seq, id, at, actor, action, target, beforeHash, afterHash, requestId, details]`, byte for byte as hashed.
        record: String,
        /// The hash of the row before, hex; empty for the first.
        prev_hash: String,
        /// SHA-256 of the hash before followed by the record, hex.
        hash: String,
    },
    /// A signed mark of the row before it.
    Checkpoint { checkpoint: CheckpointLine },
    End {
        /// The counts, and the hash of the last row.
        end: Count,
    },
}

/// A checkpoint in an export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointLine {
    /// The `seq` of the last row that it covers.
    pub seq: i64,
    /// The hash of that row, hex.
    pub hash: String,
    pub at: DateTime<Utc>,
    /// The id of the signing key.
    pub key_id: String,
    /// Ed25519, hex.
    pub signature: String,
}

/// How much an export holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub rows: u64,
    pub checkpoints: u64,
}

impl From<&CheckpointRow> for CheckpointLine {
    fn from(row: &CheckpointRow) -> Self {
        Self {
            seq: row.seq,
            hash: hex::encode(&row.hash),
            at: row.at,
            key_id: row.key_id.clone(),
            signature: hex::encode(&row.signature),
        }
    }
}

/// Something of the trail, in its order.
#[derive(Debug, Clone)]
pub enum Entry {
    Row(ChainRow),
    /// A checkpoint of a row that came before it, or of one that is gone.
    Checkpoint(CheckpointRow),
}

/// Reads a tenant's trail in pages, up to the row that was the last when it began.
#[derive(Debug)]
pub struct Reader {
    database: Database,
    tenant: TenantId,
    /// `None` before the first page.
    head: Option<i64>,
    after: i64,
    over: bool,
}

impl Reader {
    pub fn new(database: Database, tenant: TenantId) -> Self {
        Self {
            database,
            tenant,
            head: None,
            after: 0,
            over: false,
        }
    }

    /// The next page; `None` after the last one.
    pub async fn next(&mut self) -> Result<Option<Vec<Entry>>, StoreError> {
        if self.over {
            return Ok(None);
        }
        let mut tx = self.database.tenant(self.tenant).await?;
        let head = match self.head {
            Some(head) => head,
            None => tx.audit_head().await?.map_or(0, |(seq, _)| seq),
        };
        self.head = Some(head);
        let rows = tx.audit_chain(self.after, head, PAGE).await?;
        let is_last = rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
        // Behind the last row stand the checkpoints of rows that are gone.
        let up_to = match rows.last() {
            Some((seq, _)) if !is_last => *seq,
            _ => i64::MAX,
        };
        let checkpoints = tx.checkpoints_between(self.after, up_to, i64::MAX).await?;
        tx.commit().await?;
        self.over = is_last;
        self.after = up_to;
        let mut entries = Vec::with_capacity(rows.len() + checkpoints.len());
        let mut checkpoints = checkpoints.into_iter().peekable();
        for (seq, row) in rows {
            entries.push(Entry::Row(row));
            while let Some(due) = checkpoints.next_if(|checkpoint| checkpoint.seq <= seq) {
                entries.push(Entry::Checkpoint(due));
            }
        }
        entries.extend(checkpoints.map(Entry::Checkpoint));
        Ok(Some(entries))
    }
}

/// An export under way: text in pieces, each of whole lines.
#[derive(Debug)]
pub struct Export {
    reader: Reader,
    head: Option<Line>,
    count: Count,
    over: bool,
}

impl Export {
    pub fn new(database: Database, tenant: TenantId, now: DateTime<Utc>) -> Self {
        Self {
            reader: Reader::new(database, tenant),
            head: Some(Line::Head {
                format: FORMAT.into(),
                tenant,
                exported_at: now,
            }),
            count: Count::default(),
            over: false,
        }
    }

    /// The next piece; `None` after the last one.
    pub async fn next(&mut self) -> Result<Option<String>, StoreError> {
        if self.over {
            return Ok(None);
        }
        let mut text = String::new();
        if let Some(head) = self.head.take() {
            write_line(&mut text, &head)?;
        }
        if let Some(entries) = self.reader.next().await? {
            for entry in entries {
                let line = self.line(entry);
                write_line(&mut text, &line)?;
            }
        } else {
            self.over = true;
            write_line(&mut text, &Line::End { end: self.count })?;
        }
        Ok(Some(text))
    }

    fn line(&mut self, entry: Entry) -> Line {
        match entry {
            Entry::Row(row) => {
                self.count.rows += 1;
                Line::Row {
                    record: row.record,
                    prev_hash: hex::encode(row.prev_hash),
                    hash: hex::encode(row.hash),
                }
            }
            Entry::Checkpoint(row) => {
                self.count.checkpoints += 1;
                Line::Checkpoint {
                    checkpoint: CheckpointLine::from(&row),
                }
            }
        }
    }
}

fn write_line(text: &mut String, line: &Line) -> Result<(), StoreError> {
    let line =
        serde_json::to_string(line).map_err(|error| StoreError::Unreadable(error.to_string()))?;
    text.push_str(&line);
    text.push('\n');
    Ok(())
}

/// Verifies a tenant's trail where it stands.
pub async fn verify_stored(
    database: &Database,
    tenant: TenantId,
    keys: Vec<VerifyingKey>,
) -> Result<Result<Verified, Flaw>, StoreError> {
    let mut verifier = Verifier::new(Some(tenant), keys);
    let mut reader = Reader::new(database.clone(), tenant);
    while let Some(entries) = reader.next().await? {
        for entry in entries {
            match entry {
                Entry::Row(row) => verifier.row(row),
                Entry::Checkpoint(row) => verifier.checkpoint(row),
            }
        }
        if verifier.is_over() {
            break;
        }
    }
    Ok(verifier.finish())
}

/// Verifies an exported trail, line by line.
#[derive(Debug)]
pub struct FileVerifier {
    keys: Vec<VerifyingKey>,
    /// `None` before the first line.
    verifier: Option<Verifier>,
    count: Count,
    end: Option<Count>,
}

/// Why an exported file can't be verified, apart from a flaw in the trail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// The line is not one of an export.
    #[error("this is no line of an audit export of this program")]
    NotALine,
    /// The file does not begin like an export.
    #[error("the file does not begin like an audit export of this program")]
    NoHead,
    #[error("something follows the end of the export")]
    AfterTheEnd,
    #[error("the file broke off: its last line should count its rows")]
    BrokeOff,
    /// Lines are gone or were added.
    #[error("the file has {found} rows and checkpoints, but its last line counts {counted}")]
    Miscounted { found: u64, counted: u64 },
}

impl FileVerifier {
    /// Without keys no signature is checked.
    pub fn new(keys: Vec<VerifyingKey>) -> Self {
        Self {
            keys,
            verifier: None,
            count: Count::default(),
            end: None,
        }
    }

    pub fn line(&mut self, line: &[u8]) -> Result<(), FileFault> {
        // By way of a value: `untagged` reads no numbers out of a text (decision 25).
        let line = serde_json::from_slice::<Value>(line).and_then(serde_json::from_value::<Line>);
        let line = line.map_err(|_no_line| FileFault::NotALine)?;
        if self.end.is_some() {
            return Err(FileFault::AfterTheEnd);
        }
        let Some(verifier) = &mut self.verifier else {
            let Line::Head { format, tenant, .. } = line else {
                return Err(FileFault::NoHead);
            };
            if format != FORMAT {
                return Err(FileFault::NoHead);
            }
            self.verifier = Some(Verifier::new(Some(tenant), std::mem::take(&mut self.keys)));
            return Ok(());
        };
        match line {
            Line::Head { .. } => return Err(FileFault::NotALine),
            Line::Row {
                record,
                prev_hash,
                hash,
            } => {
                self.count.rows += 1;
                verifier.row(ChainRow {
                    record,
                    prev_hash: unhex(&prev_hash)?,
                    hash: unhex(&hash)?,
                });
            }
            Line::Checkpoint { checkpoint } => {
                self.count.checkpoints += 1;
                verifier.checkpoint(CheckpointRow {
                    seq: checkpoint.seq,
                    hash: unhex(&checkpoint.hash)?,
                    at: checkpoint.at,
                    key_id: checkpoint.key_id,
                    signature: unhex(&checkpoint.signature)?,
                });
            }
            Line::End { end } => self.end = Some(end),
        }
        Ok(())
    }

    /// The result, after the last line. A flaw in the trail comes first: it says more than a miscount.
    pub fn finish(self) -> Result<Result<Verified, Flaw>, FileFault> {
        let verified = self.verifier.ok_or(FileFault::NoHead)?.finish();
        if verified.is_err() {
            return Ok(verified);
        }
        let end = self.end.ok_or(FileFault::BrokeOff)?;
        if end == self.count {
            Ok(verified)
        } else {
            Err(FileFault::Miscounted {
                found: self.count.rows + self.count.checkpoints,
                counted: end.rows + end.checkpoints,
            })
        }
    }
}

fn unhex(text: &str) -> Result<Vec<u8>, FileFault> {
    hex::decode(text).map_err(|_no_hex| FileFault::NotALine)
}

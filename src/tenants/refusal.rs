//! Why an admin's change is refused: one error for all verbs.

use serde_json::Value;

use crate::anam::AnamError;
use crate::crypto::seal::SealError;
use crate::crypto::sign::SignError;
use crate::crypto::token::NoRandomness;
use crate::domain::fault::Fault;
use crate::domain::finding::Finding;
use crate::domain::wrong::Words;
use crate::sources::SourceError;
use crate::store::StoreError;
use crate::work::WorkError;

#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The tenant has no such resource; whether another has it is not revealed.
    #[error("not found")]
    NotFound,
    /// The request's members are wrong.
    #[error("the request has faults")]
    Invalid(Vec<Fault>),
    /// The document can't be sealed or released as it is.
    #[error("the document has faults")]
    DocumentInvalid {
        faults: Vec<Fault>,
        /// Everything that was found in the document, warnings too.
        findings: Vec<Finding>,
    },
    /// Something of this name exists.
    #[error("{0}")]
    Exists(Words),
    /// The present state forbids it; the text says what to do first.
    #[error("{0}")]
    Conflict(Words),
    /// Something else needs it; the text says what.
    #[error("{0}")]
    InUse(Words),
    /// Approvals are missing.
    #[error("{0}")]
    ApprovalMissing(Words),
    /// Both sides changed the same members.
    #[error("both sides changed the same members")]
    MergeConflict {
        /// Each member that both changed, with what each made of it.
        conflicts: Value,
    },
    /// What was kept of a session for this was deleted; the text says why.
    #[error("{0}")]
    InputsExpired(Words),
    /// The role is too low, or it is not for this kind of actor.
    #[error("{0}")]
    Forbidden(Words),
    /// It is dangerous, and whoever asks last showed too long ago who they are.
    #[error("this wants a more recent sign-in")]
    NotRecent,
    /// The tenant's live documents could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The database failed or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret could not be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// No key could be derived from the master key.
    #[error(transparent)]
    Derive(#[from] SignError),
    /// The system gave no random bytes.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The work queue is full.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// Anam failed or did not answer.
    #[error(transparent)]
    Anam(#[from] AnamError),
}

impl Refusal {
    /// One fault of the request.
    pub fn fault(pointer: impl Into<String>, message: impl Into<Words>) -> Self {
        Self::Invalid(vec![Fault::new(pointer, message)])
    }

    /// Faults of documents, where nothing else was looked for.
    pub fn documents(faults: Vec<Fault>) -> Self {
        Self::DocumentInvalid {
            faults,
            findings: Vec::new(),
        }
    }

    /// The error for a document: the findings that block it, and what would break elsewhere.
    pub fn document(
        findings: Vec<Finding>,
        is_in_the_way: impl Fn(&Finding) -> bool,
        would_break: Vec<Fault>,
    ) -> Self {
        let own = findings.iter().filter(|finding| is_in_the_way(finding));
        Self::DocumentInvalid {
            faults: own.map(Finding::to_fault).chain(would_break).collect(),
            findings,
        }
    }
}

//! A scenario: what is live at a moment, with drafts or other versions put in their places. Built by the same code as the
//! snapshot that mints see, so the results are the same.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::bundle::pinned;
use crate::domain::caller::Caller;
use crate::domain::decide::{Decision, Moment, Undecided, decide};
use crate::domain::document::DocumentKind;
use crate::domain::fault::Fault;
use crate::domain::ids::{DocumentId, SessionId};
use crate::domain::kept_test::{self, KeptTest, TestUser};
use crate::domain::key::Key;
use crate::domain::preferences::Preferences;
use crate::domain::request::MintRequest;
use crate::domain::sample_user::SampleUser;
use crate::domain::snapshot::Snapshot;
use crate::domain::wrong::Wrong;
use crate::sources::SourceError;
use crate::sources::load::{Rows, Snippets, Unreadable, picture};
use crate::store::documents::VersionRow;
use crate::store::tenant_tx::TenantTx;

/// Most sample users of a tenant.
pub const MAX_SAMPLE_USERS: i64 = 200;
/// The version that a draft counts as.
pub const DRAFT: i32 = 0;
/// The version that a snippet without versions is pinned at while it is a draft.
const FIRST: i32 = 1;
/// The session of tests and previews: nothing is minted, and the same input gives the same prompt each time.
pub const NO_SESSION: SessionId = SessionId(Uuid::nil());

/// A draft or version that replaces what is live.
#[derive(Debug, Clone)]
pub enum Overlay {
    /// A draft, as version [`DRAFT`]. Snippets that a persona does not pin are those live in this scenario. A draft of a snippet
    /// replaces every pinned version of that snippet.
    Draft {
        kind: DocumentKind,
        /// Key of its document.
        key: Key,
        content: Map<String, Value>,
    },
    /// A sealed version.
    Version(VersionRow),
}

/// Who gets the versions that are rolled out to a share of the users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollouts {
    ByUser,
    Nobody,
    Everybody,
}

impl Overlay {
    /// Kind, key and version of the replacement.
    pub(super) fn place(&self) -> (DocumentKind, String, i32) {
        match self {
            Self::Draft { kind, key, .. } => (*kind, key.as_str().to_owned(), DRAFT),
            Self::Version(row) => (row.kind, row.key.clone(), row.number),
        }
    }
}

/// What is live at a moment, with overlays.
#[derive(Debug)]
pub struct Scenario {
    pub snapshot: Snapshot,
    pub moment: DateTime<Utc>,
    /// Versions (or drafts) that are in place and can't be read. For what is live, the release before it is served instead.
    pub unreadable: Vec<Unreadable>,
    /// Every snippet version that can be read.
    pub snippets: Snippets,
    /// The documents in place that can be read.
    documents: BTreeMap<(DocumentKind, Key), Placed>,
    samples: BTreeMap<Key, SampleUser>,
}

/// The rows of a scenario, from which it is built without holding a connection.
#[derive(Debug)]
pub struct ScenarioRows {
    rows: Rows,
    revision: i64,
    moment: DateTime<Utc>,
    samples: BTreeMap<Key, SampleUser>,
    overlays: Vec<Overlay>,
}

impl ScenarioRows {
    /// Reads what is live at `moment` for the transaction's tenant, with `overlays` to be put in place, the later over the
    /// earlier.
    pub async fn read(
        tx: &mut TenantTx,
        moment: DateTime<Utc>,
        overlays: Vec<Overlay>,
        rollouts: Rollouts,
    ) -> Result<Self, SourceError> {
        let revision = tx.revision().await?;
        let mut rows = Rows::read(tx, moment).await?;
        match rollouts {
            Rollouts::ByUser => {}
            Rollouts::Nobody => rows.rollouts.clear(),
            Rollouts::Everybody => {
                for (row, _) in std::mem::take(&mut rows.rollouts) {
                    put_in_place(&mut rows, &Overlay::Version(row));
                }
            }
        }
        let samples = tx.sample_users(None, MAX_SAMPLE_USERS).await?;
        let samples = samples
            .into_iter()
            .filter_map(|row| {
                let key = Key::parse(&row.key).ok()?;
                Some((key, SampleUser::parse(&row.content).ok()?))
            })
            .collect();
        Ok(Self {
            rows,
            revision,
            moment,
            samples,
            overlays,
        })
    }

    /// The overlays, in their order.
    pub(super) fn overlays(&self) -> &[Overlay] {
        &self.overlays
    }

    /// Builds the scenario.
    pub fn build(self) -> Result<Scenario, SourceError> {
        Scenario::build(
            self.rows,
            self.revision,
            self.moment,
            self.samples,
            &self.overlays,
        )
    }
}

/// A document in its place.
#[derive(Debug)]
struct Placed {
    version: i32,
    tests: Vec<KeptTest>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TestRun {
    /// Kind of the document that keeps it.
    pub kind: DocumentKind,
    /// Key of that document.
    pub key: Key,
    pub name: String,
    /// Failed expectations; pointers start at the document. Empty where the test passed.
    pub failures: Vec<Fault>,
}

impl TestRun {
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

impl Scenario {
    /// What is live at `moment` for the transaction's tenant, with `overlays` put in place, the later over the earlier. Nobody
    /// is in a rollout: what is judged must not depend on chance.
    pub async fn at(
        tx: &mut TenantTx,
        moment: DateTime<Utc>,
        overlays: &[Overlay],
    ) -> Result<Self, SourceError> {
        Self::with(tx, moment, overlays, Rollouts::Nobody).await
    }

    /// The same, with the given share of rollouts.
    pub async fn with(
        tx: &mut TenantTx,
        moment: DateTime<Utc>,
        overlays: &[Overlay],
        rollouts: Rollouts,
    ) -> Result<Self, SourceError> {
        ScenarioRows::read(tx, moment, overlays.to_vec(), rollouts)
            .await?
            .build()
    }

    fn build(
        mut rows: Rows,
        revision: i64,
        moment: DateTime<Utc>,
        samples: BTreeMap<Key, SampleUser>,
        overlays: &[Overlay],
    ) -> Result<Self, SourceError> {
        for overlay in overlays {
            put_in_place(&mut rows, overlay);
        }
        pin_drafts(&mut rows);
        let contents: Vec<_> = rows
            .released
            .iter()
            .filter_map(|row| {
                let key = Key::parse(&row.key).ok()?;
                Some((row.kind, key, row.number, kept_test::parse(&row.content)))
            })
            .collect();
        let picture = picture(rows, revision)?;
        let mut documents = BTreeMap::new();
        for (kind, key, version, tests) in contents {
            let unread = picture
                .unreadable
                .iter()
                .any(|one| one.kind == kind && one.key == key.as_str() && one.version == version);
            if let (false, Ok(tests)) = (unread, tests) {
                documents
                    .entry((kind, key))
                    .or_insert(Placed { version, tests });
            }
        }
        Ok(Self {
            snapshot: picture.snapshot,
            moment,
            unreadable: picture.unreadable,
            snippets: picture.snippets,
            documents,
            samples,
        })
    }

    /// The version of a document that is in place; [`DRAFT`] for a draft.
    pub fn version(&self, kind: DocumentKind, key: &Key) -> Option<i32> {
        self.documents
            .get(&(kind, key.clone()))
            .map(|placed| placed.version)
    }

    /// The documents in place, by kind and key.
    pub fn documents(&self) -> impl Iterator<Item = &(DocumentKind, Key)> {
        self.documents.keys()
    }

    /// The users whom the tenant's admins made up.
    pub fn samples(&self) -> &BTreeMap<Key, SampleUser> {
        &self.samples
    }

    /// The user of a test or a preview; `None` where there is no such sample user.
    pub fn user<'a>(&'a self, user: &'a TestUser) -> Option<&'a SampleUser> {
        match user {
            TestUser::Sample(key) => self.samples.get(key),
            TestUser::Typed(user) => Some(user),
        }
    }

    /// Decides. Nothing is minted, nothing recorded.
    pub fn decide(
        &self,
        caller: &Caller,
        preferences: &Preferences,
        request: &MintRequest,
        moment: Moment,
    ) -> Result<Decision, Undecided> {
        decide(&self.snapshot, caller, preferences, request, moment)
    }

    /// Runs the tests that a document keeps, as it is in this scenario.
    pub fn run_tests(&self, kind: DocumentKind, key: &Key) -> Vec<TestRun> {
        let placed = self.documents.get(&(kind, key.clone()));
        let tests = placed.map_or(&[][..], |placed| &placed.tests);
        tests
            .iter()
            .enumerate()
            .map(|(index, test)| self.run(kind, key, index, test))
            .collect()
    }

    /// Runs the tests of every document, giving way to others between two documents.
    pub async fn run_all_tests(&self) -> Vec<TestRun> {
        let mut runs = Vec::new();
        for (kind, key) in self.documents.keys() {
            runs.extend(self.run_tests(*kind, key));
            tokio::task::yield_now().await;
        }
        runs
    }

    fn run(&self, kind: DocumentKind, key: &Key, index: usize, test: &KeptTest) -> TestRun {
        let at = format!("/{}/{index}", kept_test::MEMBER);
        let failures = match self.user(&test.user) {
            None => vec![Fault::new(format!("{at}/user/sample"), Wrong::NoSample)],
            Some(user) => {
                let own = (kind == DocumentKind::Context).then_some(key);
                let outcome = self.decide(
                    &user.caller(self.snapshot.tenant),
                    &user.preferences,
                    &test.request(own),
                    Moment {
                        now: test.at.unwrap_or(self.moment),
                        session: NO_SESSION,
                    },
                );
                let failures = test.failures(&outcome).into_iter();
                failures.map(|fault| fault.under(&at)).collect()
            }
        };
        TestRun {
            kind,
            key: key.clone(),
            name: test.name.clone(),
            failures,
        }
    }
}

fn put_in_place(rows: &mut Rows, overlay: &Overlay) {
    let (kind, key) = match overlay {
        Overlay::Draft { kind, key, .. } => (*kind, key.as_str()),
        Overlay::Version(row) => (row.kind, row.key.as_str()),
    };
    rows.released
        .retain(|row| row.kind != kind || row.key != key);
    rows.rollouts
        .retain(|(row, _)| row.kind != kind || row.key != key);
    match overlay {
        Overlay::Version(row) => rows.released.push(row.clone()),
        Overlay::Draft { content, .. } => {
            let draft = VersionRow {
                document: DocumentId(Uuid::nil()),
                kind,
                key: key.to_owned(),
                number: DRAFT,
                content: content.clone(),
                hash: Vec::new(),
            };
            if kind == DocumentKind::Snippet {
                let sealed = rows.snippets.iter_mut().filter(|row| row.key == key);
                let mut number = None;
                for version in sealed {
                    version.content.clone_from(content);
                    number = number.max(Some(version.number));
                }
                if number.is_none() {
                    rows.snippets.push(VersionRow {
                        number: FIRST,
                        ..draft.clone()
                    });
                }
            }
            rows.released.push(draft);
        }
    }
}

/// Drafts of personas include the snippets that are live. A draft of a snippet takes the place of all its versions.
fn pin_drafts(rows: &mut Rows) {
    let snippets = rows.released.iter().rev();
    let live: BTreeMap<String, i32> = snippets
        .filter(|row| row.kind == DocumentKind::Snippet)
        .filter_map(|row| {
            let any = rows.snippets.iter().find(|version| version.key == row.key);
            let number = if row.number == DRAFT {
                any?.number
            } else {
                row.number
            };
            Some((row.key.clone(), number))
        })
        .collect();
    let drafts = rows
        .released
        .iter_mut()
        .filter(|row| row.kind == DocumentKind::Persona && row.number == DRAFT);
    for draft in drafts {
        draft.content = pinned(&draft.content, |key| live.get(key).copied());
    }
}

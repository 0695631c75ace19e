//! What is found in the bundle's documents once all of them are in place.

use serde_json::{Map, Value};

use super::{ApplyError, Work};
use crate::authoring::examine::Examiner;
use crate::authoring::live_set::Name;
use crate::authoring::scenario::Overlay;
use crate::authoring::soundness::LiveBefore;
use crate::domain::document::DocumentKind;
use crate::domain::examine::plain_credentials;
use crate::domain::fault::step;
use crate::domain::finding::Finding;
use crate::domain::persona::Reading;

/// One of the bundle's documents.
pub(super) struct Placed {
    pub(super) name: Name,
    pub(super) content: Map<String, Value>,
    /// Whether there is something to release.
    pub(super) is_new: bool,
    /// Whether this content was live before.
    pub(super) was_live: bool,
}

impl Placed {
    /// Credentials in plain text that were taken once: they stay where they are live.
    fn taken_once(&self) -> Vec<Finding> {
        if !self.was_live || self.name.0 != DocumentKind::Persona {
            return Vec::new();
        }
        let plain = plain_credentials(&Reading::read(&self.content).settings).into_iter();
        plain.map(|fault| Finding::of_fault(fault, "")).collect()
    }
}

impl Work<'_> {
    /// Everything found in the bundle's documents once all of them are in place, and what they would break beside themselves.
    pub(super) async fn judge(&mut self, before: LiveBefore) -> Result<(), ApplyError> {
        let waiting = std::mem::take(&mut self.waiting);
        let overlays: Vec<Overlay> = waiting.into_iter().map(Overlay::Version).collect();
        let now = self.change.now;
        let examiner = Examiner::at(&mut self.change.tx, now, &overlays).await?;
        for placed in std::mem::take(&mut self.placed) {
            let (kind, key) = &placed.name;
            let at = format!("/{}{}", kind.section(), step(key.as_str()));
            let found = examiner.examine(*kind, key, &placed.content);
            let taken_once = placed.taken_once();
            for mut finding in found.findings {
                if taken_once.contains(&finding) {
                    finding = finding.as_warning();
                }
                finding.pointer.insert_str(0, &at);
                // What is live already is in nobody's way, unless it could not even be sealed again.
                if finding.blocks_sealing() || (finding.is_error() && placed.is_new) {
                    self.faults.extend_under("", [finding.to_fault()]);
                }
                self.plan.findings.push(finding);
            }
        }
        let released = std::mem::take(&mut self.released);
        let broken = before.broken(self.change, &released).await?;
        self.faults.extend_under("", broken);
        Ok(())
    }
}

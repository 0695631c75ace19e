//! The secrets that webhook tools refer to.

use serde_json::{Map, Value, json};

use super::{ApplyError, Work};
use crate::authoring::bundle::{Bundle, SecretRef};
use crate::authoring::plan::Action;
use crate::authoring::secrets as authoring;
use crate::domain::fault::step;
use crate::domain::key::Key;
use crate::domain::policy::Policy;
use crate::domain::wrong::Wrong;
use crate::store::StoreError;
use crate::tenants::secrets::{self, SecretText, Set};

impl Work<'_> {
    pub(super) async fn secrets(&mut self, bundle: &Bundle) -> Result<(), ApplyError> {
        let Some(wanted) = &bundle.secrets else {
            return Ok(());
        };
        let stored = self.change.tx.secret_names().await?;
        for (name, reference) in wanted {
            let at = format!("/secrets{}", step(name.as_str()));
            if *reference == SecretRef::Stored {
                if !stored.iter().any(|known| known == name.as_str()) {
                    self.faults.add(at, Wrong::NotStored);
                }
                continue;
            }
            let found =
                (self.find_secret)(reference).map_err(|why| Wrong::SecretNotGiven(why).into());
            let found = found.and_then(SecretText::parse);
            match found {
                Ok(value) => self.secret(name, &value).await?,
                Err(why) => self.faults.add(at, why),
            }
        }
        let unknown = stored.iter().filter_map(|name| Key::parse(name).ok());
        for name in unknown.filter(|name| !wanted.contains_key(name)) {
            let target = secrets::target(&name);
            if self.options.prune {
                // Whether something still needs it shows when everything is judged.
                self.change.tx.delete_secret(&name).await?;
                self.note(Action::Remove, target, "", json!({}));
            } else {
                self.plan.left_alone.push(target);
            }
        }
        Ok(())
    }

    /// What is wrong with the tools that the bundle's policy gives every persona, as far as secrets go.
    pub(super) async fn tools_of_policy(
        &mut self,
        bundle: &Bundle,
        before: &Map<String, Value>,
    ) -> Result<(), StoreError> {
        if let Some(after) = &bundle.policy {
            let before = Policy::parse(before).unwrap_or_default();
            let names = authoring::names(&mut self.change.tx).await?;
            let found = authoring::faults_of_policy(&before, after, &names);
            self.faults.extend_under("/policy", found);
        }
        Ok(())
    }

    async fn secret(&mut self, name: &Key, value: &SecretText) -> Result<(), ApplyError> {
        let (verb, row) = match secrets::put(self.change, name, value).await? {
            Set::New(row) => (Action::Create, row),
            Set::Changed(row) => (Action::Change, row),
            Set::Same(_) => return Ok(()),
        };
        let note = match row.last_four.as_str() {
            "" => String::new(),
            end => format!("ends in {end}"),
        };
        let details = json!({ "lastFour": row.last_four });
        self.note(verb, secrets::target(name), note, details);
        Ok(())
    }
}

//! Who may apply what: a bundle gives nobody more than single changes would.

use crate::authoring::plan::Plan;
use crate::domain::role::Role;
use crate::domain::wrong::Wrong;
use crate::tenants::refusal::Refusal;

/// The role that changing a section needs: as the operations of the API that change it one by one.
fn needed(target: &str) -> Role {
    match target.split('/').next().unwrap_or_default() {
        "tenant" | "issuer" | "provider_key" | "secret" => Role::Owner,
        _ => Role::Publisher,
    }
}

/// Refuses a plan of which the role may not make every step, and names the steps. What a bundle only repeats needs no right.
pub(super) fn permits(role: Role, plan: &Plan) -> Result<(), Refusal> {
    let beyond = plan.steps.iter().filter(|step| needed(&step.target) > role);
    let named: Vec<String> = beyond
        .map(|step| format!("{} (needs {})", step.target, needed(&step.target)))
        .collect();
    if named.is_empty() {
        Ok(())
    } else {
        Err(Refusal::Forbidden(
            Wrong::BundleRole {
                role: role.to_string(),
                parts: named.join(", "),
            }
            .into(),
        ))
    }
}

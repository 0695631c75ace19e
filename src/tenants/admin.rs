//! Stand-in.
use crate::domain::ids::TenantId;
use crate::domain::role::Role;

#[derive(Debug, Clone)]
pub struct Admin {
    pub tenant: TenantId,
    pub role: Role,
    pub actor: Actor,
}

#[derive(Debug, Clone)]
pub struct Actor {
    pub label: String,
    pub person: Option<String>,
}

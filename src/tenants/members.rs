//! Who belongs to a tenant. One owner always stays.

use serde_json::json;

use super::change::Change;
use super::refusal::Refusal;
use crate::domain::ids::AdminId;
use crate::domain::role::Role;
use crate::store::people::MemberRow;

/// Gives a member another role; the next request of theirs is judged by it. `fits` says whether the member is still as the
/// caller knows them.
pub async fn change_role(
    change: &mut Change,
    id: AdminId,
    role: Role,
    fits: impl FnOnce(&MemberRow) -> Result<(), Refusal>,
) -> Result<MemberRow, Refusal> {
    let member = locked(change, id).await?;
    fits(&member)?;
    if member.role == role {
        return Ok(member);
    }
    if member.role == Role::Owner {
        keep_an_owner(change, &member).await?;
    }
    change.tx.set_role(id, role).await?;
    change
        .note(
            "member.change_role",
            &format!("person/{}", member.email),
            json!({ "from": member.role.as_str(), "to": role.as_str() }),
        )
        .await?;
    Ok(MemberRow { role, ..member })
}

/// Removes a member: their sessions here end at once. Keys that they made go on; they are the tenant's.
pub async fn remove(
    change: &mut Change,
    id: AdminId,
    fits: impl FnOnce(&MemberRow) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let member = locked(change, id).await?;
    fits(&member)?;
    if member.role == Role::Owner {
        keep_an_owner(change, &member).await?;
    }
    change.tx.delete_membership(id).await?;
    change
        .note(
            "member.remove",
            &format!("person/{}", member.email),
            json!({ "role": member.role.as_str() }),
        )
        .await
}

async fn locked(change: &mut Change, id: AdminId) -> Result<MemberRow, Refusal> {
    change.tx.lock_members().await?;
    change.tx.member(id).await?.ok_or(Refusal::NotFound)
}

async fn keep_an_owner(change: &mut Change, member: &MemberRow) -> Result<(), Refusal> {
    if change.tx.owners_besides(member.id).await? > 0 {
        Ok(())
    } else {
        Err(Refusal::Forbidden(format!(
            "{} is the only owner who can sign in; make somebody else an owner first",
            member.email
        )))
    }
}

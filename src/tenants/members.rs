//! Who belongs to a tenant. One owner always stays.

use serde_json::json;

use super::change::Change;
use super::refusal::Refusal;
use crate::domain::ids::AdminId;
use crate::domain::role::Role;
use crate::domain::wrong::Wrong;
use crate::store::people::MemberRow;

/// A member who is about to be changed. Nobody else changes members until the change ends.
pub async fn find(change: &mut Change, id: AdminId) -> Result<MemberRow, Refusal> {
    change.tx.lock_members().await?;
    change.tx.member(id).await?.ok_or(Refusal::NotFound)
}

/// Gives a member another role; the next request of theirs is judged by it.
pub async fn change_role(
    change: &mut Change,
    member: MemberRow,
    role: Role,
) -> Result<MemberRow, Refusal> {
    if member.role == role {
        return Ok(member);
    }
    keep_an_owner(change, &member).await?;
    change.tx.set_role(member.id, role).await?;
    change.note(
        "member.change_role",
        &format!("person/{}", member.email),
        json!({ "from": member.role.as_str(), "to": role.as_str() }),
    );
    Ok(MemberRow { role, ..member })
}

/// Removes a member: their sessions here end at once. Keys that they made go on; they are the tenant's.
pub async fn remove(change: &mut Change, member: &MemberRow) -> Result<(), Refusal> {
    keep_an_owner(change, member).await?;
    change.tx.delete_membership(member.id).await?;
    change.note(
        "member.remove",
        &format!("person/{}", member.email),
        json!({ "role": member.role.as_str() }),
    );
    Ok(())
}

/// An owner may go only where another one stays who can sign in.
async fn keep_an_owner(change: &mut Change, member: &MemberRow) -> Result<(), Refusal> {
    if member.role < Role::Owner || change.tx.owners_besides(member.id).await? > 0 {
        return Ok(());
    }
    Err(Refusal::Conflict(
        Wrong::OnlyOwner(member.email.clone()).into(),
    ))
}

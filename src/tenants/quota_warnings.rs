//! Letters to a tenant's owners: a quota is nearly used up.

use tokio::sync::mpsc;

use crate::domain::email::Email;
use crate::domain::language::Language;
use crate::domain::role::Role;
use crate::ledger::QuotaWarning;
use crate::mail::{Letter, Mail, Words};
use crate::store::{Database, StoreError, log_not_done};

/// Owners who get one at most.
const MOST: usize = 20;
/// Members who are looked at for them.
const LOOKED_AT: i64 = 1_000;

/// Writes letters until no warnings can come any more.
pub async fn run(mail: Mail, database: Database, mut warnings: mpsc::Receiver<QuotaWarning>) {
    while let Some(warning) = warnings.recv().await {
        if let Err(error) = write(&mail, &database, warning).await {
            log_not_done(&error, "no owner got mail that a quota is nearly used up");
        }
    }
}

async fn write(
    mail: &Mail,
    database: &Database,
    QuotaWarning { tenant, left }: QuotaWarning,
) -> Result<(), StoreError> {
    let mut tx = database.tenant(tenant).await?;
    let row = tx.tenant_row().await?;
    let members = tx.members(None, LOOKED_AT).await?;
    tx.commit().await?;
    let Some(row) = row else {
        return Ok(());
    };
    let words = Words::QuotaLow {
        tenant: &row.name,
        left,
    };
    let owners = members
        .into_iter()
        .filter(|member| member.role == Role::Owner && !member.disabled);
    for owner in owners.take(MOST) {
        // A letter that is not taken is counted, and the console says the same.
        if let Ok(email) = Email::parse(&owner.email)
            && mail.admit(tenant).is_ok()
        {
            _ = mail.send(Letter::write(mail, &email, Language::default(), &words));
        }
    }
    Ok(())
}

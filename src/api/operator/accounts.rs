//! `/v1/operator/accounts`: helping people back into their accounts.

use actix_web::web;

use crate::api::admin::password_resets::PasswordLink;
use crate::domain::email::Email;
use crate::gateway::Gateway;
use crate::web::input::input;
use crate::web::operation::{
    Absent, Answer, Body, Conflicting, Created, NoContent, Recent, Unless, operations,
};
use crate::web::people::Operator;

operations! {
    "Operator";

    "/v1/operator/accounts:reset-password" {
        /// Makes a link for a new password, to be passed on to whoever has this account. It can be used once, for 24 hours.
        POST makeAccountPasswordLink => make_password_link;
    }
    "/v1/operator/accounts:remove-second-factor" {
        /// Removes the second factor of an account, which ends its sessions: for somebody who has lost the app and the recovery codes.
        POST removeAccountSecondFactor => remove_second_factor;
    }
}

input! {
    /// An account.
    struct AccountOf {
        /// Its address.
        #[example("ann@example.com")]
        email: Email,
    }
}

async fn remove_second_factor(
    Recent(operator): Recent<Operator>,
    gateway: web::Data<Gateway>,
    sent: Body<AccountOf>,
) -> Answer<Unless<Absent, NoContent>> {
    let email = sent.checked()?.email;
    let label = operator.label();
    let acting = operator.acting(&gateway, &label);
    acting.remove_second_factor(&email).await?;
    Ok(NoContent.into())
}

async fn make_password_link(
    Recent(operator): Recent<Operator>,
    gateway: web::Data<Gateway>,
    sent: Body<AccountOf>,
) -> Answer<Unless<Absent, Unless<Conflicting, Created<PasswordLink>>>> {
    let email = sent.checked()?.email;
    let label = operator.label();
    let acting = operator.acting(&gateway, &label);
    let made: Created<PasswordLink> = acting.make_password_link(&email).await?.into();
    Ok(Unless::from(Unless::from(made)))
}

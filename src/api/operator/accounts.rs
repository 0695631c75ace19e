//! `/v1/operator/accounts`: helping people back into their accounts.

use actix_web::web;

use crate::api::admin::password_resets::PasswordLink;
use crate::domain::email::Email;
use crate::gateway::Gateway;
use crate::web::input::input;
use crate::web::operation::{Absent, Answer, Body, Conflicting, Created, Unless, operations};
use crate::web::people::Operator;

operations! {
    "Operator";

    "/v1/operator/accounts:reset-password" {
        /// Makes a link for a new password, to be passed on to whoever has this account. It can be used once, for 24 hours.
        POST makeAccountPasswordLink => make_password_link;
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

async fn make_password_link(
    operator: Operator,
    gateway: web::Data<Gateway>,
    sent: Body<AccountOf>,
) -> Answer<Unless<Absent, Unless<Conflicting, Created<PasswordLink>>>> {
    let email = sent.checked()?.email;
    let label = operator.label();
    let acting = operator.acting(&gateway, &label);
    let made: Created<PasswordLink> = acting.make_password_link(&email).await?.into();
    Ok(Unless::from(Unless::from(made)))
}

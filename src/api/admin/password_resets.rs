//! `/v1/admin/password-resets` and links for new passwords that owners make.

use actix_web::web;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use super::sign_in::NewPassword;
use crate::domain::ids::AdminId;
use crate::domain::language::Language;
use crate::gateway::Gateway;
use crate::tenants::members;
use crate::tenants::password_reset::{self, MadeReset, Redemption};
use crate::tenants::sign_in::{MAX_EMAIL_CHARS, MAX_SECRET_BYTES, Visitor};
use crate::web::admin::Own;
use crate::web::input::{Line, Secret, input};
use crate::web::operation::{
    Absent, Answer, Body, Call, Conflicting, Created, NoContent, Path, Recent, Unless, operations,
};

operations! {
    "Admin: access";

    "/v1/admin/password-resets" {
        /// Mails a link for a new password to an address, if an account with a password has it. The answer is the same whether one
        /// has. The link can be used once, for 30 minutes. Refused with `conflict` where no mail server is configured.
        POST requestPasswordReset => request;
    }
    "/v1/admin/password-resets:redeem" {
        /// Sets a new password with a link's token. All sessions and other links of the person end. Sign in afterwards.
        POST redeemPasswordReset => redeem;
    }
    "/v1/admin/members/{member}:reset-password" {
        /// Makes a link for a new password, to be passed on to a member. It can be used once, for 24 hours. Refused with `conflict` for
        /// members whose password opens more than this tenant: other tenants, or what operators do.
        POST makePasswordLink => make_link;
    }
}

/// A link for a new password: its token, which belongs behind `/console/new-password#`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct PasswordLink {
    /// What the person sends to set a new password. Shown this once.
    #[schema(example = "pgr_7Yd3mZ0qkq8mB1m1xw2o9dZQ3m2c0kVtN5s3uJ4pXyE")]
    token: String,
    /// When the token expires.
    expires_at: DateTime<Utc>,
}

impl From<MadeReset> for Created<PasswordLink> {
    fn from(made: MadeReset) -> Self {
        Self::new(&PasswordLink {
            token: made.token.expose_secret().to_owned(),
            expires_at: made.expires_at,
        })
    }
}

input! {
    /// Somebody who forgot their password.
    struct ForgottenPassword {
        /// The address of their account.
        #[example("ann@example.com")]
        email: Line<MAX_EMAIL_CHARS>,
        /// The language of the mail: `en` unless set.
        #[example("de")]
        language: Option<Language>,
    }

    /// A new password.
    struct PasswordRedemption {
        /// The link's token.
        #[example("pgr_7Yd3mZ0qkq8mB1m1xw2o9dZQ3m2c0kVtN5s3uJ4pXyE")]
        token: Secret<MAX_SECRET_BYTES>,
        /// The new password: 12 to 128 characters, not the e-mail address, none of the most common.
        #[example("staple the other battery")]
        password: NewPassword,
        /// The language of the mail that tells of the change: `en` unless set.
        #[example("de")]
        language: Option<Language>,
    }
}

async fn request(
    from: Visitor,
    gateway: web::Data<Gateway>,
    sent: Body<ForgottenPassword>,
) -> Answer<Unless<Conflicting, NoContent>> {
    let sent = sent.checked()?;
    let language = sent.language.unwrap_or_default();
    password_reset::request(&gateway.into_inner(), &sent.email, language, &from)?;
    Ok(NoContent.into())
}

async fn redeem(
    from: Visitor,
    gateway: web::Data<Gateway>,
    sent: Body<PasswordRedemption>,
) -> Answer<Unless<Absent, NoContent>> {
    let sent = sent.checked()?;
    let redemption = Redemption {
        token: sent.token.into_inner(),
        password: sent.password.into_inner(),
        language: sent.language.unwrap_or_default(),
        from,
    };
    Box::pin(password_reset::redeem(&gateway, redemption)).await?;
    Ok(NoContent.into())
}

async fn make_link(
    Recent(call): Recent<Call<Own>>,
    Path(member): Path<AdminId>,
) -> Answer<Created<PasswordLink>> {
    call.change(async move |change| {
        let member = members::find(change, member).await?;
        Ok(password_reset::make_link(change, &member).await?.into())
    })
    .await
}

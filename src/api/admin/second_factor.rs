//! `/v1/admin/second-factor`: codes of an authenticator app beside the password.

use actix_web::web;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use super::sign_in::SignedInBody;
use crate::domain::ids::AdminId;
use crate::domain::wrong::Wrong;
use crate::gateway::Gateway;
use crate::tenants::members;
use crate::tenants::refusal::Refusal;
use crate::tenants::second_factor::{self, MAX_CODE_CHARS, Proof};
use crate::tenants::sign_in::{MAX_SECRET_BYTES, Visitor};
use crate::tenants::sso::code;
use crate::web::admin::Own;
use crate::web::input::{Line, Secret, input};
use crate::web::operation::{
    Answer, Body, Call, Conflicting, Created, Json, NoContent, Path, Recent, Unless, operations,
};
use crate::web::people::{Arriving, Person};

operations! {
    "Admin: access";

    "/v1/admin/second-factor" {
        /// Returns whether the person has a second factor.
        GET getSecondFactor => get;
        /// Begins to enrol a second factor: returns the secret for an authenticator app. It counts once a code of it is confirmed.
        POST enrolSecondFactor => enrol;
        /// Removes the person's second factor and its recovery codes.
        DELETE removeSecondFactor => remove;
    }
    "/v1/admin/second-factor:confirm" {
        /// Confirms a new second factor with a code of the app, and returns recovery codes. From now on each sign-in asks for a code.
        POST confirmSecondFactor => confirm;
    }
    "/v1/admin/second-factor:renew-recovery-codes" {
        /// Replaces the recovery codes.
        POST renewRecoveryCodes => renew;
    }
    "/v1/admin/sign-in:complete" {
        /// Completes a sign-in of a person with a second factor: takes a code of the app, or a recovery code, and returns a new token, which
        /// takes the place of the one that the password gave. Each code counts once.
        POST completeSignIn => complete;
    }
    "/v1/admin/account:confirm" {
        /// Confirms who the person is, with the password or with a code: for ten minutes, the session may do what asks for a recent sign-in
        /// (`x-max-age`).
        POST confirmIdentity => prove_again;
    }
    "/v1/admin/members/{member}:remove-second-factor" {
        /// Removes a member's second factor, which ends their sessions: for somebody who has lost the app and the recovery codes. Refused with
        /// `conflict` for members whose account opens more than this tenant.
        POST removeMemberSecondFactor => remove_of_member;
    }
}

/// A person's second factor.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SecondFactor {
    /// Whether sign-ins ask for a code.
    enrolled: bool,
    /// Since when they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    since: Option<DateTime<Utc>>,
    /// How many recovery codes are left.
    #[schema(example = 10)]
    recovery_codes: i64,
}

/// A secret for an authenticator app.
#[derive(Debug, Serialize, ToSchema)]
struct SecondFactorSecret {
    /// To be typed into the app, in base 32: codes of six digits for 30 seconds, SHA-1. Shown this once.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: String,
    /// The same for a QR code.
    #[schema(
        example = "otpauth://totp/Persona%20gateway:ann%40example%2Ecom?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Persona%20gateway"
    )]
    uri: String,
}

/// Codes that open the account without the app, each once. Shown this once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RecoveryCodes {
    #[schema(example = json!(["abcd-efgh-2345-ijkl"]))]
    recovery_codes: Vec<String>,
}

impl From<Vec<SecretString>> for Json<RecoveryCodes> {
    fn from(codes: Vec<SecretString>) -> Self {
        let codes = codes.iter().map(|code| code.expose_secret().to_owned());
        Self::new(&RecoveryCodes {
            recovery_codes: codes.collect(),
        })
    }
}

input! {
    /// A code of a second factor.
    struct FactorCode {
        /// Six digits of the app; at a sign-in also a recovery code.
        #[example("287082")]
        code: Line<MAX_CODE_CHARS>,
    }

    /// What shows who somebody is: a password, a code, or the code of a sign-in at the tenant's identity provider with its verifier.
    struct IdentityProof {
        /// The account's password.
        #[example("correct horse battery")]
        password: Option<Secret<MAX_SECRET_BYTES>>,
        /// A code of the second factor, or a recovery code.
        #[example("287082")]
        code: Option<Line<MAX_CODE_CHARS>>,
        /// For who came by single sign-on: the code of the last page of one that began with `prompt=login`.
        #[example("pgc_7Yd3mZ0qkq8mB1m1xw2o9dZQ3m2c0kVtN5s3uJ4pXyE")]
        sso_code: Option<Secret<MAX_SECRET_BYTES>>,
        /// What the challenge of that sign-in was made from.
        #[example("a-verifier-of-43-to-128-letters-digits-and-such")]
        code_verifier: Option<Secret<MAX_SECRET_BYTES>>,
    }
}

async fn get(person: Arriving, gateway: web::Data<Gateway>) -> Answer<Json<SecondFactor>> {
    person.refuse_without_code()?;
    let state = second_factor::state(&gateway, &person).await?;
    Ok(Json::new(&SecondFactor {
        enrolled: state.since.is_some(),
        since: state.since,
        recovery_codes: state.recovery_codes,
    }))
}

async fn enrol(
    Recent(person): Recent<Arriving>,
    gateway: web::Data<Gateway>,
) -> Answer<Unless<Conflicting, Created<SecondFactorSecret>>> {
    person.refuse_without_code()?;
    let made = second_factor::enrol(&gateway, &person).await?;
    Ok(Created::new(&SecondFactorSecret {
        secret: made.secret.expose_secret().to_owned(),
        uri: made.uri.expose_secret().to_owned(),
    })
    .into())
}

async fn confirm(
    person: Arriving,
    from: Visitor,
    gateway: web::Data<Gateway>,
    sent: Body<FactorCode>,
) -> Answer<Unless<Conflicting, Json<RecoveryCodes>>> {
    person.refuse_without_code()?;
    let code = sent.checked()?.code;
    let codes = second_factor::confirm(&gateway, &person, &code, &from).await?;
    Ok(Json::from(codes).into())
}

async fn renew(
    Recent(person): Recent<Person>,
    from: Visitor,
    gateway: web::Data<Gateway>,
) -> Answer<Unless<Conflicting, Json<RecoveryCodes>>> {
    let codes = second_factor::renew_recovery_codes(&gateway, &person, &from).await?;
    Ok(Json::from(codes).into())
}

async fn remove(
    Recent(person): Recent<Person>,
    from: Visitor,
    gateway: web::Data<Gateway>,
) -> Answer<Unless<Conflicting, NoContent>> {
    second_factor::remove(&gateway, &person, &from).await?;
    Ok(NoContent.into())
}

async fn complete(
    person: Arriving,
    from: Visitor,
    gateway: web::Data<Gateway>,
    sent: Body<FactorCode>,
) -> Answer<Unless<Conflicting, Json<SignedInBody>>> {
    let code = sent.checked()?.code;
    let signed_in = second_factor::complete_sign_in(&gateway, &person, &code, &from);
    let signed_in = Box::pin(signed_in).await?;
    Ok(Json::from(signed_in).into())
}

async fn prove_again(
    person: Arriving,
    from: Visitor,
    gateway: web::Data<Gateway>,
    sent: Body<IdentityProof>,
) -> Answer<Unless<Conflicting, NoContent>> {
    person.refuse_without_code()?;
    let sent = sent.checked()?;
    let proof = match (
        sent.password,
        sent.code,
        sent.sso_code.zip(sent.code_verifier),
    ) {
        (Some(password), None, None) => Proof::Password(password.into_inner()),
        (None, Some(code), None) => Proof::Code(code.into()),
        (None, None, Some((sent, verifier))) => {
            let (sent, verifier) = (sent.into_inner(), verifier.into_inner());
            let proving = code::prove_again(&gateway, &person, &sent, &verifier, &from);
            Box::pin(proving).await?;
            return Ok(NoContent.into());
        }
        _ => {
            return Err(Refusal::fault("", Wrong::OneProof).into());
        }
    };
    Box::pin(second_factor::prove_again(&gateway, &person, proof, &from)).await?;
    Ok(NoContent.into())
}

async fn remove_of_member(
    Recent(call): Recent<Call<Own>>,
    Path(member): Path<AdminId>,
) -> Answer<NoContent> {
    call.change(async move |change| {
        let member = members::find(change, member).await?;
        second_factor::remove_of_member(change, &member).await?;
        Ok(NoContent)
    })
    .await
}

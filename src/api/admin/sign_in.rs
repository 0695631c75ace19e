//! `/v1/admin/sign-in` and what somebody who is signed in does with their own account.

use actix_web::web;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::crypto::password;
use crate::domain::fault::Fault;
use crate::domain::key::MAX_SLUG_CHARS;
use crate::domain::role::Role;
use crate::gateway::Gateway;
use crate::store::console_sessions::Missing;
use crate::store::people::MembershipRow;
use crate::tenants::sign_in::{self, MAX_EMAIL_CHARS, MAX_SECRET_BYTES, SignIn, SignedIn, Visitor};
use crate::tenants::signed_in;
use crate::web::input::{Line, Member, Schemas, Secret, input};
use crate::web::operation::{Answer, Body, Json, NoContent, operations};
use crate::web::people::{Arriving, Person};

operations! {
    "Admin: access";

    "/v1/admin/sign-in" {
        /// Signs a person in with a password. A person who belongs to several tenants names one of them; after the right password,
        /// `errors` lists them. Attempts are limited by account and by address. Where `missing` is there, the session may do nothing else before
        /// that is done.
        POST signIn => sign_in;
    }
    "/v1/admin/sign-out" {
        /// Ends the session of the request's token.
        POST signOut => sign_out;
    }
    "/v1/admin/account" {
        /// Returns the signed-in person and the tenants they belong to.
        GET getAccount => account;
    }
    "/v1/admin/account:switch" {
        /// Switches to another of the person's tenants: returns a new token, and ends the old one.
        POST switchTenant => switch;
    }
    "/v1/admin/password" {
        /// Changes the person's password. This ends all their sessions, also this one: sign in again.
        POST changePassword => change_password;
    }
}

/// A session of a person who has signed in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignedInBody {
    /// To be sent as `Authorization: Bearer`. Shown this once.
    #[schema(example = "pgs_7Yd3mZ0qkq8mB1m1xw2o9dZQ3m2c0kVtN5s3uJ4pXyE")]
    token: String,
    /// When the session ends, whatever is done with it; it ends earlier after 30 minutes without a request.
    expires_at: DateTime<Utc>,
    /// The tenant that it works in; absent for an operator who belongs to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "demo")]
    tenant: Option<String>,
    /// The person's role in this tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    role: Option<Role>,
    /// What the session must do before anything else; absent where nothing is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    missing: Option<MissingBody>,
}

/// What a session owes: `code`, a code of the second factor (`POST /v1/admin/sign-in:complete`), or `enrolment` of one, which the tenant
/// demands (`POST /v1/admin/second-factor`).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MissingFactor)]
enum MissingBody {
    Code,
    Enrolment,
}

impl From<Missing> for MissingBody {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Code => Self::Code,
            Missing::Enrolment => Self::Enrolment,
        }
    }
}

impl From<SignedIn> for Json<SignedInBody> {
    fn from(signed_in: SignedIn) -> Self {
        let workplace = signed_in.workplace;
        Self::new(&SignedInBody {
            token: signed_in.token.expose_secret().to_owned(),
            expires_at: signed_in.expires_at,
            role: workplace.as_ref().map(|workplace| workplace.role),
            tenant: workplace.map(|workplace| workplace.slug),
            missing: signed_in.missing.map(MissingBody::from),
        })
    }
}

/// A person who is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Account {
    #[schema(example = "ann@example.com")]
    email: String,
    /// The person's name.
    #[schema(example = "Ann Lee")]
    name: String,
    /// Whether this session may do what operators do.
    operator: bool,
    /// Whether the tenant's identity provider vouched for them: then the session stays in that tenant.
    single_sign_on: bool,
    /// When the session ends at the latest.
    expires_at: DateTime<Utc>,
    /// The tenant that it works in; absent for an operator who belongs to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "demo")]
    tenant: Option<String>,
    /// The person's role in this tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    role: Option<Role>,
    /// What the session must do before anything else; absent where nothing is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    missing: Option<MissingBody>,
    /// Whether the person has a second factor.
    second_factor: bool,
    /// The tenants that the session may switch to, this one among them.
    tenants: Vec<TenantOfPerson>,
}

/// A tenant that a person may work in.
#[derive(Debug, Serialize, ToSchema)]
struct TenantOfPerson {
    /// Its name in URLs and bundles.
    #[schema(example = "demo")]
    slug: String,
    /// The tenant's display name.
    #[schema(example = "Demo Inc.")]
    name: String,
    /// The person's role in this tenant.
    role: Role,
    /// False while the tenant is suspended.
    active: bool,
}

impl From<MembershipRow> for TenantOfPerson {
    fn from(row: MembershipRow) -> Self {
        Self {
            slug: row.slug,
            name: row.name,
            role: row.role,
            active: row.active,
        }
    }
}

input! {
    /// A sign-in with a password.
    struct Credentials {
        /// The address of the account.
        #[example("ann@example.com")]
        email: Line<MAX_EMAIL_CHARS>,
        /// The account's password.
        #[example("correct horse battery")]
        password: Secret<MAX_SECRET_BYTES>,
        /// The tenant to work in; needed by who belongs to several.
        #[example("demo")]
        tenant: Option<Line<MAX_SLUG_CHARS>>,
    }

    /// The tenant to go on in.
    struct TenantSwitch {
        /// Its name in URLs and bundles.
        #[example("demo")]
        tenant: Line<MAX_SLUG_CHARS>,
    }

    /// A change of password.
    struct PasswordChange {
        /// The current password.
        #[example("correct horse battery")]
        current: Secret<MAX_SECRET_BYTES>,
        /// The new password: 12 to 128 characters, not the e-mail address, none of the most common.
        #[example("staple the other battery")]
        new: NewPassword,
    }
}

/// A password that is judged once the current one was proven.
#[derive(Debug)]
pub(super) struct NewPassword(Secret<MAX_SECRET_BYTES>);

impl NewPassword {
    pub(super) fn into_inner(self) -> SecretString {
        self.0.into_inner()
    }
}

impl Member for NewPassword {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        Secret::read(value).map(Self)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({
            "type": "string",
            "minLength": password::MIN_CHARS,
            "maxLength": password::MAX_CHARS,
            "writeOnly": true,
        })
    }
}

async fn sign_in(
    from: Visitor,
    gateway: web::Data<Gateway>,
    sent: Body<Credentials>,
) -> Answer<Json<SignedInBody>> {
    let sent = sent.checked()?;
    let attempt = SignIn {
        email: sent.email.into(),
        password: sent.password.into_inner(),
        tenant: sent.tenant.map(String::from),
        from,
    };
    let signed_in = Box::pin(sign_in::sign_in(&gateway, attempt)).await?;
    Ok(signed_in.into())
}

async fn sign_out(
    person: Arriving,
    from: Visitor,
    gateway: web::Data<Gateway>,
) -> Answer<NoContent> {
    signed_in::sign_out(&gateway, &person, &from).await?;
    Ok(NoContent)
}

async fn account(person: Arriving, gateway: web::Data<Gateway>) -> Answer<Json<Account>> {
    let tenants = signed_in::memberships(&gateway, &person).await?;
    let tenant = person.tenant.as_ref();
    Ok(Json::new(&Account {
        email: person.email.clone(),
        name: person.name.clone(),
        operator: signed_in::is_operator(&person),
        single_sign_on: person.by_sso,
        expires_at: person.expires_at,
        tenant: tenant.map(|tenant| tenant.slug.clone()),
        role: tenant.map(|tenant| tenant.role),
        missing: person.missing().map(MissingBody::from),
        second_factor: person.has_factor,
        tenants: tenants.into_iter().map(TenantOfPerson::from).collect(),
    }))
}

async fn switch(
    person: Arriving,
    from: Visitor,
    gateway: web::Data<Gateway>,
    sent: Body<TenantSwitch>,
) -> Answer<Json<SignedInBody>> {
    // Somebody who lacks an enrolment that one tenant demands may go on in another.
    person.refuse_without_code()?;
    let tenant = sent.checked()?.tenant;
    let signed_in = signed_in::switch(&gateway, &person, &tenant, &from).await?;
    Ok(signed_in.into())
}

async fn change_password(
    person: Person,
    from: Visitor,
    gateway: web::Data<Gateway>,
    sent: Body<PasswordChange>,
) -> Answer<NoContent> {
    let PasswordChange { current, new } = sent.checked()?;
    let current = current.into_inner();
    let changed = signed_in::change_password(&gateway, &person, &current, new.into_inner(), &from);
    Box::pin(changed).await?;
    Ok(NoContent)
}

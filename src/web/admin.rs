//! Who an admin is and what they may: `Call<Publish>` in a handler's signature asks for `May<Publish>`.

use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::{FutureExt, LocalBoxFuture};
use secrecy::SecretString;

use super::Problem;
use super::address::TrustedProxies;
use super::bearer::bearer;
use super::codes::Code;
use super::trace;
use crate::crypto::token::hash_token;
use crate::domain::ids::TenantId;
use crate::domain::role::Role;
use crate::gateway::Gateway;
use crate::limits::{AddressAdmitted, AdminAdmitted};
use crate::telemetry::note_tenant;
use crate::tenants::admin::{Admin, NoAdmin, authenticate};

/// A permission, checked by the type of the handler's call.
pub trait Permission: 'static {
    /// The least role that has it.
    const ROLE: Role;
    /// Its name, as operations say it in `x-permission`.
    const NAME: &'static str;
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $role:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl Permission for $name {
            const ROLE: Role = Role::$role;
            const NAME: &'static str = $text;
        }
    )+};
}

permissions! {
    /// To see everything but secrets.
    View = "view", Viewer;
    /// To write drafts, seal and review them.
    Edit = "edit", Editor;
    /// To change what is live.
    Publish = "publish", Publisher;
    /// To change who may do what, policy, issuers and keys.
    Own = "own", Owner;
}

/// An admin whose role has the permission `P`. The request counts as under way as long as this is held.
pub struct Authorized<P> {
    admin: Admin,
    _admitted: AdminAdmitted,
    permission: PhantomData<P>,
}

impl<P> Deref for Authorized<P> {
    type Target = Admin;

    fn deref(&self) -> &Admin {
        &self.admin
    }
}

impl<P> fmt::Debug for Authorized<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("May").field(&self.admin).finish()
    }
}

impl<P: Permission> FromRequest for Authorized<P> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let (admin, admitted) = admin(&request).await?;
            if admin.role < P::ROLE {
                return Err(Problem::new(Code::Forbidden).detail(format!(
                    "This needs the role {} or more; yours is {}.",
                    P::ROLE,
                    admin.role
                )));
            }
            Ok(Self {
                admin,
                _admitted: admitted,
                permission: PhantomData,
            })
        }
        .boxed_local()
    }
}

/// The tenant of the request's admin, once they are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tenant(pub(super) TenantId);

pub(super) async fn admin(request: &HttpRequest) -> Result<(Admin, AdminAdmitted), Problem> {
    let token = credential(request)?;
    let gateway = request
        .app_data::<web::Data<Gateway>>()
        .ok_or_else(|| Problem::new(Code::Internal))?;
    let hash = hash_token(&token);
    // Others may send from the same address, so only strangers count as ones of it.
    let at_door = if gateway.limits.knows_admin(&hash) {
        None
    } else {
        admit_address(request, gateway).await?
    };
    let authenticated = authenticate(gateway, &token).await;
    drop(at_door);
    match &authenticated {
        Ok(_) => gateway.limits.note_admin(&hash, true),
        Err(NoAdmin::Refused) => gateway.limits.note_admin(&hash, false),
        Err(_) => {}
    }
    let mut admin = authenticated?;
    note_tenant(admin.tenant);
    let admitted = gateway.admit_admin(admin.tenant).await?;
    admin.request_id = request_id(request);
    request.extensions_mut().insert(Tenant(admin.tenant));
    Ok((admin, admitted))
}

/// The bearer token, refused in the words of the admin API.
pub(super) fn credential(request: &HttpRequest) -> Result<SecretString, Problem> {
    let sent = request.headers().contains_key(AUTHORIZATION);
    let token = bearer(request).map_err(|_user_words| Problem::no_admin(sent))?;
    Ok(SecretString::from(token))
}

/// Counts a request to the admin API in.
pub(super) async fn admit_address(
    request: &HttpRequest,
    gateway: &Gateway,
) -> Result<Option<AddressAdmitted>, Problem> {
    match client_address(request) {
        None => Ok(None),
        Some(address) => Ok(Some(gateway.admit_admin_address(address).await?)),
    }
}

pub(super) fn client_address(request: &HttpRequest) -> Option<IpAddr> {
    let proxies = request.app_data::<web::Data<TrustedProxies>>()?;
    proxies.client(request)
}

pub(super) fn request_id(request: &HttpRequest) -> Option<String> {
    trace::request_id(request).map(|id| id.to_string())
}

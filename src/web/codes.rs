//! The table of problem codes: one line each, stable for ever.

use actix_web::http::StatusCode;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $status:ident, $title:literal;)+) => {
        /// A stable code of a problem. Clients may rely on the text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $($(#[doc = $doc])+ $name,)+ }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The text in `code`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// The HTTP status that goes with it.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),+ }
            }

            /// A short summary, the same each time.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title),+ }
            }

            /// What it means and what to do; for documentation.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+)),+ }
            }
        }
    };
}

codes! {
    /// No usable token: none, expired, for somebody else, malformed. Sign in again.
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "Authentication required";
    /// Not signed in: unknown, wrong, disabled, or the identity provider does not vouch; one answer for all.
    SignInFailed = "sign_in_failed", UNAUTHORIZED, "Sign-in failed";
    /// The password was right; a code of the second factor is missing. Send it to `/v1/admin/sign-in:complete`.
    SecondFactorRequired = "second_factor_required", UNAUTHORIZED, "Second factor required";
    /// The tenant's policy demands a second factor, and the person has none yet. Enrol one at `/v1/admin/second-factor`.
    SecondFactorEnrolmentRequired = "second_factor_enrolment_required", FORBIDDEN, "Second factor must be enrolled";
    /// This wants somebody who has shown within ten minutes who they are. Do so at `/v1/admin/account:confirm`, then repeat the call.
    InsufficientUserAuthentication = "insufficient_user_authentication", UNAUTHORIZED, "Confirm who you are";
    /// The tenant's identity provider can't be reached, or its configuration is not usable. An owner can look.
    IdentityProviderUnavailable = "identity_provider_unavailable", SERVICE_UNAVAILABLE, "Identity provider unavailable";
    /// The tenant is suspended. Ask the gateway's operator.
    TenantSuspended = "tenant_suspended", FORBIDDEN, "Tenant suspended";
    /// The page's origin is not in the tenant's `allowedOrigins`.
    OriginNotAllowed = "origin_not_allowed", FORBIDDEN, "Origin not allowed";
    /// The issuer's keys could not be fetched yet. Try again.
    KeysUnavailable = "keys_unavailable", SERVICE_UNAVAILABLE, "Issuer keys unavailable";
    /// The issuer did not say whether the opaque token is good. Try again.
    IntrospectionUnavailable = "introspection_unavailable", SERVICE_UNAVAILABLE, "Issuer gives no answer";
    /// The request is malformed in a way that HTTP or JSON knows.
    MalformedRequest = "malformed_request", BAD_REQUEST, "Malformed request";
    /// The body is well-formed, but not what this operation takes; `errors` says where.
    InvalidRequest = "invalid_request", UNPROCESSABLE_ENTITY, "Invalid request";
    /// The body must be `application/json`.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type";
    /// The body is larger than the limit.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "Body too large";
    /// The body did not arrive in time.
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT, "Body timed out";
    /// The request's line and headers did not arrive in time.
    HeadersTimeout = "headers_timeout", REQUEST_TIMEOUT, "Headers timed out";
    /// The request's line and headers are too large, or too many.
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "Headers too large";
    /// The credential is good, but its role may not do this; `detail` says which role may.
    Forbidden = "forbidden", FORBIDDEN, "Not permitted";
    /// Something of this name exists.
    AlreadyExists = "already_exists", CONFLICT, "Already exists";
    /// The state of things forbids it; `detail` says what to do first.
    Conflict = "conflict", CONFLICT, "Conflict";
    /// Something else needs it; `detail` says what.
    InUse = "in_use", CONFLICT, "In use";
    /// Both sides changed the same members; `conflicts` lists them.
    MergeConflict = "merge_conflict", CONFLICT, "Merge conflict";
    /// The tenant's policy asks for approvals by others first.
    ApprovalMissing = "approval_missing", CONFLICT, "Approval missing";
    /// The facts, preferences and metadata of the session are gone, so it can't be decided again: their time is over, the
    /// tenant's policy keeps none, or the user was erased.
    InputsExpired = "inputs_expired", GONE, "Inputs no longer kept";
    /// The document has faults, or what is live would break by it; `errors` says where.
    DocumentInvalid = "document_invalid", UNPROCESSABLE_ENTITY, "Document has faults";
    /// The Idempotency-Key was used for another request before. Take a new one.
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "Idempotency key reused";
    /// Nothing is at this address.
    NotFound = "not_found", NOT_FOUND, "Not found";
    /// The address takes other methods; `Allow` lists them.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed";
    /// Somebody else changed it since: read again, then write.
    PreconditionFailed = "precondition_failed", PRECONDITION_FAILED, "Precondition failed";
    /// A change must name the state that it is based on: send `If-Match` with the `ETag` of a read.
    PreconditionRequired = "precondition_required", PRECONDITION_REQUIRED, "Precondition required";
    /// Too many requests; `Retry-After` says when the next passes.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests";
    /// A quota of the tenant's policy is used up, for the tenant or for this user; `Retry-After` says when the next day or month begins.
    QuotaReached = "quota_reached", TOO_MANY_REQUESTS, "Quota used up";
    /// All places for conversations are taken; `position` says whose turn comes before, and `Retry-After` when to ask again so as to keep it.
    PlacesTaken = "places_taken", TOO_MANY_REQUESTS, "All places taken";
    /// Too much is under way. Try again.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "Overloaded";
    /// The tenant has neither this context nor one named `default`.
    ContextUnknown = "context_unknown", UNPROCESSABLE_ENTITY, "Unknown context";
    /// The metadata does not fit the context's schema; `errors` says where.
    MetadataInvalid = "metadata_invalid", UNPROCESSABLE_ENTITY, "Invalid metadata";
    /// A preference is unknown or not among the allowed values; `errors` says which.
    PreferenceInvalid = "preference_invalid", UNPROCESSABLE_ENTITY, "Invalid preference";
    /// The persona that the rules gave can't be used: an admin must correct it.
    PersonaUnavailable = "persona_unavailable", SERVICE_UNAVAILABLE, "Persona unavailable";
    /// The tenant has no usable Anam API key: an admin must correct it.
    ProviderKeyUnavailable = "provider_key_unavailable", SERVICE_UNAVAILABLE, "No Anam API key";
    /// The persona refers to a secret that is not set or can't be opened: an admin must set it.
    SecretUnavailable = "secret_unavailable", SERVICE_UNAVAILABLE, "A secret is missing";
    /// The database did not answer. Try again.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "Temporarily unavailable";
    /// Anam refused the persona's configuration: an admin must correct it.
    PersonaConfigRejected = "persona_config_rejected", BAD_GATEWAY, "Persona configuration rejected";
    /// Anam does not know the persona, avatar or voice: an admin must correct it.
    PersonaNotFound = "persona_not_found", BAD_GATEWAY, "Persona not found at Anam";
    /// Anam refused the API key: an admin must correct it.
    UpstreamAuth = "upstream_auth", BAD_GATEWAY, "Anam refused the API key";
    /// Anam's key or plan lacks a permission: an admin must correct it.
    UpstreamForbidden = "upstream_forbidden", BAD_GATEWAY, "Anam refused permission";
    /// Anam's account has no plan: an admin must correct it.
    UpstreamPlan = "upstream_plan", SERVICE_UNAVAILABLE, "No plan at Anam";
    /// All concurrent sessions are taken. Try again.
    UpstreamConcurrency = "upstream_concurrency", TOO_MANY_REQUESTS, "All sessions are taken";
    /// The spend cap at Anam is reached: an admin must raise it.
    UpstreamSpendCap = "upstream_spend_cap", SERVICE_UNAVAILABLE, "Spend cap reached";
    /// Anam limits the rate. Try again.
    UpstreamRateLimited = "upstream_rate_limited", TOO_MANY_REQUESTS, "Anam limits the rate";
    /// Anam is busy. Try again.
    UpstreamBusy = "upstream_busy", SERVICE_UNAVAILABLE, "Anam is busy";
    /// Anam's answer makes no sense. Try again.
    UpstreamError = "upstream_error", BAD_GATEWAY, "Anam failed";
    /// Anam's answer holds no token that its SDK would take.
    UpstreamBadToken = "upstream_bad_token", BAD_GATEWAY, "Anam gave no usable token";
    /// Anam can't be reached. Try again.
    UpstreamUnreachable = "upstream_unreachable", BAD_GATEWAY, "Anam can't be reached";
    /// Anam did not answer in time. Try again.
    UpstreamTimeout = "upstream_timeout", GATEWAY_TIMEOUT, "Anam timed out";
    /// Anam failed so often of late, or is so slow, that it is not asked for a moment; `Retry-After` says when it is again.
    UpstreamPaused = "upstream_paused", SERVICE_UNAVAILABLE, "Anam fails";
    /// A fault of the gateway itself.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Internal error";
}

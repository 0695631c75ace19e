//! The admin API: one file a resource, and in each its routes and its part of the `OpenAPI` document.

pub mod amend;
pub mod api_keys;
pub mod audit;
pub mod bundle;
pub mod catalogue;
pub mod catalogue_syncs;
mod comparison;
pub mod documents;
pub mod drafts;
pub mod impact;
pub mod issuers;
pub mod me;
pub mod password_resets;
pub mod people;
pub mod places;
pub mod policy;
pub mod preview;
pub mod provider_keys;
pub mod quotas;
pub mod refusals;
pub mod releases;
mod replays;
pub mod sample_users;
pub mod second_factor;
pub mod secrets;
pub mod session_counts;
pub mod sessions;
pub mod sign_in;
pub mod sso;
pub mod subjects;
pub mod test_calls;
pub mod users;
mod validation;
pub mod versions;
mod views;

use crate::web::operation::Operations;

/// What admins can do, resource by resource.
pub fn operations() -> Vec<Operations> {
    vec![
        me::operations(),
        sign_in::operations(),
        people::operations(),
        password_resets::operations(),
        second_factor::operations(),
        api_keys::operations(),
        sso::operations(),
        sso::browser::operations(),
        documents::operations(),
        drafts::operations(),
        refusals::operations(),
        subjects::operations(),
        issuers::operations(),
        provider_keys::operations(),
        secrets::operations(),
        users::operations(),
        policy::operations(),
        versions::operations(),
        releases::operations(),
        sample_users::operations(),
        preview::operations(),
        test_calls::operations(),
        impact::operations(),
        sessions::operations(),
        session_counts::operations(),
        quotas::operations(),
        places::operations(),
        audit::operations(),
        catalogue::operations(),
        catalogue_syncs::operations(),
        bundle::operations(),
    ]
}

//! What operations of the admin API may answer besides success, by what they do; for the `OpenAPI` document.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{Ref, RefOr, Response};

const EACH: [(&str, &str); 4] = [
    ("401", "NoAdmin"),
    ("403", "AdminForbidden"),
    ("429", "TooMany"),
    ("503", "Failed"),
];
const WITH_BODY: [(&str, &str); 4] = [
    ("400", "MalformedRequest"),
    ("408", "Refused"),
    ("413", "Refused"),
    ("415", "Refused"),
];
const ABSENT: (&str, &str) = ("404", "Absent");
const CONFLICTING: (&str, &str) = ("409", "Conflicting");
const INVALID: (&str, &str) = ("422", "AdminInvalid");
const CONDITIONAL: [(&str, &str); 2] = [("412", "Stale"), ("428", "Refused")];

macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident = $($list:expr),+;)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                let lists: &[&[(&str, &str)]] = &[$($list),+];
                lists
                    .iter()
                    .flat_map(|list| list.iter())
                    .map(|(status, name)| ((*status).to_owned(), RefOr::Ref(Ref::from_response_name(*name))))
                    .collect()
            }
        }
    )+};
}

answers! {
    /// A read of what is always there.
    Reading = &EACH;
    /// A read of one thing.
    ReadingOne = &EACH, &[ABSENT];
    /// A read of a page.
    Listing = &EACH, &[ABSENT, INVALID];
    /// A verb without a body.
    Acting = &EACH, &[ABSENT, CONFLICTING, INVALID];
    /// A call with a body.
    Creating = &EACH, &WITH_BODY, &[ABSENT, CONFLICTING, INVALID];
    /// A question with a body: nothing is changed by it.
    Asking = &EACH, &WITH_BODY, &[ABSENT, INVALID];
    /// A change of something that must be as it was read.
    Changing = &EACH, &WITH_BODY, &[ABSENT, CONFLICTING, INVALID], &CONDITIONAL;
}

//! Why a user would be given nobody.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::decide::Undecided;
use crate::web::codes::Code;
use crate::web::finding::FaultBody;

/// Why no persona would be given.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::admin) struct PreviewUndecided {
    /// The code that the page would get.
    #[schema(example = "metadata_invalid")]
    code: &'static str,
    /// Why, for admins.
    message: String,
    /// Each fault of the metadata.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FaultBody>,
}

impl From<&Undecided> for PreviewUndecided {
    fn from(undecided: &Undecided) -> Self {
        Self {
            code: code_of(undecided).as_str(),
            message: undecided.to_string(),
            errors: errors_of(undecided),
        }
    }
}

/// The code that a page would get.
fn code_of(undecided: &Undecided) -> Code {
    match undecided {
        Undecided::ContextUnknown { .. } => Code::ContextUnknown,
        Undecided::MetadataInvalid(_) => Code::MetadataInvalid,
        Undecided::PersonaMissing(_)
        | Undecided::NoArm(_)
        | Undecided::Incomplete { .. }
        | Undecided::Unrendered { .. } => Code::PersonaUnavailable,
    }
}

fn errors_of(undecided: &Undecided) -> Vec<FaultBody> {
    let Undecided::MetadataInvalid(faults) = undecided else {
        return Vec::new();
    };
    let errors = faults.iter().map(|fault| FaultBody {
        pointer: format!("/metadata{}", fault.pointer),
        ..fault.into()
    });
    errors.collect()
}

//! `/v1/me/preferences`: a user's own choices.

use serde_json::Value;

use super::choices::{Choices, ChoicesPatch};
use crate::store::preferences::StoredPreferences;
use crate::tenants::preferences::{Change, WriteError, write};
use crate::web::Problem;
use crate::web::codes::Code;
use crate::web::etag::Validator;
use crate::web::operation::{
    Answer, Body, NoContent, OptionalIfMatch, Patch, Tagged, User, operations,
};

operations! {
    "Preferences";

    "/v1/me/preferences" {
        /// Returns the user's preferences; `{}` if there are none.
        GET getPreferences => get;
        /// Replaces all of the user's preferences.
        PUT putPreferences => put;
        /// Changes some preferences: a JSON merge patch (RFC 7396), where null removes a preference.
        PATCH patchPreferences => patch;
        /// Deletes all of the user's preferences.
        DELETE deletePreferences => delete;
    }
}

async fn get(user: User) -> Answer<Tagged<Choices>> {
    let (tenant, subject) = (user.caller.tenant, &user.caller.subject);
    let stored = user.gateway().sources.preferences(tenant, subject).await?;
    Ok(tagged(&stored))
}

async fn put(user: User, seen: OptionalIfMatch, sent: Body<Choices>) -> Answer<Tagged<Choices>> {
    let Choices(choices) = sent.checked()?;
    Ok(tagged(
        &change(&user, seen, Change::Replace(choices)).await?,
    ))
}

async fn patch(
    user: User,
    seen: OptionalIfMatch,
    sent: Patch<ChoicesPatch>,
) -> Answer<Tagged<Choices>> {
    let ChoicesPatch(choices) = sent.checked()?;
    Ok(tagged(&change(&user, seen, Change::Merge(choices)).await?))
}

async fn delete(user: User, seen: OptionalIfMatch) -> Answer<NoContent> {
    change(&user, seen, Change::Clear).await?;
    Ok(NoContent)
}

async fn change(user: &User, seen: OptionalIfMatch, change: Change) -> Answer<StoredPreferences> {
    write(user.gateway(), user.admitted(), change, |stored| {
        seen.check(&validator(stored))
    })
    .await
    .map_err(|error| match error {
        WriteError::Invalid(faults) => Problem::new(Code::PreferenceInvalid)
            .detail("See errors for what to change; GET /v1/me/options lists what can be chosen.")
            .errors(faults),
        WriteError::Condition(problem) => problem,
        WriteError::Store(error) => error.into(),
    })
}

fn tagged(stored: &StoredPreferences) -> Tagged<Choices> {
    let choices = Choices(stored.preferences.to_document());
    Tagged::new(&choices, &validator(stored)).private()
}

/// The state of a user's choices, for conditions.
pub(super) fn validator(stored: &StoredPreferences) -> Validator {
    let content = Value::Object(stored.preferences.to_document()).to_string();
    Validator::new(stored.version, content.as_bytes())
}

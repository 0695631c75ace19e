//! Bodies: JSON objects that are read by the type that describes them.

use serde_json::{Map, Value, json};

use super::describe::Described;
use super::headers::idempotency_key;
use super::part::{Intake, Part};
use crate::crypto::digest::sha256;
use crate::domain::fault::Fault;
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::body;
use crate::web::input::Member;

const JSON: &[&str] = &["application/json"];
const MERGE_PATCH: &[&str] = &["application/merge-patch+json", "application/json"];

/// A body: the parsed object, or its faults. The handler reads it once it has found what the path names, so that 404 comes before faults.
#[derive(Debug)]
pub struct Body<T>(Result<T, Vec<Fault>>);

/// A JSON merge patch (RFC 7396).
#[derive(Debug)]
pub struct Patch<T>(Body<T>);

/// A body of a call that may be repeated: with an `Idempotency-Key`, a repeated call gets the first answer.
#[derive(Debug)]
pub struct Once<S> {
    pub(super) sent: S,
    pub(super) key: Option<Key>,
}

/// The identity of a call, from its idempotency key.
#[derive(Debug)]
pub(super) struct Key {
    /// As the client sent it.
    pub(super) key: String,
    /// SHA-256 of method, address and body.
    pub(super) asked: Vec<u8>,
}

/// A type that request bodies are parsed to.
pub trait RequestBody: Sized + Send + 'static {
    /// What the body is parsed to.
    type Input: Member + Send + 'static;

    /// Accepted media types, the usual one first.
    const MEDIA_TYPES: &'static [&'static str];

    /// Whether an empty body counts as an object without members.
    const MAY_BE_EMPTY: bool;

    #[doc(hidden)]
    fn new(read: Result<Self::Input, Vec<Fault>>) -> Self;

    /// The parsed body, or all its faults.
    fn into_checked(self) -> Result<Self::Input, Refusal>;

    /// The parsed body, if it has no fault.
    fn get(&self) -> Option<&Self::Input>;
}

impl<T: Member + Send + 'static> RequestBody for Body<T> {
    type Input = T;

    const MEDIA_TYPES: &'static [&'static str] = JSON;
    const MAY_BE_EMPTY: bool = T::MAY_BE_NOTHING;

    fn new(read: Result<T, Vec<Fault>>) -> Self {
        Self(read)
    }

    fn into_checked(self) -> Result<T, Refusal> {
        self.checked()
    }

    fn get(&self) -> Option<&T> {
        self.0.as_ref().ok()
    }
}

impl<T: Member + Send + 'static> RequestBody for Patch<T> {
    type Input = T;

    const MEDIA_TYPES: &'static [&'static str] = MERGE_PATCH;
    const MAY_BE_EMPTY: bool = false;

    fn new(read: Result<T, Vec<Fault>>) -> Self {
        Self(Body(read))
    }

    fn into_checked(self) -> Result<T, Refusal> {
        self.checked()
    }

    fn get(&self) -> Option<&T> {
        self.0.get()
    }
}

/// No body: the address alone identifies the call. A body is ignored.
impl RequestBody for () {
    type Input = ();

    const MEDIA_TYPES: &'static [&'static str] = &[];
    const MAY_BE_EMPTY: bool = true;

    fn new(_: Result<(), Vec<Fault>>) -> Self {}

    fn into_checked(self) -> Result<(), Refusal> {
        Ok(())
    }

    fn get(&self) -> Option<&()> {
        Some(self)
    }
}

impl<T> Body<T> {
    /// The parsed body, or all its faults.
    pub fn checked(self) -> Result<T, Refusal> {
        self.0.map_err(Refusal::Invalid)
    }
}

impl<T> Patch<T> {
    /// The parsed body, or all its faults.
    pub fn checked(self) -> Result<T, Refusal> {
        self.0.checked()
    }
}

impl<S> Once<S> {
    /// The body, for a call whose answer is not stored.
    pub fn into_sent(self) -> S {
        self.sent
    }
}

impl<S: RequestBody> Once<S> {
    /// The parsed body, if it has no fault.
    pub fn get(&self) -> Option<&S::Input> {
        self.sent.get()
    }
}

impl<T: Member + Send + 'static> Part for Body<T> {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        Ok(read::<Self>(intake, None).await?.0)
    }

    fn describe(operation: &mut Described<'_>) {
        describe::<Self>(operation);
    }
}

impl<T: Member + Send + 'static> Part for Patch<T> {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        Ok(read::<Self>(intake, None).await?.0)
    }

    fn describe(operation: &mut Described<'_>) {
        describe::<Self>(operation);
    }
}

impl<S: RequestBody> Part for Once<S> {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        let key = idempotency_key(&intake.request)?.map(ToOwned::to_owned);
        let (method, address) = (intake.request.method(), intake.request.uri());
        let call = key
            .is_some()
            .then(|| (method.to_string(), address.to_string()));
        let (sent, asked) = read::<S>(intake, call).await?;
        let key = key.zip(asked).map(|(key, asked)| Key { key, asked });
        Ok(Self { sent, key })
    }

    fn describe(operation: &mut Described<'_>) {
        operation.header(
            "Idempotency-Key",
            "Repeats with the same key get the first answer, for a day",
            &json!({ "type": "string", "minLength": 1, "maxLength": 255 }),
            false,
        );
        describe::<S>(operation);
        operation.may_refuse(409, "Conflicting");
    }
}

/// Reads a body, and the digest of the `call` that it belongs to.
async fn read<S: RequestBody>(
    intake: &mut Intake,
    call: Option<(String, String)>,
) -> Result<(S, Option<Vec<u8>>), Problem> {
    if S::MEDIA_TYPES.is_empty() {
        let asked = call.map(|call| digest(&call, &Value::Null));
        return Ok((S::new(Err(Vec::new())), asked));
    }
    let payload = intake.payload()?;
    let limits = intake.body_limits()?;
    let bytes = body::read(&intake.request, payload, limits, S::MEDIA_TYPES).await?;
    body::on_the_side(&intake.request, bytes, move |bytes| {
        let members = if bytes.is_empty() && S::MAY_BE_EMPTY {
            Map::new()
        } else {
            body::object(bytes)?
        };
        let members = Value::Object(members);
        let asked = call.map(|call| digest(&call, &members));
        Ok((S::new(S::Input::read(members)), asked))
    })
    .await
}

fn digest((method, address): &(String, String), sent: &Value) -> Vec<u8> {
    let call = serde_json::to_vec(&(method, address, sent));
    sha256(&call.unwrap_or_default()).to_vec()
}

fn describe<S: RequestBody>(operation: &mut Described<'_>) {
    if S::MEDIA_TYPES.is_empty() {
        // The `Idempotency-Key` can still be wrong.
        operation.may_refuse(422, "AdminInvalid");
        return;
    }
    let schema = S::Input::schema(operation.schemas);
    let optional = S::MAY_BE_EMPTY && S::Input::read(Value::Object(Map::new())).is_ok();
    operation.body(S::MEDIA_TYPES, &schema, !optional);
}

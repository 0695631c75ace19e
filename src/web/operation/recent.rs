//! Calls that are dangerous: whoever makes them must have shown of late who they are.

use chrono::{DateTime, Utc};

use super::call::Call;
use super::describe::Described;
use super::part::{Intake, Part};
use crate::tenants::admin::{RECENTLY, is_recent};
use crate::web::Problem;
use crate::web::people::{Arriving, Operator, Person};

/// A caller who has shown within the last ten minutes who they are, with a password or a second factor. Keys of machines always have.
#[derive(Debug)]
pub struct Recent<C>(pub C);

/// A caller of whom is known when they last showed who they are.
pub trait Shown {
    /// When; none for machines.
    fn proven_at(&self) -> Option<DateTime<Utc>>;
}

impl<P> Shown for Call<P> {
    fn proven_at(&self) -> Option<DateTime<Utc>> {
        self.admin().proven_at
    }
}

impl Shown for Person {
    fn proven_at(&self) -> Option<DateTime<Utc>> {
        Some(self.proven_at)
    }
}

impl Shown for Arriving {
    fn proven_at(&self) -> Option<DateTime<Utc>> {
        Some(self.proven_at)
    }
}

impl Shown for Operator {
    fn proven_at(&self) -> Option<DateTime<Utc>> {
        Some(self.session().proven_at)
    }
}

/// A caller of whom not every request of the operation wants that.
#[derive(Debug)]
pub struct Provable<C> {
    caller: C,
    now: DateTime<Utc>,
}

impl<C: Shown> Provable<C> {
    /// The caller, if they have shown within the last ten minutes who they are.
    pub fn recent(self) -> Result<C, Problem> {
        demand_recent(self.caller.proven_at(), self.now)?;
        Ok(self.caller)
    }

    /// The caller, for a request that changes nothing.
    pub fn any(self) -> C {
        self.caller
    }
}

/// Refuses a caller who last showed who they are too long ago.
fn demand_recent(proven_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<(), Problem> {
    if is_recent(proven_at, now) {
        Ok(())
    } else {
        Err(Problem::not_recent())
    }
}

impl<C: Part + Shown> Part for Recent<C> {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        Provable::take(intake).await?.recent().map(Self)
    }

    fn describe(operation: &mut Described<'_>) {
        Provable::<C>::describe(operation);
    }
}

impl<C: Part + Shown> Part for Provable<C> {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        let caller = C::take(intake).await?;
        let now = intake.gateway()?.clock.now();
        Ok(Self { caller, now })
    }

    fn describe(operation: &mut Described<'_>) {
        C::describe(operation);
        operation.wants_recent(RECENTLY.num_seconds());
    }
}

//! Who gets the next place: conversations that an Anam key has at the same time are few, and tenants share them.
//!
//! A tenant may be guaranteed some of a key's places. What is not guaranteed goes round the tenants: next is who has the fewest beyond its
//! guarantee, and among equals who was served least lately. Within a tenant, it goes round the users.

use chrono::{DateTime, Utc};

use super::ids::TenantId;

/// The largest number of places of a key, of a tenant or of a user.
pub const MAX_PLACES: u32 = 10_000;

/// Whose an Anam key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyOwner {
    /// The platform's, which tenants without one of their own share.
    Platform,
    Tenant(TenantId),
}

/// The places of one key, and those who share them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Places of the key; `None` where they are not counted.
    pub capacity: Option<u32>,
    /// Taken by conversations that the gateway does not know of.
    pub elsewhere: u32,
    /// Every tenant that has places, waits, or is guaranteed some.
    pub shares: Vec<Share>,
}

/// What one tenant has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    pub tenant: TenantId,
    /// Kept for it while it does not need them.
    pub guaranteed: u32,
    /// The most that it may have; `None` is all.
    pub most: Option<u32>,
    /// What it has.
    pub taken: u32,
    /// Its users who wait, without the one who asks.
    pub waiting: u32,
    /// When one of its users last got a place.
    pub served_at: Option<DateTime<Utc>>,
}

/// What an operator says that a tenant has of the platform's key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SetShare {
    /// Kept for it while it does not need them.
    pub guaranteed: u32,
    /// The most that it may have; `None` is all.
    pub most: Option<u32>,
}

/// Somebody who asks for a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking {
    pub tenant: TenantId,
    /// Users of the same tenant who wait and come first.
    pub before: u32,
    /// Places that the user has.
    pub own: u32,
    /// The most that a user may have.
    pub own_most: Option<u32>,
}

/// There is no place for somebody now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Who must end a conversation first.
    pub whose: Whose,
    /// 1 is who gets the next place.
    pub position: u32,
}

/// Whose places are all taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// What a user may have.
    User,
    /// What a tenant may have.
    Tenant,
    /// Those of the key.
    Key,
}

impl Share {
    /// One that has nothing.
    pub fn new(tenant: TenantId) -> Self {
        Self {
            tenant,
            guaranteed: 0,
            most: None,
            taken: 0,
            waiting: 0,
            served_at: None,
        }
    }

    /// Users who wait for what is guaranteed to their tenant.
    fn waiting_for_guaranteed(&self) -> u32 {
        self.unused().min(self.waiting)
    }

    /// Guaranteed places that it does not have.
    fn unused(&self) -> u32 {
        self.guaranteed.saturating_sub(self.taken)
    }

    /// Who is first among equals.
    fn turn(&self) -> (Option<DateTime<Utc>>, TenantId) {
        (self.served_at, self.tenant)
    }

    /// How many of its waiting users come before somebody of another tenant whose tenant would have `place` places, in the line for
    /// guaranteed places (`is_guaranteed`) or in that for the others.
    fn earlier_than(&self, other: &Self, place: u32, is_guaranteed: bool) -> u32 {
        let begins = if is_guaranteed {
            self.taken
        } else {
            self.taken.max(self.guaranteed)
        };
        let mut ends = self.taken.saturating_add(self.waiting);
        if is_guaranteed {
            ends = ends.min(self.guaranteed);
        }
        if let Some(most) = self.most {
            ends = ends.min(most);
        }
        // How far the other's turn is, counted in places of this tenant.
        let level = if is_guaranteed {
            place
        } else {
            (place - other.guaranteed).saturating_add(self.guaranteed)
        };
        let level = if self.turn() < other.turn() {
            level
        } else {
            level.saturating_sub(1)
        };
        ends.min(level).saturating_sub(begins)
    }
}

impl Line {
    /// Whether somebody gets a place now. Nobody does while others come first who could have it.
    pub fn judge(&self, asking: Asking) -> Result<(), Wait> {
        if asking.own_most.is_some_and(|most| asking.own >= most) {
            return Err(Wait {
                whose: Whose::User,
                position: 1,
            });
        }
        let new = Share::new(asking.tenant);
        let share = self.share(asking.tenant).unwrap_or(&new);
        // How many places the tenant has once this user is served.
        let place = share.taken.saturating_add(asking.before).saturating_add(1);
        if let Some(most) = share.most
            && place > most
        {
            return Err(Wait {
                whose: Whose::Tenant,
                position: place - most.max(share.taken),
            });
        }
        let Some(free) = self.free() else {
            return Ok(());
        };
        let others = || self.shares.iter().filter(|of| of.tenant != asking.tenant);
        let is_guaranteed = place <= share.guaranteed;
        let earlier: u32 = others()
            .map(|other| other.earlier_than(share, place, is_guaranteed))
            .sum();
        if is_guaranteed {
            let position = earlier + asking.before + 1;
            return at(position, free, 0);
        }
        let kept: u32 = self.shares.iter().map(Share::unused).sum();
        let first: u32 = self.shares.iter().map(Share::waiting_for_guaranteed).sum();
        let position = earlier + place - share.guaranteed.max(share.taken);
        at(position, free.saturating_sub(kept), first)
    }

    fn share(&self, tenant: TenantId) -> Option<&Share> {
        self.shares.iter().find(|share| share.tenant == tenant)
    }

    /// Places that nobody has; `None` where they are not counted.
    fn free(&self) -> Option<u32> {
        let taken: u32 = self.shares.iter().map(|share| share.taken).sum();
        Some(
            self.capacity?
                .saturating_sub(taken.saturating_add(self.elsewhere)),
        )
    }
}

/// Whether a position in a line gets one of the free places; `first` are served before the line.
fn at(position: u32, free: u32, first: u32) -> Result<(), Wait> {
    if position <= free {
        return Ok(());
    }
    Err(Wait {
        whose: Whose::Key,
        position: first + position,
    })
}

#[cfg(test)]
mod tests;

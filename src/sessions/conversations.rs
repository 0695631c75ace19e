//! Finds out which tokens became conversations, and which conversations have ended, so that their places are free again.
//!
//! Anam reports nothing by itself, so it is asked every few seconds about places that are taken, and how many conversations a key's account
//! has that the gateway knows nothing of.

use std::pin::pin;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};

use crate::anam::{AnamSession, ApiKey, Concurrency};
use crate::domain::places::KeyOwner;
use crate::gateway::Gateway;
use crate::places::BEGINS_WITHIN;
use crate::store::place_checks::DuePlace;
use crate::store::{Database, StoreError, log_not_done};

/// Questions to Anam at a time: a slow answer keeps few others waiting.
const AT_ONCE: usize = 8;
/// For so long nobody else looks at a place that one has taken.
const TAKEN: TimeDelta = TimeDelta::seconds(30);
/// The pause before Anam is asked again is a twentieth of the time since the token, within these.
const PAUSES: (TimeDelta, TimeDelta) = (TimeDelta::seconds(4), TimeDelta::seconds(15));
/// A key's account is asked about this often at most.
const LINES: TimeDelta = TimeDelta::seconds(4);

/// What Anam says of a place.
#[derive(Debug, Clone, Copy, PartialEq)]
enum ConversationState {
    /// No conversation yet.
    NotBegun,
    /// It goes on since then.
    Running(DateTime<Utc>),
    /// It lasted so many seconds.
    Ended(f64),
    /// Anam does not say.
    Nothing,
}

/// One round: looks at some of the places that are due, then at their keys.
pub async fn round(gateway: &Arc<Gateway>, database: &Database) {
    let looked = async {
        look_at_places(gateway, database).await?;
        look_at_keys(gateway, database).await?;
        report(gateway, database).await
    };
    if let Err(error) = looked.await {
        log_not_done(&error, "the places of Anam's keys were not looked at");
    }
}

async fn look_at_places(gateway: &Gateway, database: &Database) -> Result<(), StoreError> {
    let now = gateway.clock.now();
    let mut tx = database.platform().await?;
    let due = tx.take_due_places(now, now + TAKEN).await?;
    tx.commit().await?;
    let asking = stream::iter(due).map(|place| async move {
        let known = ask(gateway, &place).await;
        (place, known)
    });
    let mut asking = pin!(asking.buffer_unordered(AT_ONCE));
    while let Some((place, known)) = asking.next().await {
        settle(database, &place, known, gateway.clock.now()).await?;
    }
    Ok(())
}

/// What Anam says of the session that a place was taken for.
async fn ask(gateway: &Gateway, place: &DuePlace) -> ConversationState {
    let Some(key) = key_of(gateway, place.key).await else {
        return ConversationState::Nothing;
    };
    if gateway.anam.pause(place.tenant, &key).is_some() {
        return ConversationState::Nothing;
    }
    let listed = gateway.anam.sessions_of(&key, place.session).await;
    listed.map_or(ConversationState::Nothing, |listed| {
        judge(&listed, place.at)
    })
}

fn judge(listed: &[AnamSession], at: DateTime<Utc>) -> ConversationState {
    if listed.is_empty() {
        return ConversationState::NotBegun;
    }
    let lengths: Option<Vec<u64>> = listed.iter().map(AnamSession::length_ms).collect();
    if let Some(lengths) = lengths {
        let milliseconds = u32::try_from(lengths.iter().sum::<u64>()).unwrap_or(u32::MAX);
        return ConversationState::Ended(f64::from(milliseconds) / 1_000.0);
    }
    let running = listed.iter().filter(|session| session.end_time.is_none());
    let last = running.filter_map(|session| session.start_time).max();
    ConversationState::Running(last.unwrap_or(at))
}

async fn settle(
    database: &Database,
    place: &DuePlace,
    known: ConversationState,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let begins_by = place.at + BEGINS_WITHIN;
    let longest = TimeDelta::seconds(place.seconds.into());
    let again = now + ((now - place.at) / 20).clamp(PAUSES.0, PAUSES.1);
    let mut tx = database.platform().await?;
    match known {
        ConversationState::Ended(seconds) => tx.free_place(place, Some(seconds)).await?,
        ConversationState::NotBegun if now >= begins_by => tx.free_place(place, None).await?,
        ConversationState::NotBegun => {
            let until = begins_by + PAUSES.1;
            tx.keep_place(place, false, until, again).await?;
        }
        ConversationState::Running(since) => {
            let until = since + longest + BEGINS_WITHIN;
            tx.keep_place(place, true, until, again).await?;
        }
        // It may have begun at the last moment, and last as long as it may.
        ConversationState::Nothing => {
            let until = begins_by + longest + BEGINS_WITHIN;
            tx.keep_place(place, place.begun, until, now + PAUSES.1)
                .await?;
        }
    }
    tx.commit().await
}

async fn look_at_keys(gateway: &Gateway, database: &Database) -> Result<(), StoreError> {
    let now = gateway.clock.now();
    let mut tx = database.platform().await?;
    let due = tx.take_due_lines(now, now - LINES).await?;
    tx.commit().await?;
    let asking = stream::iter(due).map(|(owner, begun)| async move {
        let told = match key_of(gateway, owner).await {
            Some(key) => gateway.anam.concurrency(&key).await.ok(),
            None => None,
        };
        (owner, begun, told)
    });
    let mut asking = pin!(asking.buffer_unordered(AT_ONCE));
    while let Some((owner, begun, told)) = asking.next().await {
        let Concurrency { limit, active } = told.unwrap_or(Concurrency {
            limit: None,
            active: None,
        });
        let elsewhere = active.map(|active| active.saturating_sub(begun));
        let mut tx = database.platform().await?;
        tx.note_line(owner, limit, elsewhere).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Counts the platform's places for the metrics.
async fn report(gateway: &Gateway, database: &Database) -> Result<(), StoreError> {
    let Some(all) = gateway.places.of_platform() else {
        return Ok(());
    };
    let mut tx = database.platform().await?;
    let now = tx
        .places_now(KeyOwner::Platform, gateway.clock.now())
        .await?;
    tx.commit().await?;
    gateway
        .metrics
        .platform_places(all.get(), now.taken, now.waiting);
    Ok(())
}

/// A key; `None` where the tenant has none of its own by now.
async fn key_of(gateway: &Gateway, owner: KeyOwner) -> Option<ApiKey> {
    match owner {
        KeyOwner::Platform => gateway.sources.platform_key(),
        KeyOwner::Tenant(tenant) => {
            let live = gateway.sources.tenant(tenant).await.ok()?;
            let key = live.anam_key().ok().cloned();
            key.filter(|_| live.has_own_key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(start: i64, end: Option<i64>) -> AnamSession {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        AnamSession {
            id: uuid::Uuid::nil(),
            start_time: Some(at(start)),
            end_time: end.map(at),
            exit_status: None,
            session_length_ms: None,
        }
    }

    #[test]
    fn a_place_is_taken_while_anything_goes_on_that_its_token_began() {
        let at = DateTime::UNIX_EPOCH;
        let running = ConversationState::Running(at + TimeDelta::seconds(30));
        for (listed, expected) in [
            (vec![], ConversationState::NotBegun),
            (vec![session(10, Some(20))], ConversationState::Ended(10.0)),
            (vec![session(10, Some(20)), session(30, None)], running),
            (
                vec![session(10, Some(20)), session(30, Some(35))],
                ConversationState::Ended(15.0),
            ),
        ] {
            assert_eq!(judge(&listed, at), expected, "{listed:?}");
        }
    }
}

//! Finds out how long sessions were that were counted with their longest length, and gives back what they did not use.
//!
//! Anam reports nothing by itself, so it is asked: after a minute, then less and less often, for a bounded number of sessions of each tenant.

use std::pin::pin;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};

use crate::anam::AnamSession;
use crate::gateway::Gateway;
use crate::store::quota_holds::Hold;
use crate::store::{Database, StoreError, log_not_done};

/// Sessions that Anam is asked about at a time: a slow answer keeps few others waiting.
const AT_ONCE: usize = 8;
/// For so long nobody else looks at a session that one has taken.
const TAKEN: TimeDelta = TimeDelta::minutes(2);
/// The pause before Anam is asked again is half of the time since the session began, within these.
const PAUSES: (TimeDelta, TimeDelta) = (TimeDelta::seconds(30), TimeDelta::minutes(10));
/// So long after its token's end a session that Anam does not list was never started.
const MARGIN: TimeDelta = TimeDelta::minutes(1);
/// Where nobody knows when the token ended.
const TOKEN_LIFE: TimeDelta = TimeDelta::hours(1);
/// So long after the longest end that a session can have, what was counted stays.
const GIVE_UP: TimeDelta = TimeDelta::hours(24);

/// One round: looks at some of the sessions that are due. False where nothing was.
pub async fn round(gateway: &Arc<Gateway>, database: &Database) -> bool {
    let now = gateway.clock.now();
    let taken = async {
        let mut tx = database.platform().await?;
        let due = tx.take_due_holds(now, now + TAKEN).await?;
        tx.commit().await?;
        Ok::<_, StoreError>(due)
    };
    let due = match taken.await {
        Ok(due) => due,
        Err(error) => {
            log_not_done(&error, "sessions with open quotas were not looked at");
            return false;
        }
    };
    let found = !due.is_empty();
    let asking = stream::iter(due).map(|hold| async move {
        let known = length(gateway, &hold).await;
        (hold, known)
    });
    let mut asking = pin!(asking.buffer_unordered(AT_ONCE));
    while let Some((hold, known)) = asking.next().await {
        if let Err(error) = settle(database, &hold, known, gateway.clock.now()).await {
            log_not_done(&error, "what a session did not use was not given back yet");
        }
    }
    found
}

/// How long a session was, seconds; `None` while nobody knows.
async fn length(gateway: &Gateway, hold: &Hold) -> Option<u32> {
    let now = gateway.clock.now();
    let begun_by = hold.expires_at.unwrap_or(hold.at + TOKEN_LIFE) + MARGIN;
    let live = gateway.sources.tenant(hold.tenant).await.ok()?;
    let key = live.anam_key().ok()?;
    if gateway.anam.pause(hold.tenant, key).is_some() {
        return None;
    }
    let listed = gateway.anam.sessions_of(key, hold.session).await.ok()?;
    judge(&listed, now > begun_by)
}

/// What Anam's list says of it. `is_over`: none can be started any more.
fn judge(listed: &[AnamSession], is_over: bool) -> Option<u32> {
    if listed.is_empty() {
        return is_over.then_some(0);
    }
    let lengths: Option<Vec<u64>> = listed.iter().map(AnamSession::length_ms).collect();
    let seconds = lengths?.iter().sum::<u64>().div_ceil(1_000);
    Some(u32::try_from(seconds).unwrap_or(u32::MAX))
}

async fn settle(
    database: &Database,
    hold: &Hold,
    known: Option<u32>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let longest = hold.at + TOKEN_LIFE + TimeDelta::seconds(hold.seconds.into());
    let mut tx = database.platform().await?;
    match known {
        Some(seconds) => {
            tx.release_hold(hold, hold.seconds.saturating_sub(seconds))
                .await?;
        }
        None if now > longest + GIVE_UP => tx.release_hold(hold, 0).await?,
        None => {
            let pause = ((now - hold.at) / 2).clamp(PAUSES.0, PAUSES.1);
            tx.put_off(hold, now + pause).await?;
        }
    }
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(end: Option<i64>, length_ms: Option<i64>) -> AnamSession {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        AnamSession {
            id: uuid::Uuid::nil(),
            start_time: Some(at(10)),
            end_time: end.map(at),
            exit_status: None,
            session_length_ms: length_ms,
        }
    }

    #[test]
    fn a_length_is_known_when_all_that_the_token_started_is_over() {
        for (listed, is_over, expected) in [
            (vec![], false, None),
            (vec![], true, Some(0)),
            (vec![session(None, None)], true, None),
            (vec![session(Some(20), Some(9_001))], false, Some(10)),
            (vec![session(Some(20), None)], false, Some(10)),
            (
                vec![session(Some(20), Some(1_000)), session(None, None)],
                true,
                None,
            ),
            (
                vec![
                    session(Some(20), Some(1_000)),
                    session(Some(30), Some(2_000)),
                ],
                true,
                Some(3),
            ),
            (vec![session(Some(5), None)], false, Some(0)),
        ] {
            assert_eq!(judge(&listed, is_over), expected, "{listed:?} {is_over}");
        }
    }
}

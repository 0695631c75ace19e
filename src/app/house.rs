//! What is done now and then, beside answering: each kind on a task of its own.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::MissedTickBehavior;

use crate::gateway::Gateway;
use crate::lifecycle::Lifecycle;
use crate::sessions::sweep::Sweeper;
use crate::sessions::{conversations, time_used};
use crate::store::{Database, log_not_done};
use crate::telemetry::metrics::Task;
use crate::tenants::audit::checkpoint::checkpoint_all;
use crate::tenants::catalogue;
use crate::tenants::master_keys::{MasterKeyRefusal, to_reseal};

/// How often the ledger is swept and idle counters are forgotten.
const HOUSEKEEPING: Duration = Duration::from_mins(1);

/// How often is looked for sessions whose time is to be found out.
const QUOTAS: Duration = Duration::from_secs(5);

/// How often is looked whether conversations began or ended.
const PLACES: Duration = Duration::from_secs(2);

/// How long a tenant without requests stays in memory.
const IDLE_TENANT: Duration = Duration::from_mins(30);

/// How often audit trails that are due for a checkpoint are looked for.
const CHECKPOINTS: Duration = Duration::from_mins(15);

/// Begins what is done now and then.
pub(super) fn keep(
    lifecycle: &Lifecycle,
    gateway: &Arc<Gateway>,
    own: &Database,
    unknown_after: Duration,
) {
    lifecycle.spawn("housekeeping", {
        let (gateway, own) = (gateway.clone(), own.clone());
        move || housekeeping(gateway.clone(), own.clone(), unknown_after)
    });
    lifecycle.spawn("checkpoints", {
        let (gateway, own) = (gateway.clone(), own.clone());
        move || checkpoints(gateway.clone(), own.clone())
    });
    lifecycle.spawn("quotas", {
        let (gateway, own) = (gateway.clone(), own.clone());
        move || quotas(gateway.clone(), own.clone())
    });
    lifecycle.spawn("places", {
        let (gateway, own) = (gateway.clone(), own.clone());
        move || places(gateway.clone(), own.clone())
    });
    lifecycle.spawn("catalogues", {
        let gateway = gateway.clone();
        move || catalogues(gateway.clone())
    });
}

async fn housekeeping(gateway: Arc<Gateway>, database: Database, unknown_after: Duration) {
    let unknown_after = TimeDelta::from_std(unknown_after).unwrap_or(TimeDelta::MAX);
    let mut sweeper = Sweeper::new(
        database.clone(),
        gateway.clock.clone(),
        gateway.metrics.clone(),
        unknown_after,
    );
    let mut ticks = tokio::time::interval(HOUSEKEEPING);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut older = Vec::new();
    loop {
        ticks.tick().await;
        gateway.limits.forget_idle();
        gateway.repeats.forget_idle();
        if let Some(mail) = &gateway.mail {
            mail.forget_idle();
        }
        gateway.anam.forget_idle();
        gateway.auth.forget_introspected();
        gateway.sources.forget_idle(IDLE_TENANT);
        report_older_keys(&gateway, &database, &mut older).await;
        sweeper.round().await;
    }
}

/// Logs once that older master keys are still needed, and counts them. `logged` are the keys of the last warning.
async fn report_older_keys(gateway: &Gateway, database: &Database, logged: &mut Vec<u16>) {
    match to_reseal(database, &gateway.keys).await {
        Ok(older) => {
            gateway.metrics.master_keys_to_reseal(older.len());
            if !older.is_empty() && older != *logged {
                tracing::warn!(
                    keys = ?older,
                    "secrets may still be sealed with older master keys: run `persona-gateway master-key reseal` before you remove those keys"
                );
            }
            *logged = older;
        }
        Err(MasterKeyRefusal::Store(error)) => {
            log_not_done(&error, "the master keys in use were not counted");
        }
        Err(error) => tracing::error!(%error, "the master keys in use were not counted"),
    }
}

async fn checkpoints(gateway: Arc<Gateway>, database: Database) {
    let (keys, clock) = (&gateway.keys, &gateway.clock);
    let mut ticks = tokio::time::interval(CHECKPOINTS);
    loop {
        ticks.tick().await;
        match checkpoint_all(&database, keys, clock).await {
            Ok(_) => gateway.metrics.succeeded(Task::Checkpoints, clock.now()),
            Err(error) => log_not_done(&error, "no audit checkpoints were made"),
        }
    }
}

async fn quotas(gateway: Arc<Gateway>, database: Database) {
    loop {
        if !time_used::round(&gateway, &database).await {
            tokio::time::sleep(QUOTAS).await;
        }
    }
}

async fn places(gateway: Arc<Gateway>, database: Database) {
    loop {
        conversations::round(&gateway, &database).await;
        tokio::time::sleep(PLACES).await;
    }
}

/// Syncs the catalogues of tenants whose policy asks for it, on a task of its own, since Anam may be slow.
async fn catalogues(gateway: Arc<Gateway>) {
    // Spreads the requests of instances that started together.
    let jitter = gateway.clock.now().timestamp_subsec_millis();
    tokio::time::sleep(HOUSEKEEPING * jitter / 1_000).await;
    let mut ticks = tokio::time::interval(HOUSEKEEPING);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match catalogue::sync::round(&gateway).await {
            Ok(()) => {
                let now = gateway.clock.now();
                gateway.metrics.succeeded(Task::Catalogues, now);
            }
            Err(error) => log_not_done(&error, "no catalogue was synchronised"),
        }
    }
}

//! The audit trail: exported, verified far from the database, and what tampering looks like.

mod api;
mod command;
mod platform;
mod tamper;
mod together;

use persona_gateway::domain::ids::TenantId;
use persona_gateway::store::audit::AuditEvent;
use persona_gateway::tenants::audit::chain::{Flaw, Verified};
use persona_gateway::tenants::audit::checkpoint::checkpoint;
use persona_gateway::tenants::audit::export::{Export, verify_stored};
use serde_json::json;
use uuid::Uuid;

use crate::harness::tenants::Bench;

/// A tenant with a trail of nine rows, marked at the sixth.
struct Trail {
    bench: Bench,
    tenant: TenantId,
}

impl Trail {
    async fn new() -> Self {
        let bench = Bench::new().await;
        bench.apply("tenant: acme").await.unwrap();
        let tenant = TenantId(Uuid::parse_str(&bench.tenant("acme").await).unwrap());
        let trail = Self { bench, tenant };
        for number in 2..=6 {
            trail.tell(number).await;
        }
        trail.mark().await;
        for number in 7..=9 {
            trail.tell(number).await;
        }
        trail
    }

    /// Adds a row.
    async fn tell(&self, number: usize) {
        let clock = &self.bench.clock;
        let mut tx = self.bench.store.tenant(self.tenant).await.unwrap();
        tx.audit(&AuditEvent {
            id: clock.new_id(),
            at: clock.now(),
            actor: "person:ada@example.com",
            action: "snippet.release",
            target: &format!("snippet/s{number}"),
            before_hash: number.is_multiple_of(2).then_some(b"before"),
            after_hash: Some(b"after"),
            request_id: Some("a \"quoted\" id, [1, 2]"),
            details: json!({ "zoë": ["\u{7f}", 1.50, null], "note": number }),
        })
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    /// Marks the last row.
    async fn mark(&self) {
        let mut tx = self.bench.store.tenant(self.tenant).await.unwrap();
        checkpoint(&mut tx, &self.bench.keys, &self.bench.clock)
            .await
            .unwrap()
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// What `audit verify --tenant` would find.
    async fn verify(&self) -> Result<Verified, Flaw> {
        let keys = self.bench.keys.verifying_keys().unwrap();
        verify_stored(&self.bench.store, self.tenant, keys)
            .await
            .unwrap()
    }

    async fn export(&self) -> String {
        let now = self.bench.clock.now();
        let mut export = Export::new(self.bench.store.clone(), self.tenant, now);
        let mut text = String::new();
        while let Some(piece) = export.next().await.unwrap() {
            text += &piece;
        }
        text
    }

    /// The public key that verifies its checkpoints.
    fn public_key(&self) -> String {
        self.bench.keys.verifying_keys().unwrap()[0].to_hex()
    }
}

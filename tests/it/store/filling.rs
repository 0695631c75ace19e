//! One row in every tenant table, for two tenants that use the same keys everywhere.

use sqlx::PgConnection;

use crate::harness::sql;

pub(super) const ALPHA: &str = "aaaaaaaa-0000-7000-8000-000000000000";
pub(super) const BETA: &str = "bbbbbbbb-0000-7000-8000-000000000000";

/// Id of one of a tenant's rows: 01 its issuer, 02 its document, 03 the document's version, 04 a session, 05 an admin.
pub(super) fn id_of(tenant: &str, kind: &str) -> String {
    format!("{}{kind}", tenant.strip_suffix("00").unwrap())
}

/// Rows of one tenant. Whatever has a key has the same one for every tenant.
fn rows_of(tenant: &str) -> String {
    let letter = tenant.chars().next().unwrap();
    let id = |kind: &str| id_of(tenant, kind);
    let (issuer, persona, version, session, admin) =
        (id("01"), id("02"), id("03"), id("04"), id("05"));
    format!(
        r#"
        insert into tenant (id, slug, name) values ('{tenant}', '{letter}', 'Tenant {letter}');
        insert into issuer (tenant_id, id, config) values ('{tenant}', '{issuer}',
            '{{"issuer": "https://issuer.example", "audiences": ["{letter}"]}}');
        insert into provider_key (tenant_id, label, sealed, last_four) values ('{tenant}', 'own', '\x00', '1234');
        insert into secret (tenant_id, name, sealed, last_four, set_at, set_by) values ('{tenant}', 'same', '\x00', '', now(), 'test');
        insert into admin (id, email, name) values ('{admin}', '{letter}@example.com', 'Admin');
        insert into membership (tenant_id, admin_id, role) values ('{tenant}', '{admin}', 'owner');
        insert into api_key (tenant_id, name, role, prefix, hash)
            values ('{tenant}', 'key', 'owner', 'pgk_', sha256('{letter}'));
        insert into invitation (tenant_id, email, role, hash, invited_by, expires_at)
            values ('{tenant}', 'new@example.com', 'editor', sha256('i{letter}'), 'test', now());
        insert into sso_provider (tenant_id, issuer, client_id, allowed_domains)
            values ('{tenant}', 'https://login.example', 'gateway', '{{example.com}}');
        insert into sso_attempt (tenant_id, state_hash, browser_hash, nonce, pkce_verifier, provider, revision, redirect_uri, expires_at)
            values ('{tenant}', sha256('s'), sha256('b'), 'n', '\x00', '{admin}', 1, 'https://g.example', now());
        insert into document (tenant_id, id, kind, key) values ('{tenant}', '{persona}', 'persona', 'guide');
        insert into document_version (tenant_id, document_id, id, content)
            values ('{tenant}', '{persona}', '{version}', '{{"name": "{letter}"}}');
        insert into release (tenant_id, document_id, version_id) values ('{tenant}', '{persona}', '{version}');
        insert into draft (tenant_id, document_id, content, author, created_at, updated_at)
            values ('{tenant}', '{persona}', '{{}}', 'test', now(), now());
        insert into review (tenant_id, document_id, version_id, reviewer, verdict, created_at)
            values ('{tenant}', '{persona}', '{version}', 'test', 'approve', now());
        insert into given_answer (tenant_id, actor, key, request_hash, created_at)
            values ('{tenant}', 'test', 'same', sha256('a'), now() - interval '2 days');
        insert into catalogue_entry (tenant_id, kind, id, name) values ('{tenant}', 'avatar', 'same', 'Same');
        insert into catalogue_sync (tenant_id, id, started_at, actor) values ('{tenant}', '{session}', now(), 'test');
        insert into preference (tenant_id, subject, choices) values ('{tenant}', 'same-user', '{{}}');
        insert into sample_user (tenant_id, key, content) values ('{tenant}', 'same', '{{}}');
        insert into session (tenant_id, id, at, issuer_id, subject, context_key, persona_key, persona_version, config_hash, trace)
            values ('{tenant}', '{session}', now(), '{issuer}', 'same-user', 'support', 'guide', 1, '\x00', '{{}}');
        insert into session_outcome (tenant_id, session_id, at, outcome)
            values ('{tenant}', '{session}', now(), 'issued');
        insert into session_inputs (tenant_id, session_id, at, keep_until, inputs)
            values ('{tenant}', '{session}', now(), now() - interval '1 day', '{{}}');
        insert into refusal (tenant_id, reason, fingerprint, count, first_at, last_at)
            values ('{tenant}', 'expired', '', 1, now(), now());
        insert into quota_use (tenant_id, subject, day, month) values ('{tenant}', 'same-user', now(), now() - interval '90 days');
        insert into quota_hold (tenant_id, session_id, at, subject, of_tenant, seconds, check_at)
            values ('{tenant}', '{session}', now(), 'same-user', true, 60, now());
        insert into place_share (tenant_id, guaranteed) values ('{tenant}', 1);
        insert into place (tenant_id, session_id, key, subject, at, seconds, until, check_at)
            values ('{tenant}', '{session}', '{tenant}', sha256('same-user'), now(), 60, now(), now());
        insert into place_wait (tenant_id, subject, key, since, until)
            values ('{tenant}', sha256('same-user'), '{tenant}', now(), now());
        insert into audit_event (tenant_id, at, actor, action, target)
            values ('{tenant}', now(), 'test', 'test', 'test');
        insert into audit_checkpoint (tenant_id, seq, hash, at, key_id, signature)
            values ('{tenant}', 1, sha256('x'), now(), '0123456789abcdef', sha256('x') || sha256('y'));
        "#
    )
}

/// Fills both tenants, as the owner.
pub(super) async fn fill(owner: &mut PgConnection) {
    for tenant in [ALPHA, BETA] {
        sql::run(owner, rows_of(tenant)).await.unwrap();
    }
}

/// Every table with a tenant, partitions left out, and the column that names the tenant.
pub(super) async fn tenant_tables(owner: &mut PgConnection) -> Vec<(String, &'static str)> {
    let tables = sql::texts(
        owner,
        "select c.relname::text from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
           and (c.relname = 'tenant' or exists (
               select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped))
         order by 1",
    )
    .await;
    tables
        .into_iter()
        .map(|table| {
            let column = if table == "tenant" { "id" } else { "tenant_id" };
            (table, column)
        })
        .collect()
}

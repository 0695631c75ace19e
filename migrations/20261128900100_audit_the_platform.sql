-- What operators do has a trail of its own: under the nil id, which no tenant has. So the same chain, the same checkpoints and the same
-- verification serve it; and a trail may outlive its tenant.

alter table audit_event drop constraint audit_event_tenant_id_fkey;

-- The platform's door sees and extends this one trail, and no tenant's.
create policy platform_trail on audit_event to gateway_platform
    using (tenant_id = '00000000-0000-0000-0000-000000000000') with check (tenant_id = '00000000-0000-0000-0000-000000000000');
grant select, insert on audit_event to gateway_platform;

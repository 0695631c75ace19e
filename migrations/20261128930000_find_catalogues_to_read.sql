-- Each minute the schedule asks whose catalogue is due: of the tenants that want theirs read, and not of all.
create index tenant_with_catalogue_sync on tenant (id)
    where status = 'active' and jsonb_typeof(policy -> 'catalogueSync') = 'object';

-- What all users of a tenant may use at most, as an operator says: the members of a quota in a policy. The smaller of the two holds.
alter table tenant add column quota jsonb not null default '{}' check (jsonb_typeof(quota) = 'object');

grant update (quota) on tenant to gateway_platform;

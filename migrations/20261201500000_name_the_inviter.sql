-- Whoever was given an invitation reads who invites them, before it is known whether they belong to any tenant.
grant select (invited_by) on invitation to gateway_platform;

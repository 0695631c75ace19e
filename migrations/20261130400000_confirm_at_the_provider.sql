-- A code may show again who somebody is, in the session that they have: if the provider has had them sign in there anew.
alter table sso_attempt add column code_is_fresh boolean not null default false;

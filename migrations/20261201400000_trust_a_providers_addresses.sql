-- A tenant may take its provider's word for addresses that the provider does not say to have verified.
alter table sso_provider add column trusts_addresses boolean not null default false;

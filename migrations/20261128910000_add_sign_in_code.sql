-- A person who came back from their tenant's provider may carry a code to the program that sent them (a command line): it opens one
-- session, once, for whoever knows the verifier of its challenge (PKCE, RFC 7636).
alter table sso_attempt
    add column email text collate "C",
    add column code_hash bytea check (octet_length(code_hash) = 32),
    add column code_challenge text collate "C" check (char_length(code_challenge) = 43),
    add column code_ends timestamptz,
    add constraint sso_attempt_code unique (tenant_id, code_hash),
    add constraint sso_attempt_code_whole
        check (code_hash is null or (email is not null and code_challenge is not null and code_ends is not null));

-- Once used, a code is forgotten; its way stays, so that it is not taken again.
grant update (code_hash) on sso_attempt to gateway_tenant;

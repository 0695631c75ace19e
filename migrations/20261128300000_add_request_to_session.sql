-- Which request asked for a session: the X-Request-Id of its answer, which is what somebody who was refused can tell. Empty in
-- rows of the release before this one.
--
-- On a ledger with many millions of rows, build the index `concurrently` on each partition first, under the names that
-- Postgres gives them.

alter table session add column request_id uuid;

create index session_by_request on session (tenant_id, request_id);

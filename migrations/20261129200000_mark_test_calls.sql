-- A session that somebody who administers asked for, to hear a persona as a user would: no user's. `test` says who asked (`by`) and with
-- which drafts, versions or contents in place of what was live (`use`), so that it can be explained; null is a user's own session. The previous release writes none.
--
-- On a ledger with many millions of rows, build the index `concurrently` on each partition first, under the names that
-- Postgres gives them.

-- `json`, since members of a content keep their order, which is that of what Anam was sent.
alter table session add column test json;

-- Few among many, and looked for.
create index session_by_test on session (tenant_id, at desc, id desc) where test is not null;

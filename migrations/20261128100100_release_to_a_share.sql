-- A version may be released to a share of the users, beside the one that is live.

-- Empty: to everybody. A release to everybody ends a rollout; one to another share takes its place. Instances of earlier releases of
-- the gateway don't know the column and would give such a version to everybody: begin no rollout while one of them still runs.
alter table release
    add column percent smallint check (percent between 1 and 99),
    add check (percent is null or way = 'release');

create or replace view release_history with (security_invoker = true) as
    select r.tenant_id, r.id, r.document_id, r.version_id, r.live_from, r.seq, r.actor, r.note, r.created_at, r.way, r.cancels,
           (select c.id from release c
            where c.tenant_id = r.tenant_id and c.document_id = r.document_id and c.way = 'cancel' and r.way <> 'cancel'
              and case when c.cancels is null then c.live_from = r.live_from and c.seq > r.seq else c.cancels = r.id end
            order by c.seq limit 1) as cancelled_by,
           r.percent
    from release r;

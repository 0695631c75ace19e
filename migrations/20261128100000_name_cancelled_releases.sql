-- A cancellation names the release that it calls off, and one view says which releases count.

-- Empty in cancellations of earlier releases of the gateway, which repeated what was live before at the moment of the release
-- that they called off. They are read as what they meant: they call off every release of their document for the same moment that
-- was made before them. What version a cancellation itself names no longer matters; those releases still need it.
alter table release
    add column cancels uuid,
    add foreign key (tenant_id, cancels) references release (tenant_id, id),
    add check (cancels is null or way = 'cancel');

create index release_cancellation on release (tenant_id, document_id) where way = 'cancel';
create index release_made on release (tenant_id, created_at);
create index release_due on release (tenant_id, live_from);

-- Releases with the cancellation that called them off. Those that count are no cancellations and have none. Of them, the one with
-- the latest `live_from` that is not in the future is live; of equals, the later row. src/domain/timeline.rs says the same, and
-- tests/it/store/timeline.rs holds the two together.
create view release_history with (security_invoker = true) as
    select r.tenant_id, r.id, r.document_id, r.version_id, r.live_from, r.seq, r.actor, r.note, r.created_at, r.way, r.cancels,
           (select c.id from release c
            where c.tenant_id = r.tenant_id and c.document_id = r.document_id and c.way = 'cancel' and r.way <> 'cancel'
              and case when c.cancels is null then c.live_from = r.live_from and c.seq > r.seq else c.cancels = r.id end
            order by c.seq limit 1) as cancelled_by
    from release r;

grant select on release_history to gateway_tenant;

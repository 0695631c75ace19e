-- A document that was never released may take another key, or go with everything that was written in it. One that was released keeps
-- its key and stays: sessions, tests and the audit trail speak of it, and its releases hold its versions.

-- A version goes only along with its document.
create function refuse_change_without_document() returns trigger
    language plpgsql
    as $$
begin
    if tg_op = 'DELETE'
        and not exists (select from document d where d.tenant_id = old.tenant_id and d.id = old.document_id) then
        return old;
    end if;
    raise exception '% is append-only: % refused', tg_table_name, lower(tg_op)
        using errcode = 'restrict_violation';
end $$;

drop trigger append_only on document_version;
create trigger append_only before update or delete on document_version
    for each row execute function refuse_change_without_document();
drop trigger append_only on review;
create trigger append_only before update or delete on review
    for each row execute function refuse_change_without_document();

alter table document_version drop constraint document_version_tenant_id_document_id_fkey,
    add foreign key (tenant_id, document_id) references document (tenant_id, id) on delete cascade;
alter table draft drop constraint draft_tenant_id_document_id_fkey,
    add foreign key (tenant_id, document_id) references document (tenant_id, id) on delete cascade;
alter table review drop constraint review_tenant_id_document_id_version_id_fkey,
    add foreign key (tenant_id, document_id, version_id)
        references document_version (tenant_id, document_id, id) on delete cascade;

create function keep_key_of_released_document() returns trigger
    language plpgsql
    as $$
begin
    if exists (select from release r where r.tenant_id = old.tenant_id and r.document_id = old.id) then
        raise exception 'a document that was released keeps its key' using errcode = 'restrict_violation';
    end if;
    return new;
end $$;

create trigger keep_key before update of key on document
    for each row when (old.key is distinct from new.key) execute function keep_key_of_released_document();

grant update (key), delete on document to gateway_tenant;

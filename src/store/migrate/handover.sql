-- Hands what earlier roles of this database may do to its own, or takes it from those. Run by `migrate` with the names of the
-- two roles and one of 'give' and 'take' in place of $tenant, $platform and $what.
do $handover$
declare
    own constant text[] := array['$tenant', '$platform'];
    earlier record;
    heir text;
    statement text;
begin
    for earlier in
        select r.oid, r.rolname from pg_roles r
        where r.rolname ~ '^gateway_(tenant|platform)(_[0-9]+)?$' and r.rolname <> all (own)
    loop
        heir := case when earlier.rolname like 'gateway\_tenant%' then own[1] else own[2] end;
        for statement in
            select case '$what'
                       when 'give' then format('grant %s on %s to %I', privilege, place, heir)
                       else format('revoke %s on %s from %I', privilege, place, earlier.rolname)
                   end
            from (
                select a.privilege_type as privilege, a.grantee,
                       case c.relkind when 'S' then 'sequence ' else 'table ' end || c.oid::regclass as place
                from pg_class c, aclexplode(c.relacl) a
                where c.relnamespace = 'public'::regnamespace
                union all
                select format('%s (%I)', a.privilege_type, t.attname), a.grantee, 'table ' || c.oid::regclass
                from pg_class c join pg_attribute t on t.attrelid = c.oid and not t.attisdropped, aclexplode(t.attacl) a
                where c.relnamespace = 'public'::regnamespace
                union all
                select a.privilege_type, a.grantee, 'routine ' || p.oid::regprocedure
                from pg_proc p, aclexplode(p.proacl) a
                where p.pronamespace = 'public'::regnamespace
                union all
                select a.privilege_type, a.grantee, format('schema %I', n.nspname)
                from pg_namespace n, aclexplode(n.nspacl) a
                where n.nspname = 'public'
            ) held
            where held.grantee = earlier.oid
        loop
            execute statement;
        end loop;
        for statement in
            select format('alter policy %I on %s to %s', p.polname, p.polrelid::regclass,
                          (select string_agg(quote_ident(r.rolname), ', ') from pg_roles r
                           where case '$what'
                                     when 'give' then r.oid = any (p.polroles) or r.rolname = heir
                                     else (r.oid = any (p.polroles) or r.rolname = heir) and r.oid <> earlier.oid
                                 end))
            from pg_policy p
            where earlier.oid = any (p.polroles)
        loop
            execute statement;
        end loop;
    end loop;
end $handover$;

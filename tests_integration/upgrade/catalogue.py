"""Write down a schema as sorted lines, so that two databases can be compared."""

from __future__ import annotations

import psycopg

PARTS = {
    "schema": "select nspname, sorted(nspacl, 'n', nspowner) from pg_namespace where nspname = 'pgqueue'",
    "relation": """
        select c.relname, c.relkind, c.reloptions::text, pg_get_userbyid(c.relowner),
               sorted(c.relacl, (case when c.relkind = 'S' then 's' else 'r' end)::"char", c.relowner), obj_description(c.oid)
        from pg_class c where c.relnamespace = 'pgqueue'::regnamespace""",
    "column": """
        select c.relname, a.attnum - (select count(*) from pg_attribute d
                                      where d.attrelid = c.oid and d.attnum between 1 and a.attnum and d.attisdropped),
               a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(e.adbin, e.adrelid),
               a.attacl::text
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_attrdef e on e.adrelid = c.oid and e.adnum = a.attnum
        where c.relnamespace = 'pgqueue'::regnamespace and c.relkind <> 'S'""",
    "sequence": """
        select c.relname, s.seqtypid::regtype, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle
        from pg_sequence s join pg_class c on c.oid = s.seqrelid where c.relnamespace = 'pgqueue'::regnamespace""",
    "constraint": """
        select c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)
        from pg_constraint c where c.connamespace = 'pgqueue'::regnamespace and c.contype <> 'n'""",
    "index": """
        select pg_get_indexdef(i.indexrelid), i.indisvalid
        from pg_index i join pg_class c on c.oid = i.indrelid where c.relnamespace = 'pgqueue'::regnamespace""",
    "function": """
        select pg_get_functiondef(p.oid), pg_get_userbyid(p.proowner), sorted(p.proacl, 'f', p.proowner), obj_description(p.oid)
        from pg_proc p where p.pronamespace = 'pgqueue'::regnamespace""",
    "view": """
        select c.relname, pg_get_viewdef(c.oid) from pg_class c
        where c.relnamespace = 'pgqueue'::regnamespace and c.relkind = 'v'""",
    "type": """
        select t.typname, t.typtype, pg_get_userbyid(t.typowner), sorted(t.typacl, 'T', t.typowner) from pg_type t
        where t.typnamespace = 'pgqueue'::regnamespace and t.typcategory <> 'A'""",
    "trigger or rule": """
        select c.relname, t.tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid
        where c.relnamespace = 'pgqueue'::regnamespace""",
}
SORTED = """
create or replace function pg_temp.sorted(acl aclitem[], kind "char", owner oid) returns text language sql
as $$ select string_agg(i::text, ' ' order by i::text) from unnest(coalesce(acl, acldefault(kind, owner))) i $$"""


def dump(conninfo: str) -> list[str]:
    """List everything that an install or an upgrade makes; not the rows, nor where sequences stand."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(SORTED)
        lines = []
        for part, query in PARTS.items():
            rows = connection.execute(query.replace("sorted(", "pg_temp.sorted(").encode()).fetchall()
            lines += [f"{part}: " + " | ".join(map(str, row)) for row in rows]
    return sorted(lines)


def same_schema(one: list[str], other: list[str]) -> None:
    """Fail with the lines that only one of them has."""
    only_one, only_other = sorted(set(one) - set(other)), sorted(set(other) - set(one))
    assert (only_one, only_other) == ([], []), "\n".join(
        [*(f"- {line}" for line in only_one), *(f"+ {line}" for line in only_other)]
    )
    assert len(one) == len(other)

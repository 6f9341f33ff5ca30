"""PostgreSQL itself keeps the audit log and the events: no UPDATE, no DELETE, no TRUNCATE.

Retention is the one exception, and the table owner's alone: `manage.py lakehouse prune`
sets ``lakeside.retention`` for its own transaction. The application's role may set the same
name and is refused all the same.
"""

from django.db import migrations

FORWARD = """
create function lakehouse_refuse_removal() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('lakeside.retention', true) = 'on' and current_user = (
        select tableowner from pg_tables where schemaname = tg_table_schema and tablename = tg_table_name
    ) then
        return old;
    end if;
    raise exception 'rows of % are never removed', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger lakehouse_run_events_kept before delete on lakehouse_run_events
    for each row execute function lakehouse_refuse_removal();
create trigger lakehouse_run_events_whole before truncate on lakehouse_run_events
    for each statement execute function lakehouse_refuse_removal();
create trigger lakehouse_audit_entries_append_only before update on lakehouse_audit_entries
    for each row execute function lakehouse_refuse_update();
create trigger lakehouse_audit_entries_kept before delete on lakehouse_audit_entries
    for each row execute function lakehouse_refuse_removal();
create trigger lakehouse_audit_entries_whole before truncate on lakehouse_audit_entries
    for each statement execute function lakehouse_refuse_removal();
"""
BACKWARD = """
drop trigger lakehouse_audit_entries_whole on lakehouse_audit_entries;
drop trigger lakehouse_audit_entries_kept on lakehouse_audit_entries;
drop trigger lakehouse_audit_entries_append_only on lakehouse_audit_entries;
drop trigger lakehouse_run_events_whole on lakehouse_run_events;
drop trigger lakehouse_run_events_kept on lakehouse_run_events;
drop function lakehouse_refuse_removal();
"""


class Migration(migrations.Migration):
    dependencies = [("lakehouse_admin", "0004_tables_queue_audit_alerts")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]

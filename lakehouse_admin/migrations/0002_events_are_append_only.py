"""PostgreSQL refuses to change an event once it is written; deleting old ones stays possible."""

from django.db import migrations

FORWARD = """
create function lakehouse_refuse_update() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are never changed', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger lakehouse_run_events_append_only before update on lakehouse_run_events
    for each row execute function lakehouse_refuse_update();
"""
BACKWARD = """
drop trigger lakehouse_run_events_append_only on lakehouse_run_events;
drop function lakehouse_refuse_update();
"""


class Migration(migrations.Migration):
    dependencies = [("lakehouse_admin", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]

import pytest
from django.db import connection

pytestmark = pytest.mark.integration


@pytest.mark.django_db
def test_default_connects_as_the_role_that_cannot_bypass_row_level_security():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == ("lakeside_app", False, False)

"""The companies are told apart, and fit their columns."""

from zoneinfo import available_timezones

from django.core.validators import validate_slug

from saas.models import Plan, Tenant
from saas.seeding.companies import company
from saas.seeding.scale import LARGEST_FACTOR, Scale

ALL = [company(number) for number in range(1, Scale(name="largest", factor=LARGEST_FACTOR).tenants + 1)]


def test_names_and_slugs_are_unique_at_the_largest_scale():
    assert len({each.name for each in ALL}) == len(ALL)
    assert len({each.slug for each in ALL}) == len(ALL)


def test_every_company_fits_its_row():
    for each in ALL:
        validate_slug(each.slug)
        Tenant(
            slug=each.slug,
            name=each.name,
            plan=each.plan,
            currency=each.home.currency,
            timezone=each.home.timezone,
            metadata={"any": "thing"},
        ).clean_fields()
        assert each.plan in Plan.values
        assert each.home.timezone in available_timezones()
        assert 1 <= len(each.initials) <= 4


def test_the_first_eight_live_in_eight_places():
    assert len({each.home.timezone for each in ALL[:8]}) == 8
    assert len({each.home.currency for each in ALL[:8]}) == 8
    assert len({each.trade.industry for each in ALL[:8]}) == 8


def test_later_companies_combine_trades_and_homes_anew():
    pairs = {(each.trade.industry, each.home.country) for each in ALL[:64]}
    assert len(pairs) == 64


def test_prices_end_below_a_whole_step():
    for each in ALL:
        assert min(each.home.price_below) >= 0
        assert max(each.home.price_below) < each.home.price_step
        assert each.home.price_step % each.home.cent_step == 0

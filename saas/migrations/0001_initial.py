"""The tables, columns in physical order."""

import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.text
import django.utils.timezone
import saas.models.columns
import saas.tenancy.fields
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="Tenant",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "slug",
                    models.CharField(
                        max_length=63,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9]+(-[a-z0-9]+)*$", "Use lower-case letters, digits and single hyphens."
                            )
                        ],
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "plan",
                    models.CharField(
                        choices=[("starter", "Starter"), ("growth", "Growth"), ("scale", "Scale")],
                        default="starter",
                        max_length=20,
                    ),
                ),
                ("currency", saas.models.columns.FixedCharField(default="EUR", max_length=3)),
                ("timezone", models.CharField(default="UTC", max_length=64)),
                ("metadata", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "db_table": "tenants",
                "ordering": ["slug"],
                "base_manager_name": "objects",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("plan__in", ["starter", "growth", "scale"])), name="tenants_plan_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("currency__regex", "^[A-Z]{3}$")), name="tenants_currency_iso"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("slug__regex", "^[a-z0-9]+(-[a-z0-9]+)*$")), name="tenants_slug_form"
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                ("email", models.EmailField(max_length=254, unique=True)),
                ("name", models.CharField(blank=True, max_length=200)),
                ("is_staff", models.BooleanField(default=False)),
                ("is_active", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "db_table": "users",
                "ordering": ["email"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("email", django.db.models.functions.text.Lower("email"))),
                        name="users_email_lower_case",
                    )
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "tenant",
                    saas.tenancy.fields.TenantKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to="saas.tenant",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[("owner", "Owner"), ("analyst", "Analyst"), ("viewer", "Viewer")],
                        default="viewer",
                        max_length=20,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                "db_table": "memberships",
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "user"),
                        name="memberships_tenant_user_unique",
                        violation_error_message="The user is a member already.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["owner", "analyst", "viewer"])), name="memberships_role_known"
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Customer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "tenant",
                    saas.tenancy.fields.TenantKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="saas.tenant",
                    ),
                ),
                ("email", models.EmailField(max_length=254)),
                ("name", models.CharField(max_length=200)),
                (
                    "country",
                    saas.models.columns.FixedCharField(
                        max_length=2,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Z]{2}$", "Use the two capital letters of ISO 3166."
                            )
                        ],
                    ),
                ),
                ("city", models.CharField(max_length=100)),
                ("phone", models.CharField(blank=True, max_length=40, null=True)),
                ("metadata", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "db_table": "customers",
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "email"),
                        name="customers_tenant_email_unique",
                        violation_error_message="There is already a customer with this email address.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("country__regex", "^[A-Z]{2}$")), name="customers_country_iso"
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Product",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "tenant",
                    saas.tenancy.fields.TenantKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="saas.tenant",
                    ),
                ),
                ("sku", models.CharField(max_length=40)),
                ("name", models.CharField(max_length=200)),
                ("category", models.CharField(max_length=60)),
                ("price", saas.models.columns.MoneyField(decimal_places=2, max_digits=12)),
                ("cost", saas.models.columns.MoneyField(decimal_places=2, max_digits=12)),
                ("stock_quantity", models.PositiveIntegerField(default=0)),
                ("is_active", models.BooleanField(default=True)),
                ("metadata", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "db_table": "products",
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "sku"),
                        name="products_tenant_sku_unique",
                        violation_error_message="There is already a product with this SKU.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cost__gte", 0), ("price__gte", 0)), name="products_money_not_negative"
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "tenant",
                    saas.tenancy.fields.TenantKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="saas.tenant",
                    ),
                ),
                ("number", models.CharField(max_length=20)),
                (
                    "customer",
                    saas.tenancy.fields.ScopedKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="saas.customer",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("completed", "Completed"),
                            ("cancelled", "Cancelled"),
                            ("refunded", "Refunded"),
                        ],
                        default="pending",
                        max_length=20,
                    ),
                ),
                ("order_date", models.DateTimeField(default=django.utils.timezone.now)),
                ("subtotal", saas.models.columns.MoneyField(decimal_places=2, default=Decimal("0"), max_digits=12)),
                ("discount", saas.models.columns.MoneyField(decimal_places=2, default=Decimal("0"), max_digits=12)),
                ("tax", saas.models.columns.MoneyField(decimal_places=2, default=Decimal("0"), max_digits=12)),
                ("total", saas.models.columns.MoneyField(decimal_places=2, default=Decimal("0"), max_digits=12)),
                ("shipping_address", models.JSONField(blank=True, default=dict)),
                ("metadata", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "db_table": "orders",
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "order_date"], name="orders_tenant_date"),
                    models.Index(fields=["tenant", "customer"], name="orders_tenant_customer"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "number"),
                        name="orders_tenant_number_unique",
                        violation_error_message="There is already an order with this number.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["pending", "completed", "cancelled", "refunded"])),
                        name="orders_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("discount__gte", 0), ("subtotal__gte", 0), ("tax__gte", 0), ("total__gte", 0)
                        ),
                        name="orders_money_not_negative",
                        violation_error_message="The discount is higher than the items' total.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "total",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("subtotal"), "-", models.F("discount")
                                    ),
                                    "+",
                                    models.F("tax"),
                                ),
                            )
                        ),
                        name="orders_total_is_sum",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="OrderItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "tenant",
                    saas.tenancy.fields.TenantKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="saas.tenant",
                    ),
                ),
                (
                    "order",
                    saas.tenancy.fields.ScopedKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="saas.order",
                    ),
                ),
                (
                    "product",
                    saas.tenancy.fields.ScopedKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="order_items",
                        to="saas.product",
                    ),
                ),
                ("quantity", models.IntegerField(validators=[django.core.validators.MinValueValidator(1)])),
                ("unit_price", saas.models.columns.MoneyField(decimal_places=2, max_digits=12)),
                ("discount", saas.models.columns.MoneyField(decimal_places=2, default=Decimal("0"), max_digits=12)),
                ("total", saas.models.columns.MoneyField(decimal_places=2, max_digits=12)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "db_table": "order_items",
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "order"], name="order_items_tenant_order"),
                    models.Index(fields=["tenant", "product"], name="order_items_tenant_product"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("quantity__gte", 1)), name="order_items_quantity_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("discount__gte", 0), ("total__gte", 0), ("unit_price__gte", 0)),
                        name="order_items_money_not_negative",
                        violation_error_message="The discount is higher than the price of the pieces.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "total",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("quantity"), "*", models.F("unit_price")
                                    ),
                                    "-",
                                    models.F("discount"),
                                ),
                            )
                        ),
                        name="order_items_total_is_product",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "tenant",
                    saas.tenancy.fields.TenantKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="saas.tenant",
                    ),
                ),
                (
                    "customer",
                    saas.tenancy.fields.ScopedKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="events",
                        to="saas.customer",
                    ),
                ),
                ("session_id", models.UUIDField()),
                (
                    "event_type",
                    models.CharField(
                        choices=[
                            ("page_view", "Page View"),
                            ("product_view", "Product View"),
                            ("add_to_cart", "Add To Cart"),
                            ("checkout", "Checkout"),
                            ("purchase", "Purchase"),
                            ("search", "Search"),
                        ],
                        max_length=30,
                    ),
                ),
                (
                    "product",
                    saas.tenancy.fields.ScopedKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="events",
                        to="saas.product",
                    ),
                ),
                (
                    "order",
                    saas.tenancy.fields.ScopedKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="events",
                        to="saas.order",
                    ),
                ),
                ("properties", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "db_table": "events",
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "created_at"], name="events_tenant_created"),
                    models.Index(
                        condition=models.Q(("customer__isnull", False)),
                        fields=["tenant", "customer"],
                        name="events_tenant_customer",
                    ),
                    models.Index(
                        condition=models.Q(("order__isnull", False)),
                        fields=["tenant", "order"],
                        name="events_tenant_order",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "event_type__in",
                                ["page_view", "product_view", "add_to_cart", "checkout", "purchase", "search"],
                            )
                        ),
                        name="events_type_known",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Subscription",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "tenant",
                    saas.tenancy.fields.TenantKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="saas.tenant",
                    ),
                ),
                (
                    "customer",
                    saas.tenancy.fields.ScopedKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="subscriptions",
                        to="saas.customer",
                    ),
                ),
                ("plan", models.CharField(max_length=40)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("trialing", "Trialing"),
                            ("active", "Active"),
                            ("cancelled", "Cancelled"),
                            ("expired", "Expired"),
                        ],
                        default="active",
                        max_length=20,
                    ),
                ),
                ("is_trial", models.BooleanField(default=False)),
                (
                    "billing_period",
                    models.CharField(
                        choices=[("monthly", "Monthly"), ("yearly", "Yearly")], default="monthly", max_length=10
                    ),
                ),
                ("monthly_amount", saas.models.columns.MoneyField(decimal_places=2, max_digits=12)),
                ("start_date", models.DateField()),
                ("end_date", models.DateField(blank=True, null=True)),
                ("metadata", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "db_table": "subscriptions",
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["tenant", "customer"], name="subscriptions_tenant_customer")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["trialing", "active", "cancelled", "expired"])),
                        name="subscriptions_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("billing_period__in", ["monthly", "yearly"])),
                        name="subscriptions_period_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("monthly_amount__gte", 0)), name="subscriptions_money_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("end_date__isnull", True), ("end_date__gte", models.F("start_date")), _connector="OR"
                        ),
                        name="subscriptions_end_after_start",
                        violation_error_message="The subscription ends before it starts.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Invoice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "tenant",
                    saas.tenancy.fields.TenantKey(
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="saas.tenant",
                    ),
                ),
                ("number", models.CharField(max_length=20)),
                (
                    "customer",
                    saas.tenancy.fields.ScopedKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
                        to="saas.customer",
                    ),
                ),
                (
                    "subscription",
                    saas.tenancy.fields.ScopedKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
                        to="saas.subscription",
                    ),
                ),
                (
                    "order",
                    saas.tenancy.fields.ScopedKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
                        to="saas.order",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("draft", "Draft"), ("open", "Open"), ("paid", "Paid"), ("cancelled", "Cancelled")],
                        default="draft",
                        max_length=20,
                    ),
                ),
                ("amount", saas.models.columns.MoneyField(decimal_places=2, max_digits=12)),
                ("issue_date", models.DateField()),
                ("due_date", models.DateField()),
                ("paid_date", models.DateField(blank=True, null=True)),
                ("metadata", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "db_table": "invoices",
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "customer"], name="invoices_tenant_customer"),
                    models.Index(fields=["tenant", "due_date"], name="invoices_tenant_due"),
                    models.Index(
                        condition=models.Q(("subscription__isnull", False)),
                        fields=["tenant", "subscription"],
                        name="invoices_tenant_subscription",
                    ),
                    models.Index(
                        condition=models.Q(("order__isnull", False)),
                        fields=["tenant", "order"],
                        name="invoices_tenant_order",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "number"),
                        name="invoices_tenant_number_unique",
                        violation_error_message="There is already an invoice with this number.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["draft", "open", "paid", "cancelled"])),
                        name="invoices_status_known",
                    ),
                    models.CheckConstraint(condition=models.Q(("amount__gte", 0)), name="invoices_money_not_negative"),
                    models.CheckConstraint(
                        condition=models.Q(("due_date__gte", models.F("issue_date"))),
                        name="invoices_due_after_issue",
                        violation_error_message="The invoice is due before it is issued.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "paid"), _negated=True), ("paid_date__isnull", False), _connector="OR"
                        ),
                        name="invoices_paid_has_date",
                        violation_error_message="A paid invoice needs the date it was paid.",
                    ),
                ],
            },
        ),
    ]

# Plans of each environment with mocked values: what the parts give to each other, and what must never be missing.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_dms_replication_task" {
    defaults = { replication_task_arn = "arn:aws:dms:eu-central-1:123456789012:task:ABCDEFGH" }
  }
  mock_resource "aws_dms_replication_config" {
    defaults = { arn = "arn:aws:dms:eu-central-1:123456789012:replication-config:ABCDEFGH" }
  }
}

mock_provider "aws" {
  alias = "copy"
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

variables {
  package_file = "main.tf" # Any file: only its checksum is asked for.
  environment  = "dev"
  account      = "123456789012"
  region       = "eu-central-1"

  availability_zones = ["eu-central-1a", "eu-central-1b"]
  source_database    = { name = "shop", cidr = "10.0.0.0/16", ssl_mode = "require" }
  alert_emails       = ["data@example.com"]
  monthly_budget_usd = 150
}

run "dev" {
  command = plan

  assert {
    condition     = output.athena_workgroup == "lakeside-dev" && output.glue_job == "lakeside-dev-transform" && output.source_secret == "lakeside-dev-source" # checkov:skip=CKV_SECRET_6:Names, no secrets.
    error_message = "The names are not the defaults of Lakeside's settings."
  }

  assert {
    condition     = length(output.copy_buckets) == 0 && output.worker_role_arn == null
    error_message = "What nobody asked for is made."
  }
}

run "dev_applied" {
  command = apply

  assert {
    condition     = output.dms_task == "arn:aws:dms:eu-central-1:123456789012:task:ABCDEFGH"
    error_message = "A provisioned task is named by its own ARN."
  }

  assert {
    condition     = output.lake_uri == "s3://lakeside-dev-bronze-123456789012-eu-central-1/lake" && output.landing_uri == "s3://lakeside-dev-landing-123456789012-eu-central-1/landing"
    error_message = "The lake lies elsewhere than its names say."
  }
}

run "staging" {
  command = apply

  variables {
    environment = "staging"
    replication = { serverless = true, max_capacity_units = 4 }
  }

  assert {
    condition     = output.dms_task == "arn:aws:dms:eu-central-1:123456789012:replication-config:ABCDEFGH" && output.replication_instance == null
    error_message = "A serverless replication is named by its configuration."
  }
}

run "prod" {
  command = apply

  variables {
    environment              = "prod"
    availability_zones       = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    endpoint_zones           = 2
    copy_region              = "eu-west-1"
    stream_changes           = true
    manage_source_parameters = true
    control_plane_principals = ["arn:aws:iam::123456789012:role/lakeside-task"]
    source_database          = { name = "shop", cidr = "10.0.0.0/16", ssl_mode = "verify-full", ca_file = "main.tf", rds_identifier = "shop" }
    source_network           = { vpc_id = "vpc-1", cidr = "10.0.0.0/16", route_table_ids = ["rtb-1"], security_group_id = "sg-1" }
    tenant_readers           = { acme = { tenant_id = 7, principal_arn = "arn:aws:iam::123456789012:role/acme" } }
  }

  assert {
    condition     = output.copy_buckets["gold"] == "lakeside-prod-gold-123456789012-eu-west-1"
    error_message = "The copy has no bucket of gold."
  }

  assert {
    condition     = output.source_parameter_group == "lakeside-prod-source"
    error_message = "The source's parameter group is not told."
  }
}

# --- what is refused, with a sentence

run "prod_is_never_destroyed_whole" {
  command         = plan
  expect_failures = [var.allow_destroy]
  variables {
    environment   = "prod"
    allow_destroy = true
  }
}

run "a_source_without_tls" {
  command         = plan
  expect_failures = [var.source_database]
  variables {
    source_database = { name = "shop", cidr = "10.0.0.0/16", ssl_mode = "none" }
  }
}

run "verification_without_an_authority" {
  command         = plan
  expect_failures = [var.source_database]
  variables {
    source_database = { name = "shop", cidr = "10.0.0.0/16" }
  }
}

run "one_zone" {
  command         = plan
  expect_failures = [var.availability_zones]
  variables {
    availability_zones = ["eu-central-1a"]
  }
}

run "a_copy_in_the_same_region" {
  command         = plan
  expect_failures = [var.copy_region]
  variables {
    copy_region = "eu-central-1"
  }
}

run "a_wildcard_for_a_principal" {
  command         = plan
  expect_failures = [var.control_plane_principals]
  variables {
    control_plane_principals = ["*"]
  }
}

run "no_budget" {
  command         = plan
  expect_failures = [var.monthly_budget_usd]
  variables {
    monthly_budget_usd = 0
  }
}

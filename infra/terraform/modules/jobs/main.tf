# The transforms: one Glue job that Lakeside starts for every stage, and a nightly workflow that looks for drift.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

data "aws_partition" "this" {}

locals {
  artifacts  = "s3://${var.buckets["artifacts"]}"
  connection = "${var.name}-source"

  # What every script of ours is started with. Retries are Lakeside's: it knows which errors are worth one.
  arguments = {
    "--datalake-formats"                 = "iceberg"
    "--additional-python-modules"        = "${local.artifacts}/${aws_s3_object.package.key}"
    "--python-modules-installer-option"  = "--no-index"
    "--enable-metrics"                   = "true"
    "--enable-observability-metrics"     = "true"
    "--enable-continuous-cloudwatch-log" = "true"
    "--enable-glue-datacatalog"          = "true"
    "--job-bookmark-option"              = "job-bookmark-disable"
    "--TempDir"                          = "${local.artifacts}/temporary/"
    "--lakeside_region"                  = var.region
  }
}

# --- our code

resource "aws_s3_object" "script" {
  for_each = toset(["glue_main.py", "drift_main.py"])

  bucket      = var.buckets["artifacts"]
  key         = "scripts/${each.key}"
  source      = "${path.root}/../../lakehouse_admin/adapters/aws/${each.key}"
  source_hash = filesha256("${path.root}/../../lakehouse_admin/adapters/aws/${each.key}")
  kms_key_id  = var.kms_key_arn
}

resource "aws_s3_object" "package" {
  bucket      = var.buckets["artifacts"]
  key         = "packages/lakeside.gluewheels.zip" # Glue takes a bundle of wheels for one by this ending.
  source      = var.package_file
  source_hash = filesha256(var.package_file)
  kms_key_id  = var.kms_key_arn
}

# --- the way to the source

resource "aws_glue_connection" "source" {
  name            = local.connection
  description     = "Where jobs run that compare with the source."
  connection_type = "NETWORK"

  physical_connection_requirements {
    availability_zone      = var.availability_zone
    subnet_id              = var.subnet_id
    security_group_id_list = [var.security_group_id]
  }
}

# --- the job

resource "aws_glue_job" "transform" {
  name                    = "${var.name}-transform"
  description             = "Intake, silver and gold; started by Lakeside with an order in the lake's jobs folder."
  role_arn                = aws_iam_role.job.arn
  glue_version            = "5.1"
  worker_type             = var.glue.worker_type
  number_of_workers       = var.glue.workers
  timeout                 = var.glue.timeout_minutes
  max_retries             = 0 # A second start of a job that wrote its result would find it taken; Lakeside retries itself.
  job_run_queuing_enabled = true
  security_configuration  = var.security_settings
  connections             = [aws_glue_connection.source.name]
  default_arguments       = local.arguments

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "${local.artifacts}/${aws_s3_object.script["glue_main.py"].key}"
  }

  execution_property {
    max_concurrent_runs = var.glue.max_concurrent_runs
  }
}

# --- drift: what was landed against what was promised, every night

resource "aws_glue_job" "drift" {
  name                   = "${var.name}-drift"
  description            = "Compares what the crawler saw with the recorded contracts; fails with the differences."
  role_arn               = aws_iam_role.job.arn
  glue_version           = "5.1"
  worker_type            = "G.1X"
  number_of_workers      = 2
  timeout                = 15
  max_retries            = 0
  security_configuration = var.security_settings

  default_arguments = merge(local.arguments, {
    "--lakeside_lake_uri" = "s3://${var.buckets["bronze"]}/${var.lake_folder}"
    "--lakeside_database" = var.landing_database
    "--lakeside_tables"   = join(",", var.source_tables)
    "--lakeside_account"  = var.account
  })

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "${local.artifacts}/${aws_s3_object.script["drift_main.py"].key}"
  }
}

resource "aws_glue_workflow" "drift" {
  name                = "${var.name}-drift"
  description         = "Crawl the landing zone, then compare."
  max_concurrent_runs = 1
}

resource "aws_glue_trigger" "crawl" {
  name          = "${var.name}-crawl"
  description   = "Starts the crawler by the clock."
  workflow_name = aws_glue_workflow.drift.name
  type          = "SCHEDULED"
  schedule      = var.drift_schedule

  actions {
    crawler_name = var.crawler
  }
}

resource "aws_glue_trigger" "compare" {
  name          = "${var.name}-compare"
  description   = "Compares after a crawl that succeeded."
  workflow_name = aws_glue_workflow.drift.name
  type          = "CONDITIONAL"

  predicate {
    conditions {
      crawler_name     = var.crawler
      crawl_state      = "SUCCEEDED"
      logical_operator = "EQUALS"
    }
  }

  actions {
    job_name = aws_glue_job.drift.name
  }
}

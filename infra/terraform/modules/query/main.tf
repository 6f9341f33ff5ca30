# Athena: one workgroup with limits that nobody can lift, and queries to begin with.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

resource "aws_athena_workgroup" "this" {
  name          = var.name
  description   = "Dashboards and people who ask gold."
  force_destroy = true # Its history of queries; no data.

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.bytes_per_query

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location       = var.results_location
      expected_bucket_owner = var.account

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = var.kms_key_arn
      }
    }
  }
}

resource "aws_athena_named_query" "model" {
  for_each = var.named_queries

  name        = each.key
  description = each.value.description
  workgroup   = aws_athena_workgroup.this.id
  database    = var.gold_database
  query       = each.value.sql
}

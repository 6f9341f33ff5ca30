# The lake's buckets, one for each way of living: DMS overwrites landing, bronze is kept for ever, silver and gold are rewritten.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

locals {
  # Names of buckets are shared by the whole world: account and region make them ours.
  name = { for use in ["logs", "landing", "bronze", "silver", "gold", "results", "artifacts"] : use => "${var.name}-${use}-${var.account}-${var.region}" }

  buckets = {
    landing = {
      # A connection test of DMS can fail on a versioned bucket, and bronze has every file anyway.
      versioned   = false
      expire_days = var.landing_days
      transitions = {}
    }
    bronze = {
      versioned   = true
      expire_days = null
      transitions = {
        infrequent = { prefix = "lake/bronze/", days = 30, storage_class = "STANDARD_IA" }
        archive    = { prefix = "lake/bronze/", days = var.bronze_archive_days, storage_class = "GLACIER_IR" }
      }
    }
    # Data files of Iceberg are read as long as a snapshot names them: maintenance removes them, never the bucket.
    silver = {
      versioned   = true
      expire_days = null
      transitions = {
        tiering = { prefix = "", days = 0, storage_class = "INTELLIGENT_TIERING" }
      }
    }
    gold = {
      versioned   = true
      expire_days = null
      transitions = {}
    }
    results = {
      versioned   = false
      expire_days = 7
      transitions = {}
    }
    artifacts = {
      versioned   = true
      expire_days = null
      transitions = {}
    }
  }
}

module "logs" {
  source = "../bucket"

  bucket          = local.name["logs"]
  account         = var.account
  receives_logs   = true
  versioned       = false
  expire_days     = 365
  noncurrent_days = var.noncurrent_days
  allow_destroy   = var.allow_destroy
}

module "bucket" {
  source   = "../bucket"
  for_each = local.buckets

  bucket          = local.name[each.key]
  account         = var.account
  kms_key_arn     = var.kms_key_arn
  log_bucket      = module.logs.bucket
  versioned       = each.value.versioned
  expire_days     = each.value.expire_days
  transitions     = each.value.transitions
  noncurrent_days = var.noncurrent_days
  allow_destroy   = var.allow_destroy
}

# The Glue Data Catalog: one database a zone, and a crawler whose findings are compared with the contracts.
# Tables are made by Lakeside itself, at the location of their database.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

data "aws_partition" "this" {}

locals {
  arn_s3   = "arn:${data.aws_partition.this.partition}:s3:::"
  arn_glue = "arn:${data.aws_partition.this.partition}:glue:${var.region}:${var.account}"

  databases = {
    landing    = { location = "s3://${var.buckets["landing"]}/${var.landing_folder}/", description = "What the crawler saw in the landing zone; nothing is built on it." }
    silver     = { location = "s3://${var.buckets["silver"]}/silver/", description = "Typed, one current row a key. Iceberg." }
    quarantine = { location = "s3://${var.buckets["silver"]}/quarantine/", description = "Rows that do not conform, with the reason. Iceberg." }
    gold       = { location = "s3://${var.buckets["gold"]}/gold/", description = "What dashboards read. Iceberg." }
  }
}

resource "aws_glue_catalog_database" "this" {
  for_each = local.databases

  name         = "${var.database_prefix}${each.key}"
  description  = each.value.description
  location_uri = each.value.location
}

# --- the crawler

resource "aws_glue_classifier" "landing" {
  name = "${var.name}-landing"

  csv_classifier {
    contains_header = "PRESENT"
    delimiter       = ","
    quote_symbol    = "\""
  }
}

resource "aws_glue_crawler" "landing" {
  name                   = "${var.name}-landing"
  description            = "Looks at the columns of what DMS landed; verify-aws and the drift job compare them with the contracts."
  database_name          = aws_glue_catalog_database.this["landing"].name
  role                   = aws_iam_role.crawler.arn
  classifiers            = [aws_glue_classifier.landing.name]
  security_configuration = var.security_settings

  s3_target {
    path        = "s3://${var.buckets["landing"]}/${var.landing_folder}/"
    exclusions  = ["**/awsdms_*/**", "**/s3_validation_failures/**"]
    sample_size = 2
  }

  recrawl_policy {
    recrawl_behavior = "CRAWL_EVERYTHING"
  }

  schema_change_policy {
    update_behavior = "UPDATE_IN_DATABASE"
    delete_behavior = "DELETE_FROM_DATABASE"
  }

  configuration = jsonencode({
    Version  = 1
    Grouping = { TableLevelConfiguration = 4 } # bucket, folder, schema, table
  })
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["glue.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account]
    }
  }
}

data "aws_iam_policy_document" "crawler" {
  statement {
    sid       = "ReadLanding"
    actions   = ["s3:GetObject"]
    resources = ["${local.arn_s3}${var.buckets["landing"]}/${var.landing_folder}/*"]
  }

  statement {
    sid       = "ListLanding"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = ["${local.arn_s3}${var.buckets["landing"]}"]
  }

  statement {
    sid     = "WriteItsDatabase"
    actions = ["glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:CreateTable", "glue:UpdateTable", "glue:DeleteTable", "glue:BatchDeleteTable", "glue:GetPartition", "glue:GetPartitions", "glue:BatchGetPartition", "glue:BatchCreatePartition", "glue:CreatePartition", "glue:UpdatePartition", "glue:BatchUpdatePartition", "glue:DeletePartition", "glue:BatchDeletePartition"]
    resources = [
      "${local.arn_glue}:catalog",
      "${local.arn_glue}:database/${var.database_prefix}landing",
      "${local.arn_glue}:table/${var.database_prefix}landing/*",
    ]
  }

  statement {
    sid       = "ReadItsSettings"
    actions   = ["glue:GetSecurityConfiguration", "glue:GetClassifier"]
    resources = ["*"] # Glue knows no narrower resource for these two.
  }

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:AssociateKmsKey"]
    resources = ["arn:${data.aws_partition.this.partition}:logs:${var.region}:${var.account}:log-group:/aws-glue/crawlers*"]
  }

  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}

resource "aws_iam_role" "crawler" {
  name               = "${var.name}-crawler"
  description        = "The crawler reads the landing zone and writes its own database."
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "crawler" {
  name   = "crawl-landing-zone"
  role   = aws_iam_role.crawler.id
  policy = data.aws_iam_policy_document.crawler.json
}

# What Lakeside's own processes may do. Web asks gold, and nothing else; the worker starts what AWS carries, and looks at it.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

data "aws_partition" "this" {}

locals {
  arn_s3     = "arn:${data.aws_partition.this.partition}:s3:::"
  arn_glue   = "arn:${data.aws_partition.this.partition}:glue:${var.region}:${var.account}"
  arn_athena = "arn:${data.aws_partition.this.partition}:athena:${var.region}:${var.account}"
  schemas    = ["silver", "quarantine", "gold"]
  has_roles  = length(var.principals) > 0
}

data "aws_iam_policy_document" "trust" {
  count = local.has_roles ? 1 : 0

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.principals
    }
  }
}

# --- web: questions

data "aws_iam_policy_document" "web" {
  statement {
    sid       = "Ask"
    actions   = ["athena:StartQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults", "athena:StopQueryExecution", "athena:GetWorkGroup"]
    resources = ["${local.arn_athena}:workgroup/${var.workgroup}"]
  }

  statement {
    sid       = "SeeGold"
    actions   = ["glue:GetDatabase", "glue:GetTable", "glue:GetTables"]
    resources = ["${local.arn_glue}:catalog", "${local.arn_glue}:database/${var.database_prefix}gold", "${local.arn_glue}:table/${var.database_prefix}gold/*"]
  }

  statement {
    sid       = "ReadGold"
    actions   = ["s3:GetObject"]
    resources = ["${local.arn_s3}${var.buckets["gold"]}/gold/*"]
  }

  statement {
    sid       = "KeepAnswers"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    resources = ["${local.arn_s3}${var.buckets["results"]}/athena/*"]
  }

  statement {
    sid       = "ListThem"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"]
    resources = ["${local.arn_s3}${var.buckets["gold"]}", "${local.arn_s3}${var.buckets["results"]}"]
  }

  # The console's pages of contracts and lineage look at bronze's manifests.
  statement {
    sid       = "ReadBronze"
    actions   = ["s3:GetObject"]
    resources = ["${local.arn_s3}${var.buckets["bronze"]}/${var.lake_folder}/bronze/*"]
  }

  statement {
    sid       = "ListBronze"
    actions   = ["s3:ListBucket"]
    resources = ["${local.arn_s3}${var.buckets["bronze"]}"]
  }

  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}

resource "aws_iam_policy" "web" {
  name        = "${var.name}-web"
  description = "Lakeside's web processes ask gold."
  policy      = data.aws_iam_policy_document.web.json
}

resource "aws_iam_role" "web" {
  count = local.has_roles ? 1 : 0

  name               = "${var.name}-web"
  description        = "Lakeside's web processes."
  assume_role_policy = data.aws_iam_policy_document.trust[0].json
}

resource "aws_iam_role_policy_attachment" "web" {
  count = local.has_roles ? 1 : 0

  role       = aws_iam_role.web[0].name
  policy_arn = aws_iam_policy.web.arn
}

# --- worker: runs

data "aws_iam_policy_document" "worker" {
  statement {
    sid       = "OrderReplication"
    actions   = ["dms:StartReplicationTask", "dms:StopReplicationTask", "dms:ReloadTables", "dms:StartReplication", "dms:StopReplication", "dms:ReloadReplicationTables", "dms:DescribeTableStatistics", "dms:DescribeReplicationTableStatistics"]
    resources = [var.task_arn]
  }

  statement {
    sid       = "TestConnections"
    actions   = ["dms:TestConnection"]
    resources = concat(var.endpoint_arns, var.instance_arn == null ? [] : [var.instance_arn])
  }

  statement {
    sid       = "LookAtReplication"
    actions   = ["dms:DescribeReplicationTasks", "dms:DescribeReplications", "dms:DescribeReplicationConfigs", "dms:DescribeReplicationInstances", "dms:DescribeEndpoints", "dms:DescribeConnections"]
    resources = ["*"] # DMS knows no narrower resource for looking.
  }

  statement {
    sid       = "RunJobs"
    actions   = ["glue:GetJob", "glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"]
    resources = [for job in var.job_names : "${local.arn_glue}:job/${job}"]
  }

  statement {
    sid       = "Crawl"
    actions   = ["glue:GetCrawler", "glue:StartCrawler"]
    resources = ["${local.arn_glue}:crawler/${var.crawler}"]
  }

  statement {
    sid     = "SeeTables"
    actions = ["glue:GetDatabase", "glue:GetTable", "glue:GetTables"]
    resources = concat(
      ["${local.arn_glue}:catalog"],
      [for schema in concat(local.schemas, ["landing"]) : "${local.arn_glue}:database/${var.database_prefix}${schema}"],
      [for schema in concat(local.schemas, ["landing"]) : "${local.arn_glue}:table/${var.database_prefix}${schema}/*"],
    )
  }

  # Orders, progress and results of jobs; and one object that `verify-aws --write` puts and removes.
  statement {
    sid     = "KeepOrders"
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = [
      "${local.arn_s3}${var.buckets["bronze"]}/${var.lake_folder}/jobs/*",
      "${local.arn_s3}${var.buckets["bronze"]}/${var.lake_folder}/bronze/_verify/*",
    ]
  }

  statement {
    sid     = "ReadLake"
    actions = ["s3:GetObject"]
    resources = [
      "${local.arn_s3}${var.buckets["bronze"]}/${var.lake_folder}/*",
      "${local.arn_s3}${var.buckets["silver"]}/*/metadata/*",
      "${local.arn_s3}${var.buckets["gold"]}/*/metadata/*",
    ]
  }

  statement {
    sid       = "ListLake"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation", "s3:GetEncryptionConfiguration", "s3:GetBucketPublicAccessBlock", "s3:GetBucketVersioning"]
    resources = [for use in ["bronze", "silver", "gold"] : "${local.arn_s3}${var.buckets[use]}"]
  }

  statement {
    sid       = "LookAtSecret"
    actions   = ["secretsmanager:DescribeSecret"] # Its text is the Glue job's alone.
    resources = [var.source_secret_arn]
  }

  statement {
    sid       = "Measure"
    actions   = ["cloudwatch:GetMetricData"]
    resources = ["*"] # CloudWatch knows no narrower resource.
  }

  statement {
    sid       = "Encrypt"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}

resource "aws_iam_policy" "worker" {
  name        = "${var.name}-worker"
  description = "Lakeside's worker, beat and command line drive the data path."
  policy      = data.aws_iam_policy_document.worker.json
}

resource "aws_iam_role" "worker" {
  count = local.has_roles ? 1 : 0

  name               = "${var.name}-worker"
  description        = "Lakeside's worker, beat and command line."
  assume_role_policy = data.aws_iam_policy_document.trust[0].json
}

resource "aws_iam_role_policy_attachment" "worker" {
  for_each = local.has_roles ? { web = aws_iam_policy.web.arn, worker = aws_iam_policy.worker.arn } : {}

  role       = aws_iam_role.worker[0].name
  policy_arn = each.value
}

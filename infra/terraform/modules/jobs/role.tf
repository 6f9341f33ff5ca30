# What a transform may do: read landing, write the lake's own folders and tables, and read one secret.

locals {
  arn_s3   = "arn:${data.aws_partition.this.partition}:s3:::"
  arn_glue = "arn:${data.aws_partition.this.partition}:glue:${var.region}:${var.account}"
  arn_ec2  = "arn:${data.aws_partition.this.partition}:ec2:${var.region}:${var.account}"
  schemas  = ["silver", "quarantine", "gold"]
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

data "aws_iam_policy_document" "job" {
  statement {
    sid     = "Read"
    actions = ["s3:GetObject"]
    resources = [
      "${local.arn_s3}${var.buckets["landing"]}/${var.landing_folder}/*",
      "${local.arn_s3}${var.buckets["artifacts"]}/scripts/*",
      "${local.arn_s3}${var.buckets["artifacts"]}/packages/*",
    ]
  }

  statement {
    sid     = "Write"
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = [
      "${local.arn_s3}${var.buckets["bronze"]}/${var.lake_folder}/bronze/*",
      "${local.arn_s3}${var.buckets["bronze"]}/${var.lake_folder}/jobs/*",
      "${local.arn_s3}${var.buckets["silver"]}/silver/*",
      "${local.arn_s3}${var.buckets["silver"]}/quarantine/*",
      "${local.arn_s3}${var.buckets["gold"]}/gold/*",
      "${local.arn_s3}${var.buckets["artifacts"]}/temporary/*",
    ]
  }

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = [for use in ["landing", "bronze", "silver", "gold", "artifacts"] : "${local.arn_s3}${var.buckets[use]}"]
  }

  statement {
    sid     = "KeepTables"
    actions = ["glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:CreateTable", "glue:UpdateTable", "glue:DeleteTable"]
    resources = concat(
      ["${local.arn_glue}:catalog"],
      [for schema in local.schemas : "${local.arn_glue}:database/${var.database_prefix}${schema}"],
      [for schema in local.schemas : "${local.arn_glue}:table/${var.database_prefix}${schema}/*"],
    )
  }

  statement {
    sid     = "SeeWhatWasCrawled"
    actions = ["glue:GetDatabase", "glue:GetTable", "glue:GetTables"]
    resources = [
      "${local.arn_glue}:catalog",
      # Spark looks for a database of this name whenever it opens the catalog.
      "${local.arn_glue}:database/default",
      "${local.arn_glue}:database/${var.landing_database}",
      "${local.arn_glue}:table/${var.landing_database}/*",
    ]
  }

  statement {
    sid       = "ReadSourceUrl"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.source_secret_arn]
  }

  statement {
    sid       = "Encrypt"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:AssociateKmsKey", "logs:PutRetentionPolicy"]
    resources = ["arn:${data.aws_partition.this.partition}:logs:${var.region}:${var.account}:log-group:/aws-glue/*"]
  }

  statement {
    sid       = "Measure"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"] # CloudWatch knows no narrower resource.

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["Glue"]
    }
  }

  statement {
    sid       = "UseConnection"
    actions   = ["glue:GetConnection"]
    resources = ["${local.arn_glue}:catalog", "${local.arn_glue}:connection/${local.connection}"]
  }

  statement {
    sid       = "UseSecurityConfiguration"
    actions   = ["glue:GetSecurityConfiguration"]
    resources = ["*"] # Glue knows no narrower resource.
  }

  statement {
    sid       = "LookAtNetwork"
    actions   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "ec2:DescribeVpcAttribute", "ec2:DescribeVpcEndpoints", "ec2:DescribeRouteTables"]
    resources = ["*"] # EC2 knows no narrower resource for looking.
  }

  statement {
    sid     = "MakeInterface"
    actions = ["ec2:CreateNetworkInterface"]
    resources = [
      "${local.arn_ec2}:network-interface/*",
      "${local.arn_ec2}:subnet/${var.subnet_id}",
      "${local.arn_ec2}:security-group/${var.security_group_id}",
    ]
  }

  statement {
    sid       = "RemoveInterface"
    actions   = ["ec2:DeleteNetworkInterface"]
    resources = ["${local.arn_ec2}:network-interface/*"]

    condition {
      test     = "ArnEquals"
      variable = "ec2:Subnet"
      values   = ["${local.arn_ec2}:subnet/${var.subnet_id}"]
    }
  }

  statement {
    sid       = "TagInterface"
    actions   = ["ec2:CreateTags"]
    resources = ["${local.arn_ec2}:network-interface/*"]

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "aws:TagKeys"
      values   = ["aws-glue-service-resource"]
    }
  }
}

resource "aws_iam_role" "job" {
  name               = "${var.name}-job"
  description        = "Glue jobs keep the lake."
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "job" {
  name   = "keep-the-lake"
  role   = aws_iam_role.job.id
  policy = data.aws_iam_policy_document.job.json
}

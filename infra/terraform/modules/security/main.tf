# One key for everything at rest, the places of the two secrets, and how Glue encrypts what it writes.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

data "aws_partition" "this" {}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:In a key's own policy the resource is always "*", which is this key.
  #checkov:skip=CKV_AWS_111:Likewise.
  #checkov:skip=CKV_AWS_356:Likewise.
  # In a key's own policy the resource is always "*": this key. Without the account's root nobody could change it again.
  statement {
    sid       = "AccountAdministers"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.this.partition}:iam::${var.account}:root"]
    }
  }

  statement {
    sid       = "LogsEncrypt"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${var.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:${data.aws_partition.this.partition}:logs:${var.region}:${var.account}:log-group:*"]
    }
  }

  statement {
    sid       = "AlarmsPublish"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "events.amazonaws.com", "budgets.amazonaws.com", "dms.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account]
    }
  }
}

resource "aws_kms_key" "this" {
  description             = "Lakeside ${var.name}: the lake, its secrets, logs and alarms."
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}

# Only the places: the texts are put in by a person (docs/runbooks/first-deployment.md), so no state file holds them.

resource "aws_secretsmanager_secret" "source" {
  #checkov:skip=CKV2_AWS_57:The password is the source's; docs/runbooks/rotation.md changes both places in order.
  name                    = "${var.name}-source"
  description             = "URL of the source, for the Glue job; docs/runbooks/first-deployment.md says its form."
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret" "dms" {
  #checkov:skip=CKV2_AWS_57:The password is the source's; docs/runbooks/rotation.md changes both places in order.
  name                    = "${var.name}-source-dms"
  description             = "User, password, host and port of the source as JSON, for the DMS endpoint."
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = 7
}

resource "aws_glue_security_configuration" "this" {
  name = var.name

  encryption_configuration {
    cloudwatch_encryption {
      cloudwatch_encryption_mode = "SSE-KMS"
      kms_key_arn                = aws_kms_key.this.arn
    }

    job_bookmarks_encryption {
      job_bookmarks_encryption_mode = "CSE-KMS"
      kms_key_arn                   = aws_kms_key.this.arn
    }

    s3_encryption {
      s3_encryption_mode = "SSE-KMS"
      kms_key_arn        = aws_kms_key.this.arn
    }
  }
}


# A copy of bronze, silver and gold in another region, a few minutes behind: for the day on which the first one is gone.

terraform {
  required_providers {
    aws = {
      source                = "hashicorp/aws"
      configuration_aliases = [aws.copy]
    }
  }
}

data "aws_partition" "this" {}

data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:In a key's own policy the resource is always "*", which is this key.
  #checkov:skip=CKV_AWS_111:Likewise.
  #checkov:skip=CKV_AWS_356:Likewise.
  # In a key's own policy the resource is always "*": this key.
  statement {
    sid       = "AccountAdministers"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.this.partition}:iam::${var.account}:root"]
    }
  }
}

resource "aws_kms_key" "copy" {
  provider = aws.copy

  description             = "Lakeside ${var.name}: the lake's copy."
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "copy" {
  provider = aws.copy

  name          = "alias/${var.name}-copy"
  target_key_id = aws_kms_key.copy.key_id
}

module "bucket" {
  source   = "../bucket"
  for_each = var.buckets

  providers = {
    aws = aws.copy
  }

  bucket          = "${var.name}-${each.key}-${var.account}-${var.copy_region}"
  account         = var.account
  kms_key_arn     = aws_kms_key.copy.arn
  versioned       = true
  noncurrent_days = var.noncurrent_days
  allow_destroy   = false

  transitions = {
    infrequent = { prefix = "", days = 30, storage_class = "STANDARD_IA" }
  }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account]
    }
  }
}

data "aws_iam_policy_document" "copy" {
  statement {
    sid       = "KnowWhatToCopy"
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [for bucket in values(var.buckets) : "arn:${data.aws_partition.this.partition}:s3:::${bucket}"]
  }

  statement {
    sid       = "Read"
    actions   = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"]
    resources = [for bucket in values(var.buckets) : "arn:${data.aws_partition.this.partition}:s3:::${bucket}/*"]
  }

  statement {
    sid       = "Write"
    actions   = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
    resources = [for each in values(module.bucket) : "arn:${data.aws_partition.this.partition}:s3:::${each.bucket}/*"]
  }

  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt"]
    resources = [var.kms_key_arn]
  }

  statement {
    sid       = "Encrypt"
    actions   = ["kms:Encrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.copy.arn]
  }
}

resource "aws_iam_role" "copy" {
  name               = "${var.name}-lake-copy"
  description        = "S3 copies the lake to ${var.copy_region}."
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "copy" {
  name   = "copy-the-lake"
  role   = aws_iam_role.copy.id
  policy = data.aws_iam_policy_document.copy.json
}

resource "aws_s3_bucket_replication_configuration" "this" {
  for_each = var.buckets

  bucket = each.value
  role   = aws_iam_role.copy.arn

  rule {
    id       = "everything"
    status   = "Enabled"
    priority = 0

    filter {}

    # What is removed here stays there for its time: a mistake is not copied.
    delete_marker_replication {
      status = "Disabled"
    }

    source_selection_criteria {
      sse_kms_encrypted_objects {
        status = "Enabled"
      }
    }

    destination {
      bucket        = "arn:${data.aws_partition.this.partition}:s3:::${module.bucket[each.key].bucket}"
      storage_class = "STANDARD"

      encryption_configuration {
        replica_kms_key_id = aws_kms_key.copy.arn
      }

      metrics {
        status = "Enabled"

        event_threshold {
          minutes = 15
        }
      }

      replication_time {
        status = "Enabled"

        time {
          minutes = 15
        }
      }
    }
  }

  depends_on = [aws_iam_role_policy.copy]
}

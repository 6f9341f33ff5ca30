# Changes as single records, beside the files: the same source and tables, a stream that others may read.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

resource "aws_kinesis_stream" "changes" {
  name             = "${var.name}-changes"
  retention_period = 24
  encryption_type  = "KMS"
  kms_key_id       = var.kms_key_arn

  stream_mode_details {
    stream_mode = "ON_DEMAND"
  }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["dms.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account]
    }
  }
}

data "aws_iam_policy_document" "write" {
  statement {
    sid       = "Write"
    actions   = ["kinesis:DescribeStream", "kinesis:PutRecord", "kinesis:PutRecords"]
    resources = [aws_kinesis_stream.changes.arn]
  }

  statement {
    sid       = "Encrypt"
    actions   = ["kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}

resource "aws_iam_role" "this" {
  name               = "${var.name}-dms-stream"
  description        = "DMS writes the stream of changes."
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "this" {
  name   = "write-stream"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.write.json
}

resource "aws_dms_endpoint" "stream" {
  endpoint_id   = "${var.name}-stream"
  endpoint_type = "target"
  engine_name   = "kinesis"
  kms_key_arn   = var.kms_key_arn

  kinesis_settings {
    stream_arn                     = aws_kinesis_stream.changes.arn
    service_access_role_arn        = aws_iam_role.this.arn
    message_format                 = "json"
    include_transaction_details    = true
    include_table_alter_operations = true
    partition_include_schema_table = true
  }

  depends_on = [aws_iam_role_policy.this]
}

# A slot of its own: it starts with the changes of the moment in which somebody starts it.
resource "aws_dms_replication_task" "stream" {
  replication_task_id      = "${var.name}-stream"
  migration_type           = "cdc"
  replication_instance_arn = var.instance_arn
  source_endpoint_arn      = var.source_endpoint_arn
  target_endpoint_arn      = aws_dms_endpoint.stream.endpoint_arn
  table_mappings           = var.table_mappings
  start_replication_task   = false
}

# What DMS may do: write the landing zone, read one secret, and what AWS itself prescribes once an account.

data "aws_partition" "this" {}

data "aws_iam_policy_document" "trust" {
  for_each = {
    landing = "dms.amazonaws.com"
    # Secrets are fetched by the service of the region.
    secret = "dms.${var.region}.amazonaws.com"
  }

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account]
    }
  }
}

resource "aws_iam_role" "landing" {
  name               = "${var.name}-dms-landing"
  description        = "DMS writes the landing zone."
  assume_role_policy = data.aws_iam_policy_document.trust["landing"].json
}

data "aws_iam_policy_document" "landing" {
  statement {
    sid       = "Write"
    actions   = ["s3:PutObject", "s3:DeleteObject", "s3:PutObjectTagging"]
    resources = ["arn:${data.aws_partition.this.partition}:s3:::${var.landing_bucket}/${var.landing_folder}/*"]
  }

  statement {
    sid       = "Look"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = ["arn:${data.aws_partition.this.partition}:s3:::${var.landing_bucket}"]
  }

  statement {
    sid       = "Encrypt"
    actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
    resources = [var.kms_key_arn]
  }
}

resource "aws_iam_role_policy" "landing" {
  name   = "write-landing-zone"
  role   = aws_iam_role.landing.id
  policy = data.aws_iam_policy_document.landing.json
}

resource "aws_iam_role" "secret" {
  name               = "${var.name}-dms-secret"
  description        = "DMS reads the source's user and password."
  assume_role_policy = data.aws_iam_policy_document.trust["secret"].json
}

data "aws_iam_policy_document" "secret" {
  statement {
    sid       = "Read"
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    resources = [var.source_secret_arn]
  }

  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt"]
    resources = [var.kms_key_arn]
  }
}

resource "aws_iam_role_policy" "secret" {
  name   = "read-secret"
  role   = aws_iam_role.secret.id
  policy = data.aws_iam_policy_document.secret.json
}

# --- once an account, under names that DMS prescribes

locals {
  account_roles = var.create_account_roles ? {
    dms-vpc-role             = "AmazonDMSVPCManagementRole"
    dms-cloudwatch-logs-role = "AmazonDMSCloudWatchLogsRole"
  } : {}
}

resource "aws_iam_role" "account" {
  for_each = local.account_roles

  name               = each.key
  description        = "DMS asks for a role of this name in every account."
  assume_role_policy = data.aws_iam_policy_document.trust["landing"].json
}

resource "aws_iam_role_policy_attachment" "account" {
  for_each = local.account_roles

  role       = aws_iam_role.account[each.key].name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/service-role/${each.value}"
}

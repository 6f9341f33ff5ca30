# One tenant's rows of gold for people outside Lakeside: Lake Formation filters, tenant by tenant and table by table.
# Lakeside itself adds the tenant to every query; this holds for whoever opens Athena with a role of their own.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

data "aws_partition" "this" {}

locals {
  pairs = merge([
    for reader, who in var.readers : {
      for table in var.tables : "${reader}.${table}" => {
        table     = table
        tenant_id = who.tenant_id
        principal = who.principal_arn
        filter    = "${reader}_${table}"
      }
    }
  ]...)
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole", "sts:SetContext"]

    principals {
      type        = "Service"
      identifiers = ["lakeformation.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account]
    }
  }
}

data "aws_iam_policy_document" "read" {
  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = ["arn:${data.aws_partition.this.partition}:s3:::${var.gold_bucket}/gold/*"]
  }

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = ["arn:${data.aws_partition.this.partition}:s3:::${var.gold_bucket}"]
  }

  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt"]
    resources = [var.kms_key_arn]
  }
}

resource "aws_iam_role" "this" {
  name               = "${var.name}-lake-formation"
  description        = "Lake Formation reads gold on behalf of those it lets in."
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "this" {
  name   = "read-gold"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.read.json
}

# Hybrid: Lakeside's own roles go on by IAM; only who is opted in is held to the filters.
resource "aws_lakeformation_resource" "gold" {
  arn                   = "arn:${data.aws_partition.this.partition}:s3:::${var.gold_bucket}/gold"
  role_arn              = aws_iam_role.this.arn
  hybrid_access_enabled = true
}

resource "aws_lakeformation_opt_in" "reader" {
  for_each = local.pairs

  principal {
    data_lake_principal_identifier = each.value.principal
  }

  resource_data {
    data_cells_filter {
      database_name    = var.database
      table_name       = each.value.table
      table_catalog_id = var.account
      name             = aws_lakeformation_data_cells_filter.tenant[each.key].table_data[0].name
    }
  }
}

resource "aws_lakeformation_data_cells_filter" "tenant" {
  for_each = local.pairs

  table_data {
    database_name    = var.database
    table_name       = each.value.table
    table_catalog_id = var.account
    name             = each.value.filter

    column_wildcard {}

    row_filter {
      filter_expression = "tenant_id = ${each.value.tenant_id}"
    }
  }
}

resource "aws_lakeformation_permissions" "tenant" {
  for_each = local.pairs

  principal   = each.value.principal
  permissions = ["SELECT"]

  data_cells_filter {
    database_name    = var.database
    table_name       = each.value.table
    table_catalog_id = var.account
    name             = aws_lakeformation_data_cells_filter.tenant[each.key].table_data[0].name
  }

  depends_on = [aws_lakeformation_resource.gold]
}

resource "aws_lakeformation_permissions" "database" {
  for_each = toset([for who in values(var.readers) : who.principal_arn])

  principal   = each.value
  permissions = ["DESCRIBE"]

  database {
    name       = var.database
    catalog_id = var.account
  }
}

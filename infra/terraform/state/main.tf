# The bucket that keeps the states of all environments. Made once an account, before everything else:
#   terraform -chdir=infra/terraform/state init && terraform -chdir=infra/terraform/state apply
# Its own state is a local file, of which nothing is lost that cannot be imported again.

terraform {
  required_version = ">= 1.10, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.25"
    }
  }
}

variable "account" {
  description = "The account that owns everything."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account))
    error_message = "An account is twelve digits."
  }
}

variable "region" {
  description = "Where the states are kept."
  type        = string
  nullable    = false
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account]

  default_tags {
    tags = {
      Project   = "lakeside"
      ManagedBy = "terraform"
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

resource "aws_kms_key" "state" {
  description             = "Lakeside: Terraform's states."
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

module "bucket" {
  source = "../modules/bucket"

  bucket          = "lakeside-state-${var.account}"
  account         = var.account
  kms_key_arn     = aws_kms_key.state.arn
  versioned       = true
  noncurrent_days = 365
  allow_destroy   = false
}

output "bucket" {
  description = "Give it to terraform init: -backend-config=bucket=..."
  value       = module.bucket.bucket
}

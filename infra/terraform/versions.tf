terraform {
  # 1.10 brought locking by a file in the bucket; it needs no table beside it.
  required_version = ">= 1.10, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.25"
    }
  }

  # Bucket, key and region come from environments/<environment>/backend.hcl.
  backend "s3" {}
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account]

  default_tags {
    tags = local.tags
  }
}

# Where the lake's copy lies, if there is one; else the same region, and nothing is made there.
provider "aws" {
  alias               = "copy"
  region              = coalesce(var.copy_region, var.region)
  allowed_account_ids = [var.account]

  default_tags {
    tags = local.tags
  }
}

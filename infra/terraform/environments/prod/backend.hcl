# Where this environment's state is kept; infra/terraform/state makes the bucket.
#   terraform init -backend-config=environments/prod/backend.hcl -backend-config=bucket=lakeside-state-ACCOUNT
key          = "lakeside/prod/terraform.tfstate"
region       = "eu-central-1"
encrypt      = true
use_lockfile = true

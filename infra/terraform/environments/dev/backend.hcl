# Where this environment's state is kept; infra/terraform/state makes the bucket.
#   terraform init -backend-config=environments/dev/backend.hcl -backend-config=bucket=lakeside-state-ACCOUNT
key          = "lakeside/dev/terraform.tfstate"
region       = "eu-central-1"
encrypt      = true
use_lockfile = true

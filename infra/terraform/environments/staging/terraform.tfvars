# Replace account, region, zones, addresses and the source; everything else has a default in variables.tf.
environment        = "staging"
account            = "123456789012"
region             = "eu-central-1"
availability_zones = ["eu-central-1a", "eu-central-1b"]

source_database = {
  name     = "shop"
  cidr     = "10.0.0.0/16"
  ssl_mode = "require"
}

replication = {
  serverless         = true
  max_capacity_units = 4
}

alert_emails       = ["data@example.com"]
monthly_budget_usd = 300

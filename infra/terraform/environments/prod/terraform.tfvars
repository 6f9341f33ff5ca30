# Replace account, region, zones, addresses and the source; everything else has a default in variables.tf.
# source-ca.pem is the certificate of the authority that signed the source's: on RDS, the region's bundle.
environment        = "prod"
account            = "123456789012"
region             = "eu-central-1"
availability_zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
endpoint_zones     = 2
copy_region        = "eu-west-1"

source_database = {
  name     = "shop"
  cidr     = "10.0.0.0/16"
  ssl_mode = "verify-full"
  ca_file  = "environments/prod/source-ca.pem"
}

replication = {
  instance_class       = "dms.r6i.large"
  allocated_storage_gb = 200
  multi_az             = true
}

glue = {
  worker_type = "G.2X"
  workers     = 4
}

alert_emails       = ["data@example.com"]
monthly_budget_usd = 1500
lag_alarm_seconds  = 300

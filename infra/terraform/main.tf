# Everything that LAKEHOUSE_BACKEND=aws needs, from the source's network to the alarms. Read top down: the order is that of the data.

locals {
  name            = "lakeside-${var.environment}"
  database_prefix = "lakeside_${var.environment}_"
  lake_folder     = "lake"
  landing_folder  = "landing"

  tags = merge(var.tags, {
    Project     = "lakeside"
    Environment = var.environment
    ManagedBy   = "terraform"
  })
}

module "security" {
  source = "./modules/security"

  name    = local.name
  account = var.account
  region  = var.region
}

module "network" {
  source = "./modules/network"

  name               = local.name
  region             = var.region
  account            = var.account
  cidr               = var.vpc_cidr
  availability_zones = var.availability_zones
  endpoint_zones     = var.endpoint_zones
  source_network     = var.source_network
  source_cidr        = var.source_database.cidr
  source_port        = var.source_database.port
  kms_key_arn        = module.security.key_arn
  log_days           = var.log_days
}

module "lake" {
  source = "./modules/lake"

  name                = local.name
  account             = var.account
  region              = var.region
  kms_key_arn         = module.security.key_arn
  landing_days        = var.landing_days
  bronze_archive_days = var.bronze_archive_days
  noncurrent_days     = var.noncurrent_days
  allow_destroy       = var.allow_destroy
}

module "lake_copy" {
  source = "./modules/lake_copy"
  count  = var.copy_region == null ? 0 : 1

  providers = {
    aws      = aws
    aws.copy = aws.copy
  }

  name            = local.name
  account         = var.account
  copy_region     = var.copy_region
  kms_key_arn     = module.security.key_arn
  buckets         = { for zone in ["bronze", "silver", "gold"] : zone => module.lake.buckets[zone] }
  noncurrent_days = var.noncurrent_days
}

module "replication" {
  source = "./modules/replication"

  name                 = local.name
  account              = var.account
  region               = var.region
  subnet_ids           = module.network.subnet_ids
  security_group_ids   = [module.network.replication_security_group_id]
  kms_key_arn          = module.security.key_arn
  source_database      = var.source_database
  source_secret_arn    = module.security.dms_secret_arn
  landing_bucket       = module.lake.buckets["landing"]
  landing_folder       = local.landing_folder
  dms                  = var.dms
  replication          = var.replication
  create_account_roles = var.create_dms_account_roles
}

module "stream" {
  source = "./modules/stream"
  count  = var.stream_changes ? 1 : 0

  name                = local.name
  account             = var.account
  kms_key_arn         = module.security.key_arn
  source_endpoint_arn = module.replication.source_endpoint_arn
  instance_arn        = module.replication.instance_arn
  table_mappings      = var.dms.table_mappings
}

module "source_parameters" {
  source = "./modules/source_parameters"
  count  = var.manage_source_parameters ? 1 : 0

  name = local.name
}

module "catalog" {
  source = "./modules/catalog"

  name              = local.name
  account           = var.account
  region            = var.region
  database_prefix   = local.database_prefix
  buckets           = module.lake.buckets
  lake_folder       = local.lake_folder
  landing_folder    = local.landing_folder
  kms_key_arn       = module.security.key_arn
  security_settings = module.security.glue_security_configuration
}

module "jobs" {
  source = "./modules/jobs"

  name              = local.name
  account           = var.account
  region            = var.region
  database_prefix   = local.database_prefix
  buckets           = module.lake.buckets
  lake_folder       = local.lake_folder
  landing_folder    = local.landing_folder
  kms_key_arn       = module.security.key_arn
  security_settings = module.security.glue_security_configuration
  source_secret_arn = module.security.source_secret_arn
  subnet_id         = module.network.subnet_ids[0]
  availability_zone = var.availability_zones[0]
  security_group_id = module.network.jobs_security_group_id
  glue              = var.glue
  package_file      = var.package_file
  crawler           = module.catalog.crawler
  landing_database  = module.catalog.databases["landing"]
  source_tables     = var.dms.tables
  drift_schedule    = var.drift_schedule
}

module "query" {
  source = "./modules/query"

  name             = local.name
  account          = var.account
  kms_key_arn      = module.security.key_arn
  bytes_per_query  = var.athena_bytes_per_query
  gold_database    = module.catalog.databases["gold"]
  named_queries    = var.gold.queries
  results_location = "s3://${module.lake.buckets["results"]}/athena/"
}

module "access" {
  source = "./modules/access"

  name              = local.name
  account           = var.account
  region            = var.region
  principals        = var.control_plane_principals
  database_prefix   = local.database_prefix
  buckets           = module.lake.buckets
  lake_folder       = local.lake_folder
  kms_key_arn       = module.security.key_arn
  task_arn          = module.replication.task_arn
  instance_arn      = module.replication.instance_arn
  endpoint_arns     = [module.replication.source_endpoint_arn, module.replication.target_endpoint_arn]
  job_names         = [module.jobs.job]
  crawler           = module.catalog.crawler
  workgroup         = module.query.workgroup
  source_secret_arn = module.security.source_secret_arn
}

module "tenant_filters" {
  source = "./modules/tenant_filters"
  count  = length(var.tenant_readers) == 0 ? 0 : 1

  name        = local.name
  account     = var.account
  database    = module.catalog.databases["gold"]
  tables      = var.gold.tenant_tables
  readers     = var.tenant_readers
  gold_bucket = module.lake.buckets["gold"]
  kms_key_arn = module.security.key_arn
}

module "monitoring" {
  source = "./modules/monitoring"

  name               = local.name
  account            = var.account
  region             = var.region
  kms_key_arn        = module.security.key_arn
  alert_emails       = var.alert_emails
  monthly_budget_usd = var.monthly_budget_usd
  lag_alarm_seconds  = var.lag_alarm_seconds
  serverless         = var.replication.serverless
  instance           = module.replication.instance
  task_arn           = module.replication.task_arn
  job_names          = [module.jobs.job, module.jobs.drift_job]
  workgroup          = module.query.workgroup
  buckets            = { for zone in ["landing", "bronze", "silver", "gold"] : zone => module.lake.buckets[zone] }
  rds_identifier     = var.source_database.rds_identifier
}

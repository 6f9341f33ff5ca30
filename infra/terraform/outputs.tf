# `terraform output -json | manage.py lakehouse env-from-terraform` makes the lines of .env from these; no secret is among them.

output "environment" {
  description = "LAKEHOUSE_AWS_ENVIRONMENT."
  value       = var.environment
}

output "region" {
  description = "LAKEHOUSE_AWS_REGION."
  value       = var.region
}

output "account" {
  description = "LAKEHOUSE_AWS_ACCOUNT."
  value       = var.account
}

output "lake_uri" {
  description = "LAKEHOUSE_LAKE_URI: bronze and the jobs' folders. Silver, quarantine and gold lie where their Glue databases say."
  value       = "s3://${module.lake.buckets["bronze"]}/${local.lake_folder}"
}

output "landing_uri" {
  description = "LAKEHOUSE_DMS_LANDING_URI."
  value       = "s3://${module.lake.buckets["landing"]}/${local.landing_folder}"
}

output "dms_task" {
  description = "LAKEHOUSE_DMS_TASK: the task, or the serverless replication's configuration."
  value       = module.replication.task_arn
}

output "source_tables" {
  description = "LAKEHOUSE_SOURCE_TABLES."
  value       = var.dms.tables
}

output "source_secret" {
  description = "LAKEHOUSE_SOURCE_SECRET: the secret's name. Its text is put in by a person."
  value       = module.security.source_secret_name
}

output "dms_secret" {
  description = "The secret that DMS reads: user, password, host and port as JSON. Its text is put in by a person."
  value       = module.security.dms_secret_name
}

output "glue_job" {
  description = "LAKEHOUSE_GLUE_JOB."
  value       = module.jobs.job
}

output "glue_crawler" {
  description = "LAKEHOUSE_GLUE_CRAWLER."
  value       = module.catalog.crawler
}

output "athena_workgroup" {
  description = "LAKEHOUSE_ATHENA_WORKGROUP."
  value       = module.query.workgroup
}

output "kms_key" {
  description = "LAKEHOUSE_S3_KMS_KEY."
  value       = module.security.key_arn
}

output "worker_role_arn" {
  description = "The role of the worker, beat and command line; null if nobody may take it."
  value       = module.access.worker_role_arn
}

output "web_role_arn" {
  description = "The role of the web processes; null if nobody may take it."
  value       = module.access.web_role_arn
}

output "buckets" {
  description = "Names of the buckets, by what they hold."
  value       = module.lake.buckets
}

output "copy_buckets" {
  description = "Names of the copies in the other region, by zone; empty if there is none."
  value       = one(module.lake_copy[*].buckets) == null ? {} : one(module.lake_copy[*].buckets)
}

output "replication_instance" {
  description = "The DMS instance's identifier; null if serverless."
  value       = module.replication.instance
}

output "alerts_topic_arn" {
  description = "Where alarms are published."
  value       = module.monitoring.topic_arn
}

output "source_parameter_group" {
  description = "The RDS parameter group for the source; null if none was asked for."
  value       = one(module.source_parameters[*].parameter_group)
}

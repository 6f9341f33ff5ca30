# DMS: from the source's log to files in the landing zone, in the one format that Lakeside's intake reads.
# Format, mappings and task settings come from the contracts: `manage.py lakehouse dms-settings`.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

locals {
  s3       = var.dms.s3_settings
  postgres = var.dms.postgres_settings
}

resource "aws_dms_replication_subnet_group" "this" {
  replication_subnet_group_id          = var.name
  replication_subnet_group_description = "Private subnets of ${var.name}"
  subnet_ids                           = var.subnet_ids

  depends_on = [aws_iam_role_policy_attachment.account]
}

# --- endpoints

resource "aws_dms_certificate" "source" {
  count = var.source_database.ca_file == null ? 0 : 1

  certificate_id  = "${var.name}-source"
  certificate_pem = file(var.source_database.ca_file)
}

resource "aws_dms_endpoint" "source" {
  endpoint_id                     = "${var.name}-source"
  endpoint_type                   = "source"
  engine_name                     = "postgres"
  database_name                   = var.source_database.name
  ssl_mode                        = var.source_database.ssl_mode
  certificate_arn                 = one(aws_dms_certificate.source[*].certificate_arn)
  secrets_manager_arn             = var.source_secret_arn
  secrets_manager_access_role_arn = aws_iam_role.secret.arn
  kms_key_arn                     = var.kms_key_arn

  postgres_settings {
    capture_ddls                 = local.postgres["capture_ddls"]
    fail_tasks_on_lob_truncation = local.postgres["fail_tasks_on_lob_truncation"]
    heartbeat_enable             = local.postgres["heartbeat_enable"]
    heartbeat_frequency          = local.postgres["heartbeat_frequency"]
    map_boolean_as_boolean       = local.postgres["map_boolean_as_boolean"]
    plugin_name                  = local.postgres["plugin_name"]
  }
}

resource "aws_dms_s3_endpoint" "landing" {
  endpoint_id             = "${var.name}-landing"
  endpoint_type           = "target"
  service_access_role_arn = aws_iam_role.landing.arn
  bucket_name             = var.landing_bucket
  bucket_folder           = var.landing_folder
  expected_bucket_owner   = var.account
  ssl_mode                = "none" # An S3 endpoint has no other; DMS itself always speaks TLS to S3.
  kms_key_arn             = var.kms_key_arn

  encryption_mode                   = "SSE_KMS"
  server_side_encryption_kms_key_id = var.kms_key_arn

  data_format                                 = local.s3["data_format"]
  compression_type                            = upper(local.s3["compression_type"])
  csv_delimiter                               = local.s3["csv_delimiter"]
  csv_row_delimiter                           = local.s3["csv_row_delimiter"]
  csv_null_value                              = local.s3["csv_null_value"]
  rfc_4180                                    = local.s3["rfc_4180"]
  add_column_name                             = local.s3["add_column_name"]
  include_op_for_full_load                    = local.s3["include_op_for_full_load"]
  cdc_inserts_only                            = local.s3["cdc_inserts_only"]
  timestamp_column_name                       = local.s3["timestamp_column_name"]
  use_task_start_time_for_full_load_timestamp = local.s3["use_task_start_time_for_full_load_timestamp"]
  date_partition_enabled                      = local.s3["date_partition_enabled"]
  date_partition_sequence                     = lower(local.s3["date_partition_sequence"])
  date_partition_delimiter                    = local.s3["date_partition_delimiter"]
  preserve_transactions                       = local.s3["preserve_transactions"]
  max_file_size                               = local.s3["max_file_size"]
  cdc_max_batch_interval                      = local.s3["cdc_max_batch_interval"]

  depends_on = [aws_iam_role_policy.landing]
}

# --- what carries it: an instance and a task, or a serverless replication

resource "aws_dms_replication_instance" "this" {
  count = var.replication.serverless ? 0 : 1

  replication_instance_id      = var.name
  replication_instance_class   = var.replication.instance_class
  allocated_storage            = var.replication.allocated_storage_gb
  engine_version               = var.replication.engine_version
  multi_az                     = var.replication.multi_az
  auto_minor_version_upgrade   = true
  allow_major_version_upgrade  = false
  publicly_accessible          = false
  kms_key_arn                  = var.kms_key_arn
  replication_subnet_group_id  = aws_dms_replication_subnet_group.this.id
  vpc_security_group_ids       = var.security_group_ids
  preferred_maintenance_window = "sun:03:00-sun:05:00"

  depends_on = [aws_iam_role_policy_attachment.account]
}

resource "aws_dms_replication_task" "this" {
  count = var.replication.serverless ? 0 : 1

  replication_task_id       = var.name
  migration_type            = var.replication.migration_type
  replication_instance_arn  = aws_dms_replication_instance.this[0].replication_instance_arn
  source_endpoint_arn       = aws_dms_endpoint.source.endpoint_arn
  target_endpoint_arn       = aws_dms_s3_endpoint.landing.endpoint_arn
  table_mappings            = var.dms.table_mappings
  replication_task_settings = var.dms.task_settings
  # Runs start it: the first start, a reload and a resumption are different orders.
  start_replication_task = false

  lifecycle {
    precondition {
      condition     = !contains(["dms.t2.micro", "dms.t3.micro"], var.replication.instance_class)
      error_message = "A micro instance has too little memory for a full load of several tables at once."
    }
  }
}

resource "aws_dms_replication_config" "this" {
  count = var.replication.serverless ? 1 : 0

  replication_config_identifier = var.name
  replication_type              = var.replication.migration_type
  source_endpoint_arn           = aws_dms_endpoint.source.endpoint_arn
  target_endpoint_arn           = aws_dms_s3_endpoint.landing.endpoint_arn
  table_mappings                = var.dms.table_mappings
  replication_settings          = var.dms.task_settings
  start_replication             = false

  compute_config {
    replication_subnet_group_id  = aws_dms_replication_subnet_group.this.id
    vpc_security_group_ids       = var.security_group_ids
    min_capacity_units           = var.replication.min_capacity_units
    max_capacity_units           = var.replication.max_capacity_units
    multi_az                     = var.replication.multi_az
    kms_key_id                   = var.kms_key_arn
    preferred_maintenance_window = "sun:03:00-sun:05:00"
  }

  lifecycle {
    precondition {
      condition     = var.replication.min_capacity_units <= var.replication.max_capacity_units
      error_message = "replication.min_capacity_units is larger than max_capacity_units."
    }
  }
}

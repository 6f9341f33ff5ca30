# What PostgreSQL 15 on RDS needs to be replicated. Attach it to the source's instance, which then has to be restarted once.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

locals {
  # Static ones take effect when the instance is restarted.
  static = {
    "rds.logical_replication" = "1"
    "max_replication_slots"   = tostring(var.max_replication_slots)
    "max_wal_senders"         = tostring(var.max_replication_slots + 5)
  }
  dynamic = {
    "rds.force_ssl" = "1"
    # Milliseconds. DMS asks for 0 or at least 10,000.
    "wal_sender_timeout" = "60000"
    # Megabytes. A slot that nobody reads must not fill the source's disk.
    "max_slot_wal_keep_size" = tostring(var.slot_wal_gigabytes * 1024)
    # Milliseconds. A transaction that somebody left open keeps the log, and delays every change after it.
    "idle_in_transaction_session_timeout" = "3600000"
  }
}

resource "aws_db_parameter_group" "this" {
  name        = "${var.name}-source"
  family      = var.family
  description = "Logical replication, TLS, and limits that protect the source."

  dynamic "parameter" {
    for_each = local.static

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "pending-reboot"
    }
  }

  dynamic "parameter" {
    for_each = local.dynamic

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "immediate"
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

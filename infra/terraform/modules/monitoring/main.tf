# What a person is told of, and where to look: a topic, alarms, events of DMS and Glue, a dashboard, a budget.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

locals {
  task_resource = element(split(":", var.task_arn), length(split(":", var.task_arn)) - 1)

  task_dimensions = {
    ReplicationInstanceIdentifier = var.instance
    ReplicationTaskIdentifier     = local.task_resource
  }
}

# --- whom to tell

resource "aws_sns_topic" "alerts" {
  name              = "${var.name}-alerts"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_subscription" "email" {
  for_each = toset(var.alert_emails)

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

data "aws_iam_policy_document" "alerts" {
  statement {
    sid       = "ServicesPublish"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "events.amazonaws.com", "budgets.amazonaws.com", "dms.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account]
    }
  }

  statement {
    sid       = "ByTlsAlone"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.alerts.json
}

# --- DMS

locals {
  # Source lag alone grows with every transaction that somebody leaves open: lag at the target tells that files come late.
  task_alarms = var.serverless ? {} : {
    lag = {
      metric      = "CDCLatencyTarget"
      threshold   = var.lag_alarm_seconds
      comparison  = "GreaterThanThreshold"
      description = "DMS lands changes later than promised. docs/runbooks/dms-task-failed.md"
    }
  }

  instance_alarms = var.serverless ? {} : {
    storage = {
      metric      = "FreeStorageSpace"
      threshold   = 5 * 1024 * 1024 * 1024
      comparison  = "LessThanThreshold"
      description = "The DMS instance has less than 5 GiB left. docs/runbooks/dms-task-failed.md"
    }
    memory = {
      metric      = "FreeableMemory"
      threshold   = 256 * 1024 * 1024
      comparison  = "LessThanThreshold"
      description = "The DMS instance has less than 256 MiB of memory left. docs/runbooks/dms-task-failed.md"
    }
    cpu = {
      metric      = "CPUUtilization"
      threshold   = 90
      comparison  = "GreaterThanThreshold"
      description = "The DMS instance has worked at its limit for 15 minutes. docs/runbooks/dms-task-failed.md"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "task" {
  for_each = local.task_alarms

  alarm_name          = "${var.name}-dms-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/DMS"
  metric_name         = each.value.metric
  dimensions          = local.task_dimensions
  statistic           = "Average"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching" # A task that only loads reports no lag.
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "instance" {
  for_each = local.instance_alarms

  alarm_name          = "${var.name}-dms-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/DMS"
  metric_name         = each.value.metric
  dimensions          = { ReplicationInstanceIdentifier = var.instance }
  statistic           = "Average"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = "missing"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

resource "aws_dms_event_subscription" "task" {
  count = var.serverless ? 0 : 1

  name             = "${var.name}-task"
  source_type      = "replication-task"
  source_ids       = [var.name]
  event_categories = ["failure", "state change", "configuration change"]
  sns_topic_arn    = aws_sns_topic.alerts.arn
}

# --- the source

locals {
  source_alarms = var.rds_identifier == null ? {} : {
    slot = {
      metric      = "OldestReplicationSlotLag"
      threshold   = 10 * 1024 * 1024 * 1024
      description = "A slot keeps more than 10 GiB of the source's log. docs/runbooks/slot-growing.md"
    }
    log = {
      metric      = "TransactionLogsDiskUsage"
      threshold   = 50 * 1024 * 1024 * 1024
      description = "The source's log takes more than 50 GiB. docs/runbooks/slot-growing.md"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "source" {
  for_each = local.source_alarms

  alarm_name          = "${var.name}-source-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  dimensions          = { DBInstanceIdentifier = var.rds_identifier }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "missing"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

# --- Glue

resource "aws_cloudwatch_event_rule" "job" {
  name        = "${var.name}-job-failed"
  description = "A Glue job of Lakeside ended without success."

  event_pattern = jsonencode({
    source      = ["aws.glue"]
    detail-type = ["Glue Job State Change"]
    detail = {
      jobName = var.job_names
      state   = ["FAILED", "TIMEOUT", "ERROR"]
    }
  })
}

resource "aws_cloudwatch_event_target" "job" {
  rule      = aws_cloudwatch_event_rule.job.name
  target_id = "alerts"
  arn       = aws_sns_topic.alerts.arn
}

# --- Athena

resource "aws_cloudwatch_metric_alarm" "scanned" {
  alarm_name          = "${var.name}-athena-scanned"
  alarm_description   = "Questions of one hour scanned more than 100 GiB: somebody, or a page, asks more than it needs."
  namespace           = "AWS/Athena"
  metric_name         = "ProcessedBytes"
  dimensions          = { WorkGroup = var.workgroup }
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 100 * 1024 * 1024 * 1024
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
}

# --- money

resource "aws_budgets_budget" "month" {
  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  # Counts what carries our tags, once the account has activated Project and Environment as cost allocation tags.
  cost_filter {
    name   = "TagKeyValue"
    values = ["user:Project$lakeside"]
  }

  notification {
    notification_type          = "ACTUAL"
    comparison_operator        = "GREATER_THAN"
    threshold                  = 80
    threshold_type             = "PERCENTAGE"
    subscriber_email_addresses = var.alert_emails
    subscriber_sns_topic_arns  = [aws_sns_topic.alerts.arn]
  }

  notification {
    notification_type          = "FORECASTED"
    comparison_operator        = "GREATER_THAN"
    threshold                  = 100
    threshold_type             = "PERCENTAGE"
    subscriber_email_addresses = var.alert_emails
    subscriber_sns_topic_arns  = [aws_sns_topic.alerts.arn]
  }
}

# --- where to look

locals {
  task_metric = [for metric in ["CDCLatencySource", "CDCLatencyTarget"] : [
    "AWS/DMS", metric, "ReplicationInstanceIdentifier", coalesce(var.instance, "none"), "ReplicationTaskIdentifier", local.task_resource,
  ]]
  instance_metric = [for metric in ["CPUUtilization", "FreeableMemory", "FreeStorageSpace"] : [
    "AWS/DMS", metric, "ReplicationInstanceIdentifier", coalesce(var.instance, "none"),
  ]]

  widgets = concat(
    var.serverless ? [] : [
      { title = "Replication: seconds behind the source", metrics = local.task_metric, period = 60, stat = "Average" },
      { title = "Replication instance", metrics = local.instance_metric, period = 300, stat = "Average" },
    ],
    [
      {
        title   = "Glue: seconds of runs"
        metrics = [for job in var.job_names : ["Glue", "glue.driver.aggregate.elapsedTime", "JobName", job, "JobRunId", "ALL", "Type", "count"]]
        period  = 300
        stat    = "Sum"
      },
      {
        title   = "Athena: bytes scanned, and time of questions"
        metrics = [["AWS/Athena", "ProcessedBytes", "WorkGroup", var.workgroup], ["AWS/Athena", "TotalExecutionTime", "WorkGroup", var.workgroup]]
        period  = 300
        stat    = "Sum"
      },
      {
        title   = "The lake's size"
        metrics = [for bucket in values(var.buckets) : ["AWS/S3", "BucketSizeBytes", "BucketName", bucket, "StorageType", "StandardStorage"]]
        period  = 86400
        stat    = "Average"
      },
    ],
    var.rds_identifier == null ? [] : [
      {
        title   = "What slots keep of the source's log"
        metrics = [["AWS/RDS", "OldestReplicationSlotLag", "DBInstanceIdentifier", var.rds_identifier], ["AWS/RDS", "TransactionLogsDiskUsage", "DBInstanceIdentifier", var.rds_identifier]]
        period  = 300
        stat    = "Maximum"
      },
    ],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = [
      for number, each in local.widgets : {
        type   = "metric"
        x      = (number % 2) * 12
        y      = floor(number / 2) * 6
        width  = 12
        height = 6
        properties = {
          title   = each.title
          region  = var.region
          view    = "timeSeries"
          stacked = false
          metrics = each.metrics
          period  = each.period
          stat    = each.stat
        }
      }
    ]
  })
}

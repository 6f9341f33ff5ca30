output "task_arn" {
  description = "The task, or the serverless replication's configuration."
  value       = var.replication.serverless ? one(aws_dms_replication_config.this[*].arn) : one(aws_dms_replication_task.this[*].replication_task_arn)
}

output "instance_arn" {
  description = "The instance; null if serverless."
  value       = one(aws_dms_replication_instance.this[*].replication_instance_arn)
}

output "instance" {
  description = "Its identifier; null if serverless."
  value       = one(aws_dms_replication_instance.this[*].replication_instance_id)
}

output "source_endpoint_arn" {
  description = "The source, as DMS knows it."
  value       = aws_dms_endpoint.source.endpoint_arn
}

output "target_endpoint_arn" {
  description = "The landing zone, as DMS knows it."
  value       = aws_dms_s3_endpoint.landing.endpoint_arn
}

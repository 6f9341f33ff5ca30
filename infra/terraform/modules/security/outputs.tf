output "key_arn" {
  description = "The key that encrypts everything at rest."
  value       = aws_kms_key.this.arn
}

output "source_secret_arn" {
  description = "The secret that holds the source's URL."
  value       = aws_secretsmanager_secret.source.arn
}

output "source_secret_name" {
  description = "Its name."
  value       = aws_secretsmanager_secret.source.name
}

output "dms_secret_arn" {
  description = "The secret that DMS reads."
  value       = aws_secretsmanager_secret.dms.arn
}

output "dms_secret_name" {
  description = "Its name."
  value       = aws_secretsmanager_secret.dms.name
}

output "glue_security_configuration" {
  description = "How Glue's jobs and crawlers encrypt."
  value       = aws_glue_security_configuration.this.name
}

output "buckets" {
  description = "Names of the copies, by zone."
  value       = { for zone, each in module.bucket : zone => each.bucket }
}

output "kms_key_arn" {
  description = "The key of the copy."
  value       = aws_kms_key.copy.arn
}

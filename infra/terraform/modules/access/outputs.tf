output "worker_role_arn" {
  description = "The role of the worker; null if nobody may take it."
  value       = one(aws_iam_role.worker[*].arn)
}

output "web_role_arn" {
  description = "The role of the web processes; null if nobody may take it."
  value       = one(aws_iam_role.web[*].arn)
}

output "worker_policy_arn" {
  description = "The worker's policy, to be attached to a role that exists."
  value       = aws_iam_policy.worker.arn
}

output "web_policy_arn" {
  description = "The web processes' policy, likewise."
  value       = aws_iam_policy.web.arn
}

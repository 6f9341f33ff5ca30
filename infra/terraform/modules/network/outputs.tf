output "subnet_ids" {
  description = "The private subnets, in the order of the zones."
  value       = [for zone in var.availability_zones : aws_subnet.private[zone].id]
}

output "replication_security_group_id" {
  description = "The group of DMS."
  value       = aws_security_group.replication.id
}

output "jobs_security_group_id" {
  description = "The group of Glue jobs."
  value       = aws_security_group.jobs.id
}

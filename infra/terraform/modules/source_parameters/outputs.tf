output "parameter_group" {
  description = "Its name."
  value       = aws_db_parameter_group.this.name
}

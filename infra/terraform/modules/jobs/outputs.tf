output "job" {
  description = "The job that runs every transform."
  value       = aws_glue_job.transform.name
}

output "drift_job" {
  description = "The job that compares what was landed with the contracts."
  value       = aws_glue_job.drift.name
}

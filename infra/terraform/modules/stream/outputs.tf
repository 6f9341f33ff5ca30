output "stream_arn" {
  description = "The stream of changes."
  value       = aws_kinesis_stream.changes.arn
}

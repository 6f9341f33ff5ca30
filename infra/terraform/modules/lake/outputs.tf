output "buckets" {
  description = "Names of the buckets, by what they hold: landing, bronze, silver, gold, results, artifacts."
  value       = { for use, each in module.bucket : use => each.bucket }
}

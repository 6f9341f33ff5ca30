output "filters" {
  description = "Names of the filters, by reader and table."
  value       = { for pair, each in local.pairs : pair => each.filter }
}

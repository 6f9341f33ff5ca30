output "databases" {
  description = "Names of the databases, by zone."
  value       = { for zone, database in aws_glue_catalog_database.this : zone => database.name }
}

output "crawler" {
  description = "The crawler's name."
  value       = aws_glue_crawler.landing.name
}

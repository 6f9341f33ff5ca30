variable "name" {
  description = "Beginning of every name."
  type        = string
  nullable    = false
}

variable "account" {
  description = "The account that owns everything."
  type        = string
  nullable    = false
}

variable "results_location" {
  description = "Their address."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "The key that encrypts everything at rest."
  type        = string
  nullable    = false
}

variable "bytes_per_query" {
  description = "A query that would scan more is cancelled."
  type        = number
  nullable    = false
}

variable "gold_database" {
  description = "The Glue database of gold."
  type        = string
  nullable    = false
}

variable "named_queries" {
  description = "Queries to begin with, by model."
  type        = map(object({ description = string, sql = string }))
  nullable    = false
}

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

variable "region" {
  description = "The region of every resource."
  type        = string
  nullable    = false
}

variable "database_prefix" {
  description = "Before a schema's name in the Glue Data Catalog, whose databases share a namespace."
  type        = string
  nullable    = false
}

variable "buckets" {
  description = "Names of the buckets, by what they hold."
  type        = map(string)
  nullable    = false
}

variable "lake_folder" {
  description = "Folder of the bronze bucket in which bronze and the jobs' folders lie."
  type        = string
  nullable    = false
}

variable "landing_folder" {
  description = "Folder of the landing bucket that DMS writes to."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "The key that encrypts everything at rest."
  type        = string
  nullable    = false
}

variable "security_settings" {
  description = "Glue's security configuration."
  type        = string
  nullable    = false
}

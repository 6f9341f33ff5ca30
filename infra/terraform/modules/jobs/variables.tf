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

variable "source_secret_arn" {
  description = "The secret that holds the source's URL."
  type        = string
  nullable    = false
}

variable "subnet_id" {
  description = "Where jobs reach the source from."
  type        = string
  nullable    = false
}

variable "availability_zone" {
  description = "Its zone."
  type        = string
  nullable    = false
}

variable "security_group_id" {
  description = "Group of the jobs."
  type        = string
  nullable    = false
}

variable "glue" {
  description = "Size and limits."
  type = object({
    worker_type         = string
    workers             = number
    timeout_minutes     = number
    max_concurrent_runs = number
  })
  nullable = false
}

variable "package_file" {
  description = "Our code and its libraries, from `make glue-package`."
  type        = string
  nullable    = false
}

variable "crawler" {
  description = "The crawler over the landing zone."
  type        = string
  nullable    = false
}

variable "landing_database" {
  description = "The Glue database that the crawler writes."
  type        = string
  nullable    = false
}

variable "source_tables" {
  description = "The replicated tables."
  type        = list(string)
  nullable    = false
}

variable "drift_schedule" {
  description = "When the crawler looks."
  type        = string
  nullable    = false
}

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

variable "principals" {
  description = "Who may take the roles; nobody if empty."
  type        = list(string)
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

variable "kms_key_arn" {
  description = "The key that encrypts everything at rest."
  type        = string
  nullable    = false
}

variable "task_arn" {
  description = "The DMS task or serverless replication."
  type        = string
  nullable    = false
}

variable "instance_arn" {
  description = "The replication instance; null if serverless."
  type        = string
  default     = null
}

variable "endpoint_arns" {
  description = "The two DMS endpoints."
  type        = list(string)
  nullable    = false
}

variable "job_names" {
  description = "Glue jobs that workers start."
  type        = list(string)
  nullable    = false
}

variable "crawler" {
  description = "The crawler over the landing zone."
  type        = string
  nullable    = false
}

variable "workgroup" {
  description = "The Athena workgroup."
  type        = string
  nullable    = false
}

variable "source_secret_arn" {
  description = "The secret that holds the source's URL."
  type        = string
  nullable    = false
}

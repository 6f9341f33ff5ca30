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

variable "kms_key_arn" {
  description = "The key that encrypts everything at rest."
  type        = string
  nullable    = false
}

variable "landing_days" {
  description = "Days after which landed files are removed."
  type        = number
  nullable    = false
}

variable "bronze_archive_days" {
  description = "Days after which bronze moves to Glacier Instant Retrieval."
  type        = number
  nullable    = false
}

variable "noncurrent_days" {
  description = "Days for which overwritten and deleted objects can be brought back."
  type        = number
  nullable    = false
}

variable "allow_destroy" {
  description = "Whether what it makes may be removed with what is in it."
  type        = bool
  nullable    = false
}

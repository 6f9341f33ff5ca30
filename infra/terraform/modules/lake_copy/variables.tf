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

variable "copy_region" {
  description = "Where the copy lies."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "The key of what is copied."
  type        = string
  nullable    = false
}

variable "buckets" {
  description = "Buckets to copy, by zone."
  type        = map(string)
  nullable    = false
}

variable "noncurrent_days" {
  description = "Days for which overwritten and deleted objects can be brought back."
  type        = number
  nullable    = false
}

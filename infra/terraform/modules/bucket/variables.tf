variable "bucket" {
  description = "Its name."
  type        = string
  nullable    = false
}

variable "account" {
  description = "The account that owns everything."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "The key that encrypts it; null for the key of S3 itself, which the log delivery of S3 asks for."
  type        = string
  default     = null
}

variable "log_bucket" {
  description = "Where requests to it are logged; null for the bucket of logs itself."
  type        = string
  default     = null
}

variable "receives_logs" {
  description = "Whether S3 may write its access logs here."
  type        = bool
  default     = false
  nullable    = false
}

variable "versioned" {
  description = "Whether replaced and deleted objects are kept for a while."
  type        = bool
  nullable    = false
}

variable "noncurrent_days" {
  description = "Days for which overwritten and deleted objects can be brought back."
  type        = number
  nullable    = false
}

variable "expire_days" {
  description = "Days after which objects are removed; null for never."
  type        = number
  default     = null
}

variable "transitions" {
  description = "Moves to cheaper storage, by a name."
  type        = map(object({ prefix = string, days = number, storage_class = string }))
  default     = {}
  nullable    = false
}

variable "allow_destroy" {
  description = "Whether what it makes may be removed with what is in it."
  type        = bool
  nullable    = false
}

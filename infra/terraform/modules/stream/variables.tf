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

variable "kms_key_arn" {
  description = "The key that encrypts everything at rest."
  type        = string
  nullable    = false
}

variable "source_endpoint_arn" {
  description = "The source, as DMS knows it."
  type        = string
  nullable    = false
}

variable "instance_arn" {
  description = "The replication instance; a stream needs one."
  type        = string
  default     = null

  validation {
    condition     = var.instance_arn != null
    error_message = "A stream is fed by a task on an instance: set replication.serverless to false, or stream_changes to false."
  }
}

variable "table_mappings" {
  description = "The mappings of the task that lands in S3."
  type        = string
  nullable    = false
}

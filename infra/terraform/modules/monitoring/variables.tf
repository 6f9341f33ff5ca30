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

variable "alert_emails" {
  description = "Who is told."
  type        = list(string)
  nullable    = false
}

variable "monthly_budget_usd" {
  description = "What a month may cost, in US dollars."
  type        = number
  nullable    = false
}

variable "lag_alarm_seconds" {
  description = "Lag that opens an alarm."
  type        = number
  nullable    = false
}

variable "serverless" {
  description = "Whether DMS runs without an instance of ours."
  type        = bool
  nullable    = false
}

variable "instance" {
  description = "Its identifier; null if serverless."
  type        = string
  default     = null
}

variable "task_arn" {
  description = "The DMS task or serverless replication."
  type        = string
  nullable    = false
}

variable "job_names" {
  description = "Glue jobs whose failures are told."
  type        = list(string)
  nullable    = false
}

variable "workgroup" {
  description = "The Athena workgroup."
  type        = string
  nullable    = false
}

variable "buckets" {
  description = "Buckets whose size is shown, by zone."
  type        = map(string)
  nullable    = false
}

variable "rds_identifier" {
  description = "The source's RDS instance, for what its slot keeps; null if it is not on RDS."
  type        = string
  default     = null
}

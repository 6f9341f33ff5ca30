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

variable "subnet_ids" {
  description = "Private subnets in two zones or more."
  type        = list(string)
  nullable    = false
}

variable "security_group_ids" {
  description = "Groups of the instance."
  type        = set(string)
  nullable    = false
}

variable "kms_key_arn" {
  description = "The key that encrypts everything at rest."
  type        = string
  nullable    = false
}

variable "source_database" {
  description = "The source."
  type = object({
    name           = string
    port           = number
    cidr           = string
    ssl_mode       = string
    ca_file        = optional(string)
    rds_identifier = optional(string)
  })
  nullable = false
}

variable "source_secret_arn" {
  description = "The secret that DMS reads user, password, host and port from."
  type        = string
  nullable    = false
}

variable "landing_bucket" {
  description = "Where DMS lands."
  type        = string
  nullable    = false
}

variable "landing_folder" {
  description = "Folder of the landing bucket that DMS writes to."
  type        = string
  nullable    = false
}

variable "dms" {
  description = "Format, mappings and task settings, from the contracts."
  type = object({
    tables            = list(string)
    table_mappings    = string
    task_settings     = string
    s3_settings       = map(string)
    postgres_settings = map(string)
  })
  nullable = false
}

variable "replication" {
  description = "How DMS runs."
  type = object({
    serverless           = bool
    instance_class       = string
    allocated_storage_gb = number
    multi_az             = bool
    engine_version       = string
    min_capacity_units   = number
    max_capacity_units   = number
    migration_type       = string
  })
  nullable = false
}

variable "create_account_roles" {
  description = "Whether to make the two roles that DMS wants once an account."
  type        = bool
  nullable    = false
}

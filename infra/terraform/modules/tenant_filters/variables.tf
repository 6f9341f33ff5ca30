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

variable "database" {
  description = "The Glue database of gold."
  type        = string
  nullable    = false
}

variable "tables" {
  description = "Its tables that are kept by tenant."
  type        = list(string)
  nullable    = false
}

variable "readers" {
  description = "Who may read which tenant, by a name."
  type        = map(object({ tenant_id = number, principal_arn = string }))
  nullable    = false
}

variable "gold_bucket" {
  description = "Where gold lies."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "The key that encrypts everything at rest."
  type        = string
  nullable    = false
}

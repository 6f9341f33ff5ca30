variable "name" {
  description = "Beginning of every name."
  type        = string
  nullable    = false
}

variable "region" {
  description = "The region of every resource."
  type        = string
  nullable    = false
}

variable "account" {
  description = "The account that owns everything."
  type        = string
  nullable    = false
}

variable "cidr" {
  description = "Addresses of the network."
  type        = string
  nullable    = false
}

variable "availability_zones" {
  description = "Zones of the private subnets."
  type        = list(string)
  nullable    = false
}

variable "endpoint_zones" {
  description = "In how many of them the interface endpoints stand."
  type        = number
  nullable    = false
}

variable "source_network" {
  description = "The source's network, to be peered with ours; null where it is reached otherwise."
  type = object({
    vpc_id            = string
    cidr              = string
    route_table_ids   = set(string)
    security_group_id = string
  })
  default = null
}

variable "source_cidr" {
  description = "Addresses in which the source is."
  type        = string
  nullable    = false
}

variable "source_port" {
  description = "Port of the source."
  type        = number
  nullable    = false
}

variable "kms_key_arn" {
  description = "The key that encrypts everything at rest."
  type        = string
  nullable    = false
}

variable "log_days" {
  description = "Days for which logs are kept."
  type        = number
  nullable    = false
}

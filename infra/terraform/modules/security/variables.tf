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

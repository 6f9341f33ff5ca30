variable "name" {
  description = "Beginning of every name."
  type        = string
  nullable    = false
}

variable "family" {
  description = "The parameter group's family."
  type        = string
  default     = "postgres15"
  nullable    = false
}

variable "max_replication_slots" {
  description = "Slots: ours, and room for others."
  type        = number
  default     = 10
  nullable    = false
}

variable "slot_wal_gigabytes" {
  description = "Most log that a slot may keep, in GiB. Beyond it the slot is lost and everything is loaded anew, but the source goes on."
  type        = number
  default     = 100
  nullable    = false
}

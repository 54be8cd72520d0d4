variable "name" {
  description = "Prefix of the names of everything made here."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}$", var.name))
    error_message = "name must be 2 to 24 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "broker_id" {
  description = "The Memorystore instance."
  type        = string
}

variable "controller_group" {
  description = "The controller's group of one."
  type        = string
}

variable "broker_memory_percent" {
  description = "Broker memory in use from which on somebody should look. When it is full, operations are refused."
  type        = number
  default     = 70

  validation {
    condition     = var.broker_memory_percent > 0 && var.broker_memory_percent < 100
    error_message = "broker_memory_percent must lie between 0 and 100."
  }
}

variable "notification_channels" {
  description = "Channels that alerts are sent to."
  type        = list(string)
  default     = []
}

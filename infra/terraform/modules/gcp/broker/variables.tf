variable "name" {
  description = "Prefix of the names of everything made here."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}$", var.name))
    error_message = "name must be 2 to 24 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "region" {
  description = "Google's region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must look like europe-west4."
  }
}

variable "network_id" {
  description = "The network that may connect, with private services access."
  type        = string
}

variable "memory_gib" {
  description = "Memory, which bounds the queue."
  type        = number
  default     = 5

  validation {
    condition     = var.memory_gib >= 1 && var.memory_gib <= 300
    error_message = "memory_gib must be 1 to 300."
  }
}

variable "url_version" {
  description = "Raise it when the broker was made anew, so that machines find its new URL."
  type        = number
  default     = 1
}

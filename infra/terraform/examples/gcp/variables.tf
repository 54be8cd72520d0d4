variable "project" {
  description = "The project's id."
  type        = string
}

variable "region" {
  description = "Google's region."
  type        = string
  default     = "europe-west4"
}

variable "name" {
  description = "The fleet's name."
  type        = string
  default     = "leanfleet"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{3,11}$", var.name))
    error_message = "name must be 4 to 12 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "bucket" {
  description = "Name of the bucket for states, unique in the world."
  type        = string
}

variable "image" {
  description = "Image with leanfleet in /opt/leanfleet: infra/image/install.sh, run in a Debian 13 machine that is then imaged."
  type        = string
}

variable "broker_memory_gib" {
  description = "The broker's memory."
  type        = number
  default     = 5
}

variable "offers" {
  description = "Groups of machines that the controller chooses among, the cheapest per slot first."
  type = map(object({
    machine_types  = list(string)
    slots          = number
    price_per_hour = number
    max_machines   = number
  }))
  default = {
    compute = {
      machine_types  = ["c3d-highcpu-8", "c2d-highcpu-8", "n2d-highcpu-8"]
      slots          = 8
      price_per_hour = 0.10
      max_machines   = 60
    }
  }

  validation {
    condition     = alltrue([for name in keys(var.offers) : can(regex("^[a-z][a-z0-9-]{0,7}$", name))])
    error_message = "offers must have short names of lower-case letters, digits and hyphens."
  }
}

variable "worker_environment" {
  description = "LEANFLEET_… variables of the workers. Empty: the embedded Lean."
  type        = map(string)
  default     = {}
}

variable "policy" {
  description = "Table [policy] of the controller's settings."
  type        = map(number)
  default     = { max_machines = 60 }
}

variable "notification_channels" {
  description = "Channels that alerts are sent to."
  type        = list(string)
  default     = []
}

variable "controller_environment" {
  description = "More LEANFLEET_… variables of the controller that are no secrets."
  type        = map(string)
  default     = {}
}

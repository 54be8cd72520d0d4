variable "name" {
  description = "Prefix of the names of everything made here."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,19}[a-z0-9]$", var.name))
    error_message = "name must be 6 to 21 lower-case letters, digits and hyphens, as those of service accounts, and begin with a letter."
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

variable "image" {
  description = "Image with leanfleet in /opt/leanfleet, as infra/image/install.sh makes it."
  type        = string
}

variable "subnetwork_id" {
  description = "Where machines stand."
  type        = string
}

variable "broker" {
  description = "The broker module's outputs: the secret that holds its URL, and its authority's certificate."
  type = object({
    url_secret_id  = string
    ca_certificate = string
  })
}

variable "project" {
  description = "The project's id."
  type        = string
}

variable "offers" {
  description = "Offer → its group, the slots of a machine, the price that orders offers, and the most machines."
  type = map(object({
    group          = string
    slots          = number
    price_per_hour = number
    quota          = number
  }))

  validation {
    condition     = length(var.offers) > 0
    error_message = "name at least one offer."
  }
  validation {
    condition     = alltrue([for each in values(var.offers) : each.slots >= 1 && each.price_per_hour > 0 && each.quota >= 1])
    error_message = "an offer has one slot, one machine, and a price above zero at least."
  }
}

variable "policy" {
  description = "Table [policy] of the settings: clear_within_seconds, max_machines, … See docs/scaling.md."
  type        = map(number)
  default     = {}
}

variable "machine_type" {
  description = "A small machine, not preemptible: it must be there when the others go."
  type        = string
  default     = "e2-small"
}

variable "environment" {
  description = "More LEANFLEET_… variables that are no secrets, such as LEANFLEET_AUTOSCALE_METRICS_ADDRESS for a Prometheus."
  type        = map(string)
  default     = {}
}

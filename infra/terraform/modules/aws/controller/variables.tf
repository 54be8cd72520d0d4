variable "name" {
  description = "Name of the controller, and prefix of the names of everything made here."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "name must be 2 to 31 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "offers" {
  description = "Offer → its group, the slots of a machine, the price that orders offers, and the most machines."
  type = map(object({
    group          = object({ name = string, arn = string })
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

variable "assumed_boot_seconds" {
  description = "How long a machine takes to its first warm REPL, until that was measured."
  type        = number
  default     = 120

  validation {
    condition     = var.assumed_boot_seconds > 0
    error_message = "assumed_boot_seconds must be positive."
  }
}

variable "environment" {
  description = "More LEANFLEET_… variables, such as the queue. No secrets."
  type        = map(string)
  default     = {}
}

variable "instance_type" {
  description = "A small machine of the image's architecture. It is on demand: it must be there when spot machines go."
  type        = string
  default     = "t3.micro"
}

variable "broker_url_secret_arn" {
  description = "The secret that holds LEANFLEET_BROKER_URL."
  type        = string
}

variable "kms_key_arn" {
  description = "The key that secrets are encrypted with, where it is not Amazon's own."
  type        = string
  default     = null
}

variable "image_id" {
  description = "AMI with leanfleet in /opt/leanfleet, as infra/image/install.sh makes it."
  type        = string
}

variable "vpc_id" {
  description = "The VPC that it stands in."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets, one a zone."
  type        = list(string)
}

variable "security_group_ids" {
  description = "More security groups to be in: the broker's clients."
  type        = list(string)
}

variable "https_cidr_blocks" {
  description = "Where Amazon's services are reached: endpoints in the network, or 0.0.0.0/0 behind a NAT of your own."
  type        = list(string)
}

variable "log_group" {
  description = "CloudWatch log group, by name and ARN."
  type = object({
    name = string
    arn  = string
  })
  default = null
}

variable "metrics_security_group_ids" {
  description = "Security groups of a Prometheus, which may then scrape the machines. Without any, metrics stay on them."
  type        = list(string)
  default     = []
}

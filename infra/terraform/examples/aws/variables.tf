variable "region" {
  description = "Amazon's region."
  type        = string
  default     = "eu-central-1"
}

variable "name" {
  description = "The fleet's name."
  type        = string
  default     = "leanfleet"
}

variable "bucket" {
  description = "Name of the bucket for states, unique in the world."
  type        = string
}

variable "image_id" {
  description = "AMI with leanfleet in /opt/leanfleet: infra/image/install.sh, run in a Debian 13 machine that is then imaged."
  type        = string
}

variable "zones" {
  description = "How many availability zones to use."
  type        = number
  default     = 3

  validation {
    condition     = var.zones >= 2 && var.zones <= 6
    error_message = "zones must be 2 to 6."
  }
}

variable "producer_cidr_blocks" {
  description = "Where producers connect to the broker from, over a peering or a VPN."
  type        = list(string)
  default     = []
}

variable "producers" {
  description = "Who asks: a user of the broker each, so that nobody reads another's results."
  type        = set(string)
  default     = ["producer"]
}

variable "queue" {
  description = "LEANFLEET_QUEUE of workers, controller and producers."
  type        = string
  default     = "leanfleet"
}

variable "broker_node_type" {
  description = "Size of the broker's nodes."
  type        = string
  default     = "cache.m7g.large"
}

variable "offers" {
  description = "Groups of machines that the controller chooses among, the cheapest per slot first."
  type = map(object({
    instance_types = list(string)
    slots          = number
    price_per_hour = number
    max_machines   = number
  }))
  default = {
    compute = {
      instance_types = ["c7a.2xlarge", "c7i.2xlarge", "c6a.2xlarge", "c6i.2xlarge", "c5.2xlarge", "c5a.2xlarge"]
      slots          = 8
      price_per_hour = 0.16
      max_machines   = 60
    }
    general = {
      instance_types = ["m7a.2xlarge", "m7i.2xlarge", "m6a.2xlarge", "m6i.2xlarge", "m5.2xlarge"]
      slots          = 8
      price_per_hour = 0.19
      max_machines   = 60
    }
  }

  validation {
    condition     = alltrue([for name in keys(var.offers) : can(regex("^[a-z][a-z0-9-]{0,9}$", name))])
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
  default     = { max_machines = 100 }
}

variable "alarm_actions" {
  description = "ARNs that alarms are sent to."
  type        = list(string)
  default     = []
}

variable "force_destroy" {
  description = "Delete the bucket's objects with it. Only for trials."
  type        = bool
  default     = false
}

variable "metrics_security_group_ids" {
  description = "Security groups of a Prometheus, which may then scrape the machines. Without any, metrics stay on them."
  type        = list(string)
  default     = []
}

variable "name" {
  description = "Name of the Auto Scaling group, and prefix of the names of everything made here."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "name must be 2 to 31 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "instance_types" {
  description = "Types to choose among, all of one size: the controller counts machines, and each has the same slots."
  type        = list(string)

  validation {
    condition     = length(var.instance_types) >= 2
    error_message = "name two instance types at least, better six: spot capacity is found in pools, one a type and zone."
  }
  validation {
    condition     = length(distinct([for type in var.instance_types : element(split(".", type), 1)])) == 1
    error_message = "all instance types must be of one size, such as 2xlarge: make another group for another size."
  }
}

variable "max_machines" {
  description = "The group's maximum, which the controller takes for the offer's quota."
  type        = number

  validation {
    condition     = var.max_machines >= 1 && floor(var.max_machines) == var.max_machines
    error_message = "max_machines must be a whole number, one at least."
  }
}

variable "on_demand_machines" {
  description = "How many of the machines are not preemptible: the first ones of the group."
  type        = number
  default     = 0

  validation {
    condition     = var.on_demand_machines >= 0
    error_message = "on_demand_machines cannot be negative."
  }
}

variable "spot_allocation_strategy" {
  description = "How Amazon chooses among pools: by capacity alone, or with the price in view."
  type        = string
  default     = "capacity-optimized"

  validation {
    condition     = contains(["capacity-optimized", "price-capacity-optimized"], var.spot_allocation_strategy)
    error_message = "spot_allocation_strategy must be capacity-optimized or price-capacity-optimized."
  }
}

variable "subnet_ids" {
  description = "Subnets, one a zone."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "name at least one subnet."
  }
}

variable "grace_seconds" {
  description = "From being told to end until unfinished work is handed back. Amazon gives two minutes' notice."
  type        = number
  default     = 60

  validation {
    condition     = var.grace_seconds >= 0 && var.grace_seconds <= 100
    error_message = "grace_seconds must be 0 to 100: the notice is 120 s, and handing back takes a moment."
  }
}

variable "environment" {
  description = "More LEANFLEET_… variables: the project, its header, sizes. No secrets."
  type        = map(string)
  default     = {}
}

variable "store" {
  description = "The bucket module's outputs: where states are, and the secret that signs them."
  type = object({
    arn                  = string
    prefix               = string
    store_url            = string
    kms_key_arn          = optional(string)
    blob_keys_secret_arn = string
  })
}

variable "broker_url_secret_arn" {
  description = "The secret that holds LEANFLEET_BROKER_URL."
  type        = string
}

variable "image_id" {
  description = "AMI with leanfleet in /opt/leanfleet, as infra/image/install.sh makes it."
  type        = string
}

variable "vpc_id" {
  description = "The VPC that the machines stand in."
  type        = string
}

variable "security_group_ids" {
  description = "More security groups to be in: the broker's clients."
  type        = list(string)
}

variable "https_cidr_blocks" {
  description = "Where Amazon's services are reached: endpoints in the network, or 0.0.0.0/0 behind a NAT of your own."
  type        = list(string)
}

variable "https_prefix_list_ids" {
  description = "Prefix lists of gateway endpoints: S3."
  type        = list(string)
  default     = []
}

variable "disk_gib" {
  description = "Size of the root disk: image, REPLs' private folders, fetched pickles."
  type        = number
  default     = 30
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

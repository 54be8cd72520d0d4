variable "name" {
  description = "The broker's name, and prefix of the names of everything made here."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}$", var.name))
    error_message = "name must be 2 to 24 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "vpc_id" {
  description = "The VPC that it stands in."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets in two zones at least."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "name subnets of two zones at least: the replica stands in another one."
  }
}

variable "producer_cidr_blocks" {
  description = "Where producers connect from, beside the fleet's own machines."
  type        = list(string)
  default     = []

  validation {
    condition     = !contains(var.producer_cidr_blocks, "0.0.0.0/0")
    error_message = "who reaches the broker can have code run: never open it to everybody."
  }
}

variable "producer_security_group_ids" {
  description = "Security groups of producers in the same VPC. Their keys are names of your choice."
  type        = map(string)
  default     = {}
}

variable "node_type" {
  description = "Size of a node. Valkey runs commands on one core; memory bounds the queue."
  type        = string
  default     = "cache.m7g.large"

  validation {
    condition     = can(regex("^cache\\.[a-z0-9]+\\.[a-z0-9]+$", var.node_type))
    error_message = "node_type must look like cache.m7g.large."
  }
}

variable "engine_version" {
  description = "Version of Valkey."
  type        = string
  default     = "8.0"

  validation {
    condition     = can(regex("^(7\\.2|8\\.[0-9])$", var.engine_version))
    error_message = "engine_version must be 7.2 or 8.x."
  }
}

variable "replicas" {
  description = "Copies in other zones, one of which takes over. The broker has no append-only file: this is its safety."
  type        = number
  default     = 1

  validation {
    condition     = var.replicas >= 1 && var.replicas <= 5
    error_message = "replicas must be 1 to 5: without one, a lost node is a lost queue."
  }
}

variable "snapshot_retention_days" {
  description = "How many daily snapshots are kept."
  type        = number
  default     = 3

  validation {
    condition     = var.snapshot_retention_days >= 0 && var.snapshot_retention_days <= 35
    error_message = "snapshot_retention_days must be 0 to 35."
  }
}

variable "maintenance_window" {
  description = "When Amazon may change nodes, UTC. A change is a failover of some seconds."
  type        = string
  default     = "sun:04:00-sun:05:00"

  validation {
    condition     = can(regex("^[a-z]{3}:[0-9]{2}:[0-9]{2}-[a-z]{3}:[0-9]{2}:[0-9]{2}$", var.maintenance_window))
    error_message = "maintenance_window must look like sun:04:00-sun:05:00."
  }
}

variable "queues" {
  description = "Every LEANFLEET_QUEUE of workers and producers: their rights are given by the names of keys."
  type        = set(string)
  default     = ["leanfleet"]

  validation {
    condition     = length(var.queues) > 0 && alltrue([for queue in var.queues : can(regex("^[a-z0-9_.-]+$", queue))])
    error_message = "queues must be names of lower-case letters, digits, '_', '-' and '.', one at least."
  }
}

variable "producers" {
  description = "Who asks: a user each, so that nobody reads another's results."
  type        = set(string)
  default     = ["producer"]

  validation {
    condition     = alltrue([for name in var.producers : can(regex("^[a-z](-?[a-z0-9])*$", name)) && length(name) <= 14])
    error_message = "producers must have names of up to 14 lower-case letters, digits and single hyphens between them."
  }
  validation {
    condition     = length(setintersection(var.producers, ["worker", "operator", "default"])) == 0
    error_message = "worker, operator and default are users already: call no producer so."
  }
}

variable "password_version" {
  description = "Raise it to replace the passwords; machines read the new ones when they start."
  type        = number
  default     = 1
}

variable "kms_key_arn" {
  description = "A KMS key to encrypt data and secrets with, instead of Amazon's own."
  type        = string
  default     = null
}

variable "name" {
  description = "Prefix of the names of everything made here."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}$", var.name))
    error_message = "name must be 2 to 24 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "alarm_actions" {
  description = "ARNs that an alarm is sent to, such as an SNS topic."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_actions : can(regex("^arn:", arn))])
    error_message = "alarm_actions must be ARNs."
  }
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
  default     = 14

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 180, 365], var.log_retention_days)
    error_message = "log_retention_days must be 1, 3, 5, 7, 14, 30, 60, 90, 180 or 365."
  }
}

variable "kms_key_arn" {
  description = "A KMS key to encrypt logs with, instead of Amazon's own. Its policy must admit CloudWatch Logs."
  type        = string
  default     = null
}

variable "broker_nodes" {
  description = "Names of the broker's nodes."
  type        = list(string)
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

variable "controller_group" {
  description = "The controller's group of one."
  type        = string
}

variable "metrics_namespace" {
  description = "Where the controller puts its metrics in CloudWatch."
  type        = string
}

variable "queue" {
  description = "The queue that it watches."
  type        = string
  default     = "leanfleet"
}

variable "queue_seconds" {
  description = "How long an operation may wait before somebody should look: more than the policy's clear_within_seconds."
  type        = number
  default     = 900

  validation {
    condition     = var.queue_seconds > 0
    error_message = "queue_seconds must be positive."
  }
}

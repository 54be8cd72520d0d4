variable "name" {
  description = "Prefix of the names of everything made here."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "name must be 2 to 31 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "command" {
  description = "What the machine runs: a subcommand of leanfleet and its options."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+( --?[a-z-]+([ =][^ ]+)?)*$", var.command))
    error_message = "command must be a subcommand of leanfleet, such as worker or autoscale."
  }
}

variable "environment" {
  description = "LEANFLEET_… variables that are no secrets."
  type        = map(string)

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^(LEANFLEET|AWS)_[A-Z0-9_]+$", name))])
    error_message = "variables must be called LEANFLEET_… or AWS_…."
  }
  validation {
    condition     = alltrue([for value in values(var.environment) : !can(regex("[\\r\\n]", value))])
    error_message = "a variable's value must be one line."
  }
  validation {
    condition = length(setintersection(keys(var.environment), [
      "LEANFLEET_BROKER_URL", "LEANFLEET_RESULT_URL", "LEANFLEET_WORKER_BLOB_KEYS",
      "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    ])) == 0
    error_message = "secrets go into secret_arns; anything on the machine can read its user data."
  }
}

variable "secret_arns" {
  description = "Variable → ARN of the secret that holds its value. Read by the machine itself when it starts."
  type        = map(string)
}

variable "settings_file" {
  description = "Text of leanfleet.toml, without secrets."
  type        = string
  default     = ""
}

variable "kms_key_arn" {
  description = "The key that secrets and objects are encrypted with, where it is not Amazon's own."
  type        = string
  default     = null
}

variable "image_id" {
  description = "AMI with leanfleet in /opt/leanfleet, as infra/image/install.sh makes it."
  type        = string

  validation {
    condition     = can(regex("^ami-[0-9a-f]{8,17}$", var.image_id))
    error_message = "image_id must look like ami-0123456789abcdef0."
  }
}

variable "instance_type" {
  description = "Type of the machine, where the group names no others."
  type        = string
}

variable "vpc_id" {
  description = "The VPC that it stands in."
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

  validation {
    condition     = var.disk_gib >= 8 && var.disk_gib <= 16384
    error_message = "disk_gib must be 8 to 16384."
  }
}

variable "root_device" {
  description = "The image's name for its root disk: /dev/xvda for Debian, /dev/sda1 for Ubuntu."
  type        = string
  default     = "/dev/xvda"

  validation {
    condition     = can(regex("^/dev/[a-z0-9]+$", var.root_device))
    error_message = "root_device must look like /dev/xvda."
  }
}

variable "stop_seconds" {
  description = "How long systemd waits for the command to end before it is killed."
  type        = number

  validation {
    condition     = var.stop_seconds >= 10 && var.stop_seconds <= 7200
    error_message = "stop_seconds must be 10 to 7200."
  }
}

variable "log_group" {
  description = "CloudWatch log group, by name and ARN. The image must have the CloudWatch agent; without it logs stay in files."
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

variable "metrics_ports" {
  description = "The first and the last port on which the command serves metrics."
  type        = list(number)
  default     = [9109, 9112]

  validation {
    condition     = length(var.metrics_ports) == 2
    error_message = "metrics_ports must be two numbers: the first port and the last."
  }
}

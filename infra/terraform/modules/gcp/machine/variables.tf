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

variable "command" {
  description = "What the machine runs: a subcommand of leanfleet and its options."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+( --?[a-z-]+([ =][^ ]+)?)*$", var.command))
    error_message = "command must be a subcommand of leanfleet, such as worker or autoscale."
  }
}

variable "environment" {
  description = "Variables that are no secrets."
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
      "LEANFLEET_BROKER_URL", "LEANFLEET_RESULT_URL", "LEANFLEET_WORKER_BLOB_KEYS", "AWS_SECRET_ACCESS_KEY",
    ])) == 0
    error_message = "secrets go into secret_ids; anything on the machine can read its metadata."
  }
}

variable "secret_ids" {
  description = "Variable → secret that holds its value, as projects/…/secrets/…. Read by the machine itself when it starts."
  type        = map(string)
}

variable "settings_file" {
  description = "Text of leanfleet.toml, without secrets."
  type        = string
  default     = ""
}

variable "broker_ca_certificate" {
  description = "The authority that signed the broker's certificate."
  type        = string
}

variable "image" {
  description = "Image with leanfleet in /opt/leanfleet, as infra/image/install.sh makes it."
  type        = string
}

variable "machine_type" {
  description = "Type of the machine, where the group names no others."
  type        = string
}

variable "preemptible" {
  description = "Whether it is a spot machine."
  type        = bool
}

variable "subnetwork_id" {
  description = "Where it stands."
  type        = string
}

variable "disk_gib" {
  description = "Size of the disk: image, REPLs' private folders, fetched pickles."
  type        = number
  default     = 30

  validation {
    condition     = var.disk_gib >= 10 && var.disk_gib <= 65536
    error_message = "disk_gib must be 10 to 65536."
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

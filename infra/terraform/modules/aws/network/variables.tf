variable "name" {
  description = "Prefix of the names of everything made here."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}$", var.name))
    error_message = "name must be 2 to 24 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "cidr_block" {
  description = "The VPC's addresses. Each zone gets a sixteenth of them."
  type        = string
  default     = "10.60.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr_block, 0)) && try(tonumber(split("/", var.cidr_block)[1]) <= 22, false)
    error_message = "cidr_block must be an IPv4 range of /22 or larger, such as 10.60.0.0/16."
  }
}

variable "availability_zones" {
  description = "Zones with a subnet each. More zones are more places where spot capacity may be."
  type        = list(string)

  validation {
    condition     = length(var.availability_zones) >= 2 && length(var.availability_zones) <= 16
    error_message = "name 2 to 16 zones: the broker keeps a replica in another one."
  }
}

variable "bucket_arns" {
  description = "The only buckets that can be reached from here."
  type        = list(string)

  validation {
    condition     = length(var.bucket_arns) > 0
    error_message = "name at least the fleet's own bucket."
  }
}

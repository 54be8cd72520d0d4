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

variable "machine_types" {
  description = "Types to choose among, all with equally many cores: the controller counts machines."
  type        = list(string)

  validation {
    condition     = length(var.machine_types) >= 1
    error_message = "name at least one machine type."
  }
  validation {
    condition     = length(distinct([for type in var.machine_types : element(split("-", type), 2)])) == 1
    error_message = "all machine types must have equally many cores, such as c3d-highcpu-8 and c2d-highcpu-8."
  }
}

variable "grace_seconds" {
  description = "From being told to end until unfinished work is handed back. Google gives 30 seconds' notice."
  type        = number
  default     = 20

  validation {
    condition     = var.grace_seconds >= 0 && var.grace_seconds <= 25
    error_message = "grace_seconds must be 0 to 25: the notice is 30 s, and handing back takes a moment."
  }
}

variable "environment" {
  description = "More LEANFLEET_… variables: the project, its header, sizes. No secrets."
  type        = map(string)
  default     = {}
}

variable "store" {
  description = "The bucket module's outputs."
  type = object({
    store_url            = string
    endpoint_url         = string
    access_key_id        = string
    access_key_secret_id = string
    blob_keys_secret_id  = string
  })
}

variable "disk_gib" {
  description = "Size of the disk: image, REPLs' private folders, fetched pickles."
  type        = number
  default     = 30
}

variable "bucket" {
  description = "The bucket's name, unique in the world."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket must be 3 to 63 lower-case letters, digits and hyphens; dots do not go together with TLS."
  }
}

variable "prefix" {
  description = "Folder of the fleet's objects in the bucket."
  type        = string
  default     = "states"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", var.prefix))
    error_message = "prefix must be a folder without slashes at its ends, such as states."
  }
}

variable "expire_after_days" {
  description = "When pickles, which can be made again, are deleted. Recipes never are."
  type        = number
  default     = 30

  validation {
    condition     = var.expire_after_days >= 1 && floor(var.expire_after_days) == var.expire_after_days
    error_message = "expire_after_days must be a whole number of days, one at least."
  }
}

variable "kms_key_arn" {
  description = "A KMS key to encrypt with, instead of S3's own keys."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be a key's ARN."
  }
}

variable "blob_keys_version" {
  description = "Raise it to replace the key that signs pickles. States of the old key are then made again from recipes."
  type        = number
  default     = 1
}

variable "force_destroy" {
  description = "Delete the objects with the bucket. Only for trials: states that were cut at a recipe are lost with it."
  type        = bool
  default     = false
}

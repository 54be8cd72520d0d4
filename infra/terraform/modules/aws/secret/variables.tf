variable "name" {
  description = "How the secret's name begins."
  type        = string
}

variable "description" {
  description = "What it is for."
  type        = string
}

variable "value_version" {
  description = "Raise it to replace the value."
  type        = number
  default     = 1

  validation {
    condition     = var.value_version >= 1 && floor(var.value_version) == var.value_version
    error_message = "value_version must be a whole number, one at least."
  }
}

variable "kms_key_arn" {
  description = "A KMS key to encrypt with, instead of Amazon's own."
  type        = string
  default     = null
}

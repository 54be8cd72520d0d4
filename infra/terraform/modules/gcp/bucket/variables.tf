variable "bucket" {
  description = "The bucket's name, unique in the world."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket must be 3 to 63 lower-case letters, digits and hyphens."
  }
}

variable "location" {
  description = "The bucket's region."
  type        = string
}

variable "project" {
  description = "The project's id."
  type        = string
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

variable "force_destroy" {
  description = "Delete the objects with the bucket. Only for trials: states that were cut at a recipe are lost with it."
  type        = bool
  default     = false
}

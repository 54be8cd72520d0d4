output "bucket" {
  description = "The bucket's name."
  value       = aws_s3_bucket.this.id
}

output "arn" {
  description = "The bucket's ARN."
  value       = aws_s3_bucket.this.arn
}

output "prefix" {
  description = "Folder of the fleet's objects."
  value       = var.prefix
}

output "kms_key_arn" {
  description = "The key that objects and secrets are encrypted with, where it is not Amazon's own."
  value       = var.kms_key_arn
}

output "store_url" {
  description = "LEANFLEET_STORE_URL."
  value       = "s3://${aws_s3_bucket.this.id}/${var.prefix}"
}

output "blob_keys_secret_arn" {
  description = "Where workers find LEANFLEET_WORKER_BLOB_KEYS."
  value       = module.blob_keys.arn
}

output "store_url" {
  description = "LEANFLEET_STORE_URL."
  value       = "s3://${google_storage_bucket.this.name}/${var.prefix}"
}

output "endpoint_url" {
  description = "LEANFLEET_STORE_ENDPOINT_URL."
  value       = "https://storage.googleapis.com"
}

output "access_key_id" {
  description = "AWS_ACCESS_KEY_ID for the store; the name of a key, and no secret."
  value       = google_storage_hmac_key.states.access_id
}

output "access_key_secret_id" {
  description = "Where workers find AWS_SECRET_ACCESS_KEY for the store."
  value       = google_secret_manager_secret.access_key.id
}

output "blob_keys_secret_id" {
  description = "Where workers find LEANFLEET_WORKER_BLOB_KEYS. Put a value into it before the first worker starts."
  value       = google_secret_manager_secret.blob_keys.id
}

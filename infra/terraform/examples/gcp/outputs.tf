output "broker_url_secret_id" {
  description = "Producers read LEANFLEET_BROKER_URL from this secret."
  value       = module.broker.url_secret_id
}

output "blob_keys_secret_id" {
  description = "Put a random value into this secret before the first worker starts."
  value       = module.bucket.blob_keys_secret_id
}

output "store_url" {
  description = "LEANFLEET_STORE_URL."
  value       = module.bucket.store_url
}

output "controller_settings" {
  description = "The controller's leanfleet.toml."
  value       = module.controller.settings_file
}

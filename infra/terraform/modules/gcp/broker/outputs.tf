output "id" {
  description = "The instance's id, for its metrics."
  value       = google_redis_instance.this.id
}

output "url_secret_id" {
  description = "Where machines and producers find LEANFLEET_BROKER_URL."
  value       = google_secret_manager_secret.url.id
}

output "ca_certificate" {
  description = "The authority that signed the broker's certificate; no secret."
  value       = join("\n", [for each in google_redis_instance.this.server_ca_certs : each.cert])
}

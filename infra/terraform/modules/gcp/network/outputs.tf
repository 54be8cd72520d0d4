output "network_id" {
  description = "The network, once services can be peered with it."
  value       = google_compute_network.this.id
  depends_on  = [google_service_networking_connection.this]
}

output "subnetwork_id" {
  description = "Where machines stand."
  value       = google_compute_subnetwork.this.id
}

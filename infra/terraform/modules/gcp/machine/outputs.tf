output "template" {
  description = "The instance template."
  value       = google_compute_region_instance_template.this.self_link
}

output "service_account" {
  description = "The account, as a member for more roles."
  value       = google_service_account.this.member
}

output "startup_script" {
  description = "What a machine is told when it starts. It holds no secrets."
  value       = local.startup_script
}

output "group_name" {
  description = "The managed group: what the controller sizes."
  value       = google_compute_region_instance_group_manager.this.name
}

output "startup_script" {
  description = "What a machine is told when it starts. It holds no secrets."
  value       = module.machine.startup_script
}

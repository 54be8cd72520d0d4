output "settings_file" {
  description = "The controller's leanfleet.toml."
  value       = local.settings_file
}

output "group_name" {
  description = "The group of one, for its alarm."
  value       = google_compute_region_instance_group_manager.this.name
}

output "startup_script" {
  description = "What the machine is told when it starts. It holds no secrets."
  value       = module.machine.startup_script
}

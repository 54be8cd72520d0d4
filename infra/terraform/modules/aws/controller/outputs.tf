output "group_name" {
  description = "The group of one, for its alarm."
  value       = aws_autoscaling_group.this.name
}

output "settings_file" {
  description = "The controller's leanfleet.toml."
  value       = local.settings_file
}

output "user_data" {
  description = "What the machine is told when it starts. It holds no secrets."
  value       = module.machine.user_data
}

output "metrics_namespace" {
  description = "Where the controller puts what alarms need, in CloudWatch."
  value       = local.metrics_namespace
}

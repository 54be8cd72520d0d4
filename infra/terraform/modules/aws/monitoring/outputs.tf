output "log_groups" {
  description = "Log groups of workers and controller, by name and ARN."
  value       = { for kind, group in aws_cloudwatch_log_group.this : kind => { name = group.name, arn = group.arn } }
}

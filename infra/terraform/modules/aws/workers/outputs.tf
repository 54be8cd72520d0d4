output "group" {
  description = "The Auto Scaling group, by name and ARN: what the controller sizes."
  value = {
    name = aws_autoscaling_group.this.name
    arn  = aws_autoscaling_group.this.arn
  }
}

output "user_data" {
  description = "What a machine is told when it starts. It holds no secrets."
  value       = module.machine.user_data
}

output "launch_template" {
  description = "The launch template, by id and newest version."
  value = {
    id      = aws_launch_template.this.id
    version = aws_launch_template.this.latest_version
  }
}

output "role_name" {
  description = "The role, for more policies."
  value       = aws_iam_role.this.name
}

output "user_data" {
  description = "What a machine is told when it starts. It holds no secrets."
  value       = local.user_data
}

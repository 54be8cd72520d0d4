output "arn" {
  description = "The secret."
  value       = aws_secretsmanager_secret.this.arn
}

output "version_id" {
  description = "Its version, which is there once the value is."
  value       = aws_secretsmanager_secret_version.this.version_id
}

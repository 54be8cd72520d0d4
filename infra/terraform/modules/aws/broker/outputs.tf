output "name" {
  description = "The replication group's id."
  value       = aws_elasticache_replication_group.this.id
}

output "endpoint" {
  description = "Host name of the primary."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "nodes" {
  description = "Names of the nodes, for their metrics."
  value       = [for index in range(1 + var.replicas) : format("%s-%03d", var.name, index + 1)]
}

output "url_secret_arns" {
  description = "User (worker, operator, each producer) → the secret with its LEANFLEET_BROKER_URL."
  value       = { for user, secret in aws_secretsmanager_secret.url : user => secret.arn }
}

output "clients_security_group_id" {
  description = "The security group whose members may connect."
  value       = aws_security_group.clients.id
}

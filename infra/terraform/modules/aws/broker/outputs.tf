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

output "url_secret_arn" {
  description = "Where machines and producers find LEANFLEET_BROKER_URL."
  value       = aws_secretsmanager_secret.url.arn
}

output "clients_security_group_id" {
  description = "The security group whose members may connect."
  value       = aws_security_group.clients.id
}

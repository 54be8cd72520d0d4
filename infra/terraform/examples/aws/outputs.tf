output "broker_url_secret_arns" {
  description = "Each producer reads its LEANFLEET_BROKER_URL from its secret, Flower and `leanfleet status` from operator's."
  value       = module.broker.url_secret_arns
}

output "producers_security_group_id" {
  description = "A producer in this VPC may connect to the broker when it is in this security group."
  value       = module.broker.clients_security_group_id
}

output "store_url" {
  description = "LEANFLEET_STORE_URL."
  value       = module.bucket.store_url
}

output "groups" {
  description = "Offer → Auto Scaling group."
  value       = { for name, workers in module.workers : name => workers.group.name }
}

output "controller_settings" {
  description = "The controller's leanfleet.toml."
  value       = module.controller.settings_file
}

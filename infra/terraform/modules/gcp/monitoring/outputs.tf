output "alert_policies" {
  description = "Alert → its policy."
  value       = { for kind, policy in google_monitoring_alert_policy.this : kind => policy.name }
}

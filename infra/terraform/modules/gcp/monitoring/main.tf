# The alerts that somebody must get up for: a broker that fills up, and a fleet that nobody sizes.

locals {
  alerts = {
    broker-memory = {
      filter = join(" AND ", [
        "metric.type = \"redis.googleapis.com/stats/memory/usage_ratio\"",
        "resource.type = \"redis_instance\"",
        "resource.label.instance_id = \"${var.broker_id}\"",
      ])
      comparison = "COMPARISON_GT"
      threshold  = var.broker_memory_percent / 100
      text       = "The broker fills up; when it is full it refuses operations. See the runbook of a stuck queue."
    }
    controller-missing = {
      filter = join(" AND ", [
        "metric.type = \"compute.googleapis.com/instance_group/size\"",
        "resource.type = \"instance_group\"",
        "resource.label.instance_group_name = \"${var.controller_group}\"",
      ])
      comparison = "COMPARISON_LT"
      threshold  = 1
      text       = "Nobody sizes the fleet: machines stay as they are, and new work may wait."
    }
  }
}

resource "google_monitoring_alert_policy" "this" {
  for_each              = local.alerts
  display_name          = "${var.name}-${each.key}"
  combiner              = "OR"
  notification_channels = var.notification_channels

  conditions {
    display_name = each.key

    condition_threshold {
      filter          = each.value.filter
      comparison      = each.value.comparison
      threshold_value = each.value.threshold
      duration        = "600s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MEAN"
      }
    }
  }

  documentation {
    content = each.value.text
  }
}

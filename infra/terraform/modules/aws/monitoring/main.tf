# Logs, and the alarms that somebody must get up for: a broker that fills up or falls behind, and a fleet that nobody
# sizes. Everything finer is in the metrics of controller and workers.

resource "aws_cloudwatch_log_group" "this" {
  for_each          = toset(["workers", "controller"])
  name              = "/leanfleet/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

locals {
  broker_alarms = {
    memory = {
      metric      = "DatabaseMemoryUsagePercentage"
      threshold   = var.broker_memory_percent
      description = "The broker fills up; when it is full it refuses operations. See the runbook of a stuck queue."
    }
    cpu = {
      metric      = "EngineCPUUtilization"
      threshold   = 80
      description = "The broker's one core is nearly busy: move a queue to a broker of its own."
    }
    evictions = {
      metric      = "Evictions"
      threshold   = 0
      description = "The broker throws keys away, and operations with them: maxmemory-policy must be noeviction."
    }
    lag = {
      metric      = "ReplicationLag"
      threshold   = 5
      description = "A failover now would lose what the replica has not got."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "broker" {
  for_each = merge([
    for node in var.broker_nodes : { for kind, alarm in local.broker_alarms : "${node}-${kind}" => merge(alarm, { node = node }) }
  ]...)

  alarm_name          = "${each.key}-high"
  alarm_description   = each.value.description
  namespace           = "AWS/ElastiCache"
  metric_name         = each.value.metric
  dimensions          = { CacheClusterId = each.value.node }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching" # a primary has no lag
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "controller" {
  alarm_name          = "${var.name}-controller-missing"
  alarm_description   = "Nobody sizes the fleet: machines stay as they are, and new work may wait."
  namespace           = "AWS/AutoScaling"
  metric_name         = "GroupInServiceInstances"
  dimensions          = { AutoScalingGroupName = var.controller_group }
  statistic           = "Minimum"
  period              = 60
  evaluation_periods  = 10
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

# What the controller tells once a minute, whatever it does.
locals {
  fleet_alarms = {
    controller-silent = {
      metric      = "SecondsSinceLook"
      statistic   = "Maximum"
      threshold   = 300
      missing     = "breaching" # it hangs, or cannot reach CloudWatch
      description = "The controller has not reached the broker for minutes: machines stay as they are, and new work may wait."
    }
    controller-failing = {
      metric      = "FailedSteps"
      statistic   = "Sum"
      threshold   = 5
      missing     = "notBreaching"
      description = "The controller has been failing for minutes: its log says why."
    }
    queue-old = {
      metric      = "OldestOperationSeconds"
      statistic   = "Maximum"
      threshold   = var.queue_seconds
      missing     = "notBreaching"
      description = "Operations wait for longer than the fleet is sized for. See the runbook of a stuck queue."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "fleet" {
  for_each            = local.fleet_alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = var.metrics_namespace
  metric_name         = each.value.metric
  dimensions          = { Queue = var.queue }
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

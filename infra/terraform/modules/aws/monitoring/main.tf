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

# What the controller says of a step that failed, and of machines that it cannot end.
resource "aws_cloudwatch_log_metric_filter" "controller" {
  name           = "${var.name}-controller-failures"
  log_group_name = aws_cloudwatch_log_group.this["controller"].name
  pattern        = "?\"this step failed\" ?\"cannot end\""

  metric_transformation {
    namespace     = "LeanFleet"
    name          = "${var.name}-controller-failures"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "controller_failures" {
  alarm_name          = "${var.name}-controller-failing"
  alarm_description   = "The controller has been failing for minutes: its log says why."
  namespace           = "LeanFleet"
  metric_name         = aws_cloudwatch_log_metric_filter.controller.metric_transformation[0].name
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

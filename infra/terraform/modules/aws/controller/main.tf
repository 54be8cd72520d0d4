# `leanfleet autoscale` on one small machine that a group of one replaces. Two at once, for a moment, do no harm: one
# leads.

locals {
  metrics_namespace = "LeanFleet/${var.name}"
  settings_file = join("\n", concat(
    ["[autoscale]", "provider = \"aws\"", "assumed_boot_seconds = ${var.assumed_boot_seconds}", ""],
    ["[autoscale.aws]", "region = ${jsonencode(data.aws_region.current.name)}"],
    ["metrics_namespace = ${jsonencode(local.metrics_namespace)}", ""],
    ["[autoscale.aws.groups]"],
    [for name, offer in var.offers : "${jsonencode(name)} = ${jsonencode(offer.group.name)}"],
    [""],
    flatten([for name, offer in var.offers : [
      "[[autoscale.offers]]",
      "name = ${jsonencode(name)}",
      "slots = ${offer.slots}",
      "price_per_hour = ${offer.price_per_hour}",
      "quota = ${offer.quota}",
      "",
    ]]),
    ["[policy]"],
    [for name, value in var.policy : "${name} = ${value}"],
    [""],
  ))
}

data "aws_region" "current" {}

module "machine" {
  source = "../machine"

  name               = var.name
  command            = "autoscale"
  image_id           = var.image_id
  instance_type      = var.instance_type
  vpc_id             = var.vpc_id
  security_group_ids = var.security_group_ids
  https_cidr_blocks  = var.https_cidr_blocks
  disk_gib           = 16
  stop_seconds       = 30
  environment = merge(var.environment, length(var.metrics_security_group_ids) == 0 ? {} : {
    LEANFLEET_AUTOSCALE_METRICS_ADDRESS = "0.0.0.0"
  })
  settings_file = local.settings_file
  secret_arns   = { LEANFLEET_BROKER_URL = var.broker_url_secret_arn }
  kms_key_arn   = var.kms_key_arn
  log_group     = var.log_group
  metrics_ports = [9108, 9108]

  metrics_security_group_ids = var.metrics_security_group_ids
}

resource "aws_iam_role_policy" "groups" {
  name = "groups"
  role = module.machine.role_name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "SizeOwnGroups"
        Effect = "Allow"
        Action = [
          "autoscaling:SetDesiredCapacity",
          "autoscaling:SetInstanceProtection",
          "autoscaling:TerminateInstanceInAutoScalingGroup",
        ]
        Resource = [for offer in values(var.offers) : offer.group.arn]
      },
      {
        # These two know no resources: Amazon accepts them for "*" alone.
        Sid      = "LookAtGroups"
        Effect   = "Allow"
        Action   = ["autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeScalingActivities"]
        Resource = "*"
      },
      {
        # Nor does this one; the namespace is what confines it.
        Sid       = "TellOwnMetrics"
        Effect    = "Allow"
        Action    = ["cloudwatch:PutMetricData"]
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = local.metrics_namespace } }
      },
    ]
  })
}

resource "aws_autoscaling_group" "this" {
  name                      = var.name
  min_size                  = 1
  max_size                  = 1
  vpc_zone_identifier       = var.subnet_ids
  health_check_type         = "EC2"
  enabled_metrics           = ["GroupInServiceInstances"]
  wait_for_capacity_timeout = "0"

  launch_template {
    id      = module.machine.launch_template.id
    version = module.machine.launch_template.version
  }

  # New settings are a new machine; the fleet goes on meanwhile as it is.
  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 0
    }
  }

  tag {
    key                 = "Name"
    value               = var.name
    propagate_at_launch = true
  }
}

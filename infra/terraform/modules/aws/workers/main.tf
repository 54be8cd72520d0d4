# One offer of the controller: an Auto Scaling group of preemptible machines that it alone sizes.

locals {
  # Handing back and ending the REPLs come after the grace.
  stop_seconds = var.grace_seconds + 20
}

module "machine" {
  source = "../machine"

  name                  = var.name
  command               = "worker"
  image_id              = var.image_id
  instance_type         = var.instance_types[0]
  vpc_id                = var.vpc_id
  security_group_ids    = var.security_group_ids
  https_cidr_blocks     = var.https_cidr_blocks
  https_prefix_list_ids = var.https_prefix_list_ids
  disk_gib              = var.disk_gib
  stop_seconds          = local.stop_seconds
  log_group             = var.log_group
  kms_key_arn           = var.store.kms_key_arn

  # One worker a machine; the next ports are for one that starts before the last has let go of its own.
  metrics_ports              = [9109, 9112]
  metrics_security_group_ids = var.metrics_security_group_ids

  environment = merge(var.environment, {
    LEANFLEET_STORE_URL                = var.store.store_url
    LEANFLEET_REDELIVERY_GRACE_SECONDS = tostring(var.grace_seconds)
    }, length(var.metrics_security_group_ids) == 0 ? {} : {
    LEANFLEET_WORKER_METRICS_ADDRESS = "0.0.0.0"
  })

  secret_arns = {
    LEANFLEET_BROKER_URL       = var.broker_url_secret_arn
    LEANFLEET_WORKER_BLOB_KEYS = var.store.blob_keys_secret_arn
  }
}

resource "aws_iam_role_policy" "states" {
  name = "states"
  role = module.machine.role_name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "ReadAndWriteStates"
        Effect = "Allow"
        Action = ["s3:GetObject", "s3:PutObject"]
        # Not batches and proofs, which are their producers'. The last one is the doctor's.
        Resource = [
          "${var.store.arn}/${var.store.prefix}/blobs/*",
          "${var.store.arn}/${var.store.prefix}/exports/*",
          "${var.store.arn}/${var.store.prefix}/recipes/*",
          "${var.store.arn}/${var.store.prefix}/images/*",
          "${var.store.arn}/${var.store.prefix}/image-chunks/*",
          "${var.store.arn}/${var.store.prefix}/leanfleet-check/*",
        ]
      },
      {
        # Without it, S3 says "forbidden" of an object that is only not there.
        Sid      = "TellMissingFromForbidden"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [var.store.arn]
      },
    ]
  })
}

resource "aws_autoscaling_group" "this" {
  name                  = var.name
  min_size              = 0
  max_size              = var.max_machines
  vpc_zone_identifier   = var.subnet_ids
  health_check_type     = "EC2"
  protect_from_scale_in = true  # a machine ends by its name, after it was drained
  capacity_rebalance    = false # the worker drains by itself, and the controller replaces it if there is work
  suspended_processes   = ["AZRebalance"]
  enabled_metrics       = ["GroupDesiredCapacity", "GroupInServiceInstances"]
  # Machines come when there is work, not when Terraform waits for them.
  wait_for_capacity_timeout = "0"
  force_delete              = true

  mixed_instances_policy {
    instances_distribution {
      on_demand_base_capacity                  = var.on_demand_machines
      on_demand_percentage_above_base_capacity = 0
      spot_allocation_strategy                 = var.spot_allocation_strategy
    }

    launch_template {
      launch_template_specification {
        launch_template_id = module.machine.launch_template.id
        version            = module.machine.launch_template.version
      }

      dynamic "override" {
        for_each = var.instance_types

        content {
          instance_type = override.value
        }
      }
    }
  }

  tag {
    key                 = "Name"
    value               = var.name
    propagate_at_launch = true
  }

  lifecycle {
    ignore_changes = [desired_capacity] # the controller's
  }
}

mock_provider "aws" {
  mock_resource "aws_iam_instance_profile" {
    defaults = {
      arn = "arn:aws:iam::123456789012:instance-profile/machine"
    }
  }
}

variables {
  name                  = "fleet-compute"
  instance_types        = ["c7a.2xlarge", "c6i.2xlarge"]
  max_machines          = 60
  subnet_ids            = ["subnet-1", "subnet-2"]
  broker_url_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:url"
  image_id              = "ami-0123456789abcdef0"
  vpc_id                = "vpc-1"
  security_group_ids    = ["sg-1"]
  https_cidr_blocks     = ["10.0.0.0/8"]
  store = {
    arn                  = "arn:aws:s3:::states"
    prefix               = "states"
    store_url            = "s3://states/states"
    blob_keys_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:keys"
  }
}

run "a_preemptible_group" {
  command = plan

  assert {
    condition     = aws_autoscaling_group.this.protect_from_scale_in
    error_message = "a machine must end by its name only, after it was drained."
  }
  assert {
    condition     = aws_autoscaling_group.this.mixed_instances_policy[0].instances_distribution[0].spot_allocation_strategy == "capacity-optimized"
    error_message = "spot machines must come from where there is capacity."
  }
  assert {
    condition     = aws_autoscaling_group.this.mixed_instances_policy[0].instances_distribution[0].on_demand_percentage_above_base_capacity == 0
    error_message = "beyond the base, all machines must be preemptible."
  }
  assert {
    condition     = [for each in aws_autoscaling_group.this.mixed_instances_policy[0].launch_template[0].override : each.instance_type] == ["c7a.2xlarge", "c6i.2xlarge"]
    error_message = "the group must choose among all its types."
  }
  assert {
    condition     = local.stop_seconds > var.grace_seconds
    error_message = "systemd must wait for longer than the worker's grace."
  }
}

run "types_of_two_sizes" {
  command         = plan
  expect_failures = [var.instance_types]

  variables {
    instance_types = ["c7a.2xlarge", "c7a.4xlarge"]
  }
}

run "a_single_type" {
  command         = plan
  expect_failures = [var.instance_types]

  variables {
    instance_types = ["c7a.2xlarge"]
  }
}

run "a_grace_beyond_the_notice" {
  command         = plan
  expect_failures = [var.grace_seconds]

  variables {
    grace_seconds = 110
  }
}

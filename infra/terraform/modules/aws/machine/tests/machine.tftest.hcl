mock_provider "aws" {
  mock_resource "aws_iam_instance_profile" {
    defaults = {
      arn = "arn:aws:iam::123456789012:instance-profile/machine"
    }
  }
}

variables {
  name               = "fleet"
  command            = "worker"
  environment        = { LEANFLEET_WORKER_HEADER = "open \"Nat\" \\ x" }
  secret_arns        = { LEANFLEET_BROKER_URL = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:url" }
  image_id           = "ami-0123456789abcdef0"
  instance_type      = "c7a.2xlarge"
  vpc_id             = "vpc-1"
  security_group_ids = []
  https_cidr_blocks  = ["10.0.0.0/8"]
  stop_seconds       = 80
}

run "what_a_machine_is" {
  command = apply

  assert {
    condition     = aws_launch_template.this.metadata_options[0].http_tokens == "required" && aws_launch_template.this.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "metadata must be given for tokens alone, on the machine itself."
  }
  assert {
    condition     = aws_launch_template.this.block_device_mappings[0].ebs[0].encrypted == "true"
    error_message = "the disk must be encrypted."
  }
  assert {
    condition     = aws_launch_template.this.network_interfaces[0].associate_public_ip_address == "false"
    error_message = "a machine must not have a public address."
  }
  assert {
    condition     = strcontains(local.unit, "TimeoutStopSec=80\n") && strcontains(local.unit, "Delegate=yes\n")
    error_message = "the unit must delegate its control group, and wait for the worker's end."
  }
  assert {
    condition     = strcontains(local.unit, "Restart=on-failure\n")
    error_message = "a worker that ended in good order must stay so."
  }
  assert {
    condition     = strcontains(local.files[1].content, "LEANFLEET_WORKER_HEADER=\"open \\\"Nat\\\" \\\\ x\"\n")
    error_message = "variables must be quoted as systemd reads them."
  }
}

run "a_secret_among_the_settings" {
  command         = plan
  expect_failures = [var.environment]

  variables {
    environment = { LEANFLEET_BROKER_URL = "rediss://fleet:secret@broker:6379/0" }
  }
}

run "a_command_for_the_shell" {
  command         = plan
  expect_failures = [var.command]

  variables {
    command = "worker; reboot"
  }
}

run "settings_that_do_not_fit" {
  command         = plan
  expect_failures = [aws_launch_template.this]

  variables {
    settings_file = join("", [for n in range(1000) : "# 0123456789abcdef"])
  }
}

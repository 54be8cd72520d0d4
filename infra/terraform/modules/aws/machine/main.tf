# A machine that runs one command of leanfleet as a systemd unit: its role, security group and launch template.
#
# Start-up installs nothing. The user data is settings and names of secrets; the secrets themselves are read with the
# machine's role and lie in memory (/run) for root alone.

locals {
  # A worker that ended in good order was told that its machine will be taken: nothing starts there any more, and the
  # controller ends what does not go by itself.
  restart = startswith(var.command, "worker") ? "on-failure" : "always"

  environment = merge(
    {
      LEANFLEET_CONFIG           = "/etc/leanfleet/leanfleet.toml"
      LEANFLEET_MACHINE_PROVIDER = "aws"
      AWS_REGION                 = data.aws_region.current.name
    },
    var.environment,
  )

  unit = templatefile("${path.module}/files/leanfleet.service", {
    command      = var.command
    restart      = local.restart
    stop_seconds = var.stop_seconds
  })

  agent_ctl = "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"

  agent = jsonencode({
    logs = {
      logs_collected = {
        files = {
          collect_list = [{
            file_path       = "/var/log/leanfleet/leanfleet.log"
            log_group_name  = try(var.log_group.name, "")
            log_stream_name = "{instance_id}"
          }]
        }
      }
    }
  })

  files = concat(
    [
      { path = "/etc/leanfleet/leanfleet.toml", permissions = "0644", content = var.settings_file },
      {
        path        = "/etc/leanfleet/machine.env"
        permissions = "0644"
        content = join("", [
          for name, value in local.environment :
          format("%s=\"%s\"\n", name, replace(replace(value, "\\", "\\\\"), "\"", "\\\""))
        ])
      },
      { path = "/etc/leanfleet/secrets.json", permissions = "0644", content = jsonencode(var.secret_arns) },
      { path = "/etc/logrotate.d/leanfleet", permissions = "0644", content = file("${path.module}/files/logrotate") },
      { path = "/etc/systemd/system/leanfleet.service", permissions = "0644", content = local.unit },
      {
        path        = "/usr/local/lib/leanfleet/identify.py"
        permissions = "0755"
        content     = file("${path.module}/files/identify.py")
      },
    ],
    var.log_group == null ? [] : [
      { path = "/etc/leanfleet/cloudwatch-agent.json", permissions = "0644", content = local.agent },
    ],
  )

  commands = concat(
    [["systemctl", "daemon-reload"], ["systemctl", "enable", "--now", "--no-block", "leanfleet.service"]],
    # An image without the agent keeps its logs on the machine; no alarm depends on them.
    var.log_group == null ? [] : [[
      "sh", "-c", "[ ! -x ${local.agent_ctl} ] || ${local.agent_ctl} -a fetch-config -m ec2 -s -c file:/etc/leanfleet/cloudwatch-agent.json",
    ]],
  )

  user_data = "#cloud-config\n${yamlencode({ write_files = local.files, runcmd = local.commands })}"
}

data "aws_region" "current" {}

resource "aws_iam_role" "this" {
  name_prefix = "${var.name}-"
  description = "Machines of ${var.name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "secrets" {
  name = "secrets"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "ReadOwnSecrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = values(var.secret_arns)
      }],
      var.kms_key_arn == null ? [] : [{
        Sid      = "UseKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [var.kms_key_arn]
      }],
      var.log_group == null ? [] : [{
        Sid      = "WriteOwnLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = [var.log_group.arn, "${var.log_group.arn}:log-stream:*"]
      }],
    )
  })
}

resource "aws_iam_instance_profile" "this" {
  name_prefix = "${var.name}-"
  role        = aws_iam_role.this.name
}

resource "aws_security_group" "this" {
  name_prefix = "${var.name}-"
  description = "Machines of ${var.name}: nothing comes in but a Prometheus, if there is one"
  vpc_id      = var.vpc_id
  tags        = { Name = var.name }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "metrics" {
  count                        = length(var.metrics_security_group_ids)
  security_group_id            = aws_security_group.this.id
  description                  = "Prometheus"
  referenced_security_group_id = var.metrics_security_group_ids[count.index]
  ip_protocol                  = "tcp"
  from_port                    = var.metrics_ports[0]
  to_port                      = var.metrics_ports[1]
}

resource "aws_vpc_security_group_egress_rule" "https" {
  for_each          = toset(var.https_cidr_blocks)
  security_group_id = aws_security_group.this.id
  description       = "Amazon's services"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  count             = length(var.https_prefix_list_ids)
  security_group_id = aws_security_group.this.id
  description       = "S3"
  prefix_list_id    = var.https_prefix_list_ids[count.index]
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_launch_template" "this" {
  name_prefix            = "${var.name}-"
  description            = "leanfleet ${var.command}"
  image_id               = var.image_id
  instance_type          = var.instance_type
  update_default_version = true
  user_data              = base64encode(local.user_data)

  # A machine that is shut down from within is gone, and not kept and paid for.
  instance_initiated_shutdown_behavior = "terminate"

  iam_instance_profile {
    arn = aws_iam_instance_profile.this.arn
  }

  network_interfaces {
    device_index                = 0
    associate_public_ip_address = false
    delete_on_termination       = true
    security_groups             = concat([aws_security_group.this.id], var.security_group_ids)
  }

  # Tokens that do not leave the machine: neither a forwarded request nor a container of its own gets the role.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = var.root_device

    ebs {
      volume_type           = "gp3"
      volume_size           = var.disk_gib
      encrypted             = true
      delete_on_termination = true
    }
  }

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = var.name }
  }

  lifecycle {
    precondition {
      condition     = length(local.user_data) <= 16384
      error_message = "the user data exceeds EC2's 16 KiB: shorten settings_file."
    }
  }
}

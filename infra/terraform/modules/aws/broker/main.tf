# ElastiCache for Valkey, one shard: queue, leases and replies belong together, and a script sees all of them.

locals {
  port = 6379

  # User → what it is for. A user has the rights of `leanfleet broker acl`: files/rights.json is written from them, by
  # python -m tests.infra.rights.
  users  = merge({ worker = "worker", operator = "operator" }, { for name in var.producers : name => "producer" })
  rights = jsondecode(file("${path.module}/files/rights.json"))
}

resource "aws_elasticache_parameter_group" "this" {
  name        = var.name
  family      = "valkey${split(".", var.engine_version)[0]}"
  description = "A full broker refuses operations; it never throws queued ones away"

  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }
}

resource "aws_elasticache_subnet_group" "this" {
  name        = var.name
  description = "Broker of ${var.name}"
  subnet_ids  = var.subnet_ids
}

resource "aws_security_group" "this" {
  name_prefix = "${var.name}-broker-"
  description = "Broker of ${var.name}"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-broker" }

  lifecycle {
    create_before_destroy = true
  }
}

# Its members may connect; machines and producers are put into it.
resource "aws_security_group" "clients" {
  name_prefix = "${var.name}-broker-clients-"
  description = "May connect to the broker of ${var.name}"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-broker-clients" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_egress_rule" "clients" {
  security_group_id            = aws_security_group.clients.id
  description                  = "To the broker"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_ingress_rule" "groups" {
  for_each                     = merge({ clients = aws_security_group.clients.id }, var.producer_security_group_ids)
  security_group_id            = aws_security_group.this.id
  description                  = "Valkey from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_ingress_rule" "producers" {
  for_each          = toset(var.producer_cidr_blocks)
  security_group_id = aws_security_group.this.id
  description       = "Valkey from producers"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = local.port
  to_port           = local.port
}

module "password" {
  source   = "../secret"
  for_each = local.users

  name          = "${var.name}-broker-password-${each.key}"
  description   = "Password of the user ${each.key} of ${var.name}"
  value_version = var.password_version
  kms_key_arn   = var.kms_key_arn
}

# aws_elasticache_user has no write-only argument: the passwords are in the state, though in no output. Keep the state
# where only those may read it who may run the fleet.
data "aws_secretsmanager_secret_version" "password" {
  for_each   = local.users
  secret_id  = module.password[each.key].arn
  version_id = module.password[each.key].version_id
}

resource "aws_elasticache_user" "this" {
  for_each  = local.users
  user_id   = "${var.name}-${each.key}"
  user_name = each.key
  engine    = "valkey"
  # The rights on one queue after those on another: keys add up, and the commands are the same ones.
  access_string = join(" ", concat(["on"], [
    for queue in var.queues : replace(replace(local.rights[each.value], "USER", each.key), "QUEUE", queue)
  ]))

  authentication_mode {
    type      = "password"
    passwords = [data.aws_secretsmanager_secret_version.password[each.key].secret_string]
  }
}

resource "aws_elasticache_user_group" "this" {
  user_group_id = var.name
  engine        = "valkey"
  user_ids      = [for user in aws_elasticache_user.this : user.user_id]
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id       = var.name
  description                = "Queues, leases and replies of ${var.name}"
  engine                     = "valkey"
  engine_version             = var.engine_version
  node_type                  = var.node_type
  num_cache_clusters         = 1 + var.replicas
  port                       = local.port
  parameter_group_name       = aws_elasticache_parameter_group.this.name
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.this.id]
  user_group_ids             = [aws_elasticache_user_group.this.user_group_id]
  automatic_failover_enabled = true
  multi_az_enabled           = true
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn
  snapshot_retention_limit   = var.snapshot_retention_days
  maintenance_window         = var.maintenance_window
  apply_immediately          = false
}

resource "aws_secretsmanager_secret" "url" {
  for_each    = local.users
  name_prefix = "${var.name}-broker-url-${each.key}-"
  description = "LEANFLEET_BROKER_URL of the user ${each.key} of ${var.name}"
  kms_key_id  = var.kms_key_arn
}

resource "aws_secretsmanager_secret_version" "url" {
  for_each  = local.users
  secret_id = aws_secretsmanager_secret.url[each.key].id
  secret_string_wo = format(
    "rediss://%s:%s@%s:%d/0",
    each.key,
    data.aws_secretsmanager_secret_version.password[each.key].secret_string,
    aws_elasticache_replication_group.this.primary_endpoint_address,
    local.port,
  )
  secret_string_wo_version = var.password_version
}

# Not with a mock: it knows no ephemeral resources. These only plan, with whatever AWS_ENDPOINT_URL says is Amazon.

variables {
  name       = "fleet"
  vpc_id     = "vpc-1"
  subnet_ids = ["subnet-1", "subnet-2"]
}

run "what_a_broker_must_be" {
  command = plan

  assert {
    condition     = { for each in aws_elasticache_parameter_group.this.parameter : each.name => each.value } == { maxmemory-policy = "noeviction" }
    error_message = "a full broker must refuse operations, not throw them away."
  }
  assert {
    condition     = aws_elasticache_parameter_group.this.family == "valkey8"
    error_message = "the parameters must be those of the engine."
  }
  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled && aws_elasticache_replication_group.this.transit_encryption_mode == "required"
    error_message = "the broker must speak TLS alone."
  }
  assert {
    condition     = aws_elasticache_replication_group.this.at_rest_encryption_enabled && aws_elasticache_replication_group.this.automatic_failover_enabled
    error_message = "the broker must be encrypted and fail over."
  }
  assert {
    condition     = length(aws_elasticache_replication_group.this.user_group_ids) == 1
    error_message = "the broker must ask for a user and a password."
  }
}

run "open_to_everybody" {
  command         = plan
  expect_failures = [var.producer_cidr_blocks]

  variables {
    producer_cidr_blocks = ["0.0.0.0/0"]
  }
}

run "without_a_replica" {
  command         = plan
  expect_failures = [var.replicas]

  variables {
    replicas = 0
  }
}

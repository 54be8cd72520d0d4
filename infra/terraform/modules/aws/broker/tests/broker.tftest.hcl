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

run "who_may_do_what" {
  command = plan

  variables {
    queues    = ["proofs", "lean-4-36"]
    producers = ["trainer", "alice"]
  }

  assert {
    condition     = { for user in aws_elasticache_user.this : user.user_id => user.user_name } == { fleet-worker = "worker", fleet-operator = "operator", fleet-trainer = "trainer", fleet-alice = "alice" }
    error_message = "workers, operators and each producer must be users of their own."
  }
  assert {
    condition     = alltrue([for user in aws_elasticache_user.this : startswith(user.access_string, "on ") && !strcontains(user.access_string, "USER") && !strcontains(user.access_string, "QUEUE")])
    error_message = "rights must be those of the user on its queue."
  }
  assert {
    condition     = strcontains(aws_elasticache_user.this["trainer"].access_string, "~leanfleet:reply:trainer") && !strcontains(aws_elasticache_user.this["trainer"].access_string, "alice")
    error_message = "a producer must read what is its own alone."
  }
  assert {
    condition     = alltrue([for queue in ["proofs", "lean-4-36"] : strcontains(aws_elasticache_user.this["worker"].access_string, " ~${queue} ")])
    error_message = "workers must take from each queue."
  }
}

run "a_producer_with_a_workers_name" {
  command         = plan
  expect_failures = [var.producers]

  variables {
    producers = ["worker"]
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

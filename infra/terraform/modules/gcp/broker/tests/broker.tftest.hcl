mock_provider "google" {}

variables {
  name       = "fleet"
  region     = "europe-west4"
  network_id = "projects/fleet/global/networks/fleet"
}

run "what_a_broker_must_be" {
  command = plan

  assert {
    condition     = google_redis_instance.this.redis_configs == tomap({ maxmemory-policy = "noeviction" })
    error_message = "a full broker must refuse operations, not throw them away."
  }
  assert {
    condition     = google_redis_instance.this.transit_encryption_mode == "SERVER_AUTHENTICATION" && google_redis_instance.this.auth_enabled
    error_message = "the broker must speak TLS, and ask for a password."
  }
}

run "no_region" {
  command         = plan
  expect_failures = [var.region]

  variables {
    region = "Europe"
  }
}

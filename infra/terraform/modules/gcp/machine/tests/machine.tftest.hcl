mock_provider "google" {}

variables {
  name                  = "fleet-compute"
  region                = "europe-west4"
  command               = "worker"
  environment           = { LEANFLEET_WORKER_HEADER = "it's" }
  secret_ids            = { LEANFLEET_BROKER_URL = "projects/fleet/secrets/url" }
  broker_ca_certificate = "certificate"
  image                 = "leanfleet"
  machine_type          = "c3d-highcpu-8"
  preemptible           = true
  subnetwork_id         = "projects/fleet/regions/europe-west4/subnetworks/fleet"
  stop_seconds          = 40
}

run "a_spot_machine" {
  command = plan

  assert {
    condition     = google_compute_region_instance_template.this.scheduling[0].provisioning_model == "SPOT"
    error_message = "a preemptible machine must be a spot machine."
  }
  assert {
    condition     = length(google_compute_region_instance_template.this.network_interface[0].access_config) == 0
    error_message = "a machine must not have a public address."
  }
}

run "a_secret_among_the_settings" {
  command         = plan
  expect_failures = [var.environment]

  variables {
    environment = { AWS_SECRET_ACCESS_KEY = "secret" }
  }
}

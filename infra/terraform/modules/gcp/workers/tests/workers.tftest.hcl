mock_provider "google" {}

variables {
  name          = "fleet-compute"
  region        = "europe-west4"
  machine_types = ["c3d-highcpu-8", "c2d-highcpu-8"]
  image         = "leanfleet"
  subnetwork_id = "projects/fleet/regions/europe-west4/subnetworks/fleet"
  broker        = { url_secret_id = "projects/fleet/secrets/url", ca_certificate = "certificate" }
  store = {
    store_url            = "s3://states/states"
    endpoint_url         = "https://storage.googleapis.com"
    access_key_id        = "GOOG1"
    access_key_secret_id = "projects/fleet/secrets/key"
    blob_keys_secret_id  = "projects/fleet/secrets/keys"
  }
}

run "a_group_that_the_controller_sizes" {
  command = plan

  assert {
    condition     = google_compute_region_instance_group_manager.this.update_policy[0].type == "OPPORTUNISTIC"
    error_message = "a new template must not end machines that work."
  }
}

run "types_of_two_sizes" {
  command         = plan
  expect_failures = [var.machine_types]

  variables {
    machine_types = ["c3d-highcpu-8", "c2d-highcpu-16"]
  }
}

run "a_grace_beyond_the_notice" {
  command         = plan
  expect_failures = [var.grace_seconds]

  variables {
    grace_seconds = 60
  }
}

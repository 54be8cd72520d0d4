mock_provider "google" {}

variables {
  project = "fleet"
  bucket  = "leanfleet-states"
  image   = "projects/fleet/global/images/leanfleet"
}

run "a_whole_fleet" {
  command = apply

  assert {
    condition     = output.store_url == "s3://leanfleet-states/states"
    error_message = "the store's URL must name bucket and prefix."
  }
  assert {
    condition     = strcontains(output.controller_settings, "\"compute\" = \"leanfleet-compute\"")
    error_message = "the controller must know each offer's group."
  }
}

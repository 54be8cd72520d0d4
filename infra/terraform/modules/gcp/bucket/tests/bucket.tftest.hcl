mock_provider "google" {}

variables {
  bucket   = "leanfleet-states"
  location = "europe-west4"
  project  = "fleet"
}

run "what_may_expire" {
  command = plan

  assert {
    condition     = [for rule in google_storage_bucket.this.lifecycle_rule : rule.condition[0].matches_prefix] == [tolist(["states/blobs/", "states/exports/"])]
    error_message = "only blobs and exports may have a lifecycle; recipes must stay."
  }
  assert {
    condition     = google_storage_bucket.this.soft_delete_policy[0].retention_duration_seconds == 0
    error_message = "what expired must not be paid for any longer."
  }
  assert {
    condition     = google_storage_bucket.this.public_access_prevention == "enforced" && google_storage_bucket.this.uniform_bucket_level_access
    error_message = "the bucket must be closed to the public."
  }
}

run "what_workers_may_touch" {
  command = plan

  assert {
    condition     = strcontains(google_storage_bucket_iam_member.states.condition[0].expression, "resource.name.startsWith(\"projects/_/buckets/leanfleet-states/objects/states/recipes/\")")
    error_message = "workers must read and write recipes."
  }
  assert {
    condition     = !strcontains(google_storage_bucket_iam_member.states.condition[0].expression, "objects/states/\")") && !strcontains(google_storage_bucket_iam_member.states.condition[0].expression, "batches")
    error_message = "workers must not touch what is their producers'."
  }
}

run "a_prefix_that_is_no_folder" {
  command         = plan
  expect_failures = [var.prefix]

  variables {
    prefix = "/states/"
  }
}

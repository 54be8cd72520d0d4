# Not with a mock: it knows no ephemeral resources. These only plan, with whatever AWS_ENDPOINT_URL says is Amazon.

variables {
  bucket = "leanfleet-states"
}

run "what_may_expire" {
  command = plan

  assert {
    condition = toset([
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.filter[0].prefix
    ]) == toset(["states/blobs/", "states/exports/"])
    error_message = "only blobs and exports may have a lifecycle; recipes must stay."
  }
  assert {
    condition     = aws_s3_bucket_public_access_block.this.block_public_policy && aws_s3_bucket_public_access_block.this.restrict_public_buckets
    error_message = "the bucket must be closed to the public."
  }
  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "a deleted recipe must be recoverable."
  }
}

run "a_name_with_dots" {
  command         = plan
  expect_failures = [var.bucket]

  variables {
    bucket = "lean.fleet"
  }
}

run "a_prefix_that_is_no_folder" {
  command         = plan
  expect_failures = [var.prefix]

  variables {
    prefix = "/states/"
  }
}

run "expiring_at_once" {
  command         = plan
  expect_failures = [var.expire_after_days]

  variables {
    expire_after_days = 0
  }
}

# Not with a mock: it knows no ephemeral resources. These only plan, with whatever AWS_ENDPOINT_URL says is Amazon.

variables {
  bucket   = "leanfleet-states"
  image_id = "ami-0123456789abcdef0"
}

run "a_whole_fleet" {
  command = plan

  assert {
    condition     = output.groups == { compute = "leanfleet-compute", general = "leanfleet-general" }
    error_message = "each offer must be a group."
  }
  assert {
    condition     = length(module.network.subnet_ids) == 3
    error_message = "there must be a subnet in each zone."
  }
}

run "an_offer_with_a_long_name" {
  command         = plan
  expect_failures = [var.offers]

  variables {
    offers = {
      a-name-that-is-too-long = { instance_types = ["c7a.large", "c6a.large"], slots = 2, price_per_hour = 0.1, max_machines = 1 }
    }
  }
}

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
}

variables {
  name               = "fleet"
  availability_zones = ["eu-central-1a", "eu-central-1b"]
  bucket_arns        = ["arn:aws:s3:::states"]
}

run "nothing_leaves_by_an_endpoint_with_the_key_of_another_account" {
  command = plan

  assert {
    condition = length(aws_vpc_endpoint.interface) > 0 && alltrue(flatten([
      for endpoint in aws_vpc_endpoint.interface : [
        for statement in jsondecode(endpoint.policy).Statement :
        statement.Condition.StringEquals["aws:PrincipalAccount"] == "123456789012"
      ]
    ]))
    error_message = "each interface endpoint must serve this account alone."
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_vpc_endpoint.s3.policy).Statement :
      toset(statement.Resource) == toset(["arn:aws:s3:::states", "arn:aws:s3:::states/*"])
    ])
    error_message = "only the fleet's buckets may be reached."
  }
}

run "one_zone_is_too_few" {
  command         = plan
  expect_failures = [var.availability_zones]

  variables {
    availability_zones = ["eu-central-1a"]
  }
}

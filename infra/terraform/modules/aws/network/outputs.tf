output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "subnet_ids" {
  description = "One private subnet for each zone."
  value       = [for subnet in aws_subnet.private : subnet.id]
}

output "https_cidr_blocks" {
  description = "Where machines find Amazon's services: the endpoints in this network."
  value       = [aws_vpc.this.cidr_block]
}

output "https_prefix_list_ids" {
  description = "Where machines find S3: the gateway's prefix list."
  value       = [aws_vpc_endpoint.s3.prefix_list_id]
}

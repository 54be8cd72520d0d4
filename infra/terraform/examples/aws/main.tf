# A whole fleet: network, broker, bucket, two offers of preemptible machines, and the controller that sizes them.

provider "aws" {
  region = var.region

  default_tags {
    tags = { leanfleet = var.name }
  }
}

data "aws_availability_zones" "available" {
  state = "available"
}

module "network" {
  source = "../../modules/aws/network"

  name               = var.name
  availability_zones = slice(sort(data.aws_availability_zones.available.names), 0, var.zones)
  bucket_arns        = [module.bucket.arn]
}

module "bucket" {
  source = "../../modules/aws/bucket"

  bucket        = var.bucket
  force_destroy = var.force_destroy
}

module "broker" {
  source = "../../modules/aws/broker"

  name                 = var.name
  vpc_id               = module.network.vpc_id
  subnet_ids           = module.network.subnet_ids
  node_type            = var.broker_node_type
  producer_cidr_blocks = var.producer_cidr_blocks
  producers            = var.producers
  queues               = [var.queue]
}

module "monitoring" {
  source = "../../modules/aws/monitoring"

  name             = var.name
  alarm_actions    = var.alarm_actions
  broker_nodes     = module.broker.nodes
  controller_group = module.controller.group_name

  metrics_namespace = module.controller.metrics_namespace
  queue             = var.queue
}

module "workers" {
  source   = "../../modules/aws/workers"
  for_each = var.offers

  name                  = "${var.name}-${each.key}"
  instance_types        = each.value.instance_types
  max_machines          = each.value.max_machines
  environment           = merge(var.worker_environment, { LEANFLEET_QUEUE = var.queue })
  image_id              = var.image_id
  vpc_id                = module.network.vpc_id
  subnet_ids            = module.network.subnet_ids
  https_cidr_blocks     = module.network.https_cidr_blocks
  https_prefix_list_ids = module.network.https_prefix_list_ids
  security_group_ids    = [module.broker.clients_security_group_id]
  broker_url_secret_arn = module.broker.url_secret_arns["worker"]
  store                 = module.bucket
  log_group             = module.monitoring.log_groups["workers"]

  metrics_security_group_ids = var.metrics_security_group_ids
}

module "controller" {
  source = "../../modules/aws/controller"

  name                  = "${var.name}-controller"
  policy                = var.policy
  image_id              = var.image_id
  vpc_id                = module.network.vpc_id
  subnet_ids            = module.network.subnet_ids
  https_cidr_blocks     = module.network.https_cidr_blocks
  security_group_ids    = [module.broker.clients_security_group_id]
  broker_url_secret_arn = module.broker.url_secret_arns["operator"]
  environment           = { LEANFLEET_QUEUE = var.queue }
  log_group             = module.monitoring.log_groups["controller"]

  metrics_security_group_ids = var.metrics_security_group_ids

  offers = {
    for name, offer in var.offers : name => {
      group          = module.workers[name].group
      slots          = offer.slots
      price_per_hour = offer.price_per_hour
      quota          = offer.max_machines
    }
  }
}

# A whole fleet: network, broker, bucket, offers of preemptible machines, and the controller that sizes them.

provider "google" {
  project = var.project
  region  = var.region
}

module "network" {
  source = "../../modules/gcp/network"

  name   = var.name
  region = var.region
}

module "broker" {
  source = "../../modules/gcp/broker"

  name       = var.name
  region     = var.region
  network_id = module.network.network_id
  memory_gib = var.broker_memory_gib
}

module "bucket" {
  source = "../../modules/gcp/bucket"

  bucket   = var.bucket
  project  = var.project
  location = var.region
}

module "workers" {
  source   = "../../modules/gcp/workers"
  for_each = var.offers

  name          = "${var.name}-${each.key}"
  region        = var.region
  machine_types = each.value.machine_types
  environment   = var.worker_environment
  image         = var.image
  subnetwork_id = module.network.subnetwork_id
  broker        = module.broker
  store         = module.bucket
}

module "controller" {
  source = "../../modules/gcp/controller"

  name          = "${var.name}-control"
  region        = var.region
  project       = var.project
  policy        = var.policy
  environment   = var.controller_environment
  image         = var.image
  subnetwork_id = module.network.subnetwork_id
  broker        = module.broker

  offers = {
    for name, offer in var.offers : name => {
      group          = module.workers[name].group_name
      slots          = offer.slots
      price_per_hour = offer.price_per_hour
      quota          = offer.max_machines
    }
  }
}

module "monitoring" {
  source = "../../modules/gcp/monitoring"

  name                  = var.name
  broker_id             = module.broker.id
  controller_group      = module.controller.group_name
  notification_channels = var.notification_channels
}

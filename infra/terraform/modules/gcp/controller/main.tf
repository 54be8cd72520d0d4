# `leanfleet autoscale` on one small machine that a group of one replaces.

locals {
  settings_file = join("\n", concat(
    ["[autoscale]", "provider = \"gcp\"", ""],
    ["[autoscale.gcp]", "project = ${jsonencode(var.project)}", "region = ${jsonencode(var.region)}", ""],
    ["[autoscale.gcp.groups]"],
    [for name, offer in var.offers : "${jsonencode(name)} = ${jsonencode(offer.group)}"],
    [""],
    flatten([for name, offer in var.offers : [
      "[[autoscale.offers]]",
      "name = ${jsonencode(name)}",
      "slots = ${offer.slots}",
      "price_per_hour = ${offer.price_per_hour}",
      "quota = ${offer.quota}",
      "",
    ]]),
    ["[policy]"],
    [for name, value in var.policy : "${name} = ${value}"],
    [""],
  ))
}

module "machine" {
  source = "../machine"

  name                  = var.name
  region                = var.region
  command               = "autoscale"
  image                 = var.image
  machine_type          = var.machine_type
  preemptible           = false
  subnetwork_id         = var.subnetwork_id
  disk_gib              = 16
  stop_seconds          = 30
  environment           = var.environment
  settings_file         = local.settings_file
  broker_ca_certificate = var.broker.ca_certificate
  secret_ids            = { LEANFLEET_BROKER_URL = var.broker.url_secret_id }
}

# Google has no rights on a single managed group: these hold for those of the project.
resource "google_project_iam_custom_role" "this" {
  role_id     = replace("${var.name}_scaling", "-", "_")
  title       = "Sizes the groups of ${var.name}"
  permissions = ["compute.instanceGroupManagers.get", "compute.instanceGroupManagers.update", "compute.instances.delete"]
}

resource "google_project_iam_member" "this" {
  project = var.project
  role    = google_project_iam_custom_role.this.id
  member  = module.machine.service_account
}

resource "google_compute_region_instance_group_manager" "this" {
  name               = var.name
  region             = var.region
  base_instance_name = var.name
  target_size        = 1

  version {
    instance_template = module.machine.template
  }

  # New settings are a new machine; the fleet goes on meanwhile as it is.
  update_policy {
    type                         = "PROACTIVE"
    minimal_action               = "REPLACE"
    instance_redistribution_type = "NONE"
    max_surge_fixed              = 0
    max_unavailable_fixed        = 10
  }
}

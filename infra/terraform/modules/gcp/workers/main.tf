# One offer of the controller: a regional managed group of preemptible machines that it alone sizes.

module "machine" {
  source = "../machine"

  name                  = var.name
  region                = var.region
  command               = "worker"
  image                 = var.image
  machine_type          = var.machine_types[0]
  preemptible           = true
  subnetwork_id         = var.subnetwork_id
  disk_gib              = var.disk_gib
  stop_seconds          = var.grace_seconds + 20
  broker_ca_certificate = var.broker.ca_certificate

  environment = merge(var.environment, {
    LEANFLEET_STORE_URL                = var.store.store_url
    LEANFLEET_STORE_ENDPOINT_URL       = var.store.endpoint_url
    LEANFLEET_REDELIVERY_GRACE_SECONDS = tostring(var.grace_seconds)
    AWS_ACCESS_KEY_ID                  = var.store.access_key_id
    AWS_REGION                         = "auto"
  })

  secret_ids = {
    LEANFLEET_BROKER_URL       = var.broker.url_secret_id
    LEANFLEET_WORKER_BLOB_KEYS = var.store.blob_keys_secret_id
    AWS_SECRET_ACCESS_KEY      = var.store.access_key_secret_id
  }
}

resource "google_compute_region_instance_group_manager" "this" {
  name                             = var.name
  region                           = var.region
  base_instance_name               = var.name
  target_size                      = 0
  distribution_policy_target_shape = "ANY" # wherever there is capacity; what vanishes at once is lost at once anyway

  version {
    instance_template = module.machine.template
  }

  instance_flexibility_policy {
    instance_selections {
      name          = "all"
      machine_types = var.machine_types
    }
  }

  # New machines are made from a new template; those that work are left alone.
  update_policy {
    type                         = "OPPORTUNISTIC"
    minimal_action               = "REPLACE"
    instance_redistribution_type = "NONE"
    max_surge_fixed              = 0
    max_unavailable_fixed        = 10
  }

  lifecycle {
    ignore_changes = [target_size] # the controller's
  }
}

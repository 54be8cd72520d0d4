# Memorystore for Redis: of Google's, the one with a password (its Valkey knows IAM tokens alone, which Celery does not).

locals {
  # Where the machine module puts the certificate of the broker's own authority.
  ca_file = "/etc/leanfleet/broker-ca.pem"
}

resource "google_redis_instance" "this" {
  name                    = var.name
  region                  = var.region
  tier                    = "STANDARD_HA"
  memory_size_gb          = var.memory_gib
  redis_version           = "REDIS_7_2"
  authorized_network      = var.network_id
  connect_mode            = "PRIVATE_SERVICE_ACCESS"
  auth_enabled            = true
  transit_encryption_mode = "SERVER_AUTHENTICATION"

  # A full broker refuses operations; it never throws queued ones away.
  redis_configs = {
    maxmemory-policy = "noeviction"
  }

  persistence_config {
    persistence_mode    = "RDB"
    rdb_snapshot_period = "ONE_HOUR"
  }
}

resource "google_secret_manager_secret" "url" {
  secret_id = "${var.name}-broker-url"

  replication {
    auto {}
  }
}

# Google makes the password, and the provider keeps it in the state as auth_string: keep the state where only those may
# read it who may run the fleet.
resource "google_secret_manager_secret_version" "url" {
  secret = google_secret_manager_secret.url.id
  secret_data_wo = format(
    "rediss://:%s@%s:%d/0?ssl_ca_certs=%s",
    google_redis_instance.this.auth_string,
    google_redis_instance.this.host,
    google_redis_instance.this.port,
    local.ca_file,
  )
  secret_data_wo_version = var.url_version
}

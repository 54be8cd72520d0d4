# A machine that runs one command of leanfleet as a systemd unit: its service account and instance template.
#
# Start-up installs nothing. The startup script is settings and names of secrets; the secrets themselves are read with
# the machine's account and lie in memory (/run) for root alone.

locals {
  # A worker that ended in good order was told that its machine will be taken: nothing starts there any more, and the
  # controller ends what does not go by itself.
  restart = startswith(var.command, "worker") ? "on-failure" : "always"

  environment = merge(
    { LEANFLEET_CONFIG = "/etc/leanfleet/leanfleet.toml", LEANFLEET_MACHINE_PROVIDER = "gcp" },
    var.environment,
  )

  files = {
    "/etc/leanfleet/leanfleet.toml" = var.settings_file
    "/etc/leanfleet/broker-ca.pem"  = var.broker_ca_certificate
    "/etc/leanfleet/secrets.json"   = jsonencode(var.secret_ids)
    "/etc/leanfleet/machine.env" = join("", [
      for name, value in local.environment :
      format("%s=\"%s\"\n", name, replace(replace(value, "\\", "\\\\"), "\"", "\\\""))
    ])
    "/etc/systemd/system/leanfleet.service" = templatefile("${path.module}/files/leanfleet.service", {
      command      = var.command
      restart      = local.restart
      stop_seconds = var.stop_seconds
    })
    "/usr/local/lib/leanfleet/identify.py" = file("${path.module}/files/identify.py")
  }

  startup_script = join("\n", concat(
    ["#!/bin/sh", "set -eu"],
    [
      for path, content in local.files :
      "install -D -m 0644 /dev/null ${path} && echo '${base64encode(content)}' | base64 -d > ${path}"
    ],
    ["systemctl daemon-reload", "systemctl enable leanfleet.service", "systemctl restart --no-block leanfleet.service", ""],
  ))
}

resource "google_service_account" "this" {
  account_id   = var.name
  display_name = "Machines of ${var.name}"
}

resource "google_secret_manager_secret_iam_member" "this" {
  for_each  = var.secret_ids
  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this.member
}

resource "google_compute_region_instance_template" "this" {
  name_prefix  = "${var.name}-"
  region       = var.region
  machine_type = var.machine_type

  disk {
    source_image = var.image
    disk_size_gb = var.disk_gib
    boot         = true
    auto_delete  = true
  }

  # No access_config: no address outside.
  network_interface {
    subnetwork = var.subnetwork_id
  }

  service_account {
    email  = google_service_account.this.email
    scopes = ["cloud-platform"] # what it may do is said by its roles
  }

  scheduling {
    preemptible                 = var.preemptible
    provisioning_model          = var.preemptible ? "SPOT" : "STANDARD"
    automatic_restart           = !var.preemptible
    instance_termination_action = var.preemptible ? "DELETE" : null
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  metadata = {
    block-project-ssh-keys = "true"
    startup-script         = local.startup_script
  }

  lifecycle {
    create_before_destroy = true
  }
}

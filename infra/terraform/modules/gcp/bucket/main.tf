# The store of states, spoken to by Cloud Storage's S3-compatible interface with an HMAC key. `blobs/` and `exports/`
# may expire since they are made again when needed; nothing under `recipes/` ever may.

locals {
  # What workers read and write: not batches and proofs, which are their producers'. The last one is the doctor's.
  folders = ["blobs", "exports", "recipes", "images", "image-chunks", "leanfleet-check"]
  objects = "projects/_/buckets/${var.bucket}/objects/${var.prefix}"
  account = replace(substr(var.bucket, 0, 20), "/-+$/", "")
  role    = replace(var.bucket, "-", "_")
}

resource "google_storage_bucket" "this" {
  name                        = var.bucket
  location                    = var.location
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = var.force_destroy

  # Objects are written once, so that versions cost nothing, and a deleted recipe can be brought back.
  versioning {
    enabled = true
  }

  # What versioning keeps can be brought back; without this, what the lifecycle deletes is paid for a week longer.
  soft_delete_policy {
    retention_duration_seconds = 0
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age            = var.expire_after_days
      matches_prefix = ["${var.prefix}/blobs/", "${var.prefix}/exports/"]
      with_state     = "ANY"
    }
  }
}

resource "google_service_account" "states" {
  account_id   = "${local.account}-states"
  display_name = "Reads and writes states in ${var.bucket}"
}

resource "google_project_iam_custom_role" "states" {
  role_id = "${local.role}_states"
  title   = "States in ${var.bucket}"
  # To overwrite an object that was damaged takes the right to delete it.
  permissions = ["storage.objects.create", "storage.objects.delete", "storage.objects.get"]
}

resource "google_project_iam_custom_role" "names" {
  role_id     = "${local.role}_names"
  title       = "Names in ${var.bucket}"
  permissions = ["storage.objects.list"]
}

resource "google_storage_bucket_iam_member" "states" {
  bucket = google_storage_bucket.this.name
  role   = google_project_iam_custom_role.states.id
  member = google_service_account.states.member

  condition {
    title      = "own-folders"
    expression = join(" || ", [for folder in local.folders : "resource.name.startsWith(\"${local.objects}/${folder}/\")"])
  }
}

# Without it, "forbidden" is said of an object that is only not there.
resource "google_storage_bucket_iam_member" "names" {
  bucket = google_storage_bucket.this.name
  role   = google_project_iam_custom_role.names.id
  member = google_service_account.states.member
}

# The provider keeps the key's secret in the state: keep the state where only those may read it who may run the fleet.
resource "google_storage_hmac_key" "states" {
  service_account_email = google_service_account.states.email
}

resource "google_secret_manager_secret" "access_key" {
  secret_id = "${var.bucket}-access-key"

  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "access_key" {
  secret                 = google_secret_manager_secret.access_key.id
  secret_data_wo         = google_storage_hmac_key.states.secret
  secret_data_wo_version = 1
}

# Google makes no random secrets: `gcloud secrets versions add` puts this one in, once, before the first worker starts.
resource "google_secret_manager_secret" "blob_keys" {
  secret_id = "${var.bucket}-blob-keys"

  replication {
    auto {}
  }
}

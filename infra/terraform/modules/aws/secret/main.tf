# A random secret that is in no state: it is made and stored within one run, and remembered by the secret store alone.

ephemeral "aws_secretsmanager_random_password" "this" {
  password_length     = 48
  exclude_punctuation = true # it stands in URLs
}

resource "aws_secretsmanager_secret" "this" {
  name_prefix = "${var.name}-"
  description = var.description
  kms_key_id  = var.kms_key_arn
}

resource "aws_secretsmanager_secret_version" "this" {
  secret_id                = aws_secretsmanager_secret.this.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.this.random_password
  secret_string_wo_version = var.value_version
}

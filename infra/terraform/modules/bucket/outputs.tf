output "bucket" {
  description = "The bucket's name, once it is protected."
  value       = var.bucket # Known before it is made, so that plans show it everywhere.

  depends_on = [
    aws_s3_bucket.this,
    aws_s3_bucket_policy.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}

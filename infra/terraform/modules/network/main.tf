# Private subnets without a way to the internet: what runs here reaches S3, the services it uses, and the source.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

locals {
  zones = { for number, zone in var.availability_zones : zone => number }
  # What Glue jobs and DMS ask for from within the network, and nothing more: each is paid by the hour.
  services = toset(["glue", "kms", "logs", "monitoring", "secretsmanager", "sts"])
}

data "aws_partition" "this" {}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  enable_dns_support   = true

  tags = { Name = var.name }
}

# The group that everything in the network has unless told otherwise: it lets nothing through.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "private" {
  for_each = local.zones

  vpc_id                  = aws_vpc.this.id
  cidr_block              = cidrsubnet(var.cidr, 4, each.value)
  availability_zone       = each.key
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-private" }
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private.id
}

# --- services

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private.id]
  policy            = data.aws_iam_policy_document.s3_endpoint.json

  tags = { Name = "${var.name}-s3" }
}

data "aws_iam_policy_document" "s3_endpoint" {
  # Data leaves for buckets of this account alone, whatever credentials somebody brought along.
  statement {
    sid = "OurBuckets"
    actions = [
      "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload",
      "s3:ListBucket", "s3:GetBucketLocation", "s3:ListMultipartUploadParts", "s3:ListBucketMultipartUploads",
      "s3:PutObjectTagging", "s3:GetObjectTagging",
    ]
    resources = [
      "arn:${data.aws_partition.this.partition}:s3:::${var.name}-*",
      "arn:${data.aws_partition.this.partition}:s3:::${var.name}-*/*",
    ]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [var.account]
    }
  }
}

resource "aws_vpc_endpoint" "service" {
  for_each = local.services

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for zone in slice(var.availability_zones, 0, min(var.endpoint_zones, length(var.availability_zones))) : aws_subnet.private[zone].id]
  security_group_ids  = [aws_security_group.endpoints.id]

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "Interface endpoints: reached by DMS and Glue over TLS."
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-endpoints" }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = {
    replication = aws_security_group.replication.id
    jobs        = aws_security_group.jobs.id
  }

  security_group_id            = aws_security_group.endpoints.id
  description                  = "TLS from ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = each.value
}

# --- who works here

resource "aws_security_group" "replication" {
  #checkov:skip=CKV2_AWS_5:The replication module attaches it to DMS.
  name        = "${var.name}-replication"
  description = "DMS: goes to the source and to AWS, and nobody comes to it."
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-replication" }
}

resource "aws_security_group" "jobs" {
  #checkov:skip=CKV2_AWS_5:The jobs module attaches it to Glue's connection.
  name        = "${var.name}-jobs"
  description = "Glue jobs: talk to each other, the source and AWS."
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-jobs" }
}

# Glue refuses a connection whose group does not let its own members in on every port.
resource "aws_vpc_security_group_ingress_rule" "jobs" {
  #checkov:skip=CKV_AWS_24:It lets in its own members alone, no address.
  #checkov:skip=CKV_AWS_25:Likewise.
  #checkov:skip=CKV_AWS_260:Likewise.
  security_group_id            = aws_security_group.jobs.id
  description                  = "Workers of one job"
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
  referenced_security_group_id = aws_security_group.jobs.id
}

resource "aws_vpc_security_group_egress_rule" "jobs" {
  security_group_id            = aws_security_group.jobs.id
  description                  = "Workers of one job"
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
  referenced_security_group_id = aws_security_group.jobs.id
}

locals {
  workers = {
    replication = aws_security_group.replication.id
    jobs        = aws_security_group.jobs.id
  }
}

resource "aws_vpc_security_group_egress_rule" "source" {
  for_each = local.workers

  security_group_id = each.value
  description       = "PostgreSQL at the source"
  ip_protocol       = "tcp"
  from_port         = var.source_port
  to_port           = var.source_port
  cidr_ipv4         = var.source_cidr
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  for_each = local.workers

  security_group_id            = each.value
  description                  = "TLS to the interface endpoints"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.endpoints.id
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  for_each = local.workers

  security_group_id = each.value
  description       = "TLS to S3"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
}

# --- the source's network

resource "aws_vpc_peering_connection" "source" {
  count = var.source_network == null ? 0 : 1

  vpc_id      = aws_vpc.this.id
  peer_vpc_id = var.source_network.vpc_id
  auto_accept = true

  accepter {
    allow_remote_vpc_dns_resolution = true
  }

  requester {
    allow_remote_vpc_dns_resolution = true
  }

  tags = { Name = "${var.name}-source" }
}

resource "aws_route" "to_source" {
  count = var.source_network == null ? 0 : 1

  route_table_id            = aws_route_table.private.id
  destination_cidr_block    = var.source_network.cidr
  vpc_peering_connection_id = aws_vpc_peering_connection.source[0].id
}

resource "aws_route" "from_source" {
  for_each = var.source_network == null ? toset([]) : var.source_network.route_table_ids

  route_table_id            = each.value
  destination_cidr_block    = var.cidr
  vpc_peering_connection_id = aws_vpc_peering_connection.source[0].id
}

resource "aws_vpc_security_group_ingress_rule" "source" {
  count = var.source_network == null ? 0 : 1

  security_group_id = var.source_network.security_group_id
  description       = "Lakeside replicates and compares"
  ip_protocol       = "tcp"
  from_port         = var.source_port
  to_port           = var.source_port
  cidr_ipv4         = var.cidr
}

# --- who talked to whom

resource "aws_cloudwatch_log_group" "flow" {
  name              = "/lakeside/${var.name}/flow"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "flow_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account]
    }
  }
}

data "aws_iam_policy_document" "flow" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    resources = ["${aws_cloudwatch_log_group.flow.arn}:*"]
  }
}

resource "aws_iam_role" "flow" {
  name               = "${var.name}-flow-log"
  description        = "The network's flow log writes its log group."
  assume_role_policy = data.aws_iam_policy_document.flow_trust.json
}

resource "aws_iam_role_policy" "flow" {
  name   = "write-log"
  role   = aws_iam_role.flow.id
  policy = data.aws_iam_policy_document.flow.json
}

resource "aws_flow_log" "this" {
  vpc_id               = aws_vpc.this.id
  traffic_type         = "ALL"
  log_destination_type = "cloud-watch-logs"
  log_destination      = aws_cloudwatch_log_group.flow.arn
  iam_role_arn         = aws_iam_role.flow.arn

  tags = { Name = var.name }
}

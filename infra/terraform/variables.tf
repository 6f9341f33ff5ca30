# --- which installation

variable "environment" {
  description = "Which set of resources: in every name, and what is asked of it."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "The environment is dev, staging or prod."
  }
}

variable "account" {
  description = "The account that owns everything; no other one is ever touched."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account))
    error_message = "An account is twelve digits."
  }
}

variable "region" {
  description = "The region of every resource."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region looks like eu-central-1."
  }
}

variable "tags" {
  description = "Tags of every resource, beside Project, Environment and ManagedBy."
  type        = map(string)
  default     = {}
  nullable    = false
}

# --- the network

variable "vpc_cidr" {
  description = "Addresses of the network. It must not overlap the source's, if they are peered."
  type        = string
  default     = "10.64.0.0/20"
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && tonumber(split("/", var.vpc_cidr)[1]) <= 24
    error_message = "Write a block of at least 256 IPv4 addresses, such as 10.64.0.0/20."
  }
}

variable "availability_zones" {
  description = "Zones of the private subnets. DMS asks for two."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.availability_zones) >= 2 && length(var.availability_zones) == length(distinct(var.availability_zones))
    error_message = "Name at least two different zones."
  }
}

variable "endpoint_zones" {
  description = "In how many zones the interface endpoints stand. Each endpoint costs by the hour and zone."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.endpoint_zones >= 1 && floor(var.endpoint_zones) == var.endpoint_zones
    error_message = "A whole number of zones, at least one."
  }
}

variable "source_network" {
  description = "The network of the source database, in the same account and region, to be peered with ours; null where it is reached otherwise."
  type = object({
    vpc_id            = string
    cidr              = string
    route_table_ids   = set(string)
    security_group_id = string
  })
  default = null
}

# --- the source

variable "source_database" {
  description = "The PostgreSQL database that is replicated. User and password stand in Secrets Manager, never here."
  type = object({
    name           = string
    port           = optional(number, 5432)
    cidr           = string
    ssl_mode       = optional(string, "verify-full")
    ca_file        = optional(string)
    rds_identifier = optional(string)
  })
  nullable = false

  validation {
    condition     = contains(["require", "verify-ca", "verify-full"], var.source_database.ssl_mode)
    error_message = "The source is reached by TLS alone: require, verify-ca or verify-full."
  }

  validation {
    condition     = var.source_database.ssl_mode == "require" || var.source_database.ca_file != null
    error_message = "verify-ca and verify-full need ca_file: the PEM file of the authority that signed the server's certificate."
  }

  validation {
    condition     = can(cidrnetmask(var.source_database.cidr))
    error_message = "source_database.cidr is the block of addresses that the server is in, such as 10.0.1.0/24."
  }
}

variable "manage_source_parameters" {
  description = "Whether to make an RDS parameter group with what replication asks of PostgreSQL 15."
  type        = bool
  default     = false
  nullable    = false
}

# --- what the contracts and models say: written by `manage.py lakehouse dms-settings` and `named-queries`

variable "dms" {
  description = "Target format, table mappings and task settings, as `manage.py lakehouse dms-settings` writes them."
  type = object({
    tables            = list(string)
    table_mappings    = string
    task_settings     = string
    s3_settings       = map(string)
    postgres_settings = map(string)
  })
  nullable = false

  validation {
    condition     = length(var.dms.tables) > 0 && can(jsondecode(var.dms.table_mappings).rules) && can(jsondecode(var.dms.task_settings))
    error_message = "Write the settings anew: manage.py lakehouse dms-settings."
  }
}

variable "gold" {
  description = "Named queries, and the models kept by tenant, as `manage.py lakehouse named-queries` writes them."
  type = object({
    queries       = map(object({ description = string, sql = string }))
    tenant_tables = list(string)
  })
  nullable = false
}

# --- replication

variable "replication" {
  description = "How DMS runs: an instance of a class, or serverless between two numbers of capacity units (1 unit is 2 GB)."
  type = object({
    serverless           = optional(bool, false)
    instance_class       = optional(string, "dms.t3.medium")
    allocated_storage_gb = optional(number, 50)
    multi_az             = optional(bool, false)
    engine_version       = optional(string, "3.6.1")
    min_capacity_units   = optional(number, 1)
    max_capacity_units   = optional(number, 4)
    migration_type       = optional(string, "full-load-and-cdc")
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["full-load", "full-load-and-cdc"], var.replication.migration_type)
    error_message = "A task loads (full-load), or loads and follows changes (full-load-and-cdc)."
  }

  validation {
    condition = alltrue([
      for units in [var.replication.min_capacity_units, var.replication.max_capacity_units] :
      contains([1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384], units)
    ])
    error_message = "Capacity units are 1, 2, 4, 8, 16, 32, 64, 128, 192, 256 or 384."
  }

  validation {
    condition     = startswith(var.replication.instance_class, "dms.")
    error_message = "An instance class looks like dms.t3.medium."
  }
}

variable "create_dms_account_roles" {
  description = "Whether to make dms-vpc-role and dms-cloudwatch-logs-role, which DMS wants once an account."
  type        = bool
  default     = true
  nullable    = false
}

variable "stream_changes" {
  description = "Whether DMS also sends changes to a Kinesis stream, for readers of single changes."
  type        = bool
  default     = false
  nullable    = false
}

# --- the lake

variable "landing_days" {
  description = "Days after which files that DMS landed are removed. The intake has copied them into bronze long before."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.landing_days >= 7
    error_message = "Keep a week, so that a load that waits for a person is still there."
  }
}

variable "bronze_archive_days" {
  description = "Days after which bronze moves to S3 Glacier Instant Retrieval; it stays readable at once."
  type        = number
  default     = 180
  nullable    = false

  validation {
    condition     = var.bronze_archive_days >= 60
    error_message = "At least 60: bronze moves to Standard-IA at 30 days, and has to stay there for 30."
  }
}

variable "noncurrent_days" {
  description = "Days for which overwritten and deleted objects can be brought back."
  type        = number
  default     = 30
  nullable    = false
}

variable "copy_region" {
  description = "Region that keeps a copy of bronze, silver and gold; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.copy_region == null || var.copy_region != var.region
    error_message = "The copy belongs into another region."
  }
}

variable "allow_destroy" {
  description = "Whether buckets may be removed with what is in them. Only for what can be made again."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !(var.allow_destroy && var.environment == "prod")
    error_message = "prod holds customers' data: empty its buckets by hand, as docs/runbooks/tearing-down.md says."
  }
}

# --- transforms

variable "glue" {
  description = "The Glue job: type and number of workers, minutes, runs at once."
  type = object({
    worker_type         = optional(string, "G.1X")
    workers             = optional(number, 2)
    timeout_minutes     = optional(number, 60)
    max_concurrent_runs = optional(number, 4)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["G.1X", "G.2X", "G.4X", "G.8X"], var.glue.worker_type) && var.glue.workers >= 2
    error_message = "Workers are of type G.1X, G.2X, G.4X or G.8X, and at least two."
  }
}

variable "package_file" {
  description = "What `make glue-package` made: our code and its libraries for the Glue job."
  type        = string
  default     = "../../var/glue/lakeside.gluewheels.zip"
  nullable    = false
}

variable "drift_schedule" {
  description = "When the crawler looks at the landing zone: six fields of cron in UTC."
  type        = string
  default     = "cron(15 3 * * ? *)"
  nullable    = false

  validation {
    condition     = can(regex("^cron\\(.+\\)$", var.drift_schedule))
    error_message = "Write cron(...) with six fields."
  }
}

# --- questions

variable "athena_bytes_per_query" {
  description = "A query that would scan more is cancelled."
  type        = number
  default     = 10737418240
  nullable    = false

  validation {
    condition     = var.athena_bytes_per_query >= 10485760
    error_message = "Athena's smallest limit is 10,485,760 bytes."
  }
}

variable "tenant_readers" {
  description = "Who outside Lakeside may read one tenant's rows of gold through Lake Formation: by a name, the tenant and the IAM principal. Only after a first run has made the tables."
  type        = map(object({ tenant_id = number, principal_arn = string }))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for reader in var.tenant_readers : reader.tenant_id > 0 && floor(reader.tenant_id) == reader.tenant_id && can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/", reader.principal_arn))])
    error_message = "A reader is a tenant's number and the ARN of a role or user."
  }
}

# --- who runs Lakeside

variable "control_plane_principals" {
  description = "ARNs that may take the roles of Lakeside's web and worker processes, such as the role of a task or instance."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.control_plane_principals : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/", arn))])
    error_message = "Write ARNs of roles or users; no wildcard."
  }
}

# --- watching

variable "alert_emails" {
  description = "Who is told of alarms and of the budget. Each address confirms a subscription once."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.alert_emails) > 0 && alltrue([for each in var.alert_emails : can(regex("^[^@[:space:]]+@[^@[:space:]]+$", each))])
    error_message = "Name at least one e-mail address."
  }
}

variable "monthly_budget_usd" {
  description = "What a month may cost, in US dollars; told at 80 % spent and at 100 % foreseen."
  type        = number
  nullable    = false

  validation {
    condition     = var.monthly_budget_usd > 0
    error_message = "A budget is more than nothing."
  }
}

variable "lag_alarm_seconds" {
  description = "An alarm opens when DMS is this far behind the source for 15 minutes."
  type        = number
  default     = 900
  nullable    = false
}

variable "log_days" {
  description = "Days for which logs are kept."
  type        = number
  default     = 365
  nullable    = false
}

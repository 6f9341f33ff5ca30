#!/bin/sh
# Start Redis with its configuration on standard input, so that the password is on no command line.
set -eu

exec redis-server - <<CONFIGURATION
requirepass $REDIS_PASSWORD
dir /data
appendonly yes
save ""
maxmemory-policy noeviction
CONFIGURATION

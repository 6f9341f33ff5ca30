#!/bin/sh
# Print a fresh .env for docker-compose.yml: sh docker/new-env.sh > .env
# Every secret is random and made of letters and digits, so that it needs no quoting in a URL.
set -eu

secret() {
    LC_ALL=C tr -dc 'A-Za-z0-9' < /dev/urandom | dd bs=1 count="$1" 2>/dev/null
}

for name in POSTGRES_PASSWORD APP_PASSWORD REPLICATOR_PASSWORD CATALOG_PASSWORD REDIS_PASSWORD S3_ACCESS_KEY S3_SECRET_KEY
do
    echo "$name=$(secret 32)"
done
echo "DJANGO_SECRET_KEY=$(secret 64)"

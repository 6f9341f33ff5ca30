#!/bin/sh
# Make PostgreSQL's certificate, unless a good one is there: an authority of its own that signs one
# server and is then thrown away, so that its key cannot sign another.
#
# Usage: certificates.sh FOLDER [HOST]
# Leaves ca.crt (for clients: sslmode=verify-full), server.crt, and server.key (0600).
set -eu

folder=$1
host=${2:-postgres}
days=825
month_seconds=2592000

if [ -s "$folder/server.key" ] && openssl x509 -checkend "$month_seconds" -noout -in "$folder/server.crt" >/dev/null 2>&1
then
    echo "The certificate in $folder is good for another month at least."
    exit 0
fi

umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

openssl req -x509 -newkey rsa:3072 -nodes -sha256 -days "$days" -subj "/CN=Lakeside database authority" \
    -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign" \
    -keyout "$work/ca.key" -out "$work/ca.crt" 2>/dev/null
openssl req -newkey rsa:3072 -nodes -sha256 -subj "/CN=$host" \
    -keyout "$work/server.key" -out "$work/server.csr" 2>/dev/null
printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' "$host" > "$work/server.ext"
openssl x509 -req -sha256 -days "$days" -in "$work/server.csr" -extfile "$work/server.ext" \
    -CA "$work/ca.crt" -CAkey "$work/ca.key" -CAcreateserial -out "$work/server.crt" 2>/dev/null

chmod 0644 "$work/ca.crt" "$work/server.crt"
for file in ca.crt server.crt server.key
do
    cp -p "$work/$file" "$folder/.$file.new"
    mv "$folder/.$file.new" "$folder/$file"
done
echo "Made a certificate for $host in $folder, good for $days days."

#!/bin/bash
# Builds the image `millrace:latest` from a binary: docker/build.sh [BINARY]. Its shared objects come from this machine,
# which must be Debian 12 like the base image. DOCKER names the client.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
binary=${1:-../build/release/millrace}
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
root=$context/root
mkdir -p "$root/opt/millrace/bin" "$root/opt/millrace/lib" "$root/etc/ssl/certs" "$root/usr/share"
strip -o "$root/opt/millrace/bin/millrace" "$binary"
# What the base image has stays out: glibc, and what its own apt is linked with.
of_base='libc|libm|libdl|libpthread|librt|libresolv|ld-linux[^/]*|libstdc\+\+|libgcc_s|libz|libbz2|liblz4|libzstd'
of_base+='|libgnutls|libnettle|libhogweed|libgmp|libp11-kit|libtasn1|libunistring|libidn2|libffi'
ldd "$binary" | awk '$3 ~ /^\// { print $3 }' |
  grep -vE "/($of_base)\.so" |
  xargs -I{} cp -L {} "$root/opt/millrace/lib/"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cp -r /usr/share/zoneinfo "$root/usr/share/zoneinfo"
cp Dockerfile "$context/"
"${DOCKER:-docker}" build -q -t millrace:latest "$context"

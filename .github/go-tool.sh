#!/bin/sh
# Install a Go program as its authors build it: sh .github/go-tool.sh MODULE VERSION [FOLDER]
#
# `go install MODULE@VERSION` refuses a module whose go.mod has `replace`. So its source, which Go has checked against the
# checksum database, is built in a copy of its own.
set -eu
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
source=$(go mod download -json "$1@$2" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
[ -n "$source" ] || { go mod download "$1@$2"; exit 1; }
cp -R "$source" source
chmod -R u+w source
cd source
go install "./${3:-.}"

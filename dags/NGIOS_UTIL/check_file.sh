#!/usr/bin/env bash
# Print the name and the size in bytes of one file; end with 1 when it is missing or empty.
set -euo pipefail

file=$1
if [ ! -s "$file" ]; then
  echo "파일이 없거나 비어 있습니다: $file" >&2
  exit 1
fi
echo "$(basename "$file") $(stat --dereference --format=%s "$file")"

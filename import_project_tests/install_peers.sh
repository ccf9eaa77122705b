#!/bin/sh
# Installs the peers that pip cannot bring, where they are missing: Debian's packages, and Azurite from npm.
set -e
as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo"
PATH="$PATH:/usr/sbin"

missing=""
command -v sshd >/dev/null 2>&1 || missing="$missing openssh-server openssh-sftp-server"
command -v vsftpd >/dev/null 2>&1 || missing="$missing vsftpd"
command -v gpg >/dev/null 2>&1 || missing="$missing gnupg"
command -v zip >/dev/null 2>&1 || missing="$missing zip"
command -v npm >/dev/null 2>&1 || missing="$missing nodejs npm"
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome \
  >/dev/null 2>&1 || missing="$missing chromium fonts-dejavu-core"
if [ -n "$missing" ]; then
  $as_root apt-get update -qq
  # shellcheck disable=SC2086 - a list of packages
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi
if ! command -v azurite-blob >/dev/null 2>&1 && [ ! -x "$(npm root -g)/../../bin/azurite-blob" ]; then
  $as_root npm install --silent --no-fund --no-audit -g azurite
fi

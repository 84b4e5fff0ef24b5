#!/bin/sh
# Debian's packages that some tests drive: a real Prometheus (with promtool), Alertmanager, Chromium, curl, what builds the
# image without an engine, and systemd's analyzer.
# As root on Debian or Ubuntu they are installed; elsewhere one line says what is missing, and those tests are skipped.
set -eu
missing=""
command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1 || missing="$missing prometheus"
command -v prometheus-alertmanager >/dev/null 2>&1 || command -v alertmanager >/dev/null 2>&1 || missing="$missing prometheus-alertmanager"
command -v victoria-metrics >/dev/null 2>&1 && command -v vmagent >/dev/null 2>&1 && command -v vmalert >/dev/null 2>&1 ||
  missing="$missing victoria-metrics"
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 ||
  missing="$missing chromium"
command -v curl >/dev/null 2>&1 || missing="$missing curl"
command -v buildah >/dev/null 2>&1 || missing="$missing buildah"
command -v systemd-analyze >/dev/null 2>&1 || missing="$missing systemd"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "some tests need programs that are not here and will be skipped; to install them: apt-get install --no-install-recommends$missing"
  exit 0
fi

apt="apt-get -qq -o DPkg::Lock::Timeout=600"
# The option is for installing alone: apt-get update never waits for another one that runs.
update() {
  for _ in $(seq 300); do
    said=$(LC_ALL=C $apt update 2>&1) && return
    case $said in *"Could not get lock"*) ;; *) break ;; esac
    echo "waiting for another apt-get"
    sleep 2
  done
  echo "$said" >&2
  return 1
}

echo "installing for the tests:$missing"
# RUNLEVEL=1: the packages' services are not started
update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive $apt install -y --no-install-recommends $missing >/dev/null || {
  echo "could not install:$missing" >&2
  exit 1
}

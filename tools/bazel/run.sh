#!/bin/sh
# Runs Bazel with networking off, in a Debian of its own.
#
#   tools/bazel/run.sh [BAZEL-COMMAND [ARGUMENT ...]]
#
# The command is `test //...` unless it is given. Bazel is the bazel-bootstrap
# of Debian sid, installed in a chroot that the next call finds again; nothing
# is installed on the machine itself. Needs root, debootstrap and some 3 GB.
#
#   VENV    virtual environment with what the library needs; default .venv
#   CACHE   folder of the chroot; default /var/tmp/limit_tf_bazel
#   MIRROR  Debian mirror; default the one in this machine's apt sources
set -eu

fail() {
    echo "tools/bazel/run.sh: $*" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || fail "needs root, for a chroot."
repo=$(cd "$(dirname "$0")/../.." && pwd)
cache=${CACHE:-/var/tmp/limit_tf_bazel}
venv=${VENV:-$repo/.venv}
root=$cache/sid
search=/usr/sbin:/usr/bin:/sbin:/bin

[ -x "$venv/bin/python" ] ||
    fail "$venv is no virtual environment: set VENV."
"$venv/bin/python" - <<'END' ||
import importlib.util, sys
sys.exit(importlib.util.find_spec("tensorflow") is None)
END
    fail "TensorFlow is not installed in $venv: set VENV."
venv=$("$venv/bin/python" -c 'import sys; print(sys.prefix)')
python=

mirror_of_apt() {
    . /etc/os-release
    apt-get indextargets --format '$(SITE) $(RELEASE)' |
        awk -v release="${VERSION_CODENAME:-}" \
            '$2 == release && $1 ~ /\/debian\/?$/ { print $1; exit }'
}

# Runs a command in the chroot, unshared from the machine as the first argument
# says, with the paths of the second one. Its mounts end with it, and whatever
# it has started.
in_chroot() {
    unshared=$1 paths=$2
    shift 2
    root=$root repo=$repo paths=$paths python=$python search=$search \
        unshare --mount --pid --fork --kill-child $unshared sh -euc '
            IFS="
"
            for path in $paths; do
                mkdir -p "$root$path"
                mount --rbind "$path" "$root$path"
            done
            [ -z "$python" ] || mount --bind "$python" "$root/usr/bin/python3"
            mkdir -p "$root/repo"
            mount --bind "$repo" "$root/repo"
            mount -o remount,bind,ro "$root/repo"
            mount -t proc proc "$root/proc"
            mount --rbind /dev "$root/dev"
            exec chroot "$root" env -i LC_ALL=C.UTF-8 HOME=/root \
                DEBIAN_FRONTEND=noninteractive PATH="$search" "$@"' sh "$@"
}

prepare() {
    command -v debootstrap >/dev/null ||
        fail "debootstrap is missing: apt-get install debootstrap"
    mirror=${MIRROR:-$(mirror_of_apt)}
    [ -n "$mirror" ] || fail "no Debian mirror in apt's sources: set MIRROR."
    echo "Installing Bazel under $root"
    rm -rf --one-file-system "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase --include=ca-certificates,iproute2 \
        --force-check-gpg sid "$root" "$mirror" >"$cache/debootstrap.log" ||
        fail "debootstrap failed: see $cache/debootstrap.log"
    cp /etc/resolv.conf "$root/etc/"
    # No service is started in the chroot.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    in_chroot "" "" apt-get install -y --no-install-recommends \
        bazel-bootstrap >"$cache/apt.log" ||
        fail "apt-get failed: see $cache/apt.log"
    in_chroot "" "" apt-get clean
    touch "$root/ready"
}

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
[ -e "$root/ready" ] || prepare
chroot "$root" dpkg-query --show bazel-bootstrap
flock -u 9

# What the environment's Python consists of. A prefix of /usr would cover that
# of the chroot: then its library is taken alone, and the interpreter stands in
# for the chroot's.
base=$("$venv/bin/python" -c 'import sys; print(sys.base_prefix)')
if [ "$base" = /usr ]; then
    python=$(readlink -f "$venv/bin/python")
    base=$("$python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
fi

[ $# -gt 0 ] || set -- test //...
search=$venv/bin:$search
# Of the network, only the loopback of the chroot's own is there.
in_chroot --net "$venv
$base" sh -euc '
    ip link set lo up
    cd /repo
    exec bazel --noworkspace_rc --bazelrc=tools/bazel/ci.bazelrc \
        --output_user_root=/var/cache/bazel --batch "$@"' sh "$@"

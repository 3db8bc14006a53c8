#!/bin/sh
# Run by mmdebstrap when the packages are installed: $1 is the root directory. Puts our files in, takes the kernel out,
# removes what the guest never uses and writes the image.
#
# In:  LONGSHORE_RECIPE  directory with manifest.txt, files/ and the built longshore-agent
# Out: LONGSHORE_OUT     directory for rootfs.ext4, packages.txt and the kernel: linux, ld.so and libc.so.6, or vmlinuz,
#                        busybox and virtio_blk.ko (flat: no subdirectory, so that an ordinary user may delete what this
#                        script made under a mapped user id)
set -eu
root=$1
recipe=$LONGSHORE_RECIPE
out=$LONGSHORE_OUT

step() { echo "longshore-step: $*"; }

step "configuring the guest"
# mmdebstrap left the build host's name and resolvers here.
rm -f "$root"/etc/resolv.conf "$root"/etc/hostname
rm -rf "$root"/etc/service "$root"/etc/sv "$root"/etc/runit/runsvdir "$root"/etc/runit/override-sysv.d
while read -r mode path; do
    case $mode in ''|'#'*) continue ;; esac
    case $mode in
        link) set -- $path; mkdir -p "$(dirname "$root/$1")"; ln -sfn "$2" "$root/$1" ;;
        dir)  mkdir -p "$root/$path" ;;
        *)    mkdir -p "$(dirname "$root/$path")"
              cp "$recipe/files/$path" "$root/$path"
              chmod "$mode" "$root/$path" ;;
    esac
done < "$recipe/manifest.txt"
install -m 755 "$recipe/longshore-agent" "$root/usr/local/bin/longshore-agent"
# UML 6.12 has no nf_tables NAT: the legacy back end is the one that works.
chroot "$root" update-alternatives --set iptables /usr/sbin/iptables-legacy
chroot "$root" update-alternatives --set ip6tables /usr/sbin/ip6tables-legacy
chroot "$root" dpkg-query -W -f '${Package} ${Version}\n' > "$out/packages.txt"

# Engines from 28 on drop what comes to a container's address from outside, by which published ports are reached here and containers
# answered, unless told otherwise; older ones do not start with a setting that they don't know.
if chroot "$root" dockerd --help 2>&1 | grep -q allow-direct-routing; then
    sed -i 's|"live-restore": false|"allow-direct-routing": true, &|' "$root/etc/docker/daemon.json"
fi

# From 27 on they hide containers' IPv6 addresses, too: see docker's run script.
case $(chroot "$root" dockerd --version) in
    "Docker version "[0-9].*|"Docker version 1"[0-9].*|"Docker version 2"[0-6].*) ;;
    *) : > "$root/etc/longshore/engine-hides-ipv6" ;;
esac

# Containers need networks and file systems; of the drivers, only those of virtual machines.
# $1 the package's modules, $2 the kernel's release
take_modules() {
    modules=$root/usr/lib/modules/$2
    mkdir -p "$modules"
    cp "$1"/modules.builtin* "$1"/modules.order "$modules"
    for part in net fs lib crypto drivers/net drivers/virtio drivers/block/virtio_blk.ko drivers/block/virtio_blk.ko.xz \
        drivers/block/loop.ko drivers/block/loop.ko.xz drivers/char/hw_random; do
        [ -e "$1/kernel/$part" ] || continue
        mkdir -p "$modules/kernel/$(dirname "$part")"
        cp -a "$1/kernel/$part" "$modules/kernel/$(dirname "$part")"
    done
    for part in drivers/net/wireless drivers/net/ethernet drivers/net/usb drivers/net/can drivers/net/phy \
        drivers/net/hamradio drivers/net/wan drivers/net/ieee802154 drivers/net/fddi drivers/net/arcnet drivers/net/hyperv \
        net/mac80211 net/wireless net/bluetooth net/batman-adv net/can net/ax25 net/netrom net/rose net/nfc net/rds \
        net/tipc net/mac802154 net/ieee802154 net/caif net/atm net/dccp net/openvswitch net/mptcp \
        fs/btrfs fs/xfs fs/ocfs2 fs/gfs2 fs/jfs fs/reiserfs fs/f2fs fs/nilfs2 fs/ubifs fs/jffs2 fs/afs fs/ceph fs/orangefs \
        fs/coda fs/dlm fs/ntfs3 fs/bcachefs fs/hfs fs/hfsplus fs/affs fs/befs fs/minix fs/sysv fs/ufs fs/omfs fs/qnx4 fs/qnx6; do
        rm -rf "$modules/kernel/$part"
    done
    find "$modules" -name '*.ko' -exec strip --strip-debug {} +
    chroot "$root" depmod "$2" 2>/dev/null
}

step "taking the kernel and its modules"
for tree in "$root"/usr/lib/uml/modules/*; do
    [ -d "$tree" ] || continue
    cp "$root/usr/bin/linux.uml" "$out/linux"
    cp -L "$root/lib64/ld-linux-x86-64.so.2" "$out/ld.so"
    cp -L "$root/lib/x86_64-linux-gnu/libc.so.6" "$out/libc.so.6"
    take_modules "$tree" "${tree##*/}"
done
for kernel in "$root"/boot/vmlinuz-*; do
    [ -f "$kernel" ] || continue
    release=${kernel##*/vmlinuz-}
    cp "$kernel" "$out/vmlinuz"
    mv "$root/usr/lib/modules/$release" "$root/all-modules"
    take_modules "$root/all-modules" "$release"
    # The daemon makes the initial file system of these two.
    cp "$root/usr/bin/busybox" "$out/busybox"
    cp "$modules"/kernel/drivers/block/virtio_blk.ko* "$root/tmp"
    chroot "$root" sh -c 'xz -q -d /tmp/virtio_blk.ko.xz' 2>/dev/null || :
    mv "$root/tmp/virtio_blk.ko" "$out"
    rm -rf "$root/all-modules"
done

step "removing what the guest never uses"
rm -rf "$root"/usr/lib/uml "$root"/usr/bin/linux "$root"/usr/bin/linux.uml "$root"/usr/bin/linux32 "$root"/usr/bin/linux64 \
    "$root"/usr/bin/ctr "$root"/usr/bin/containerd-shim "$root"/usr/bin/containerd-shim-runc-v1 "$root"/usr/sbin/docker-proxy \
    "$root"/usr/share/perl* "$root"/usr/lib/x86_64-linux-gnu/perl* "$root"/usr/lib/x86_64-linux-gnu/libperl.so* \
    "$root"/usr/share/doc "$root"/usr/share/man "$root"/usr/share/info "$root"/usr/share/locale "$root"/usr/share/i18n \
    "$root"/usr/share/bash-completion "$root"/usr/share/lintian "$root"/usr/share/zoneinfo \
    "$root"/var/lib/apt "$root"/var/cache/* "$root"/var/log/* "$root"/var/lib/docker "$root"/boot
mkdir -p "$root/var/lib/docker"

step "writing the root file system"
# /proc, /sys and /dev are mounted in the root directory here; a bind mount shows it without them.
plain=$root/mnt
mount --bind "$root" "$plain"
# Always mounted read-only, under an overlay: no journal, no room for growth.
used=$(du -s -B 1M --apparent-size "$plain" | cut -f1)
inodes=$(($(find "$plain" | wc -l) + 1000))
mke2fs -q -t ext4 -d "$plain" -m 0 -N "$inodes" -O ^has_journal,^resize_inode,^metadata_csum,^orphan_file \
    -E root_owner=0:0 -L longshore-root "$out/rootfs.ext4" "$((used + used / 12 + 16))M"
umount "$plain"
chmod 644 "$out"/*

#!/bin/sh
# A libvirtd whose files all lie below the directory $1: `unshare --mount --pid --fork … libvirt.sh DIRECTORY`.
# It listens on $1/sock/libvirt-sock and calls the QEMU of $1/bin. With its process namespace its machines end too.
set -e
root=$1
mkdir -p "$root"/etc "$root"/run "$root"/lib "$root"/log "$root"/cache "$root"/sock
cat > "$root"/etc/qemu.conf <<END
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
remember_owner = 0
END
cat > "$root"/etc/libvirtd.conf <<END
unix_sock_dir = "$root/sock"
unix_sock_rw_perms = "0700"
auth_unix_rw = "none"
auth_unix_ro = "none"
log_outputs = "3:stderr"
END
mkdir -p "$root"/etc/qemu
mount --make-rprivate /
for place in etc run var/lib var/log var/cache; do mkdir -p /$place/libvirt; done
mount --bind "$root"/etc /etc/libvirt
mount --bind "$root"/run /run/libvirt
mount --bind "$root"/lib /var/lib/libvirt
mount --bind "$root"/log /var/log/libvirt
mount --bind "$root"/cache /var/cache/libvirt
# Debian's libvirtd looks up a user before it reads whose machines shall be; another package would make that user.
for file in passwd group; do
    if ! getent $file libvirt-qemu > /dev/null; then
        cp /etc/$file "$root"/$file
        case $file in
        passwd) echo 'libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin' >> "$root"/$file ;;
        group) echo 'libvirt-qemu:x:64055:' >> "$root"/$file ;;
        esac
        mount --bind "$root"/$file /etc/$file
    fi
done
export PATH="$root/bin:$PATH"
# Not as the first process: that one has to wait for machines that have ended, which libvirtd does not.
/usr/sbin/libvirtd -f "$root"/etc/libvirtd.conf -p "$root"/libvirtd.pid &
wait $!

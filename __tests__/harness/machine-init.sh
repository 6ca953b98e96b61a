#!/usr/bin/env bash
# PID 1 of a test machine, started by machine.ts in its own mount and PID namespaces. Makes a root of its own from the
# host's, in memory, says `ready <pid>`, and lives until its stdin is closed. What goes with it: everything.
# By environment: MACHINE_SYSTEM (folder laid over the root), MACHINE_BINDS (paths of the host to be seen, read-only, one
# per line), MACHINE_NIX (options of the tmpfs on /nix, or empty for none), MACHINE_SUDO (yes or no), MACHINE_USER,
# MACHINE_UID, MACHINE_HOME, MACHINE_USER_NAMESPACES (yes or no).
set -euo pipefail
umask 022

# /proc is still the host's, so this is the number that the host knows us by.
read -r pid _ </proc/self/stat

if [ "$MACHINE_USER_NAMESPACES" = no ]; then
  # We are in a user namespace. Its users are the host's as soon as machine.ts has written so; then it is the last one.
  echo "map $pid"
  read -r _
  echo 0 >/proc/sys/user/max_user_namespaces
fi

# /mnt is on every system, and nobody but this namespace sees what is mounted there.
mount -t tmpfs -o mode=0755 tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root

# Lays a folder in memory over folders of the host: overlay <place> <folders, topmost first> <options>
overlay() {
  local upper=/mnt/upper/${1//\//_} work=/mnt/work/${1//\//_}
  mkdir "$upper" "$work"
  mount -t overlay -o "lowerdir=$2,upperdir=$upper,workdir=$work,$3" overlay "/mnt/root${1%/}" 2>/dev/null
}

if ! overlay / / index=off; then
  # In a user namespace. There what has other mounts beneath it, like /, cannot be a layer (they might hide something),
  # overlayfs has to keep its marks in attributes that a user may set, and what is owned by a user who is not mapped
  # cannot be written: so /etc is copied, and /usr gets its owner from the folder that is laid over it.
  mount -t tmpfs -o mode=0755 tmpfs /mnt/root
  for entry in /*; do
    place=/mnt/root$entry
    case $entry in
      /proc | /sys | /dev | /run | /root | /home | /tmp | /mnt | /media | /nix | /lost+found) continue ;;
      /etc) cp -a --no-preserve=ownership /etc /mnt/root/ 2>/dev/null || true ;;
      /usr)
        mkdir "$place"
        if ! overlay /usr "$MACHINE_SYSTEM/usr:/usr" userxattr; then
          echo "overlayfs cannot be used here: not as root, and not in a user namespace" >&2
          exit 1
        fi
        ;;
      *)
        if [ -L "$entry" ]; then
          cp -P "$entry" "$place"
        elif [ -d "$entry" ]; then
          mkdir "$place"
          overlay "$entry" "$entry" userxattr || true
        fi
        ;;
    esac
  done
  # Where root keeps things, as dockerd does; what the host has there belongs to nobody here.
  mount -t tmpfs -o mode=0755 tmpfs /mnt/root/var/lib
fi
cd /mnt/root
mkdir -p proc sys dev mnt

mount -t proc proc proc
mount --rbind /sys sys
for folder in run root home tmp var/tmp; do
  mkdir -p "$folder"
  mount -t tmpfs -o mode=0755 tmpfs "$folder"
done
chmod 1777 tmp var/tmp
# Passable, in case that the repository is in there.
chmod 0711 root

# Devices of the host that are safe to share; the rest of /dev is the machine's own.
mount -t tmpfs -o mode=0755 tmpfs dev
for device in null zero full random urandom tty kvm fuse; do
  [ -e "/dev/$device" ] || continue
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr

while IFS= read -r bind; do
  [ -n "$bind" ] || continue
  if [ -d "$bind" ]; then
    mkdir -p ".$bind"
  else
    mkdir -p ".${bind%/*}"
    [ -e ".$bind" ] || touch ".$bind"
  fi
  mount --bind "$bind" ".$bind"
  mount -o remount,bind,ro ".$bind"
done <<<"$MACHINE_BINDS"

if [ -n "$MACHINE_NIX" ]; then
  mkdir -p nix
  mount -t tmpfs -o "$MACHINE_NIX" tmpfs nix
elif [ -e nix ]; then
  echo "this system has a /nix, so there can be no machine without one" >&2
  exit 1
fi
# A Nix of the host is none of the machine's.
rm -rf etc/nix usr/bin/nix usr/bin/nix-*

# On many systems this leads into /run, which is empty here.
resolver=$(cat /etc/resolv.conf 2>/dev/null || true)
rm -f etc/resolv.conf
printf '%s\n' "$resolver" >etc/resolv.conf

[ -e usr/bin/bash-static ] || cp --no-preserve=ownership "$MACHINE_SYSTEM/usr/bin/bash-static" usr/bin/
if [ "$MACHINE_SUDO" = no ]; then
  rm -f usr/bin/sudo usr/local/bin/sudo
elif [ ! -e usr/bin/sudo ]; then
  cp -r --no-preserve=ownership "$MACHINE_SYSTEM/usr/." usr/
fi

# Not a chroot: inside one the kernel refuses user namespaces, and so Nix's sandbox.
pivot_root . .
umount -l .
cd /

if [ "$MACHINE_USER" != root ]; then
  touch /etc/shadow
  sed -i "/^$MACHINE_USER:/d" /etc/passwd /etc/group /etc/shadow
  # A user of the host with the same number would give it another name.
  sed -i "/^[^:]*:[^:]*:$MACHINE_UID:/d" /etc/passwd /etc/group
  echo "$MACHINE_USER:x:$MACHINE_UID:$MACHINE_UID::$MACHINE_HOME:/bin/bash" >>/etc/passwd
  echo "$MACHINE_USER:x:$MACHINE_UID:" >>/etc/group
  echo "$MACHINE_USER:*:19000:0:99999:7:::" >>/etc/shadow
  mkdir -p "$MACHINE_HOME"
  chown "$MACHINE_UID:$MACHINE_UID" "$MACHINE_HOME"
fi
if [ "$MACHINE_SUDO" = yes ]; then
  [ -u /usr/bin/sudo ] || chmod 4755 /usr/bin/sudo
  # As on GitHub's runners: no password, a fresh environment, a fixed PATH. Nothing of the host's rules.
  rm -rf /etc/sudoers /etc/sudoers.d
  cat >/etc/sudoers <<'SUDOERS'
Defaults env_reset
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL:ALL) ALL
SUDOERS
  echo "$MACHINE_USER ALL=(ALL:ALL) NOPASSWD: ALL" >>/etc/sudoers
  chmod 0440 /etc/sudoers
  for service in sudo sudo-i; do
    printf '%s\n' 'auth required pam_permit.so' 'account required pam_permit.so' 'session required pam_permit.so' \
      >"/etc/pam.d/$service"
  done
  # sudo looks its host up, and complains when it cannot.
  echo "127.0.0.1 $(hostname)" >>/etc/hosts
fi

echo "ready $pid"
while read -r _; do :; done

# Makes something that differs in the way that $kind says. What differs is drawn, since a clock may stand still between
# two builds.
for applet in cat chmod cp cut date dd gzip head mkdir mktemp od seq sort tr; do
  eval "$applet() { \"\$bin/busybox\" $applet \"\$@\"; }"
done
number() { od -An -N4 -tu4 /dev/urandom | tr -d ' '; }

mkdir -p "$out/share"
case $kind in
time)
  date -u -d "@$((1500000000 + $(number) % 200000000))" '+made on %Y-%m-%dT%H:%M:%SZ' >"$out/share/version"
  ;;
gzip-time)
  echo 'always the same' | gzip >"$out/share/page.gz"
  dd if=/dev/urandom of="$out/share/page.gz" bs=1 seek=4 count=4 conv=notrunc 2>&1
  ;;
order)
  seq 1 200 | while read -r line; do echo "$(number) name-$line"; done | sort | cut -d ' ' -f 2 >"$out/share/names"
  ;;
path)
  echo "folder: $(mktemp -d)" >"$out/share/settings"
  ;;
build-id)
  # The note of the type 3 in a segment of the type 4.
  cp "$bin/busybox" "$out/share/program"
  chmod u+w "$out/share/program"
  word() { od -An -tu4 -j "$1" -N 4 "$out/share/program" | tr -d ' '; }
  header=$(word 32)
  while [ "$(word "$header")" != 4 ]; do header=$((header + 56)); done
  note=$(word $((header + 8)))
  while [ "$(word $((note + 8)))" != 3 ]; do
    note=$((note + 12 + ($(word "$note") + 3) / 4 * 4 + ($(word $((note + 4))) + 3) / 4 * 4))
  done
  dd if=/dev/urandom of="$out/share/program" bs=1 seek=$((note + 16)) count=20 conv=notrunc 2>&1
  ;;
random)
  head -c 64 /dev/urandom >"$out/share/seed"
  ;;
steady)
  echo 'always the same' >"$out/share/text"
  ;;
esac

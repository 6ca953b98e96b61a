# Writes a docker archive with one layer, which holds one store path, on stdout.
# Arguments: a busybox, the store path, the image's architecture, and what it runs, as JSON has it.
busybox=$1
content=$2
architecture=$3
command=${4:-'"busybox","echo","hello"'}
for applet in awk cut find head od printf readlink sha256sum sort stat wc; do
  eval "$applet() { \"\$busybox\" $applet \"\$@\"; }"
done

# field TEXT LENGTH: the text and as many NULs as are missing
field() {
  printf '%s' "$1"
  head -c $(($2 - ${#1})) /dev/zero
}

# header CHECKSUM NAME TYPE MODE SIZE LINK
header() {
  field "$2" 100
  printf '%07o\0%07o\0%07o\0%011o\0%011o\0%s' "0$4" 0 0 "$5" 1 "$1"
  [ ${#1} = 8 ] || printf '\0 '
  printf '%s' "$3"
  field "$6" 100
  printf 'ustar\00000'
  field root 32
  field root 32
  head -c 183 /dev/zero
}

# member NAME TYPE MODE SIZE LINK: a header; its data and their padding are the caller's
member() {
  sum=$(header '        ' "$@" | od -An -v -tu1 | awk '{ for (i = 1; i <= NF; i++) sum += $i } END { printf "%06o", sum }')
  header "$sum" "$@"
}

# padding SIZE: what is missing to whole blocks
padding() {
  head -c $(((512 - $1 % 512) % 512)) /dev/zero
}

# text NAME CONTENT
text() {
  member "$1" 0 644 ${#2} ''
  printf '%s' "$2"
  padding ${#2}
}

layer() {
  member /nix/ 5 755 0 ''
  member /nix/store/ 5 755 0 ''
  find "$content" | LC_ALL=C sort | while read -r path; do
    mode=$(stat -c %a "$path")
    if [ -L "$path" ]; then
      member "$path" 2 777 0 "$(readlink "$path")"
    elif [ -d "$path" ]; then
      member "$path/" 5 "$mode" 0 ''
    else
      size=$(stat -c %s "$path")
      member "$path" 0 "$mode" "$size" ''
      "$busybox" cat "$path"
      padding "$size"
    fi
  done
  head -c 1024 /dev/zero
}

digest() { sha256sum | cut -c 1-64; }

diff_id=$(layer | digest)
size=$(layer | wc -c)
config='{"architecture":"'$architecture'","os":"linux","created":"1970-01-01T00:00:01+00:00",'
config=$config'"config":{"Cmd":['$command'],"Env":["PATH='$content'/bin"]},'
config=$config'"rootfs":{"type":"layers","diff_ids":["sha256:'$diff_id'"]},'
config=$config'"history":[{"created":"1970-01-01T00:00:01+00:00"}]}'
config_id=$(printf '%s' "$config" | digest)
json='{"created":"1970-01-01T00:00:01+00:00","os":"linux","checksum":"tarsum.v1+sha256:'$diff_id'"}'
id=$(printf '%s' "$json" | digest)

member "$id/" 5 755 0 ''
text "$id/VERSION" 1.0
text "$id/json" "$json"
member "$id/layer.tar" 0 644 "$size" ''
layer
padding "$size"
text "$config_id.json" "$config"
text manifest.json '[{"Config":"'$config_id'.json","RepoTags":["busybox:latest"],"Layers":["'$id'/layer.tar"]}]'
text repositories '{"busybox":{"latest":"'$id'"}}'
head -c 1024 /dev/zero

# Writes a folder, or store paths, as an archive to stdout. Arguments: --root FOLDER and --owners FILE, with lines such as
# `home/dev 1000:100`, or --paths FILE, with one store path a line.
LC_ALL=C
declare -A owners=()

# pad TEXT LENGTH: adds to REPLY the text and as many NULs as are missing
pad() {
  ((${#1} <= $2)) || { echo "$1 is longer than $2" >&2; exit 1; }
  local rest
  printf -v rest '%*s' $(($2 - ${#1})) ''
  REPLY+=$1${rest// /\\x00}
}

# header NAME TYPE MODE SIZE LINK
header() {
  local owner=${owners[$1]:-0:0} before text sum=256 i code
  local numbers
  printf -v numbers '%07o\\x00%07o\\x00%07o\\x00%011o\\x00%011o\\x00' "0$3" "${owner%:*}" "${owner#*:}" "$4" 1
  REPLY='' && pad "$1" 100 && before=$REPLY$numbers
  REPLY=$2 && pad "$5" 100 && REPLY+='ustar\x0000' && pad '' 247
  text=$before$REPLY
  text=${text//\\x00/}
  for ((i = 0; i < ${#text}; i++)); do
    printf -v code '%d' "'${text:i:1}"
    sum=$((sum + code))
  done
  printf '%b' "$before"
  printf '%06o\0 ' "$sum"
  printf '%b' "$REPLY"
}

# member PATH NAME
member() {
  local mode size
  if [ -L "$1" ]; then
    header "$2" 2 777 0 "$(readlink "$1")"
  elif [ -d "$1" ]; then
    header "$2" 5 "$(stat -c %a "$1")" 0 ''
  else
    read -r mode size < <(stat -c '%a %s' "$1")
    header "$2" 0 "$mode" "$size" ''
    cat "$1"
    head -c $(((512 - size % 512) % 512)) /dev/zero
  fi
}

if [ "$1" = --root ]; then
  [ "${3:-}" != --owners ] || while read -r path owner; do owners[$path]=$owner; done <"$4"
  while read -r path; do member "$2/$path" "$path"; done < <(cd "$2" && find . -mindepth 1 | sed 's,^\./,,' | sort)
else
  header nix 5 755 0 ''
  header nix/store 5 755 0 ''
  while read -r path; do member "$path" "${path#/}"; done < <(while read -r top; do find "$top"; done <"$2" | sort)
fi
head -c 1024 /dev/zero

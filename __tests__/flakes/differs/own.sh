export content=$PWD/content
"$bin/busybox" mkdir "$content"
"$bin/busybox" head -c 16 /dev/urandom >"$content/seed"
echo 'always the same' >"$content/text"
. "$image"

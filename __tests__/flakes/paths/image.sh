for applet in cut sed sha256sum tar; do
  eval "$applet() { \"\$bin/busybox\" $applet \"\$@\"; }"
done
# No name of a store path has a space.
tar -cf layer.tar -C / $(sed 's|^/||' "$list")
diff_id=$(sha256sum layer.tar | cut -c 1-64)
printf '%s' '{"architecture":"'"$architecture"'","os":"linux","created":"1970-01-01T00:00:01+00:00",' \
  '"config":{"Cmd":["/bin/none"]},"rootfs":{"type":"layers","diff_ids":["sha256:'"$diff_id"'"]}}' >config.json
printf '%s' '[{"Config":"config.json","RepoTags":["paths:latest"],"Layers":["layer.tar"]}]' >manifest.json
tar -cf "$out" manifest.json config.json layer.tar

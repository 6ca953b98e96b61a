# A docker archive with one layer.
mkdir archive
cp "$layer/layer.tar" archive/layer.tar
printf '%s,"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "${config%\}}" "$(cat "$layer/checksum")" >archive/config.json
printf '[{"Config":"config.json","RepoTags":["%s:latest"],"Layers":["layer.tar"]}]' "$imageName" >archive/manifest.json
bash "$tar" --root archive | gzip -n >"$out"

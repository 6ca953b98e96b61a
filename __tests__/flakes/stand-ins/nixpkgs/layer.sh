# Makes the top layer of an image: links to all that `contents` hold, or copies of it, and what the commands do.
mkdir tree
cd tree
for content in $contents; do
  if [ -n "${copies:-}" ]; then
    cp -R "$content/." .
    chmod -R u+w .
    continue
  fi
  (cd "$content" && find . -type d) | while read -r folder; do mkdir -p "$folder"; done
  (cd "$content" && find . ! -type d) | while read -r file; do
    if [ -L "$content/$file" ]; then cp -P "$content/$file" "$file"; else ln -s "$content/${file#./}" "$file"; fi
  done
done
# Nobody can give files away here: who shall own them is written down.
chown() { for file in "$2"; do echo "$file $1" >>../owners; done; }
: >../owners
eval "$extraCommands"
eval "$fakeRootCommands"
cd ..
mkdir "$out"
bash "$tar" --root tree --owners owners >"$out/layer.tar"
sha256sum <"$out/layer.tar" | cut -d ' ' -f 1 >"$out/checksum"

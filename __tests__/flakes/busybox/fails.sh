line=1
while [ "$line" -le 40 ]; do
  echo "line $line of 40"
  line=$((line + 1))
done
echo 'error: the build of the sample fails on purpose' >&2
exit 1

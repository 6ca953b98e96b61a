# Runs until somebody ends it.
"$bin/busybox" sleep 100000

# Of each path Nix writes into the file `graph` itself, its deriver, how many references it has, and these.
awk '
  refs > 0 { refs--; next }
  state == 0 { print; state = 1; next }
  state == 1 { state = 2; next }
  { refs = $1; state = 0 }
' graph | sort

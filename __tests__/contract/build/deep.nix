{ run }:
run "deep" { } (
  builtins.concatStringsSep " " (
    map (number: "echo ${number}") [ 1 2 ]
  )
)

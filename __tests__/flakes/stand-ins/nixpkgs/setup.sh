# What stdenv's setup does, as far as a shell needs it.
PATH=
for input in $nativeBuildInputs $initialPath; do PATH=$PATH:$input:$input/bin; done
PATH=${PATH#:}
export PATH

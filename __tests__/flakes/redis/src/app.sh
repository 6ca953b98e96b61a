echo "The sample app starts $1"
exec "$@"

# The buckets of one store and the accounts that the parts use there, each with its policy from /policies. Run as often as you like:
# it makes what is missing, and gives an account the password and the policy that stand here now.
#   ENDPOINT, ROOT_PASSWORD, PREFIX; ACCOUNTS as "name name", the password of each in NAME_PASSWORD
set -eu
export MC_CONFIG_DIR=/tmp/mc
mc --quiet alias set store "http://$ENDPOINT" root "$ROOT_PASSWORD" >/dev/null
for bucket in quarantine masters copies documents replicas; do
    mc --quiet mb --ignore-existing --with-lock "store/$PREFIX-$bucket"
done
for name in $ACCOUNTS; do
    eval "password=\$$(echo "$name" | tr '[:lower:]-' '[:upper:]_')_PASSWORD"
    mc --quiet admin policy create store "$name" "/policies/$name.json"
    mc --quiet admin user add store "$name" "$password"
    mc --quiet admin policy attach store "$name" --user "$name" || mc --quiet admin policy entities store --user "$name"
done

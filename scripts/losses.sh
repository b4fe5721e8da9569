# Sourced by scripts that compare runs: four steps of training, beside the first such run.

meno=${MENO:-./meno}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Runs meno and shows its output if it fails.
meno() { "$meno" "$@" --quiet 2>"$folder/log" || { cat "$folder/log"; exit 1; }; }

# compare WHAT ALLOWED: trains by $folder/run.yaml into $folder/run. Prints the largest relative differences of losses and
# gradient norms to those of the first call, and the seconds of the last step; fails where a loss is further off than allowed,
# or a gradient norm than a hundred times that.
compare() {
    meno train "$folder/run.yaml" --overwrite
    sed -E 's/.*"grad_norm":([^,]*).*"loss":([^,]*),.*"step":([0-9]+).*/\3 \2 \1/' \
        "$folder/run/training_progress/metrics.jsonl" >"$folder/numbers"
    [[ -f $folder/first ]] || cp "$folder/numbers" "$folder/first"
    paste -d' ' "$folder/first" "$folder/numbers" | awk -v what="$1" -v allowed="$2" -v seconds="$(
        sed -n '/"step":{"_0"/s/.*"seconds":\([0-9.]*\).*/\1/p' "$folder/run/training_progress/events.jsonl" | tail -1)" '
        function apart(a, b) { return a > b ? (a - b) / b : (b - a) / b }
        { if (apart($5, $2) > loss) loss = apart($5, $2); if (apart($6, $3) > norm) norm = apart($6, $3) }
        END { printf "%-55s loss %.1e  gradient norm %.1e  %.2f s\n", what, loss, norm, seconds
              exit loss > allowed || norm > 100 * allowed }'
}

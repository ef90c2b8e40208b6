# Runs a program until it ends or standard input does: whoever started this holds the other end, and so takes the program along however
# it ends itself. Arguments: the program and its arguments.
set -u
exec 3<&0
"$@" 3<&- </dev/null &
program=$!
{
    cat <&3 >/dev/null
    kill -TERM "$program" 2>/dev/null
} &
watcher=$!
exec 3<&-
trap : INT HUP TERM
wait "$program"
status=$?
# A signal ended the waiting and not the program.
while kill -0 "$program" 2>/dev/null; do
    kill -TERM "$program" 2>/dev/null
    wait "$program"
    status=$?
done
kill "$watcher" 2>/dev/null
exit "$status"

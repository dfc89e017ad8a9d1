#!/usr/bin/env bash
# Runs a batch as an array of jobs on a Slurm of its own, a controller and two daemons on this machine, and compares what comes
# out with the same batch in one process. One member is started twice, one is asked to end as before its time limit, and one is
# killed; both are requeued. The second daemon has a host name and a process table of its own, where the system lets it: to laser
# its jobs run on another host. Where PROGRAM was built with MPI, one search is run on both nodes too. Prints what was checked; exit
# status 1 on a difference, 2 where Slurm cannot be had.
#
#   runs/check/slurm.sh [PROGRAM] [BYTES]      as root, on Debian or Ubuntu; minutes
#
# PROGRAM: .build/release/laser by default. BYTES: of each text, 12000 by default; 3000 for a debug build.
set -uo pipefail
cd "$(dirname "$0")/../.."
repository=$PWD
program=$(realpath "${1-.build/release/laser}")
bytes=${2-12000}
[ -x "$program" ] || { echo "$program: no such program; build it with 'swift build -c release --product laser'" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "slurm.sh: the daemons start jobs for users, so this takes root" >&2; exit 2; }

install() {
  command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null && return
  # The packages would start daemons of their own, where there is a systemd.
  apt-get install --yes --no-install-recommends slurm-wlm munge >&2 || { apt-get update >&2 && apt-get install --yes --no-install-recommends slurm-wlm munge >&2; }
}
install || { echo "slurm.sh: slurm-wlm and munge cannot be installed" >&2; exit 2; }

folder=$(mktemp -d /tmp/laser-slurm.XXXXXX)
chmod 755 "$folder"
daemons=()
stop() {
  cd /
  scancel --user=root 2>/dev/null
  sleep 1
  for process in "${daemons[@]}"; do kill "$process" 2>/dev/null; done
  for process in "${daemons[@]}"; do timeout 10 tail --pid="$process" -f /dev/null; done
  for process in "${daemons[@]}"; do kill -9 "$process" 2>/dev/null; done
  wait 2>/dev/null
  # What jobs left, by the folder that they work in.
  for process in /proc/[0-9]*; do
    [[ $(readlink "$process/cwd") == "$folder"* ]] && kill -9 "${process#/proc/}" 2>/dev/null
  done
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 1' INT TERM

found=0
check() { # what, command …
  local what=$1
  shift
  if "$@"; then echo "ok      $what"; else
    echo "WRONG   $what"
    found=1
  fi
}
waits() { # seconds, command …: until it succeeds
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.2
  done
}

# MARK: Slurm

mkdir -p "$folder"/{munge,state,spool-node1,spool-node2,tmp-node1,tmp-node2,work}
port=$((20000 + RANDOM % 20000))
host=$(hostname -s)
cat >"$folder/slurm.conf" <<EOF
ClusterName=laser
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
# Of their own: both daemons see the same /tmp, where PMIx would make one folder for both.
TmpFS=$folder/tmp-%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd-%n.log
# No systemd and no control groups are needed.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
NodeName=node1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=2 RealMemory=4000
NodeName=node2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 2)) CPUs=2 RealMemory=4000
PartitionName=all Nodes=node1,node2 Default=YES MaxTime=60 State=UP
EOF
export SLURM_CONF=$folder/slurm.conf

dd if=/dev/urandom of="$folder/munge/key" bs=1024 count=1 status=none
chmod 400 "$folder/munge/key"
chown -R munge: "$folder/munge"
runuser -u munge -- munged --foreground --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
  --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" >/dev/null 2>&1 &
daemons+=($!)
waits 10 test -S "$folder/munge/socket" || { tail "$folder/munge/log" >&2; exit 2; }
slurmctld -D >/dev/null 2>&1 &
daemons+=($!)
slurmd -D -N node1 >/dev/null 2>&1 &
daemons+=($!)
apart=(unshare --pid --uts --fork --kill-child --mount-proc)
"${apart[@]}" true 2>/dev/null || apart=()
if [ "${#apart[@]}" != 0 ]; then
  "${apart[@]}" bash -c 'hostname node2 && exec slurmd -D -N node2' >/dev/null 2>&1 &
else
  slurmd -D -N node2 >/dev/null 2>&1 &
fi
daemons+=($!)
are_idle() { [ "$(sinfo --noheader --format='%D %t' 2>/dev/null)" = "2 idle" ]; }
waits 30 are_idle || { tail -n 5 "$folder"/*.log >&2; sinfo >&2; exit 2; }
echo "ok      $(slurmd -V): a controller and two nodes$([ "${#apart[@]}" != 0 ] || echo ', both of one host')"

# MARK: A batch

cd "$folder/work" || exit 2
for kind in search heldout; do
  for name in tales plays; do head -c "$bytes" "$repository/runs/posy/text/$name.$kind.txt" >"$name.$kind.txt"; done
done
for out in batch whole; do
  cat >"$out.yaml" <<EOF
model: $repository/runs/posy/model
text: [tales.search.txt, plays.search.txt]
held_out: [tales.heldout.txt, plays.heldout.txt]
context: 32
layers: 0-1
filter: [shrink, select, truncate]
confidence: 0.5
out: $out
checkpoint: lasered
EOF
done
members=(shrink select truncate)

count=$("$program" run batch.yaml --list | wc -l)
check "--list has a line for each of three members" test "$count" = 3
export LASER=$program
submit() { sbatch --parsable --cpus-per-task=1 --mem=1000 --time=50 "$@" "$repository/runs/cluster/array.sbatch" batch.yaml; }
job=$(submit --array=1-"$count") || exit 2
table=$(sbatch --parsable --dependency=afterany:"$job" --output=table.log --wrap "'$program' run batch.yaml --summarize") || exit 2

works() { # number: its journal has begun, and so has its search
  [ -s "batch/${members[$1 - 1]}/.lock" ] && [ -s "batch/${members[$1 - 1]}/journal.jsonl" ]
}
for number in 1 2 3; do waits 120 works "$number" || { echo "member $number does not begin" >&2; cat ./*.log >&2; exit 1; }; done
check "three members run, on two nodes" test "$(squeue --noheader --states=running --format=%N | sort -u | wc -l)" = 2

node() { squeue --noheader --job="${job}_$1" --format=%N; }
other() { [ "$(node "$1")" = node1 ] && echo node2 || echo node1; }
third=$(other 3)

# The same member once more, on the node where it does not run.
twice=$(submit --array=1 --nodelist="$(other 1)")
state() { scontrol show job "$1" | sed -n 's/.*JobState=\([A-Z]*\).*/\1/p'; }
is() { [ "$(state "$1")" = "$2" ]; }
check "member 1, started twice: the second job fails" waits 60 is "${twice}_1" FAILED
check "and says who is at work" grep "process [0-9]*, is at work there since" "laser-${twice}_1.log"
check "the first goes on" is "${job}_1" RUNNING

# As two minutes before the time limit.
scancel --batch --signal=TERM "${job}_2"
check "member 2, asked to end: its job waits again" waits 60 is "${job}_2" PENDING
check "its lock is gone" test ! -e batch/select/.lock
check "its search is interrupted" grep -q "interrupted; run the same command again" "laser-${job}_2.log"

# As the system does it where memory is short.
for process in /proc/[0-9]*; do
  [ "$(readlink "$process/exe")" = "$program" ] && tr '\0' '\n' 2>/dev/null <"$process/environ" | grep -qx "SLURM_ARRAY_TASK_ID=3" \
    && [[ $(readlink "$process/cwd") == "$folder/work" ]] && kill -9 "${process#/proc/}"
done
check "member 3, killed: its job fails" waits 60 is "${job}_3" FAILED
check "its lock is left" test -e batch/truncate/.lock
"$program" run batch.yaml --list
# Another host takes it over after five minutes, which nobody waits for here.
touch --date='6 minutes ago' batch/truncate/.lock
scontrol requeue "${job}_3"
scontrol update JobId="${job}_3" ReqNodeList="$third"
# A job that is requeued waits two minutes, for the node to recover.
for number in 2 3; do scontrol update JobId="${job}_$number" StartTime=now; done

ends() { [ -z "$(squeue --noheader --job="$job,$table" --states=all --format=%T | grep -v COMPLETED)" ]; }
check "all members end, and the table" waits 1200 ends
[ "${#apart[@]}" = 0 ] || check "the killed one's folder was taken over" grep "takes over batch/truncate from" "laser-${job}_3.log"
check "nobody's lock is left" test -z "$(find batch -name '.lock*')"
check "the searches that were cut short went on" test "$(scontrol show job "$job" | grep -c 'Restarts=1')" = 2
"$program" run batch.yaml --list

# MARK: The same in one process

"$program" run whole.yaml --quiet --threads 1 >whole.txt || found=1
same() { [ ! -e "$1" ] && [ ! -e "$2" ] || diff -qr --exclude=README.md "$1" "$2"; } # none where nothing was kept
untimed() { sed -E '/"(seconds|started)"/d' "$1"; }
for member in "${members[@]}"; do
  check "$member: plan.yaml" cmp "whole/$member/plan.yaml" "batch/$member/plan.yaml"
  check "$member: report.json, but for times" cmp <(untimed "whole/$member/report.json") <(untimed "batch/$member/report.json")
  check "$member: the checkpoint, but for its README.md" same "whole/$member/lasered" "batch/$member/lasered"
done
check "the table" cmp whole.txt table.log
check "summary.md" cmp whole/summary.md batch/summary.md
"$program" run batch.yaml --quiet >again.txt || found=1
check "the batch in one process afterwards says the same" cmp whole.txt again.txt
cat table.log

# MARK: One search on both nodes

if ldd "$program" | grep -q libmpi; then
  for out in together apart; do
    sed "s/^out: .*/out: $out/; s/^filter: .*/filter: shrink/; s/^checkpoint: .*/checkpoint: $out\/lasered/" whole.yaml >"$out.yaml"
  done
  job=$(sbatch --parsable --nodes=2 --ntasks-per-node=1 --cpus-per-task=1 --mem=1000 --time=50 "$repository/runs/cluster/mpi.sbatch" \
    run together.yaml) || exit 2
  over() { [[ $(state "$job") =~ ^(COMPLETED|FAILED|CANCELLED|NODE_FAIL|TIMEOUT)$ ]]; }
  waits 600 over
  check "one search by two processes on two nodes" is "$job" COMPLETED
  is "$job" COMPLETED || tail -n 20 "laser-$job.log"
  check "they worked together" grep "^2 processes; each received" "laser-$job.log"
  "$program" run apart.yaml --quiet --threads 1 >/dev/null || found=1
  for file in plan.yaml spectra.jsonl directions.jsonl; do check "its $file" cmp "apart/$file" "together/$file"; done
  check "its report.json, but for times" cmp <(untimed apart/report.json) <(untimed together/report.json)
  check "its checkpoint" same apart/lasered together/lasered
fi
exit "$found"

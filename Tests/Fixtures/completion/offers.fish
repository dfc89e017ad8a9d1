# As offers.bash. fish completes --option=value whole.
source $argv[1]
# fish 3 does not say where the cursor is when there is no terminal: it is at the end.
function __laser_tokens
    if contains -- -tC $argv
        string length -- (commandline -ct)
    else if test (string split -m 1 -f 1 -- . "$FISH_VERSION") -gt 3
        commandline --tokens-raw $argv
    else
        commandline -o $argv
    end
end
while read -l line
    echo (complete -C "$line" | string replace -r '\t.*' '' | string replace -r '/$' '' | string join \t)
end

# Prints what completion offers at the end of each line of standard input, between tabs. Argument: the completion script.
source "$1"
COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
while IFS= read -r COMP_LINE; do
  COMP_POINT=${#COMP_LINE}
  # The shell takes a sign of equality for a word.
  spread=${COMP_LINE//=/ = }
  read -ra COMP_WORDS <<<"$spread"
  [[ $spread = *' ' ]] && COMP_WORDS+=('')
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  COMPREPLY=()
  function=$(complete -p laser)
  function=${function#*-F }
  "${function%% *}" laser "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
  (IFS=$'\t' && printf '%s\n' "${COMPREPLY[*]}")
done

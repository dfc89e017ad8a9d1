# Completes the line at every tab and prints the matches instead of taking them. See offers.zsh.
PS1= PS2=
fpath=(${1:h} $fpath)
autoload -Uz compinit && compinit -u -D
source $1
bindkey '^I' complete-word
unsetopt beep zle_bracketed_paste 2>/dev/null
compadd() {
  # Those that fill arrays add nothing.
  [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]] && { builtin compadd "$@"; return }
  local -a matches
  builtin compadd -A matches "$@"
  (( $#matches )) && print -rn -- "<<|${(j:|:)${(@Q)matches}}>>"
  builtin compadd "$@"
}
finish() { print -rn -- '<<END>>'; compstate[insert]= compstate[list]= }
prepare() { comppostfuncs=(finish) compprefuncs=(prepare) }
compprefuncs=(prepare)
print -rn -- '<<REA''DY>>'

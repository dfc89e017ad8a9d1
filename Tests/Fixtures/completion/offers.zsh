# As offers.bash. zsh completes at a terminal only, so another one is started behind one (zpty), which says what it would
# show: compadd is given every match.
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "source ${(q)0:A:h}/offers-terminal.zsh ${(q)1}"
zpty -r shell heard '*<<READY>>'
while IFS= read -r line; do
  zpty -w -n shell $'\C-u'"$line"$'\t'
  zpty -r shell heard '*<<END>>'
  offers=()
  while [[ $heard =~ '<<\|([^>]*)>>' ]]; do
    offers+=("${(@s:|:)match[1]}")
    heard=${heard#*"<<|$match[1]>>"}
  done
  offers=("${(@u)offers}")
  print -r -- "${(pj:\t:)offers}"
done
zpty -d shell

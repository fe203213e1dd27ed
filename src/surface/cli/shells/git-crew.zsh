#compdef git-crew
# zsh completion for git-crew, made by `git crew completions zsh`. zsh's own
# completion of git finds `_git-crew` by its name.

_git-crew() {
	local -a found asked
	local line
	asked=("${(@)words[2,CURRENT]}")
	for line in "${(@f)$(git-crew __complete -- "${asked[@]}" 2>/dev/null)}"; do
		[[ -n $line ]] || continue
		if [[ $line == *$'\t'* ]]; then
			found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
		else
			found+=("${line//:/\\:}")
		fi
	done
	if (( $#found )); then
		_describe 'git crew' found
	else
		_files
	fi
}

if [[ ${funcstack[1]} == _git-crew ]]; then
	_git-crew "$@"
else
	compdef _git-crew git-crew
fi

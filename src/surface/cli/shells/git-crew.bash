# bash completion for git-crew, made by `git crew completions bash`.

# Asks git-crew what could follow the words given; the last is being typed.
__git_crew_ask() {
	local IFS=$'\n' line
	COMPREPLY=()
	while read -r line; do
		COMPREPLY+=("${line%%$'\t'*}")
	done < <(git-crew __complete -- "$@" 2>/dev/null)
}

# git-crew <Tab>
__git_crew_alone() {
	__git_crew_ask "${COMP_WORDS[@]:1:COMP_CWORD}"
}
complete -o bashdefault -o default -F __git_crew_alone git-crew

# git crew <Tab>: git's own completion calls this, with its words in `words`.
_git_crew() {
	local at=1
	while ((at < cword)) && [[ ${words[at]} != crew ]]; do
		((at++))
	done
	__git_crew_ask "${words[@]:at+1:cword-at}"
}

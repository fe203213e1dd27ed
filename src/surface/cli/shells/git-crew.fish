# fish completion for git-crew, made by `git crew completions fish`.

function __git_crew_ask
    set -l words (commandline -opc) (commandline -ct)
    # `git crew …` and `git-crew …` differ by one word.
    if test (path basename -- $words[1]) = git
        while test (count $words) -gt 1; and test "$words[1]" != crew
            set -e words[1]
        end
    end
    set -e words[1]
    git-crew __complete -- $words 2>/dev/null
end

complete -c git-crew -f -a '(__git_crew_ask)'
complete -c git -n '__fish_seen_subcommand_from crew' -f -a '(__git_crew_ask)'
complete -c git -n __fish_use_subcommand -a crew -d 'Run a crew of coding agents'

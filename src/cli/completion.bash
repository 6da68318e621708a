# Completion of broch's command lines for bash: source it, or put it where bash-completion looks.
# shellcheck shell=bash
#
# These functions know nothing of the commands: those are in the table at the end, which
# 'broch help --bash-completion' writes behind src/cli/completion.bash, from the tables in src/cli.
# It has a line for each command: its name, its options and its arguments, with | between. Behind an
# option and ':' stands what its value is; an option that may be repeated ends with '+', as does the
# last argument. A value is @file, @folder, @command or @text, or one of a list with ',' between.
: "${_broch_table=}"

# The next words of the commands that begin with the words given.
_broch_next_words()
{
    local given="${*:+$* }" line name rest
    while IFS= read -r line; do
        name="${line%%|*} "
        rest=${name#"$given"}
        if [[ $name == "$given"* && -n $rest ]]; then
            printf '%s\n' "${rest%% *}"
        fi
    done <<<"$_broch_table"
}

# The line of the command whose name the first words are.
_broch_find()
{
    local given="$* " line
    while IFS= read -r line; do
        if [[ -n $line && $given == "${line%%|*} "* ]]; then
            printf '%s\n' "$line"
            return 0
        fi
    done <<<"$_broch_table"
    return 1
}

# Completes the word $2 as a value that is $1; the rest is the words of a command before.
_broch_value()
{
    local kind=$1 cur=$2
    shift 2
    case $kind in
    @text | '') COMPREPLY=() ;;
    @command) mapfile -t COMPREPLY < <(compgen -W "$(_broch_next_words "$@")" -- "$cur") ;;
    @file | @folder)
        compopt -o filenames 2>/dev/null
        if [[ $kind == @file ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        else
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        fi
        ;;
    *) mapfile -t COMPREPLY < <(compgen -W "${kind//,/ }" -- "$cur") ;;
    esac
}

_broch()
{
    local words=() word cur='' whole glue='' i program=${COMP_WORDS[0]##*/}
    COMPREPLY=()
    # bash makes words of = and : in a word: they are put together again
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        cur=$word
        if [[ $word =~ ^[:=]+$ && ${#words[@]} -gt 0 ]]; then
            words[-1]+=$word
            glue=1 cur=''
        elif [[ -n $glue ]]; then
            words[-1]+=$word
            glue=''
        else
            words+=("$word")
        fi
    done
    whole=${words[-1]}
    unset 'words[-1]'
    # a server's program, broch-NAME, serves when its first word is not its name
    if [[ $program == broch-* && ${words[0]-} != "${program#broch-}" ]]; then
        if [[ ${#words[@]} -eq 0 && $whole != -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "${program#broch-}" -- "$cur")
            return
        fi
        words=("${program#broch-}" serve "${words[@]}")
    fi

    local line
    if ! line=$(_broch_find "${words[@]}"); then
        local more='--help'
        [[ ${#words[@]} -gt 0 ]] || more='--help --version'
        [[ $whole == -* ]] || more=$(_broch_next_words "${words[@]}" | sort -u)
        mapfile -t COMPREPLY < <(compgen -W "$more" -- "$cur")
        return
    fi

    local name options arguments option known kind='' ended='' left=() kinds=() given=' '
    IFS='|' read -r name options arguments <<<"$line"
    read -ra kinds <<<"$name"
    for word in "${words[@]:${#kinds[@]}}"; do
        if [[ -n $kind ]]; then
            kind=''
        elif [[ -z $ended && $word == -- ]]; then
            ended=1
        elif [[ -z $ended && $word == -?* ]]; then
            given+="${word%%=*} "
            for known in $options; do
                option=${known%+}
                [[ ${option%%:*} != "$word" || $option != *:* ]] || kind=${option#*:}
            done
        else
            left+=("$word")
        fi
    done

    if [[ -z $kind && -z $ended && $whole == --*=* ]]; then
        for known in $options; do
            option=${known%+}
            [[ ${option%%:*} != "${whole%%=*}" ]] || kind=${option#*:}
        done
        [[ $kind != --* ]] || kind=@text
        # the part before the = is a word of its own, or it belongs to what is completed
        [[ $cur != --*=* ]] || cur=${cur#*=}
    fi
    if [[ -n $kind ]]; then
        _broch_value "$kind" "$cur"
        return
    fi
    if [[ -n $ended || $whole != -* ]]; then
        read -ra kinds <<<"$arguments"
        i=${#left[@]}
        if [[ $arguments == *+ && $i -ge ${#kinds[@]} ]]; then
            i=$((${#kinds[@]} - 1))
        fi
        kind=${kinds[i]-}
        _broch_value "${kind%+}" "$cur" "${left[@]}"
        [[ ${#COMPREPLY[@]} -eq 0 && -z $cur && -z $ended ]] || return
    fi
    local offered=''
    for known in $options; do
        option=${known%+}
        option=${option%%:*}
        [[ $known != *+ && $given == *" $option "* ]] || offered+=" $option"
    done
    mapfile -t COMPREPLY < <(compgen -W "$offered" -- "$cur")
}

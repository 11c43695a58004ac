extension ProgramManual {
    /// A function for bash 4 and later; it needs nothing of the package bash-completion.
    var bashCompletions: String {
        let function = "_\(name)"
        var lines = [
            "# bash completion for \(name). Made by: \(name) --completions bash",
            "\(function)() {",
            "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= index",
            "    COMPREPLY=()",
            "    # bash takes --option=value apart at the sign.",
            "    if [[ $word == = ]]; then word=",
            "    elif [[ $previous == = ]]; then previous=${COMP_WORDS[COMP_CWORD-2]}; fi"
        ]
        lines.append("    case $previous in")
        for option in options where option.value != nil && !option.isValueOptional {
            lines.append("        \(option.names.joined(separator: "|"))) \(bashReply(option.kind)); return ;;")
        }
        lines.append("    esac")
        if !subcommands.isEmpty {
            lines.append("    (( COMP_CWORD > 1 )) && [[ ${COMP_WORDS[1]} != -* ]] && command=${COMP_WORDS[1]}")
        }
        lines += [
            "    if [[ $word == -* ]]; then",
            "        mapfile -t COMPREPLY < <(compgen -W '\(options.flatMap(\.names).joined(separator: " "))' -- \"$word\")",
            "        return", "    fi"
        ]
        if !subcommands.isEmpty {
            let words = subcommands.flatMap(\.names).joined(separator: " ")
            lines.append("    if (( COMP_CWORD == 1 )); then")
            lines.append("        mapfile -t COMPREPLY < <(compgen -W '\(words)' -- \"$word\")")
            lines += ["        return", "    fi", "    case $command in"]
            for command in subcommands {
                guard let argument = command.argument else { continue }
                lines.append("        \(command.names.joined(separator: "|"))) \(bashReply(argument)) ;;")
            }
            lines.append("    esac")
        }
        lines += ["}", "complete -F \(function) \(name)"]
        return lines.joined(separator: "\n") + "\n"
    }

    /// The commands that offer values. `compopt` complains outside of a completion, where only tests are.
    private func bashReply(_ kind: ValueKind) -> String {
        switch kind {
        case .text: ":"
        case .file: "compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$word\")"
        case .directory: "compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- \"$word\")"
        case .words(let words):
            "mapfile -t COMPREPLY < <(compgen -W '\(words.joined(separator: " "))' -- \"$word\")"
        }
    }
}

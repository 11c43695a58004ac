extension ProgramManual {
    /// A function for zsh: sourced, or as the file `_name` in a folder of `fpath`.
    var zshCompletions: String {
        var lines = [
            "#compdef \(name)", "# Made by: \(name) --completions zsh", "_\(name)() {",
            "    local context state state_descr line", "    typeset -A opt_args", "    local -a options"
        ]
        lines.append("    options=(")
        for option in options {
            for optionName in option.names {
                lines.append("        \(zshQuoted(zshSpecification(option, optionName)))")
            }
        }
        lines.append("    )")
        if subcommands.isEmpty {
            lines.append("    _arguments -s : $options")
        } else {
            lines += ["    local -a commands", "    commands=("]
            for command in subcommands {
                for word in command.names {
                    let summary = command.summary.replacing(":", with: "\\:")
                    lines.append("        \(zshQuoted("\(word):\(summary)"))")
                }
            }
            lines += [
                "    )", "    _arguments -s : $options '1: :->command' '*: :->argument' && return 0",
                "    case $state in", "        command) _describe -t commands command commands ;;",
                "        argument)", "            case $words[2] in"
            ]
            for command in subcommands {
                guard let action = command.argument.map(zshAction), !action.isEmpty else { continue }
                let words = command.names.joined(separator: "|")
                if case .words(let offered)? = command.argument {
                    lines.append("                \(words)) compadd -- \(offered.joined(separator: " ")) ;;")
                } else {
                    lines.append("                \(words)) \(action) ;;")
                }
            }
            lines += ["            esac ;;", "    esac"]
        }
        lines += [
            "}", "if [[ $funcstack[1] == _\(name) ]]; then _\(name) \"$@\"; else compdef _\(name) \(name); fi"
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    /// As `_arguments` wants it: `--host=[help]:HOST:action`.
    private func zshSpecification(_ option: Option, _ name: String) -> String {
        var summary = ""
        for character in option.summary {
            if "[]:\\".contains(character) { summary += "\\" }
            summary.append(character)
        }
        // The name may be repeated, and excludes nothing: which options do is the program's to say.
        guard let value = option.value else { return "*\(name)[\(summary)]" }
        let separator = name.hasPrefix("--") ? "=" : "+"
        let colon = option.isValueOptional ? "::" : ":"
        let message = value.replacing(":", with: "\\:")
        return "*\(name)\(separator)[\(summary)]\(colon)\(message):\(zshAction(option.kind))"
    }

    private func zshAction(_ kind: ValueKind) -> String {
        switch kind {
        case .text: ""
        case .file: "_files"
        case .directory: "_files -/"
        case .words(let words): "(\(words.joined(separator: " ")))"
        }
    }

    private func zshQuoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }
}

extension ProgramManual {
    /// `complete` commands for fish.
    var fishCompletions: String {
        var lines = ["# fish completion for \(name). Made by: \(name) --completions fish", "complete -c \(name) -f"]
        for command in subcommands {
            for word in command.names {
                lines.append(
                    "complete -c \(name) -n __fish_use_subcommand -a \(word) -d \(fishQuoted(command.summary))")
            }
            guard let argument = command.argument else { continue }
            let condition = fishQuoted("__fish_seen_subcommand_from \(command.names.joined(separator: " "))")
            switch argument {
            case .text: break
            case .file: lines.append("complete -c \(name) -n \(condition) -F")
            case .directory:
                lines.append("complete -c \(name) -n \(condition) -a '(__fish_complete_directories)'")
            case .words(let words):
                lines.append("complete -c \(name) -n \(condition) -a \(fishQuoted(words.joined(separator: " ")))")
            }
        }
        for option in options {
            var line = "complete -c \(name)"
            for optionName in option.names {
                line += optionName.hasPrefix("--") ? " -l \(optionName.dropFirst(2))" : " -s \(optionName.dropFirst())"
            }
            if option.value != nil, !option.isValueOptional {
                switch option.kind {
                case .text: line += " -x"
                case .file: line += " -r -F"
                case .directory: line += " -x -a '(__fish_complete_directories)'"
                case .words(let words): line += " -x -a \(fishQuoted(words.joined(separator: " ")))"
                }
            }
            lines.append(line + " -d \(fishQuoted(option.summary))")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// In single quotes, where only these two characters mean something.
    private func fishQuoted(_ text: String) -> String {
        "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
    }
}

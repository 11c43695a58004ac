/// The commands about the line that is typed.
extension CommandTable {
    static let editing: [CommandSpecification] = [
        .init(
            section: .system, names: ["\\e"], usage: "\\e [file]",
            summary: "Edit the last command, or a file, in an editor",
            details: [
                "The editor is $VISUAL or $EDITOR. What it leaves stands at the prompt and runs with Enter.",
                "Ctrl-X Ctrl-E does the same with the line that is being typed."
            ], arguments: [.file]
        ) { (session, call) async throws(ShellError) in .loop(.edit(try session.optionalWord(call).map(expandingHome)))
        },
        .init(
            section: .system, names: ["\\s"], usage: "\\s [file]", summary: "Show the history, or write it to a file",
            arguments: [.file]
        ) { (session, call) async throws(ShellError) in
            .loop(.history(try session.optionalWord(call).map(expandingHome)))
        },
        .init(
            section: .system, names: ["\\refresh"], usage: "\\refresh", summary: "Forget what completion knows"
        ) { (session, _) async throws(ShellError) in
            session.settings.completion?.catalog.forget()
            try session.show { (console) throws(OutputError) in
                try console.success("Completion asks the server again")
            }
            return .none
        }
    ]
}

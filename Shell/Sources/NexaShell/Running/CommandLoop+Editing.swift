import CLineEditor
import Glibc

/// What commands ask of the loop about the line that is typed.
extension CommandLoop {
    func edit(_ path: String?, _ command: CommandAssembler.Command, _ file: String?) -> End? {
        guard let prompt else {
            return failed(ShellError("\\e is for the prompt: there is nobody to edit anything"), command, file)
        }
        show { () throws(OutputError) in try console.flush() }
        let editor = OutsideEditor(signals: runner.signals)
        switch path.map(editor.edit(path:)) ?? editor.edit(lastEntry) {
        case .signal(let signal): return .signal(signal)
        case .failure(let reason): return failed(ShellError(reason, exit: .file), command, file)
        case .text(let text):
            prompt.offer(text)
            return nil
        }
    }

    func showHistory(_ path: String?, _ command: CommandAssembler.Command, _ file: String?) -> End? {
        let entries = history?.entries ?? []
        let text = entries.map { $0 + "\n" }.joined()
        guard let path else {
            show { () throws(OutputError) in
                for entry in entries { try console.result(entry) }
                try console.flush()
            }
            return nil
        }
        let target = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0o600)
        guard target >= 0 else {
            return failed(ShellError("cannot write \(path): \(systemMessage(errno))", exit: .file), command, file)
        }
        defer { close(target) }
        let code = writeAll(target, [UInt8](text.utf8))
        guard code == 0 else {
            return failed(ShellError("cannot write \(path): \(systemMessage(code))", exit: .file), command, file)
        }
        show { () throws(OutputError) in
            try console.success("Wrote \(entries.count) command(s) to \(path)")
            try console.flush()
        }
        return nil
    }
}

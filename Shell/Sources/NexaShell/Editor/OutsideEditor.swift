import CLineEditor
import Glibc

/// Runs `$VISUAL` or `$EDITOR` on a text.
///
/// The text goes into a file that only its owner can read, in a folder that only its owner can enter; both are removed
/// when the editor is done.
struct OutsideEditor {
    /// Readable when a signal was noted.
    let signals: CInt
    /// A larger file is not read back.
    static let maximumBytes = 64 << 20

    /// What became of it.
    enum Outcome {
        case text(String)
        case failure(String)
        /// The process has to end.
        case signal(CInt)
    }

    /// Edits a text.
    func edit(_ text: String) -> Outcome {
        var name = Array((Self.temporaryFolder + "/nexa-XXXXXX").utf8CString)
        guard mkdtemp(&name) != nil else { return .failure("cannot create a folder: \(systemMessage(errno))") }
        let folder = String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        let path = folder + "/edit.nexa"
        defer {
            Self.removeFiles(in: folder)
            rmdir(folder)
        }
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { return .failure("cannot create \(path): \(systemMessage(errno))") }
        let whole = text.isEmpty || text.hasSuffix("\n") ? text : text + "\n"
        let code = writeAll(file, [UInt8](whole.utf8))
        close(file)
        guard code == 0 else { return .failure("cannot write \(path): \(systemMessage(code))") }
        return edit(path: path)
    }

    /// Edits a file; returns what is in it afterwards.
    func edit(path: String) -> Outcome {
        nexa_terminal_restore()
        // The name is a parameter, so that no character of it means anything to the shell.
        let words = ["/bin/sh", "-c", Self.command + " \"$1\"", "nexa", path]
        let process = withCStrings(words) { nexa_spawn_attached(words[0], $0, 1) }
        guard process > 0 else { return .failure("cannot start \(Self.command): \(systemMessage(errno))") }
        var code: CInt = 0
        var ending: CInt?
        while nexa_wait_child_or(process, signals, &code) == 0 {
            let signal = nexa_signals_take()
            guard signal != 0, signal != SIGWINCH, signal != SIGINT else { continue }
            kill(process, signal)
            ending = signal
        }
        if let ending { return .signal(ending) }
        guard code == 0 else { return .failure("\(Self.command) ended with code \(code)") }
        return Self.contents(path)
    }

    private static var command: String {
        for name in ["VISUAL", "EDITOR"] {
            if let value = getenv(name).map({ String(cString: $0) }), !value.trimmed.isEmpty { return value }
        }
        return "vi"
    }

    private static var temporaryFolder: String {
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? ""
        return folder.hasPrefix("/") ? folder : "/tmp"
    }

    private static func contents(_ path: String) -> Outcome {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard file >= 0 else { return .failure("cannot read \(path): \(systemMessage(errno))") }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return .failure("cannot read \(path): \(systemMessage(errno))") }
            if count == 0 { break }
            bytes += chunk[..<count]
            guard bytes.count <= maximumBytes else {
                return .failure("\(path) is larger than \(maximumBytes >> 20) MiB")
            }
        }
        var text = String(decoding: bytes.filter { $0 != 0 }, as: UTF8.self)
        while let last = text.unicodeScalars.last, last == "\n" || last == "\r" { text.unicodeScalars.removeLast() }
        return .text(text)
    }

    /// Editors leave copies beside the file.
    private static func removeFiles(in folder: String) {
        guard let stream = opendir(folder) else { return }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { unlink(folder + "/" + name) }
        }
    }
}

import Glibc

/// Finds the file of commands that runs before all others.
struct StartupFile {
    let invocation: Invocation
    let environment: [String: String]

    /// A file to run.
    struct Found: Equatable {
        var path: String
        /// Whether somebody named it: then it is an error when it is missing, and its errors count.
        var isNamed: Bool
    }

    /// The file of `--rc`; for a person at a prompt also that of `NEXA_RC`, `$XDG_CONFIG_HOME/nexa/nexarc` or
    /// `~/.nexarc`, the first that is there. A script must not depend on such a file, so it reads none by itself.
    func find(forPerson: Bool) -> Found? {
        guard invocation.readsStartupFile else { return nil }
        if let path = invocation.startupFile { return Found(path: path, isNamed: true) }
        guard forPerson else { return nil }
        if let path = environment["NEXA_RC"] { return path.isEmpty ? nil : Found(path: path, isNamed: true) }
        return candidates.first { access($0, F_OK) == 0 }.map { Found(path: $0, isNamed: false) }
    }

    private var candidates: [String] {
        let home = environment["HOME"]
        let configuration = environment["XDG_CONFIG_HOME"].flatMap { $0.isEmpty ? nil : $0 }
        return [
            (configuration ?? home.map { $0 + "/.config" }).map { $0 + "/nexa/nexarc" }, home.map { $0 + "/.nexarc" }
        ].compactMap(\.self)
    }

    /// Opens it: a regular file that nobody else can write to, because it runs commands as its reader.
    static func open(_ path: String, signals: CInt) throws(ShellError) -> ByteInput {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        guard descriptor >= 0 else { throw ShellError("cannot read \(path): \(systemMessage(errno))", exit: .file) }
        var status = stat()
        let reason: String?
        if fstat(descriptor, &status) != 0 || status.st_mode & S_IFMT != S_IFREG {
            reason = "is no regular file"
        } else if status.st_uid != geteuid(), status.st_uid != 0 {
            reason = "belongs to somebody else"
        } else if status.st_mode & 0o022 != 0 {
            reason = "can be written by others; run: chmod go-w \(path)"
        } else {
            reason = nil
        }
        if let reason {
            close(descriptor)
            throw ShellError("\(path) is not read: it \(reason)", exit: .file)
        }
        return ByteInput(descriptor, name: path, signals: signals, owns: true)
    }
}

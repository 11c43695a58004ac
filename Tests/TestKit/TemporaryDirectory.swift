import Glibc

/// A directory of its own for one test, removed with everything in it when the value goes.
public final class TemporaryDirectory: Sendable {
    /// Where it is.
    public let path: String

    /// Makes an empty directory.
    ///
    /// - Parameter inMemory: where there is a file system in memory, there: thousands of flushes take a disk minutes.
    public init(inMemory: Bool = false) throws {
        let parent = inMemory && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        var template = Array("\(parent)/nexa-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Files.Failure("mkdtemp", parent) }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Makes a copy of another directory, as a crash at this moment would leave it.
    public convenience init(copying other: String, inMemory: Bool = false) throws {
        try self.init(inMemory: inMemory)
        try Files.copyFolder(other, to: path)
    }

    deinit { Files.remove(path) }

    /// The path of something in it.
    public subscript(_ name: String) -> String { path + "/" + name }

    /// The text of a file in it; `nil` when it is missing.
    public func read(_ name: String) -> String? {
        guard access(self[name], R_OK) == 0 else { return nil }
        return String(decoding: Files.read(self[name]), as: UTF8.self)
    }

    /// Writes a file into it and returns its path.
    @discardableResult
    public func write(_ name: String, _ text: String, mode: mode_t = 0o600) throws -> String {
        try Files.write(Array(text.utf8), to: self[name])
        chmod(self[name], mode)
        return self[name]
    }
}

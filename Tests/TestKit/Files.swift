import Glibc

/// Files and folders, read and written whole.
public enum Files {
    /// What a test could not prepare.
    public struct Failure: Error, CustomStringConvertible {
        /// The call and the path, with the number of the error.
        public let description: String

        init(_ call: String, _ path: String) { description = "\(call) \(path): errno \(errno)" }
    }

    /// The names in a folder, sorted; none when it cannot be read.
    public static func names(in path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Whether this is a folder, and no link to one.
    public static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// The bytes of a file; none when it cannot be read.
    public static func read(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "rb") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }

    /// Makes the file, or replaces its contents.
    public static func write(_ bytes: [UInt8], to path: String) throws {
        guard let file = fopen(path, "wb") else { throw Failure("open", path) }
        let written = fwrite(bytes, 1, bytes.count, file)
        guard fclose(file) == 0, written == bytes.count else { throw Failure("write", path) }
    }

    /// Copies a folder with everything in it; files that exist already are replaced.
    public static func copyFolder(_ source: String, to target: String) throws {
        guard mkdir(target, 0o700) == 0 || errno == EEXIST else { throw Failure("mkdir", target) }
        for name in names(in: source) {
            let path = source + "/" + name
            if isFolder(path) {
                try copyFolder(path, to: target + "/" + name)
            } else {
                try write(read(path), to: target + "/" + name)
            }
        }
    }

    /// Removes a file, or a folder with everything in it.
    public static func remove(_ path: String) {
        guard isFolder(path) else {
            unlink(path)
            return
        }
        for name in names(in: path) { remove(path + "/" + name) }
        rmdir(path)
    }
}

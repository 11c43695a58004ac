/// What others than the store itself do with files of the data directory.
package enum FileSystem {
    /// Creates a directory and those above it; one that exists is fine.
    package static func createDirectory(_ path: String) throws(StorageError) { try File.createDirectory(path) }

    /// The names in a directory, sorted, without `.` and `..`.
    package static func list(_ path: String) throws(StorageError) -> [String] { try File.list(path) }

    /// Makes creations, renames and removals in a directory durable.
    package static func synchronizeDirectory(_ path: String) throws(StorageError) {
        try File.synchronizeDirectory(path)
    }

    /// The error of a system call that failed with an error number.
    package static func error(_ verb: String, _ path: String, number: Int32) -> StorageError {
        .system(verb, path, number: number)
    }
}

import Glibc
import NexaValue

/// The files of an export of MongoDB: a directory of `mongodump`, or files of `mongoexport`.
///
/// The collection `films` of the database `shop` is looked for, below the directory given, as `shop/films.bson`,
/// `shop/films.json`, and so with `.ndjson` and `.jsonl`; and the same without `shop/`, when the directory is that
/// of the database itself.
struct MongoExport {
    static let endings = [".bson", ".json", ".ndjson", ".jsonl"]

    /// One collection of an export.
    struct Collection {
        var name: String
        var path: String
        /// What `mongodump` says of its indexes, if it does.
        var metadataPath: String?
    }

    private let root: String

    /// - Parameter root: a directory, without links in its path.
    init(root: String) { self.root = root }

    /// All collections of a database, sorted by name. Those of MongoDB itself, `system.…`, are left out.
    func collections(of database: String) throws(EngineError) -> [Collection] {
        try Names.check(database, of: "database")
        for folder in [root + "/" + Self.escaped(database), root] where Self.isFolder(folder) {
            var found: [String: Collection] = [:]
            for file in Self.names(in: folder) {
                guard let collection = Self.collection(file, in: folder), !collection.name.hasPrefix("system.") else {
                    continue
                }
                // Of two forms of the same collection the first of `endings` counts.
                if let other = found[collection.name], Self.rank(other.path) <= Self.rank(collection.path) { continue }
                found[collection.name] = collection
            }
            if !found.isEmpty { return found.values.sorted { $0.name < $1.name } }
            if Self.names(in: folder).contains(where: { $0.hasSuffix(".bson.gz") }) { throw Self.compressed(folder) }
        }
        throw EngineError(
            .badRequest, "There is no export of a database '\(database)' in \(root)",
            advice: "Give the directory of mongodump, the one that has \(database)/ in it")
    }

    /// One collection of a database.
    func collection(_ name: String, of database: String) throws(EngineError) -> Collection {
        try Names.check(database, of: "database")
        try Names.check(name, of: "collection")
        for folder in [root + "/" + Self.escaped(database), root] where Self.isFolder(folder) {
            let found = Self.names(in: folder).compactMap { Self.collection($0, in: folder) }.filter { $0.name == name }
            if let first = found.min(by: { Self.rank($0.path) < Self.rank($1.path) }) { return first }
            if access("\(folder)/\(Self.escaped(name)).bson.gz", F_OK) == 0 { throw Self.compressed(folder) }
        }
        throw EngineError(
            .badRequest, "There is no export of a collection '\(name)' of database '\(database)' in \(root)",
            advice: "It is looked for as \(database)/\(name).bson and \(database)/\(name).json")
    }

    private static func compressed(_ folder: String) -> EngineError {
        EngineError(
            .badRequest, "The export in \(folder) is compressed", advice: "Unpack it first: gunzip -r \(folder)")
    }

    private static func rank(_ path: String) -> Int { endings.firstIndex { path.hasSuffix($0) } ?? endings.count }

    private static func collection(_ file: String, in folder: String) -> Collection? {
        guard !file.hasPrefix("."), !file.hasSuffix(".metadata.json"),
            let ending = endings.first(where: { file.hasSuffix($0) })
        else { return nil }
        let stem = String(file.dropLast(ending.count))
        let metadata = "\(folder)/\(stem).metadata.json"
        return Collection(
            name: unescaped(stem), path: folder + "/" + file,
            metadataPath: access(metadata, R_OK) == 0 ? metadata : nil)
    }

    // MARK: Names

    /// `mongodump` writes what file systems do not like, such as `/`, as `%2F`.
    private static func unescaped(_ name: String) -> String {
        let bytes = Array(name.utf8)
        var result: [UInt8] = []
        var position = 0
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "%"), position + 2 < bytes.count,
                let byte = UInt8(String(decoding: bytes[position + 1...position + 2], as: UTF8.self), radix: 16)
            {
                result.append(byte)
                position += 3
            } else {
                result.append(bytes[position])
                position += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func escaped(_ name: String) -> String {
        // Names hold neither slashes nor backslashes; see `Names`.
        String(name.flatMap { $0 == "%" ? Array("%25") : [$0] })
    }

    /// A folder, and no link to one.
    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func names(in path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            names.append(
                withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        }
        return names.sorted()
    }
}

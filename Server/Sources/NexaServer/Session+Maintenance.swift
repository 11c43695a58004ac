import NexaEngine
import NexaProtocol
import NexaTransport
import NexaValue

/// BACKUP and COMPACT.
extension Session {
    func backUp(to wanted: String) {
        let engine = shared.engine
        let root = shared.configuration.backupDirectory
        let isFree = isTrustedPeer
        audit("backup", [("directory", wanted)])
        runOnWorker { _ throws(EngineError) in
            let directory = try PathRule.target(wanted, below: root, isFree: isFree)
            let backup = try engine.backUp(to: directory)
            return .fields([
                "message": "Backup made", "directory": .string(directory), "sequence": .int(Int64(backup.sequence)),
                "files": .int(Int64(backup.fileCount)), "bytes": .int(Int64(backup.byteCount)),
                "created_at": .int(Int64(backup.createdAt))
            ])
        }
    }

    func compact() {
        let engine = shared.engine
        audit("compact")
        runOnWorker { _ throws(EngineError) in
            let (before, after) = try engine.compact()
            return .fields([
                "message": "Tables compacted", "bytes_before": .int(Int64(before)), "bytes_after": .int(Int64(after))
            ])
        }
    }

    // MARK: Imports

    func importMongo(_ request: Request.ImportMongo) {
        let engine = shared.engine
        let root = shared.configuration.importDirectory
        audit("import", [("uri", Self.withoutSecrets(request.uri)), ("database", request.database)])
        runOnWorker { control throws(EngineError) in
            let path = try PathRule.source(try Self.path(of: request.uri), below: root, option: "--import-directory")
            let run = MongoImport(from: path, into: engine, check: { () throws(EngineError) in try control.check() })
            guard let source = request.sourceCollection else {
                let outcomes = try run.importDatabase(
                    request.sourceDatabase, into: request.database, dropsExisting: request.dropsExisting)
                return .fields(Self.fields(of: outcomes, request.database))
            }
            let outcome = try run.importCollection(
                source, of: request.sourceDatabase, into: request.database, request.collection ?? source,
                dropsExisting: request.dropsExisting)
            return .fields([
                "success": true, "database": .string(request.database), "collection": .string(outcome.name),
                "documents_imported": .int(Int64(outcome.count)),
                "warnings": .array(outcome.warnings.map { .string($0) })
            ])
        }
    }

    private static func fields(of outcomes: [MongoImport.Outcome], _ database: String) -> Document {
        [
            "success": true, "database": .string(database), "collections_imported": .int(Int64(outcomes.count)),
            "total_documents": .int(Int64(outcomes.reduce(0) { $0 + $1.count })),
            "collections": .array(
                outcomes.map { ["name": .string($0.name), "count": .int(Int64($0.count))] }),
            "warnings": .array(
                outcomes.flatMap { outcome in outcome.warnings.map { .string("\(outcome.name): \($0)") } })
        ]
    }

    /// The path that a URI names.
    private static func path(of uri: String) throws(EngineError) -> String {
        if uri.hasPrefix("mongodb://") || uri.hasPrefix("mongodb+srv://") {
            throw EngineError(
                .badRequest, "Failed to import: this server does not connect to MongoDB",
                advice: "Export with 'mongodump --out DIR' and import 'file://DIR', a directory below the one of "
                    + "--import-directory")
        }
        guard uri.hasPrefix("file:") else { return uri }
        guard uri.hasPrefix("file:///") else {
            throw EngineError(.badRequest, "A file URI has three slashes: file:///directory")
        }
        var bytes: [UInt8] = []
        var rest = uri.utf8.dropFirst(7)
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                throw EngineError(.badRequest, "The URI has a '%' without two hexadecimal digits")
            }
            bytes.append(code)
            rest = rest.dropFirst(2)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A URI for the log: an address of MongoDB may have a password in it.
    private static func withoutSecrets(_ uri: String) -> String {
        uri.hasPrefix("mongodb") ? "mongodb://…" : uri
    }
}

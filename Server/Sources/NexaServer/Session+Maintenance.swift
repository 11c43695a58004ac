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
}

extension Session {
    func importMongo(_ request: Request.ImportMongo) {
        reply(.failure(RequestError("Imports are not available in this server", code: .unsupported)))
    }
}

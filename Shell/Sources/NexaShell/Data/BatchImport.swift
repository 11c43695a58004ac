import NexaClient
import NexaValue

/// Parses one batch and stores it.
struct BatchImport: Sendable {
    private let importer: Importer
    private let batch: RecordReader.Batch
    private let parser: RecordParser
    private var arguments: ImportArguments { importer.arguments }
    private var stops: Bool { arguments.onError == .stop }

    init(_ importer: Importer, _ batch: RecordReader.Batch, _ parser: RecordParser) {
        self.importer = importer
        self.batch = batch
        self.parser = parser
    }

    /// - Parameter before: opened when the batch before is stored, if that has to be.
    func run(behind before: Gate) async -> Importer.BatchResult {
        var result = Importer.BatchResult(bytes: batch.bytes.count)
        let parsed = parser.parse(batch, stopsAtFault: stops)
        guard await before.pass() else {
            result.isUntried = true
            return result
        }
        if !parsed.places.isEmpty {
            if arguments.isDryRun {
                result.written = parsed.places.count
            } else if arguments.mode == .insert {
                await insert(parsed, &result)
            } else {
                await write(parsed, &result)
            }
        }
        for (record, fault) in parsed.faults {
            if stops {
                if result.fatal == nil { result.fatal = stop(record, fault) }
            } else {
                let (line, column) = position(record, fault)
                result.rejected.append(
                    .init(text: text(record), reason: "line \(line): \(fault.message) at column \(column)"))
            }
        }
        return result
    }

    // MARK: Storing

    /// The client finds the documents at fault in a batch that the server refused. Batches on their way at the same time
    /// may be stored in any order, so of two documents with one id in different batches either may be the duplicate.
    private func insert(_ parsed: RecordParser.Parsed, _ result: inout Importer.BatchResult) async {
        do throws(NexaError) {
            let inserted = try await importer.collection.insert(parsed.encoded, ordered: stops)
            result.written = inserted.inserted
            for (index, error) in inserted.failures { take(error, parsed.places[index], &result) }
        } catch {
            result.fatal = .init(error: ShellError(error), line: batch.records.first?.line, cause: error)
        }
    }

    private func write(_ parsed: RecordParser.Parsed, _ result: inout Importer.BatchResult) async {
        do throws(NexaError) {
            let written = try await importer.collection.bulk(ordered: stops) { bulk in
                for document in parsed.documents { add(document, to: &bulk) }
            }
            for (index, outcome) in written.outcomes.enumerated() {
                let record = parsed.places[index]
                switch outcome {
                case .failure(let error): take(error, record, &result)
                case .success(let done) where arguments.mode == .replace && done.matched == 0:
                    refuse("no document has this _id", record, &result)
                case .success: result.written += 1
                }
            }
        } catch {
            result.fatal = .init(error: ShellError(error), line: batch.records.first?.line, cause: error)
        }
    }

    private func add(_ document: Document, to bulk: inout BulkWrite<Document>) {
        guard let id = document["_id"] else { return bulk.insert(document) }
        let filter = Filter(["_id": id])
        guard arguments.mode == .merge else {
            return bulk.replaceOne(filter, with: document, upsert: arguments.mode == .upsert)
        }
        var fields = document
        fields["_id"] = Value?.none
        bulk.updateOne(filter, Update(["$set": .document(fields)]), upsert: true)
    }

    private func take(_ error: NexaError, _ record: Int, _ result: inout Importer.BatchResult) {
        let line = batch.records[record].line
        guard error.delivery == .answered, isAboutDocuments(error) else {
            if result.fatal == nil { result.fatal = .init(error: ShellError(error), line: line, cause: error) }
            if error.delivery == .maybeExecuted { result.fatal?.lastUnknownLine = line }
            return
        }
        refuse(error.serverMessage ?? error.message, record, &result)
    }

    private func refuse(_ reason: String, _ record: Int, _ result: inout Importer.BatchResult) {
        let line = batch.records[record].line
        guard stops else {
            result.rejected.append(.init(text: text(record), reason: "line \(line): \(reason)"))
            return
        }
        if result.fatal == nil {
            result.fatal = Importer.Stop(error: ShellError("\(reason) at line \(line)\(importer.place)"), line: line)
        }
    }

    /// Whether another document might fare better.
    private func isAboutDocuments(_ error: NexaError) -> Bool {
        switch error.code {
        // All of a transaction has to fit into it.
        case .limitExceeded where importer.isInTransaction: false
        case .duplicateID, .invalidRequest, .server, .encoding, .frameTooLarge, .limitExceeded: true
        default: false
        }
    }

    // MARK: Faults

    private func text(_ record: Int) -> [UInt8] {
        importer.rejects == nil ? [] : Array(batch.bytes[batch.records[record].range])
    }

    /// Where a fault stands in the file.
    private func position(_ index: Int, _ fault: RecordParser.Fault) -> (line: Int, column: Int) {
        let record = batch.records[index]
        let place = TextPosition(of: fault.offset, in: String(decoding: batch.bytes[record.range], as: UTF8.self))
        return (record.line + place.line - 1, place.line == 1 ? record.column + place.column - 1 : place.column)
    }

    private func stop(_ index: Int, _ fault: RecordParser.Fault) -> Importer.Stop {
        let (line, column) = position(index, fault)
        var error = ShellError("\(fault.message) at line \(line) column \(column)\(importer.place)")
        let text = String(decoding: batch.bytes[batch.records[index].range], as: UTF8.self)
        error.pointer = TextPosition(of: fault.offset, in: text).pointer(in: text)
        return Importer.Stop(error: error, line: batch.records[index].line)
    }
}

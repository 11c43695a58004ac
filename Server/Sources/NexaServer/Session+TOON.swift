import Glibc
import NexaEngine
import NexaProtocol
import NexaTOON
import NexaValue

/// QUERY_TOON, EXPORT_TOON and IMPORT_TOON.
extension Session {
    private var hasTOON: Bool {
        if case .user(_, let capabilities) = login { capabilities.contains(.toon) } else { false }
    }

    func queryTOON(_ request: Request.QueryTOON) {
        render(request.query, request.format, exportedAt: nil)
    }

    func exportTOON(_ request: Request.ExportTOON) {
        let query = Request.Query(namespace: request.namespace, limit: 0, projection: request.projection)
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        render(query, request.format, exportedAt: Double(now.tv_sec) + Double(now.tv_nsec / 1000) / 1e6)
    }

    /// Finds the documents and writes them, on another thread.
    private func render(_ query: Request.Query, _ format: Request.TOONFormat, exportedAt: Double?) {
        let hasTOON = hasTOON
        let maximumBytes = shared.configuration.maximumResultBytes
        var query = query
        if !hasTOON {
            // A client of 3.0 knows filter and limit.
            query = Request.Query(namespace: query.namespace, filter: query.filter, limit: query.limit)
        }
        let execution: QueryExecution
        do throws(EngineError) {
            var options = QueryOptions(query, maximumResultBytes: maximumBytes)
            options.transaction = transaction
            execution = try shared.engine.query(
                database: query.namespace.database, collection: query.namespace.collection, filter: query.filter,
                options: options)
        } catch {
            return reply(.failure(RequestError(error)))
        }
        let namespace = query.namespace
        let format = hasTOON ? format : .standard
        let rendering = TOONRendering(
            collection: namespace.collection, shape: TOONShape(format),
            options: TOON.EncodingOptions(delimiter: format.encoded, maximumByteCount: maximumBytes),
            exportedAt: exportedAt, countsTokens: hasTOON)
        runOnWorker { (control) throws(EngineError) in
            while try execution.step(budget: 4096) != .done { try control.check() }
            let count = execution.documentCount
            let documents = execution.takeDocuments()
            let result = try rendering.render(documents.span.bytes, count: count) { () throws(EngineError) in
                try control.check()
            }
            return .payload(
                Reply.toonPayload(
                    namespace, text: result.text.span.bytes, count: count,
                    statistics: result.statistics.fields(isExport: exportedAt != nil, hasTOON: hasTOON),
                    more: hasTOON ? ["toon": .document(result.report.fields)] : [:]))
        }
    }

    func importTOON(_ request: Request.ImportTOON) {
        let engine = shared.engine
        let namespace = request.namespace
        var options = WriteSetOptions()
        options.isAtomic = true
        options.durability = durability(request.durability)
        let isLenient = request.isLenient && hasTOON
        runOnWorker { [options] (control) throws(EngineError) in
            let decoding: TOON.DecodingOptions =
                isLenient ? TOON.DecodingOptions(isStrict: false, acceptsNexaDB3: true) : .strict
            let source = try TOONImport(request.text.span.bytes, decoding)
            try control.check()
            let writes = source.writes(replacing: request.replaces)
            var ids: [Value] = []
            if !writes.isEmpty {
                let execution = try engine.write(
                    database: namespace.database, collection: namespace.collection, writes, options: options)
                for case .done(let result) in try execution.run(control) {
                    if let id = result.insertedID { ids.append(id) }
                }
            }
            // 3.0 names the first 100 documents only.
            return .fields([
                "database": .string(namespace.database), "collection": .string(namespace.collection),
                "imported": .int(Int64(ids.count)), "replaced": .bool(request.replaces),
                "document_ids": .array(Array(ids.prefix(100))),
                "message": .string("Successfully imported \(ids.count) documents from TOON format")
            ])
        }
    }
}

extension TOONShape {
    fileprivate init(_ format: Request.TOONFormat) {
        self.init(
            flattensDocuments: format.flattensDocuments, listSeparator: format.listSeparator,
            fillsMissingFields: format.fillsMissingFields, maximumVectorLength: format.maximumVectorLength)
    }
}

extension Request.TOONFormat {
    fileprivate var encoded: TOON.Delimiter {
        switch delimiter {
        case "\t": .tab
        case "|": .pipe
        default: .comma
        }
    }
}

extension TOONStatistics {
    /// The fields of 3.0, and those beyond it.
    fileprivate func fields(isExport: Bool, hasTOON: Bool) -> Document {
        var fields: Document = [
            "json_size": .int(Int64(paddedJSONCharacters)), "toon_size": .int(Int64(characters)),
            "reduction_percent": .double(reductionPercent)
        ]
        if isExport {
            let percent = reductionPercent.rounded(.toNearestOrEven)
            fields["estimated_cost_savings"] = .string("~\(percent)% less tokens for LLM processing")
        }
        if hasTOON {
            fields["toon_bytes"] = .int(Int64(bytes))
            fields["toon_tokens"] = .int(Int64(tokens))
            fields["compact_json_bytes"] = .int(Int64(compactJSONBytes))
            fields["compact_json_tokens"] = .int(Int64(compactJSONTokens))
            fields["token_reduction_percent"] = .double(tokenReductionPercent)
        }
        return fields
    }
}

extension TOONShapeReport {
    /// What a client is told.
    fileprivate var fields: Document {
        func names(_ list: [String]) -> Value { .array(list.map { .string($0) }) }
        return [
            "table": .bool(isTable), "flattened": names(flattened), "joined": names(joined),
            "omitted": names(omitted), "filled": .int(Int64(filledCount))
        ]
    }
}

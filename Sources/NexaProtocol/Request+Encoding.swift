public import NexaValue

extension Request {
    /// Appends the request as a whole frame.
    public func encodeFrame(into writer: inout MessagePackWriter) {
        let start = writer.beginFrame(type)
        encodePayload(into: &writer)
        writer.endFrame(start)
    }

    /// Appends the payload of the request: one map, in the field names of NexaDB 3.0.
    public func encodePayload(into writer: inout MessagePackWriter) {
        switch self {
        case .connect(let connect): connect.encode(into: &writer)
        case .createDatabase(let name):
            writer.writeMapHead(count: 2)
            writer.write(key: "create_database", true)
            writer.write(key: "database", name)
        case .insert(let insert):
            writer.writeMapHead(count: 3 + (insert.durability == nil ? 0 : 1))
            insert.namespace.encode(into: &writer)
            writer.write("data")
            writer.writeRaw(insert.document)
            writer.write(durability: insert.durability)
        case .read(let read):
            writer.writeMapHead(count: 3)
            read.namespace.encode(into: &writer)
            writer.write(key: "key", read.id)
        case .update(let update):
            writer.writeMapHead(count: 4 + (update.durability == nil ? 0 : 1))
            update.namespace.encode(into: &writer)
            writer.write(key: "key", update.id)
            writer.write("updates")
            writer.writeRaw(update.updates)
            writer.write(durability: update.durability)
        case .delete(let delete):
            writer.writeMapHead(count: 3 + (delete.durability == nil ? 0 : 1))
            delete.namespace.encode(into: &writer)
            writer.write(key: "key", delete.id)
            writer.write(durability: delete.durability)
        case .query(let query): query.encode(into: &writer)
        case .aggregate(let aggregate): aggregate.encode(into: &writer)
        case .distinct(let distinct): distinct.encode(into: &writer)
        case .insertMany(let batch):
            writer.writeMapHead(count: 3 + (batch.durability == nil ? 0 : 1))
            batch.namespace.encode(into: &writer)
            writer.write("documents")
            writer.writeRaw(batch.documents)
            writer.write(durability: batch.durability)
        case .subscribe(let subscribe): subscribe.encode(into: &writer)
        case .ping, .disconnect, .unsubscribe, .abortTransaction, .listUsers, .compact,
            .listDatabases(viaCollections: false):
            writer.writeMapHead(count: 0)
        case .createUser(let create): create.encode(into: &writer)
        case .deleteUser(let name):
            writer.writeMapHead(count: 1)
            writer.write(key: "username", name)
        case .backup(let directory):
            writer.writeMapHead(count: 1)
            writer.write(key: "directory", directory)
        case .importMongo(let request): request.encode(into: &writer)
        case .changePassword(let change): change.encode(into: &writer)
        case .updateUser(let update): update.encode(into: &writer)
        case .apiKeys(let keys): keys.encode(into: &writer)
        case .beginTransaction(let begin):
            writer.writeMapHead(count: (begin.maximumMilliseconds == nil ? 0 : 1) + (begin.isPipelined ? 1 : 0))
            if begin.isPipelined { writer.write(key: "pipelined", true) }
            if let limit = begin.maximumMilliseconds { writer.write(key: "max_time_ms", .int(Int64(limit))) }
        case .commitTransaction(let commit):
            writer.writeMapHead(count: commit.durability == nil ? 0 : 1)
            writer.write(durability: commit.durability)
        case .listDatabases(viaCollections: true):
            writer.writeMapHead(count: 1)
            writer.write(key: "database", true)
        case .listCollections(let database):
            writer.writeMapHead(count: 1)
            writer.write(key: "database", database)
        case .dropCollection(let namespace):
            writer.writeMapHead(count: 2)
            namespace.encode(into: &writer)
        case .dropDatabase(let name, let viaCollection):
            writer.writeMapHead(count: viaCollection ? 2 : 1)
            if viaCollection { writer.write(key: "drop_database", true) }
            writer.write(key: "database", name)
        case .updateMany(let write), .deleteMany(let write): write.encode(into: &writer)
        case .findAndModify(let modify): modify.encode(into: &writer)
        case .bulkWrite(let bulk): bulk.encode(into: &writer)
        case .queryTOON(let query): query.encode(into: &writer)
        case .exportTOON(let export): export.encode(into: &writer)
        case .importTOON(let request): request.encode(into: &writer)
        case .createIndex(let create): create.encode(into: &writer)
        case .vectorSearch(let search): search.encode(into: &writer)
        case .buildVectorIndex(let build): build.encode(into: &writer)
        case .dropIndex(let drop): drop.encode(into: &writer)
        case .explain(let query): query.encode(into: &writer)
        case .listIndexes(let namespace), .collectionStats(let namespace):
            writer.writeMapHead(count: 2)
            namespace.encode(into: &writer)
        case .databaseStats(let database), .getVectors(let database):
            writer.writeMapHead(count: 1)
            writer.write(key: "database", database)
        }
    }
}

extension Request.Namespace {
    func encode(into writer: inout MessagePackWriter) {
        writer.write(key: "collection", collection)
        writer.write(key: "database", database)
    }
}

extension Request.Connect {
    fileprivate func encode(into writer: inout MessagePackWriter) {
        var fields: Document = ["username": .string(username)]
        if let password { fields["password"] = .string(password) }
        if !capabilities.isEmpty { fields["capabilities"] = .array(capabilities.map { .string($0.rawValue) }) }
        if let applicationName { fields["application"] = .string(applicationName) }
        if let scram { fields["scram"] = .string(scram) }
        writer.write(fields)
    }
}

extension Request.Query {
    fileprivate func encode(into writer: inout MessagePackWriter) { writer.write(fields) }

    var fields: Document {
        var fields: Document = [
            "collection": .string(namespace.collection), "database": .string(namespace.database),
            "filters": .document(filter), "limit": .int(Int64(limit))
        ]
        if skip != 0 { fields["skip"] = .int(Int64(skip)) }
        if !sort.isNull { fields["sort"] = sort }
        if !projection.isEmpty { fields["projection"] = .document(projection) }
        if isCountOnly { fields["count"] = true }
        if let page { fields["page"] = ["documents": .int(Int64(page.documents)), "bytes": .int(Int64(page.bytes))] }
        if let after { fields["after"] = .bytes(after) }
        if let hint { fields["hint"] = .string(hint) }
        return fields
    }
}

extension MessagePackWriter {
    mutating func write(key: String, _ value: String) {
        write(key)
        write(value)
    }

    mutating func write(key: String, _ value: Bool) {
        write(key)
        write(value)
    }

    mutating func write(key: String, _ value: Int) {
        write(key)
        write(value)
    }

    mutating func write(key: String, _ value: Value) {
        write(key)
        write(value)
    }

    mutating func write(durability: Request.Durability?) {
        if let durability { write(key: "durability", durability.rawValue) }
    }
}

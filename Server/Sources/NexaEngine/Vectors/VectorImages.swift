import Glibc
import NexaStorage
import NexaValue
import NexaVector

/// The files in which the graphs of vector indexes survive a restart.
///
/// A file is named after the number of its index, and the commit up to which it has everything; it may have later
/// changes too. At the start, the changes behind that commit are read from the commit log; without them, the file is
/// compared with the stored entries. Either way the index ends up with exactly the stored vectors.
struct VectorImages: Sendable {
    let directory: String

    private struct Name {
        var number: UInt32
        var run: UInt64
        var sequence: UInt64

        var text: String { "\(number)-\(String(run, radix: 16))-\(sequence).hnsw" }

        init(number: UInt32, run: UInt64, sequence: UInt64) {
            self.number = number
            self.run = run
            self.sequence = sequence
        }

        init?(_ text: String) {
            guard text.hasSuffix(".hnsw") else { return nil }
            let parts = text.dropLast(5).split(separator: "-")
            guard parts.count == 3, let number = UInt32(parts[0]), let run = UInt64(parts[1], radix: 16),
                let sequence = UInt64(parts[2])
            else { return nil }
            self.init(number: number, run: run, sequence: sequence)
        }
    }

    // MARK: Writing

    /// Writes an image of an index that is ready.
    func save(_ index: Index, _ field: VectorField, _ store: Store) throws(EngineError) {
        try translating { () throws(StorageError) in try makeDirectory() }
        // An empty commit: once it is made, all before it are carried over to the index in memory.
        let sequence = try barrier(store)
        guard let run = store.run(of: sequence) else { return }
        let name = Name(number: index.number, run: run, sequence: sequence)
        let path = directory + "/" + name.text
        let temporary = path + ".new"
        do throws(VectorError) {
            try field.current.save(to: temporary, tag: sequence)
        } catch {
            unlink(temporary)
            throw EngineError(error)
        }
        // What the image has beyond its number must not be lost when the image is not.
        _ = try barrier(store)
        guard index.state == .ready else {
            unlink(temporary)
            return
        }
        guard rename(temporary, path) == 0 else {
            let number = errno
            unlink(temporary)
            throw EngineError(FileSystem.error("rename", path, number: number))
        }
        try translating { () throws(StorageError) in try FileSystem.synchronizeDirectory(directory) }
        remove(index.number, except: name.text)
    }

    private func barrier(_ store: Store) throws(EngineError) -> UInt64 {
        try translating { () throws(StorageError) in try store.write(WriteBatch()) }
    }

    private func makeDirectory() throws(StorageError) { try FileSystem.createDirectory(directory) }

    private var names: [String] { (try? FileSystem.list(directory)) ?? [] }

    /// Removes the files of an index.
    func remove(_ number: UInt32, except kept: String = "") {
        for name in names where name != kept && Name(name)?.number == number { unlink(directory + "/" + name) }
    }

    // MARK: Reading

    /// Fills the vector indexes of a store that was just opened; nobody writes meanwhile.
    ///
    /// - Parameter indexes: those that are ready; all others are built from the documents.
    func load(_ indexes: [Index], _ store: Store) throws(EngineError) {
        let wanted = Set(indexes.map(\.number))
        var images: [UInt32: Name] = [:]
        for text in names {
            guard let name = Name(text), wanted.contains(name.number) else {
                // Of an index that was dropped, or half written.
                unlink(directory + "/" + text)
                continue
            }
            if images[name.number].map({ $0.sequence < name.sequence }) ?? true { images[name.number] = name }
        }
        var following: [(index: Index, field: VectorField, sequence: UInt64)] = []
        for index in indexes {
            guard let field = index.vectors else { continue }
            if let name = images[index.number], let sequence = adopt(name, field, store) {
                following.append((index, field, sequence))
            } else {
                try compare(index, field, store)
            }
        }
        try follow(following, store)
    }

    /// Takes an image over; returns the commit behind which the log goes on, `nil` when that is not known.
    private func adopt(_ name: Name, _ field: VectorField, _ store: Store) -> UInt64? {
        let path = directory + "/" + name.text
        do throws(VectorError) {
            let loaded = try VectorIndex.load(from: path, expecting: field.options)
            guard loaded.tag == name.sequence else { return nil }
            field.adopt(loaded.index)
        } catch {
            // A damaged one is as good as none.
            unlink(path)
            return nil
        }
        let isKnown = name.sequence <= store.commitSequence && store.run(of: name.sequence) == name.run
        return isKnown ? name.sequence : nil
    }

    /// Carries over what the log has behind the images.
    private func follow(
        _ indexes: [(index: Index, field: VectorField, sequence: UInt64)], _ store: Store
    ) throws(EngineError) {
        guard let first = indexes.map(\.sequence).min() else { return }
        var byNumber: [[UInt8]: (field: VectorField, sequence: UInt64)] = [:]
        for entry in indexes { byNumber[entry.index.prefix] = (entry.field, entry.sequence) }
        let cursor = store.makeCommitCursor(from: first + 1)
        do throws(StorageError) {
            while try cursor.advance(upTo: store.commitSequence) {
                while let operation = try cursor.nextOperation() {
                    switch operation {
                    case .put(ColumnFamily.indexes.rawValue, let key, let value):
                        apply(key, Array(value), cursor.sequence, byNumber)
                    case .delete(ColumnFamily.indexes.rawValue, let key):
                        apply(key, nil, cursor.sequence, byNumber)
                    default: break
                    }
                }
            }
        } catch {
            guard error.code == .historyLost else { throw EngineError(error) }
            for entry in indexes { try compare(entry.index, entry.field, store) }
        }
    }

    private func apply(
        _ key: UnsafeRawBufferPointer, _ packed: [UInt8]?, _ sequence: UInt64,
        _ indexes: [[UInt8]: (field: VectorField, sequence: UInt64)]
    ) {
        guard key.count > DocumentKey.prefixLength,
            let found = indexes[Array(key.prefix(DocumentKey.prefixLength))], found.sequence < sequence
        else { return }
        found.field.apply(id: Array(key)[DocumentKey.prefixLength...], packed: packed)
    }

    /// Makes an index have exactly the stored vectors, whatever it has.
    func compare(_ index: Index, _ field: VectorField, _ store: Store) throws(EngineError) {
        let vectors = field.current
        var stored = 0
        try translating { () throws(StorageError) in
            var iterator = try store.makeIterator(.indexes, lower: index.prefix, upper: index.range.upper)
            while try iterator.advance() {
                stored += 1
                let id = iterator.key.withUnsafeBytes { Array($0.dropFirst(DocumentKey.prefixLength)) }
                let wanted = StoredVector.floats(iterator.value)
                if let known = vectors.vector(of: id), field.isSame(known, wanted) { continue }
                field.apply(id: id[...], packed: iterator.value.withUnsafeBytes { Array($0) })
            }
        }
        guard vectors.count > stored else { return }
        var surplus: [[UInt8]] = []
        var failure: StorageError?
        vectors.forEach { id, _ in
            let id = id.withUnsafeBufferPointer { Array($0) }
            do throws(StorageError) {
                if try !store.contains(.indexes, (index.prefix + id).span.bytes) { surplus.append(id) }
            } catch {
                failure = error
            }
            return failure == nil
        }
        if let failure { throw EngineError(failure) }
        for id in surplus { field.apply(id: id[...], packed: nil) }
    }
}

extension VectorField {
    /// Whether a kept vector is the stored one, but for the way in which it is kept.
    func isSame(_ kept: [Float], _ stored: [Float]) -> Bool {
        let tolerance: Float =
            switch options.quantization {
            case .none: 1e-5
            case .float16: 2e-3
            case .int8: 2e-2
            }
        let largest = stored.reduce(0) { max($0, abs($1)) }
        return kept.count == stored.count && zip(kept, stored).allSatisfy { abs($0 - $1) <= tolerance * largest }
    }
}

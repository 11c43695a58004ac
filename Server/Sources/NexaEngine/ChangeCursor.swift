import NexaQuery
import NexaStorage
public import NexaValue

/// Which changes somebody wants to see.
public struct ChangeSelection: Sendable {
    /// The database; `nil` for all.
    public var database: String?
    /// The collection, of the database or of all; `nil` for all.
    public var collection: String?
    /// What happened.
    public var kinds: Set<ChangeKind>
    /// What the document must be like after an insert or an update; deletions and drops, which leave no document
    /// to look at, are always selected. Empty for any.
    public var filter: Document

    /// Selects changes.
    public init(
        database: String? = nil, collection: String? = nil, kinds: Set<ChangeKind> = [.insert, .update, .delete],
        filter: Document = [:]
    ) {
        self.database = database
        self.collection = collection
        self.kinds = kinds
        self.filter = filter
    }

    func includes(_ kind: ChangeKind, _ names: (database: String, collection: String)) -> Bool {
        guard kinds.contains(kind), database == nil || database == names.database else { return false }
        // Whoever watches a collection wants to know that it went with its database; that is an event of its own.
        return collection == nil || (collection == names.collection && kind != .dropDatabase)
    }
}

/// Reads changes in the order of their commits, as far back as the log reaches, and on to the newest.
///
/// It holds no memory between two reads, so thousands may wait for changes.
/// `@unchecked Sendable`: it has one user at a time, who may hand it to another thread.
public final class ChangeCursor: @unchecked Sendable {
    /// Why a read ended.
    public enum Progress: Sendable, Hashable {
        /// Everything committed so far was read.
        case caughtUp
        /// There is more.
        case more
    }

    private let store: Store
    private let cursor: CommitCursor
    private let selection: ChangeSelection
    private let filter: QueryFilter?
    /// Behind this nothing was read yet.
    public private(set) var position: ChangePosition
    /// Changes of the commit at hand that were read before.
    private var indexesToSkip: UInt32
    private var sequenceToSkip: UInt64

    private var isInside = false
    private var index: UInt32 = 0
    private var note: ChangeNote?
    private var updates: [UInt8] = []
    /// Where in `updates` the fields end, and the names of those that are gone begin.
    private var fieldsEnd = 0
    private var nameBytes: [UInt8] = []
    private var names = (database: "", collection: "")
    private var isSelected = false

    init(_ store: Store, _ selection: ChangeSelection, after: ChangePosition?) throws(EngineError) {
        self.store = store
        self.selection = selection
        filter =
            selection.filter.isEmpty
            ? nil : try translatingQuery { () throws(QueryError) in try QueryFilter(compiling: selection.filter) }
        let now = store.commitSequence
        if let after {
            guard after.sequence <= now, store.run(of: after.sequence) == after.run else {
                throw EngineError(
                    .historyLost, "The position is not in the change history of this server",
                    advice: "Read the documents again and watch from now on; positions belong to one data directory")
            }
        }
        position = after ?? ChangePosition(run: store.run(of: now) ?? 0, sequence: now, index: .max)
        let isWhole = position.index == .max
        sequenceToSkip = position.sequence
        indexesToSkip = isWhole ? 0 : position.index + 1
        cursor = store.makeCommitCursor(from: isWhole ? position.sequence + 1 : position.sequence)
        guard after == nil || cursor.isAvailable else {
            throw EngineError(
                .historyLost, "The changes behind the position are not kept any more",
                advice: "Read the documents again and watch from now on; a larger change history reaches further back")
        }
    }

    /// True when reading may wait for the device, or for a costly filter, so that an event loop should leave it to another
    /// thread.
    public var isCold: Bool { cursor.isCold || filter?.isCostly == true }

    /// For how long a costly filter is evaluated before others have their turn.
    private static let longestRead = Duration.milliseconds(50)

    /// True when something was committed that was not read yet.
    public var hasMore: Bool { isInside || store.commitSequence >= cursor.next }

    /// Passes changes to `body`, in order, until it returns false (which it does when it wants no more after this
    /// one), until about `scanning` bytes of log were looked at, a costly filter took long, or all are read.
    ///
    /// - Parameter permitting: whether the reader may see changes of a database; the others are passed over.
    /// - Throws: `.historyLost` when the changes were removed from the log meanwhile, or are damaged; `.storage`.
    public func read(
        scanning maximumBytes: Int = .max, permitting: (String) -> Bool = { _ in true },
        _ body: (borrowing ChangeEvent) -> Bool
    ) throws(EngineError) -> Progress {
        do throws(StorageError) {
            let limit = store.commitSequence
            var scanned = 0
            let end = filter?.isCostly == true ? ContinuousClock.now + Self.longestRead : nil
            while scanned < maximumBytes {
                if let end, end <= .now { return .more }
                if !isInside {
                    guard try cursor.advance(upTo: limit) else {
                        if let run = store.run(of: limit), limit > position.sequence {
                            position = ChangePosition(run: run, sequence: limit, index: .max)
                        }
                        cursor.releaseMemory()
                        return hasMore ? .more : .caughtUp
                    }
                    isInside = true
                    index = 0
                    note = nil
                    scanned += 64
                }
                guard let operation = try cursor.nextOperation() else {
                    isInside = false
                    position = ChangePosition(run: cursor.run, sequence: cursor.sequence, index: .max)
                    continue
                }
                scanned += operation.byteCount
                if !handle(operation, permitting, body) { return .more }
            }
            return .more
        } catch {
            throw EngineError(error)
        }
    }

    /// Gives up the memory of a read that was not finished.
    public func releaseMemory() { cursor.releaseMemory() }

    // MARK: Operations

    /// Returns false when the reader wants no more.
    private func handle(
        _ operation: BatchOperation, _ permitting: (String) -> Bool, _ body: (borrowing ChangeEvent) -> Bool
    ) -> Bool {
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        switch operation {
        case .note(let bytes):
            begin(bytes, permitting)
            guard let kind = note?.kind, kind == .dropCollection || kind == .dropDatabase else { return true }
            return pass(kind, key: empty, document: empty, body)
        case .put(ColumnFamily.documents.rawValue, let key, let value):
            guard let kind = note?.kind, kind == .insert || kind == .update else { return true }
            return pass(kind, key: key, document: value, body)
        case .delete(ColumnFamily.documents.rawValue, let key):
            guard note?.kind == .delete else { return true }
            return pass(.delete, key: key, document: empty, body)
        case .put, .delete, .deleteRange: return true
        }
    }

    private func begin(_ bytes: UnsafeRawBufferPointer, _ permitting: (String) -> Bool) {
        note = ChangeNote(bytes)
        isSelected = false
        guard let note else { return }
        let found = UnsafeRawBufferPointer(rebasing: bytes[note.names])
        if !found.elementsEqual(nameBytes) {
            guard let split = ChangeNote.split(found) else { return }
            nameBytes = Array(found)
            names = split
        }
        isSelected = selection.includes(note.kind, names) && permitting(names.database)
        if note.kind == .update, isSelected {
            updates = Array(bytes[note.names.upperBound...])
            fieldsEnd = Self.endOfValue(updates)
        } else if !updates.isEmpty {
            updates = []
            fieldsEnd = 0
        }
    }

    /// The end of the first value; of all bytes when there is none.
    private static func endOfValue(_ bytes: [UInt8]) -> Int {
        do throws(MessagePackError) {
            var reader = MessagePackReader(bytes.span.bytes)
            try reader.skip()
            return reader.position
        } catch {
            return bytes.count
        }
    }

    private func pass(
        _ kind: ChangeKind, key: UnsafeRawBufferPointer, document: UnsafeRawBufferPointer,
        _ body: (borrowing ChangeEvent) -> Bool
    ) -> Bool {
        defer { index += 1 }
        if cursor.sequence == sequenceToSkip, index < indexesToSkip { return true }
        let place = ChangePosition(
            run: cursor.run, sequence: cursor.sequence, index: cursor.isAtEndOfCommit ? .max : index)
        position = place
        guard isSelected, let note else { return true }
        let document = document.bytes
        // A document that the filter cannot decide about is passed on: better one too many than one missed.
        if let filter, !document.isEmpty, (try? filter.matches(document)) == false { return true }
        return body(
            ChangeEvent(
                kind: kind, database: names.database, collection: names.collection, key: key, document: document,
                updates: updates.span.bytes.extracting(first: fieldsEnd),
                removed: updates.span.bytes.extracting(droppingFirst: fieldsEnd), microseconds: note.microseconds,
                position: place))
    }
}

extension ChangeEvent {
    /// The `_id` of the document; `nil` for a drop.
    public var id: Value? { key.isEmpty ? nil : DocumentKey.id(in: key) }
}

extension BatchOperation {
    fileprivate var byteCount: Int {
        switch self {
        case .put(_, let key, let value): key.count + value.count
        case .delete(_, let key): key.count
        case .deleteRange(_, let lower, let upper): lower.count + upper.count
        case .note(let bytes): bytes.count
        }
    }
}

extension Engine {
    /// Reads the changes behind a position, or those from now on.
    ///
    /// - Parameter after: `ChangePosition` of a change, or of a cursor.
    /// - Throws: `.historyLost` when the changes behind the position are not kept any more, or never were in this data
    ///   directory; `.badRequest` for a filter that is none.
    public func changes(
        _ selection: ChangeSelection = ChangeSelection(), after: ChangePosition? = nil
    ) throws(EngineError) -> ChangeCursor {
        try ChangeCursor(store, selection, after: after)
    }
}

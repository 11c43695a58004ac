import Glibc
import NexaClient
import NexaValue
import Synchronization

/// What is known of the server for completion: names, fields and values. Asking never waits.
///
/// What is missing or old is fetched in the background, one task for each thing, and `changed` is raised when it is
/// there. Own writes and `\refresh` drop what they may have changed.
final class CompletionCatalog: CompletionSource {
    /// Something that is fetched.
    enum Key: Hashable, Sendable {
        case databases
        case collections(database: String)
        case fields(database: String, collection: String)
        case indexes(database: String, collection: String)
        case users
        /// The files of a folder.
        case folder(String)
    }

    /// What was fetched.
    enum Content: Sendable {
        case names([CompletionCandidate])
        case fields(CompletionSample)
    }

    /// Fetches something; `nil` when it cannot be had.
    typealias Loader = @Sendable (Key) async -> Content?

    private struct Entry {
        var content: Content?
        var time = -Double.infinity
        var isLoading = false
        /// Which fetch its content is waited for from.
        var fetch = 0
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        /// Fields of documents that were shown.
        var shown: [Key: CompletionSample] = [:]
        /// Ids of documents that were shown, the last one first.
        var ids: [Key: [String]] = [:]
        var location = Location()
        var fetches = 0
        var samples = true
        var shownSincePrompt = 0
    }

    /// Of a longer result the rest is not looked at.
    private static let maximumShown = 200

    /// What was fetched is asked for again after so many seconds.
    static let freshness = 60.0
    /// The files of a folder change without our knowing.
    private static let folderFreshness = 1.0
    /// What could not be had is asked for again after so many seconds.
    private static let failureFreshness = 2.0
    /// More collections or ids are not kept.
    private static let maximumPlaces = 64
    private static let maximumIDs = 200

    /// Raised when something was fetched.
    let changed = EventFlag()
    private let load: Loader
    private let state = Mutex(State())

    init(_ load: @escaping Loader) { self.load = load }

    /// Whether documents are read to know their fields (`\set SAMPLING off`).
    var samples: Bool {
        get { state.withLock { $0.samples } }
        set { state.withLock { $0.samples = newValue } }
    }

    // MARK: Answers

    func answer(_ target: CompletionContext.Target, _ query: CompletionQuery) -> CompletionAnswer? {
        let database = query.location.database
        let collection = query.location.collection
        switch target {
        case .argument(.database): return names(.databases)
        case .argument(.collection): return names(.collections(database: database))
        case .argument(.user): return names(.users)
        case .argument(.index):
            return collection.map { names(.indexes(database: database, collection: $0)) } ?? CompletionAnswer([])
        case .argument(.documentID):
            return CompletionAnswer(names: state.withLock { $0.ids[Self.place(query.location)] ?? [] })
        case .field(let parent):
            let (sample, isPending) = fields(at: query.location)
            let paths = sample.paths.filter { $0.hasPrefix(parent) }.map { String($0.dropFirst(parent.count)) }
            return CompletionAnswer(names: paths, isPending: isPending)
        case .fieldReference:
            let (sample, isPending) = fields(at: query.location)
            return CompletionAnswer(names: sample.paths.map { "$" + $0 }, isPending: isPending)
        case .value(let path):
            let (sample, isPending) = fields(at: query.location)
            return CompletionAnswer(sample.values(of: path), isPending: isPending)
        case .file: return files(query.prefix)
        default: return nil
        }
    }

    private func names(_ key: Key) -> CompletionAnswer {
        let (content, isPending) = content(of: key)
        guard case .names(let names) = content else { return CompletionAnswer([], isPending: isPending) }
        return CompletionAnswer(names, isPending: isPending)
    }

    /// The names in the folder that a path is in, as whole paths.
    private func files(_ prefix: String) -> CompletionAnswer {
        let folder = prefix.lastIndex(of: "/").map { String(prefix[...$0]) } ?? ""
        var answer = names(.folder(folder))
        let showsHidden = prefix.dropFirst(folder.count).hasPrefix(".")
        answer.candidates = answer.candidates.filter { showsHidden || !$0.text.hasPrefix(".") }.map {
            CompletionCandidate(folder + $0.text, $0.kind)
        }
        return answer
    }

    private static func place(_ location: Location) -> Key {
        .fields(database: location.database, collection: location.collection ?? "")
    }

    private func fields(at location: Location) -> (CompletionSample, isPending: Bool) {
        guard location.collection != nil else { return (CompletionSample(), false) }
        let key = Self.place(location)
        var sample = state.withLock { $0.shown[key] } ?? CompletionSample()
        guard samples else { return (sample, false) }
        let (content, isPending) = content(of: key)
        if case .fields(let fetched) = content { sample.merge(fetched) }
        return (sample, isPending)
    }

    /// What is known of something; it is fetched when it is missing or old.
    private func content(of key: Key) -> (Content?, isPending: Bool) {
        let now = Clock.now
        let (content, isPending, fetch) = state.withLock { state -> (Content?, Bool, Int?) in
            var entry = state.entries[key] ?? Entry()
            var freshness = entry.content == nil ? Self.failureFreshness : Self.freshness
            if case .folder = key { freshness = Self.folderFreshness }
            guard !entry.isLoading, now - entry.time > freshness else {
                return (entry.content, entry.isLoading && entry.content == nil, nil)
            }
            state.fetches += 1
            entry.isLoading = true
            entry.fetch = state.fetches
            state.entries[key] = entry
            if state.entries.count > Self.maximumPlaces {
                let oldest = state.entries.filter { !$0.value.isLoading }.min { $0.value.time < $1.value.time }
                if let oldest { state.entries[oldest.key] = nil }
            }
            return (entry.content, entry.content == nil, state.fetches)
        }
        if let fetch { start(fetch, key) }
        return (content, isPending)
    }

    private func start(_ fetch: Int, _ key: Key) {
        Task(priority: .utility) { [self] in
            let content = await load(key)
            state.withLock { state in
                // Dropped meanwhile: what was fetched may be from before a write.
                guard state.entries[key]?.fetch == fetch else { return }
                state.entries[key] = Entry(
                    content: content ?? state.entries[key]?.content, time: Clock.now, fetch: fetch)
            }
            changed.raise()
        }
    }

    /// The paths of the fields that were seen in a collection up to now.
    func knownFields(at location: Location) -> [String] { fields(at: location).0.paths }

    // MARK: What happens in the session

    /// Tells where the prompt is.
    ///
    /// - Parameter asksAhead: whether the fields of a collection that was not looked at before are fetched now.
    func moved(to location: Location, asksAhead: Bool = true) {
        let isNew = state.withLock { state in
            state.location = location
            state.shownSincePrompt = 0
            return location.collection != nil && state.entries[Self.place(location)] == nil && state.samples
        }
        if isNew, asksAhead { _ = content(of: Self.place(location)) }
    }

    /// Notes the fields and the id of a document that was shown.
    func noteShown(_ document: Document) {
        state.withLock { state in
            let key = Self.place(state.location)
            state.shownSincePrompt += 1
            guard state.shownSincePrompt <= Self.maximumShown else { return }
            guard state.shown[key] != nil || state.shown.count < Self.maximumPlaces else { return }
            state.shown[key, default: CompletionSample()].add(document)
            guard let id = document["_id"].map(DocumentPrinter.idText), id.utf8.count <= 256 else { return }
            var ids = state.ids[key] ?? []
            if let known = ids.firstIndex(of: id) { ids.remove(at: known) }
            ids.insert(id, at: 0)
            if ids.count > Self.maximumIDs { ids.removeLast() }
            state.ids[key] = ids
        }
    }

    /// Drops what a write may have changed: everything that was fetched.
    func noteWrite() { state.withLock { $0.entries = [:] } }

    /// Forgets all: for `\refresh`, and for another server.
    func forget() {
        state.withLock { state in
            state.entries = [:]
            state.shown = [:]
            state.ids = [:]
        }
    }
}

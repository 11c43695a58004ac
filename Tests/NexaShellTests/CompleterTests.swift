import Glibc
import NexaValue
import Synchronization
import TestKit
import Testing

@testable import NexaShell

@Suite struct CompleterTests {
    private static let movies = Location(database: "default", collection: "movies")

    /// Completes once all that is asked for has come.
    private func complete(
        _ before: String, behind: String = "", open: String = "", at location: Location = Self.movies,
        in catalog: CompletionCatalog = Self.catalog(), _ sources: [any CompletionSource] = []
    ) -> Completer.Result {
        let completer = Completer(catalog, sources)
        while true {
            catalog.changed.lower()
            let result = completer.complete(open: open, before: before, behind: behind, at: location)
            guard result.isPending else { return result }
            var ready = pollfd(fd: catalog.changed.descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, 20_000) > 0 else { return result }
        }
    }

    private static func catalog() -> CompletionCatalog {
        CompletionCatalog { key in
            switch key {
            case .databases: return .names([.init("default"), .init("staging")])
            case .collections: return .names(["movies", "Movers", "my films", "people"].map { .init($0) })
            case .users: return .names([.init("root"), .init("ann")])
            case .indexes: return .names([.init("year_1"), .init("title_1")])
            case .folder: return .names([.init("data.csv"), .init("deep", .folder), .init(".hidden")])
            case .fields:
                var sample = CompletionSample()
                sample.add([
                    "_id": 1, "title": "Alien", "year": 1979, "yearly": false, "genre": "noir", "first name": "x",
                    "address": ["city": "Bern", "zip": 3000], "cast": [["name": "A"], ["name": "B"]]
                ])
                sample.add(["genre": "nouvelle \"vague\"", "seen": true])
                return .fields(sample)
            }
        }
    }

    private func line(_ before: String, behind: String = "") -> String {
        let result = complete(before, behind: behind)
        let kept = String(String.UnicodeScalarView(before.unicodeScalars.dropLast(result.replacedScalars)))
        return kept + (result.insertion ?? "<nothing>") + "|" + behind
    }

    @Test func wordsGetWhatFollowsThem() {
        #expect(line("databa") == "databases |")
        #expect(line("use pe") == "use people |")
        #expect(line("use \"my") == "use \"my films\" |")
        #expect(line("use my") == "use \"my films\" |")
        #expect(line("use_db st") == "use_db staging |")
        #expect(line("query --sk") == "query --skip |")
        #expect(line("query {ti") == "query {title: |")
        #expect(line("query {\"ti") == "query {\"title\": |")
        #expect(line("query {'ti") == "query {'title': |")
        #expect(line("query {\"fi") == "query {\"first name\": |")
        #expect(line("query {fi") == "query {\"first name\": |")
        #expect(line("query {address.c") == "query {address.city: |")
        #expect(line("query {address: {ci") == "query {address: {city: |")
        #expect(line("query {year: {$nin") == "query {year: {$nin: |")
        #expect(line("query {genre: \"noi") == "query {genre: \"noir|")
        #expect(line("query {genre: noi") == "query {genre: \"noir\"|")
        #expect(line("query {genre: \"nou") == "query {genre: \"nouvelle \\\"vague\\\"|")
        #expect(line("query {seen: t") == "query {seen: true|")
        #expect(line("query --sort -ti") == "query --sort -title |")
        #expect(line("import de") == "import deep/|")
        #expect(line("import da") == "import data.csv |")
        #expect(line("import .h") == "import .hidden |")
    }

    @Test func whatIsThereAlreadyIsNotWrittenTwice() {
        #expect(line("query {\"ti", behind: "\": 1}") == "query {\"title|\": 1}")
        #expect(line("query {ti", behind: ": 1}") == "query {title|: 1}")
        #expect(line("use pe", behind: " ; count") == "use people| ; count")
    }

    @Test func caseDoesNotMatterButTheSameCaseIsFirst() {
        #expect(line("use PEO") == "use people |")
        #expect(complete("use mov").shown == ["movies", "Movers"])
        #expect(complete("use Mov").shown == ["Movers", "movies"])
        #expect(line("query {TIT") == "query {title: |")
    }

    @Test func partsBetweenUnderscoresCanBeAbbreviated() {
        #expect(line("c_c") == "create_collection |")
        #expect(line("v_s") == "vector_search |")
    }

    @Test func severalGetWhatTheyHaveInCommon() {
        let result = complete("query {ye")
        #expect(result.insertion == "year")
        #expect(result.shown == ["year", "yearly"])
        #expect(complete("query {year").insertion == nil)
        #expect(complete("query {\"ye").insertion == "\"year")
    }

    @Test func wordsUsedLastComeFirst() {
        let completer = Completer(Self.catalog())
        let before = completer.complete(open: "", before: "de", behind: "", at: Self.movies).shown
        #expect(before.first == "delete")
        completer.noteUsed("use databases")
        #expect(completer.complete(open: "", before: "d", behind: "", at: Self.movies).shown.first == "databases")
    }

    @Test func linesBeforeBelongToTheCommand() {
        #expect(complete("  ti", open: "query {\n").insertion == "title: ")
    }

    @Test func valuesOnlyOfFieldsThatHaveFew() {
        let catalog = CompletionCatalog { _ in
            var sample = CompletionSample()
            for index in 0..<51 { sample.add(["many": .string("v\(index)"), "few": .string("v\(index % 50)")]) }
            sample.add(["few": .string(String(repeating: "x", count: 10))])
            return .fields(sample)
        }
        #expect(complete("query {many: \"v", in: catalog).shown.isEmpty)
        let fewer = CompletionCatalog { _ in
            var sample = CompletionSample()
            for index in 0..<100 { sample.add(["few": .string("v\(index % 50)")]) }
            return .fields(sample)
        }
        #expect(complete("query {few: \"v", in: fewer).shown.count == 50)
    }

    @Test func documentsThatWereShownAreKnownWithoutAsking() {
        let catalog = CompletionCatalog { _ in nil }
        catalog.samples = false
        catalog.moved(to: Self.movies)
        catalog.noteShown(["_id": "doc_1", "director": "Scott"])
        catalog.noteShown(["_id": "doc_2"])
        #expect(complete("query {dir", in: catalog).insertion == "director: ")
        #expect(complete("read ", in: catalog).shown == ["doc_1", "doc_2"])
        #expect(complete("query {dir", at: Location(collection: "other"), in: catalog).insertion == nil)
    }

    @Test func ownWritesDropWhatWasFetched() {
        let asked = Mutex(0)
        let catalog = CompletionCatalog { _ in
            let count = asked.withLock { count in
                count += 1
                return count
            }
            return .names([.init("c\(count)")])
        }
        #expect(complete("use ", in: catalog).insertion == "c1 ")
        #expect(complete("use ", in: catalog).insertion == "c1 ")
        catalog.noteWrite()
        #expect(complete("use ", in: catalog).insertion == "c2 ")
        catalog.forget()
        #expect(complete("use ", in: catalog).insertion == "c3 ")
    }

    @Test func switchedOffNothingIsRead() {
        let catalog = CompletionCatalog { key in
            if case .fields = key { Issue.record("documents were read") }
            return nil
        }
        catalog.samples = false
        catalog.moved(to: Self.movies)
        #expect(complete("query {t", in: catalog).shown.isEmpty)
    }

    /// A server that takes for ever does not make anyone wait: the answer is that there is none yet.
    @Test func aServerThatDoesNotAnswerIsNotWaitedFor() {
        let catalog = CompletionCatalog { _ in
            try? await Task.sleep(for: .seconds(3600))
            return nil
        }
        let result = Completer(catalog).complete(open: "", before: "use m", behind: "", at: Self.movies)
        #expect(result.isPending)
        #expect(result.insertion == nil)
    }

    @Test func aHundredThousandCollections() {
        let names = (0..<100_000).map { CompletionCandidate("collection_\($0)") }
        let catalog = CompletionCatalog { _ in .names(names) }
        #expect(complete("use coll", in: catalog).insertion == "collection_")
        #expect(complete("use collection_99999", in: catalog).insertion == "collection_99999 ")
        #expect(complete("use collection_9999", in: catalog).shown.count == 11)
    }

    @Test func namesCannotBringControlCharacters() {
        let catalog = CompletionCatalog { key in
            if case .fields = key {
                var sample = CompletionSample()
                sample.add(["bad\u{1B}[2J": "va\nlue"])
                return .fields(sample)
            }
            return .names([.init("evil\u{1B}]0;x\u{7}")])
        }
        #expect(complete("use e", in: catalog).shown.isEmpty)
        #expect(complete("query {b", in: catalog).insertion == "\"bad\\u001b[2J\": ")
    }

    @Test func samplesStayInBounds() {
        var sample = CompletionSample()
        var deep: Value = .int(1)
        for _ in 0..<50 { deep = .document(["d": deep]) }
        sample.add(["deep": deep])
        for index in 0..<5000 { sample.add(["f\(index)": 1]) }
        #expect(sample.paths.count == CompletionSample.maximumFields)
        #expect(sample.paths.map { $0.split(separator: ".").count }.max() == CompletionSample.maximumDepth)
    }

    @Test func variablesAreASourceOfTheirOwn() throws {
        let variables = ShellVariables()
        try variables.set("year_from", "2000")
        let source = VariableCompletion(variables: variables)
        #expect(complete("query {a: $ye", in: Self.catalog(), [source]).insertion == "year_from")
        #expect(complete("\\set SAM", in: Self.catalog(), [source]).insertion == "SAMPLING ")
    }

    @Test func columnsFitTheScreen() {
        let names = (0..<40).map { "name\($0)" } + ["日本語の名前", String(repeating: "x", count: 300)]
        for width in [1, 2, 10, 40, 80, 500] {
            for line in ColumnLayout.lines(names, width: width) where width > 2 {
                #expect(CharacterWidth.of(line) <= width, "\(width): \(line)")
            }
        }
        #expect(ColumnLayout.lines(["a", "b", "c", "d"], width: 8) == ["a  c", "b  d"])
        #expect(ColumnLayout.lines(["a", "b", "c"], width: 80) == ["a  b  c"])
    }
}

import Foundation

/// What the command line says.
struct Arguments {
    var data = Arguments.sample
    var server: String?
    var theme: String?
    var listsThemes = false

    static let usage = """
        Usage: MovieSearch [--data DIRECTORY] [--server URI] [--themes] [THEME]
          --data DIRECTORY  films and vectors; without it the library that is beside the project, else the sample
          --sample          the sample of this example in any case
          --server URI      a server that runs, such as nexadb://root:PASSWORD@localhost:6970/cinema
          --themes          the themes that have a vector
        """

    init(_ arguments: some Sequence<String>) throws {
        var words = Array(arguments).makeIterator()
        func value(_ option: String, _ words: inout IndexingIterator<[String]>) throws -> String {
            guard let value = words.next() else {
                throw FilmLibrary.Fault(description: "\(option) needs a value\n\(Self.usage)")
            }
            return value
        }
        if FileManager.default.fileExists(atPath: Self.library.appendingPathComponent("movies.ndjson").path) {
            data = Self.library
        }
        while let word = words.next() {
            switch word {
            case "--data": data = URL(fileURLWithPath: try value(word, &words))
            case "--sample": data = Self.sample
            case "--server": server = try value(word, &words)
            case "--themes": listsThemes = true
            case "-h", "--help":
                print(Self.usage)
                exit(0)
            case _ where word.hasPrefix("-"):
                throw FilmLibrary.Fault(description: "unknown option \(word)\n\(Self.usage)")
            default: theme = theme.map { "\($0) \(word)" } ?? word
            }
        }
    }

    private static let example = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
    static let sample = example.appendingPathComponent("Sample")
    private static let library = example.appendingPathComponent("../../../shared/data/movies").standardizedFileURL
}

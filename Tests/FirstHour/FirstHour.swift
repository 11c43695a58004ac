import Glibc
import NexaValue
import PTYKit
import TestKit

/// What a new user reads and has: the part "A first hour" of the README, a folder, and a file of films.
final class FirstHour {
    /// Something that the README tells to type.
    struct Step: Equatable {
        /// The prompt that stands in front of it: `$`, or one of the shell's.
        var prompt: String
        var line: String
    }

    let folder: TemporaryDirectory
    private let text: String
    /// Whether the films are those of the shared data, and not a sample of our own.
    let hasSharedFilms = SharedData.folder("movies") != nil
    /// The films of the file, as a program of its own reads them.
    let films: [Document]
    /// One part for each terminal that is used.
    let terminals: [[Step]]
    /// The vectors of the films that have one, by their place in the file.
    let vectors: [Int: [Float]]
    private let path: String

    init() throws {
        folder = try TemporaryDirectory()
        let lines = try Self.text().split(separator: "\n")
        films = try lines.map { try JSON.decodeDocument(String($0)) }
        (vectors, text) = Self.withVectors(films, lines)
        try folder.write("movies.ndjson", text)
        terminals = Self.steps(of: Self.readme())
        // The programs under test, as if they were installed.
        let nexa = Products.executable("nexa")
        let programs = getenv("NEXA_FIRST_HOUR_PROGRAMS").map { String(cString: $0) }
        path = (programs ?? String(nexa.dropLast("/nexa".count))) + ":/usr/bin:/bin"
    }

    var environment: [String: String] { ["HOME": folder.path, "PATH": path] }

    /// Runs a line of the user's own shell on a terminal.
    func open(_ line: String) throws -> Session {
        let session = try Session(
            "/bin/sh", ["-c", "cd '\(folder.path)' && exec \(line)"], environment: environment,
            columns: Recording.columns,
            rows: Recording.rows)
        session.companion = folder
        return session
    }

    /// Runs a line of the user's own shell to its end.
    func run(_ line: String) throws -> Program.Outcome {
        try Program.run("/bin/sh", ["-c", "cd '\(folder.path)' && \(line)"], input: "", environment: environment)
    }

    // MARK: What is given

    /// The films of the shared data, or as many of our own as show the same.
    private static func text() throws -> String {
        if let shared = SharedData.folder("movies") {
            return String(decoding: Files.read(shared + "/movies.ndjson"), as: UTF8.self)
        }
        print("There is no ../shared/data/movies: the first hour has a sample of its own")
        var random = SplitMix64(seed: 1950)
        let genres = ["Noir", "Drama", "Comedy", "Western", "Musical"]
        let known =
            "{\"title\":\"Sunset Boulevard\",\"year\":1950,\"cast\":[\"Gloria Swanson\"],\"genres\":[\"Noir\"]}\n"
        return known
            + (0..<600).map { number in
                // Some play in many films, most in few, and the first ten in numbers of their own.
                let cast = (0..<3).map { _ in
                    let first = Int(random.next() % 40)
                    return "\"Actor \(min(first, Int(random.next() % 40)))\""
                }
                let genre = genres[Int(random.next() % 5)]
                return "{\"title\":\"Film \(number), or \\\"Another\\\"\",\"year\":\(1930 + random.next() % 40),"
                    + "\"cast\":[\(cast.joined(separator: ","))],\"genres\":[\"\(genre)\"]}\n"
            }.joined()
    }

    /// The noir films of the fifties get vectors: enough to compare, and an import that takes seconds.
    private static func withVectors(_ films: [Document], _ lines: [Substring]) -> ([Int: [Float]], String) {
        var all = SharedData.folder("movies").map { Files.read($0 + "/embeddings.f32") } ?? []
        var random = SplitMix64(seed: 384)
        if all.count < films.count * dimensions * 4 { all = [] }
        var vectors: [Int: [Float]] = [:]
        var text = ""
        for (index, (film, line)) in zip(films, lines).enumerated() {
            guard film.isNoirOfTheFifties else {
                text += line + "\n"
                continue
            }
            let vector: [Float] = (0..<dimensions).map { place in
                guard !all.isEmpty else { return Float(Int(random.next() % 2000) - 1000) / 1000 }
                let start = (index * dimensions + place) * 4
                let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(all[start + $1]) << (8 * UInt32($1)) }
                return Float(bitPattern: bits)
            }
            vectors[index] = vector
            text += line.dropLast() + ",\"vector\":[\(vector.map { "\($0)" }.joined(separator: ","))]}\n"
        }
        return (vectors, text)
    }

    private static let dimensions = 384

    /// The places of the films most like another one, best first, by the cosine of each pair.
    func mostSimilar(to place: Int) -> [Int] {
        guard let wanted = vectors[place] else { return [] }
        func dot(_ first: [Float], _ second: [Float]) -> Double {
            zip(first, second).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        let scores = vectors.filter { $0.key != place }.mapValues { other in
            dot(wanted, other) / (dot(wanted, wanted) * dot(other, other)).squareRoot()
        }
        return scores.sorted { $0.value > $1.value }.map(\.key)
    }

    private static func readme() -> String { String(decoding: Files.read(path(of: "README.md")), as: UTF8.self) }

    /// Where a file of the repository is.
    static func path(of file: String) -> String {
        "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/" + file
    }

    /// The lines with a prompt in the blocks of the part "A first hour".
    static func steps(of readme: String) -> [[Step]] {
        var terminals: [[Step]] = []
        var isInPart = false
        var isInBlock = false
        for line in readme.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("#"), !isInBlock { isInPart = line.hasSuffix("A first hour") }
            guard isInPart else { continue }
            if line.hasPrefix("```") {
                isInBlock = line == "```console"
                if isInBlock { terminals.append([]) }
            } else if isInBlock, let end = line.firstRange(of: line.hasPrefix("$ ") ? "$ " : "> ")?.upperBound {
                let prompt = line[..<end].dropLast()
                guard prompt == "$" || prompt.hasPrefix("nexa") else { continue }
                terminals[terminals.count - 1].append(Step(prompt: String(prompt), line: String(line[end...])))
            }
        }
        return terminals
    }
}

extension Document {
    var isOfTheFifties: Bool { self["year"]?.int.map { (1950..<1960).contains($0) } ?? false }
    var isNoirOfTheFifties: Bool { isOfTheFifties && (self["genres"]?.array?.contains("Noir") ?? false) }
}

extension Session {
    /// Types a line at the prompt and waits for the next prompt; the result is what was shown in between.
    func type(_ step: FirstHour.Step, next prompt: String, seconds: Double = 60) -> String? {
        let mark = log.count
        enter(step.line)
        while true {
            let isDone = wait(seconds: seconds) { session in
                session.log[mark...].contains(0x0A) && (session.screen.cursorLine == prompt || session.isInPager)
            }
            guard isDone else { return nil }
            if screen.cursorLine == prompt { return Self.plain(log[mark...]) }
            // What is longer than the screen is in a pager: a page further, and out at the end.
            let shown = log.count
            send(screen.cursorLine == ":" ? " " : "q")
            guard wait(seconds: seconds, until: { $0.log.count > shown }) else { return nil }
        }
    }

    /// Types a line; for a recording as a person does.
    func enter(_ line: String) {
        if getenv("NEXA_FIRST_HOUR") != nil {
            wait(seconds: 1) { _ in false }
            for character in line {
                send(String(character))
                wait(seconds: 0.03) { _ in false }
            }
            wait(seconds: 0.3) { _ in false }
        } else {
            send(line)
        }
        send("\r")
    }

    private var isInPager: Bool { screen.cursorLine == ":" || screen.cursorLine == "(END)" }

    /// Everything that was ever shown, without colours and movements of the cursor.
    var transcript: String { Self.plain(log[...]) }

    static func plain(_ bytes: ArraySlice<UInt8>) -> String {
        var result: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            guard byte == 0x1B else {
                if byte != 0x0D { result.append(byte) }
                continue
            }
            switch rest.popFirst() {
            case 0x5B: while let next = rest.popFirst(), !(0x40...0x7E).contains(next) {}  // CSI
            case 0x5D: while let next = rest.popFirst(), next != 0x07 {}  // OSC
            default: break
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
